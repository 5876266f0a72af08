// Declarations of NVML and of the driver follow their public documentation (NVML API reference; CUDA driver API).
#include "nf/gpu_sensors.h"

#include <array>
#include <utility>

#include "shared_library.h"

namespace nf {
namespace {

using Device = void*;

enum Clock : unsigned { clock_sm = 1, clock_memory = 2 };
constexpr unsigned temperature_of_gpu = 0;

/// Bits of nvmlDeviceGetCurrentClocksEventReasons. An idle GPU and clocks set on purpose are not throttling.
constexpr std::array<std::pair<unsigned long long, const char*>, 6> throttle_bits{{
    {0x04, "power limit"},
    {0x08, "hardware slowdown"},
    {0x10, "kept in step with another GPU"},
    {0x20, "temperature"},
    {0x40, "temperature (hardware)"},
    {0x80, "power brake"},
}};

/// The driver's name for a device in the PCI bus; empty when the driver does not tell.
std::string pci_address(int device_index) {
  const SharedLibrary driver(driver_library);
  const auto init = driver.find<int(unsigned)>("cuInit");
  const auto get = driver.find<int(int*, int)>("cuDeviceGet");
  const auto address = driver.find<int(char*, int, int)>("cuDeviceGetPCIBusId");
  std::array<char, 32> text{};
  int device = 0;
  if (!init || !get || !address || init(0) != 0 || get(&device, device_index) != 0) return "";
  return address(text.data(), static_cast<int>(text.size()), device) == 0 ? text.data() : "";
}

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

  bool is_there() const { return static_cast<bool>(library_); }
  bool is_ready() const { return ready_; }

  Device find(const std::string& address) const {
    Device device = nullptr;
    const auto by_address = library_.find<int(const char*, Device*)>("nvmlDeviceGetHandleByPciBusId_v2");
    return by_address && by_address(address.c_str(), &device) == 0 ? device : nullptr;
  }

  GpuSample sample(Device device) const {
    GpuSample sample;
    std::array<char, 96> name{};
    const auto get_name = library_.find<int(Device, char*, unsigned)>("nvmlDeviceGetName");
    if (get_name && get_name(device, name.data(), static_cast<unsigned>(name.size())) == 0) sample.name = name.data();
    struct Memory {
      unsigned long long total, free, used;
    } memory{};
    const auto get_memory = library_.find<int(Device, Memory*)>("nvmlDeviceGetMemoryInfo");
    if (get_memory && get_memory(device, &memory) == 0) {
      sample.memory_used = static_cast<std::int64_t>(memory.used);
      sample.memory_total = static_cast<std::int64_t>(memory.total);
    }
    struct Utilisation {
      unsigned gpu, memory;
    } utilisation{};
    const auto get_utilisation = library_.find<int(Device, Utilisation*)>("nvmlDeviceGetUtilizationRates");
    if (get_utilisation && get_utilisation(device, &utilisation) == 0) sample.utilisation_percent = utilisation.gpu;
    sample.sm_clock_mhz = figure(device, clock_sm, "nvmlDeviceGetClockInfo");
    sample.memory_clock_mhz = figure(device, clock_memory, "nvmlDeviceGetClockInfo");
    sample.temperature_c = figure(device, temperature_of_gpu, "nvmlDeviceGetTemperature");
    sample.power_w = milli(device, "nvmlDeviceGetPowerUsage");
    sample.power_limit_w = milli(device, "nvmlDeviceGetEnforcedPowerLimit");
    sample.throttle = throttle(device);
    return sample;
  }

 private:
  std::optional<double> figure(Device device, unsigned which, const char* symbol) const {
    unsigned value = 0;
    const auto get = library_.find<int(Device, unsigned, unsigned*)>(symbol);
    if (!get || get(device, which, &value) != 0) return std::nullopt;
    return value;
  }
  std::optional<double> milli(Device device, const char* symbol) const {
    unsigned value = 0;
    const auto get = library_.find<int(Device, unsigned*)>(symbol);
    if (!get || get(device, &value) != 0) return std::nullopt;
    return 1e-3 * value;
  }
  std::optional<std::vector<std::string>> throttle(Device device) const {
    using Get = int(Device, unsigned long long*);
    auto get = library_.find<Get>("nvmlDeviceGetCurrentClocksEventReasons");
    if (!get) get = library_.find<Get>("nvmlDeviceGetCurrentClocksThrottleReasons");  // its name before driver 535
    unsigned long long bits = 0;
    if (!get || get(device, &bits) != 0) return std::nullopt;
    std::vector<std::string> reasons;
    for (const auto& [bit, words] : throttle_bits) {
      if (bits & bit) reasons.emplace_back(words);
    }
    return reasons;
  }

  SharedLibrary library_;
  bool ready_ = false;
};

}  // namespace

GpuReading read_gpu(int device_index) {
  const Management management;
  if (!management.is_there())
    return {std::nullopt, "no NVIDIA driver is installed (its management library is missing)"};
  if (!management.is_ready()) return {std::nullopt, "the NVIDIA driver's management library does not start"};
  const std::string address = pci_address(device_index);
  const Device device = address.empty() ? nullptr : management.find(address);
  if (!device) return {std::nullopt, "the NVIDIA driver finds no GPU number " + std::to_string(device_index)};
  return {management.sample(device), ""};
}

}  // namespace nf
