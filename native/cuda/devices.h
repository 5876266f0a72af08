// Which GPUs there are, found without creating a context.
#pragma once

#include "backend.h"
#include "launch.h"

namespace nf::cuda {

/// The device to use: the one asked for, or the one with most free memory when `index` is -1. Throws cuda_unavailable,
/// bad_argument, unsupported.
DeviceFacts choose_device(int index);

}  // namespace nf::cuda
