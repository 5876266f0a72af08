#pragma once

#include "launch.h"

namespace nf::cuda {

/// Bytes per second of the fastest of several grids that read a few GiB of the current device's memory.
/// Throws out_of_memory, device_lost.
double read_bandwidth(const DeviceFacts&);

}  // namespace nf::cuda
