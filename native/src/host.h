// What the operating system says about this computer, as far as this process may use it.
#pragma once

#include <cstdint>
#include <string>

namespace nf {

std::string cpu_model_name();
/// Physical cores in this process's affinity mask, no more than its CPU quota allows; at least 1.
int n_physical_cores();
std::string cpu_features();

struct HostMemory {
  std::int64_t total = 0, available = 0;  // bytes; the container's limit when there is one
};
HostMemory host_memory();

/// Largest resident size of this process so far, or since forget_peak_resident(), in bytes.
std::int64_t peak_resident_bytes();
/// Does nothing where the system cannot.
void forget_peak_resident();

}  // namespace nf
