// Kernel launches, with or without programmatic dependent launch, and what all launchers need to know of the device.
#pragma once

#include <algorithm>
#include <utility>

#include "check.h"

namespace nf::cuda {

struct DeviceFacts {
  int index = 0;
  int n_multiprocessors = 0;
  int compute_major = 0, compute_minor = 0;
  int shared_bytes_per_block = 0;  // after opting in
  int shared_bytes_per_multiprocessor = 0;
};

class Resident;

/// Where and how a stage is launched.
struct LaunchContext {
  cudaStream_t stream = nullptr;
  bool overlap = false;  // programmatic dependent launch: sm_90 and newer
  const DeviceFacts* device = nullptr;
  Resident* resident = nullptr;  // stages of a single row go to the resident kernel instead
};

template <class... Parameters, class... Arguments>
void launch(const LaunchContext& context, void (*kernel)(Parameters...), dim3 grid, int block, int shared_bytes,
            Arguments&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(block));
  config.dynamicSmemBytes = static_cast<std::size_t>(shared_bytes);
  config.stream = context.stream;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = context.overlap ? 1 : 0;
  CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, Parameters(std::forward<Arguments>(arguments))...));
}

/// Shared memory for a block that is to have a multiprocessor to itself: one that starts while an earlier kernel ends
/// would otherwise share the first that is free. At least `bytes`.
inline int one_block_bytes(const LaunchContext& context, int bytes) {
  const int more_than_half = context.device->shared_bytes_per_multiprocessor / 2 + 1024;
  return more_than_half <= context.device->shared_bytes_per_block ? std::max(bytes, more_than_half) : bytes;
}

template <class Kernel>
void allow_shared_bytes(Kernel kernel, int bytes) {
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
}

}  // namespace nf::cuda
