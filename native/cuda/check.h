// Turns CUDA's return codes into EngineError. The only macro of the room.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "nf/engine.h"

namespace nf::cuda {

/// Sticky errors outlive the context: the driver refuses the GPU to this process from then on.
inline bool is_sticky(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorDeviceUninitialized:
    case cudaErrorUnknown: return true;
    default: return false;
  }
}

/// Throws out_of_memory or device_lost. `what` is the failed call, for the log.
[[noreturn]] inline void throw_cuda(cudaError_t error, const char* what) {
  const std::string text = std::string(cudaGetErrorString(error)) + " (in " + what + ")";
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // not sticky: clear it
    throw EngineError(ErrorCode::out_of_memory,
                      "the GPU has no memory left: " + text + "; choose a smaller context or a smaller weight format");
  }
  throw EngineError(ErrorCode::device_lost,
                    "the GPU stopped working: " + text +
                        (is_sticky(error) ? "; start Nemoflash again to use the GPU" : "; load the model again"));
}

#define CUDA_CHECK(call)                                                                \
  do {                                                                                  \
    if (const cudaError_t cuda_check_error = (call); cuda_check_error != cudaSuccess) { \
      ::nf::cuda::throw_cuda(cuda_check_error, #call);                                  \
    }                                                                                   \
  } while (false)

}  // namespace nf::cuda
