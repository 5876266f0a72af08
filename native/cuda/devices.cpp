#include "devices.h"

#include <array>
#include <memory>

#include "shared_library.h"

namespace nf::cuda {
namespace {

constexpr int oldest_major = 8;  // bf16 matrix instructions

/// Free memory and driver version from the driver's management library (NVML), whose answers need no context.
class Management {
 public:
  Management() : library_(management_library) {
    const auto init = library_.find<int()>("nvmlInit_v2");
    ready_ = init && init() == 0;
  }
  ~Management() {
    if (const auto shut_down = library_.find<int()>("nvmlShutdown"); ready_ && shut_down) shut_down();
  }
  Management(const Management&) = delete;
  Management& operator=(const Management&) = delete;

  std::string driver_version() const {
    std::array<char, 96> text{};
    const auto get = library_.find<int(char*, unsigned)>("nvmlSystemGetDriverVersion");
    return ready_ && get && get(text.data(), static_cast<unsigned>(text.size())) == 0 ? text.data() : "";
  }

  /// Bytes free on the GPU at a PCI address, or `otherwise` when they cannot be known.
  std::int64_t free_bytes(const char* pci_address, std::int64_t otherwise) const {
    struct Memory {
      unsigned long long total, free, used;
    } memory{};
    void* device = nullptr;
    const auto by_address = library_.find<int(const char*, void**)>("nvmlDeviceGetHandleByPciBusId_v2");
    const auto get_memory = library_.find<int(void*, Memory*)>("nvmlDeviceGetMemoryInfo");
    if (!ready_ || !by_address || !get_memory) return otherwise;
    if (by_address(pci_address, &device) != 0 || get_memory(device, &memory) != 0) return otherwise;
    return static_cast<std::int64_t>(memory.free);
  }

 private:
  SharedLibrary library_;
  bool ready_ = false;
};

std::string why_no_gpu(cudaError_t error) {
  if (!SharedLibrary(driver_library)) {
    return "no NVIDIA driver is installed; install the driver for your GPU, or use the CPU";
  }
  switch (error) {
    case cudaErrorInsufficientDriver:
      return "the NVIDIA driver is too old for this build (it needs 580 or newer); update the driver, or use the CPU";
    case cudaErrorNoDevice: return "the NVIDIA driver finds no GPU";
    default: return std::string("the NVIDIA driver does not work: ") + cudaGetErrorString(error);
  }
}

/// Both edges of the memory clock times the width of its bus, in bytes per second; 0 where the driver does not tell.
std::int64_t nominal_bandwidth(int device) {
  int kilohertz = 0, bits = 0;
  if (cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, device) != cudaSuccess ||
      cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, device) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return 2LL * 1000 * kilohertz * (bits / 8);
}

/// Appends the GPUs; returns why there are none, or nothing.
std::string list(std::vector<DeviceInfo>& devices) {
  int n_devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&n_devices);
  if (error != cudaSuccess) (void)cudaGetLastError();
  if (error != cudaSuccess || n_devices == 0) return why_no_gpu(error == cudaSuccess ? cudaErrorNoDevice : error);
  const Management management;
  std::string reason;
  for (int i = 0; i < n_devices; ++i) {
    cudaDeviceProp properties{};
    if (const cudaError_t failed = cudaGetDeviceProperties(&properties, i); failed != cudaSuccess) {
      (void)cudaGetLastError();
      reason = why_no_gpu(failed);
      continue;
    }
    std::array<char, 32> pci{};
    (void)cudaDeviceGetPCIBusId(pci.data(), static_cast<int>(pci.size()), i);
    DeviceInfo info;
    info.kind = Device::cuda;
    info.index = i;
    info.name = properties.name;
    info.memory_total = static_cast<std::int64_t>(properties.totalGlobalMem);
    info.memory_free = management.free_bytes(pci.data(), info.memory_total);
    info.compute_major = properties.major;
    info.compute_minor = properties.minor;
    info.features = "driver " + management.driver_version();
    info.nominal_bandwidth = nominal_bandwidth(i);
    devices.push_back(std::move(info));
  }
  return devices.empty() ? reason : "";
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  CUDA_CHECK(cudaDeviceGetAttribute(&value, which, device));
  return value;
}

}  // namespace

DeviceFacts choose_device(int index) {
  std::vector<DeviceInfo> devices;
  if (const std::string reason = list(devices); !reason.empty()) {
    throw EngineError(ErrorCode::cuda_unavailable, "there is no usable GPU: " + reason);
  }
  const DeviceInfo* chosen = nullptr;
  for (const DeviceInfo& device : devices) {
    if (index >= 0 ? device.index == index
                   : device.compute_major >= oldest_major && (!chosen || device.memory_free > chosen->memory_free)) {
      chosen = &device;
    }
  }
  if (!chosen && index >= 0) {
    throw EngineError(ErrorCode::bad_argument, "there is no GPU number " + std::to_string(index) +
                                                   "; this machine has " + std::to_string(devices.size()));
  }
  if (!chosen || chosen->compute_major < oldest_major) {
    const DeviceInfo& device = chosen ? *chosen : devices.front();
    throw EngineError(ErrorCode::unsupported,
                      device.name + " has compute capability " + std::to_string(device.compute_major) + "." +
                          std::to_string(device.compute_minor) + "; the CUDA engine needs 8.0 (Ampere) or newer");
  }
  DeviceFacts facts;
  facts.index = chosen->index;
  facts.compute_major = chosen->compute_major;
  facts.compute_minor = chosen->compute_minor;
  facts.n_multiprocessors = attribute(cudaDevAttrMultiProcessorCount, facts.index);
  facts.shared_bytes_per_block = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, facts.index);
  facts.shared_bytes_per_multiprocessor = attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, facts.index);
  return facts;
}

}  // namespace nf::cuda

namespace nf {

void list_cuda_devices(DeviceReport& report) { report.cuda_reason = cuda::list(report.devices); }

}  // namespace nf
