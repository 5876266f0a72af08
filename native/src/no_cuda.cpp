// Stands in for native/cuda in a build without it.
#include "backend.h"

namespace nf {

std::unique_ptr<Backend> make_cuda_backend(const ModelPlan&, const LoadOptions&, const StopFlag&) {
  throw EngineError(ErrorCode::cuda_unavailable, "this build of Nemoflash has no CUDA engine; choose the CPU");
}

void list_cuda_devices(DeviceReport& report) { report.cuda_reason = "this build of Nemoflash has no CUDA engine"; }

}  // namespace nf
