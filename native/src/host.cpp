#include "host.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "backend.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
// windows.h must come first
#include <psapi.h>
#else
#include <sys/resource.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

namespace nf {
namespace {

#ifdef __linux__

/// The first number of a file such as cgroup's memory.max; -1 when there is none ("max", or no such file).
std::int64_t number_in_file(const std::string& path) {
  std::ifstream in(path);
  std::int64_t value = -1;
  return in >> value ? value : -1;
}

/// CPUs this process may have at once by its cgroup's quota; infinity without one.
double cpu_quota() {
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (in >> quota >> period && period > 0) return quota / period;
  const auto quota_us = number_in_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const auto period_us = number_in_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (quota_us > 0 && period_us > 0) return static_cast<double>(quota_us) / static_cast<double>(period_us);
  return std::numeric_limits<double>::infinity();
}

int n_cores_in_mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 0;
  std::set<std::pair<std::int64_t, std::int64_t>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    const auto core = number_in_file(topology + "core_id");
    // Without topology every CPU counts as a core of its own.
    if (core < 0)
      cores.emplace(-1, cpu);
    else
      cores.emplace(number_in_file(topology + "physical_package_id"), core);
  }
  return static_cast<int>(cores.size());
}

std::int64_t meminfo_bytes(const std::string& wanted) {
  std::ifstream in("/proc/meminfo");
  std::string key, unit;
  std::int64_t kibibytes = 0;
  while (in >> key >> kibibytes && std::getline(in, unit)) {
    if (key == wanted + ":") return kibibytes * 1024;
  }
  return 0;
}

#endif

}  // namespace

std::string cpu_model_name() {
#ifdef __linux__
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
#elif defined(_WIN32)
  wchar_t name[256];
  DWORD n_bytes = sizeof name;
  if (RegGetValueW(HKEY_LOCAL_MACHINE, L"HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0", L"ProcessorNameString",
                   RRF_RT_REG_SZ, nullptr, name, &n_bytes) == ERROR_SUCCESS) {
    return std::string(name, name + wcslen(name));  // an ASCII string by Intel's and AMD's manuals
  }
#endif
  return "CPU";
}

int n_physical_cores() {
  int cores = 0;
#ifdef __linux__
  cores = n_cores_in_mask();
  const double quota = cpu_quota();
  if (std::isfinite(quota)) cores = std::min(cores, std::max(1, static_cast<int>(std::ceil(quota))));
#elif defined(_WIN32)
  DWORD n_bytes = 0;
  GetLogicalProcessorInformationEx(RelationProcessorCore, nullptr, &n_bytes);
  std::vector<char> buffer(n_bytes);
  auto* info = reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(buffer.data());
  if (GetLogicalProcessorInformationEx(RelationProcessorCore, info, &n_bytes)) {
    for (DWORD at = 0; at < n_bytes; ++cores) {
      at += reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(buffer.data() + at)->Size;
    }
  }
#endif
  return cores > 0 ? cores : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::string cpu_features() {
  std::string text;
#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
  const auto add = [&text](bool has, const char* name) {
    if (has) text += (text.empty() ? "" : " ") + std::string(name);
  };
  __builtin_cpu_init();
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("fma"), "fma");
  add(__builtin_cpu_supports("avx512f"), "avx512f");
  add(__builtin_cpu_supports("avx512vl"), "avx512vl");
  add(__builtin_cpu_supports("avx512vnni"), "avx512vnni");
  add(__builtin_cpu_supports("avx512bf16"), "avx512bf16");
#elif defined(_WIN32) && defined(_M_X64)
  if (IsProcessorFeaturePresent(PF_AVX2_INSTRUCTIONS_AVAILABLE)) text = "avx2";
  if (IsProcessorFeaturePresent(PF_AVX512F_INSTRUCTIONS_AVAILABLE)) text += " avx512f";
#elif defined(__aarch64__)
  text = "neon";
#endif
  return text;
}

HostMemory host_memory() {
  HostMemory memory;
#ifdef __linux__
  memory = {meminfo_bytes("MemTotal"), meminfo_bytes("MemAvailable")};
  const std::int64_t limit = number_in_file("/sys/fs/cgroup/memory.max");
  const std::int64_t used = number_in_file("/sys/fs/cgroup/memory.current");
  if (limit > 0 && limit < memory.total) {
    memory.total = limit;
    memory.available = std::min(memory.available, std::max<std::int64_t>(0, limit - std::max<std::int64_t>(used, 0)));
  }
#elif defined(_WIN32)
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  if (GlobalMemoryStatusEx(&status)) {
    memory = {static_cast<std::int64_t>(status.ullTotalPhys), static_cast<std::int64_t>(status.ullAvailPhys)};
  }
#endif
  return memory;
}

std::int64_t peak_resident_bytes() {
#ifdef _WIN32
  PROCESS_MEMORY_COUNTERS counters{};
  return GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)
             ? static_cast<std::int64_t>(counters.PeakWorkingSetSize)
             : 0;
#else
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return std::int64_t{usage.ru_maxrss} * 1024;
#endif
#endif
}

void forget_peak_resident() {
#ifdef __linux__
  std::ofstream("/proc/self/clear_refs") << 5;  // proc(5): the high-water mark starts again from what is resident now
#endif
}

DeviceReport list_devices() {
  DeviceReport report;
  DeviceInfo cpu;
  const HostMemory memory = host_memory();
  cpu.name = cpu_model_name();
  cpu.memory_total = memory.total;
  cpu.memory_free = memory.available;
  cpu.n_threads = n_physical_cores();
  cpu.features = cpu_features();
  report.devices.push_back(std::move(cpu));
  list_cuda_devices(report);
  return report;
}

}  // namespace nf
