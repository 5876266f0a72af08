// Clocks, temperature, power and memory of a GPU, from the driver's management library (NVML), loaded at run time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nf {

/// What the library said just now; what it does not tell on this GPU is empty.
struct GpuSample {
  std::string name;
  std::optional<std::int64_t> memory_used, memory_total;  // bytes, of all programs together
  std::optional<double> sm_clock_mhz, memory_clock_mhz;   //
  std::optional<double> temperature_c;                    //
  std::optional<double> power_w, power_limit_w;           //
  std::optional<double> utilisation_percent;              // of the last second or less
  std::optional<std::vector<std::string>> throttle;       // what slows the clocks, in words; {}: nothing does
};

struct GpuReading {
  std::optional<GpuSample> sample;
  std::string reason;  // why there is no sample, in a sentence; empty when there is one
};

/// Reads the GPU that CUDA knows by `device_index`. Creates no CUDA context; never throws because a driver is missing.
/// Safe on any thread.
GpuReading read_gpu(int device_index);

}  // namespace nf
