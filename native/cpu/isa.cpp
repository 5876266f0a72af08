#include "isa.h"

#include <cstdlib>

#include "nf/engine.h"

#if NF_CPU_X86
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace nf::cpu {
namespace {

#if NF_CPU_X86

/// CPUID leaf 7, subleaf 1: AVX-VNNI and AVX-512 BF16, which older compilers' __builtin_cpu_supports does not know.
struct Leaf7Sub1 {
  bool avx_vnni = false, avx512_bf16 = false;
  Leaf7Sub1() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
      avx_vnni = (a >> 4 & 1) != 0;
      avx512_bf16 = (a >> 5 & 1) != 0;
    }
  }
};

bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1) != 0;
}

/// AMX tiles of bf16, which the system has to grant to a process: their registers make its threads' contexts large.
bool may_use_amx() {
#ifdef __linux__
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool has_tiles = (d >> 24 & 1) != 0, has_bf16 = (d >> 22 & 1) != 0;
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return has_tiles && has_bf16 && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

#endif

}  // namespace

std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> usable{&portable_kernels()};
#if NF_CPU_X86
  __builtin_cpu_init();
  const Leaf7Sub1 more;
  // __builtin_cpu_supports also asks whether the operating system saves the wide registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  const bool avx512_vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  if (avx2) usable.push_back(&avx2_kernels());
  if (avx2 && more.avx_vnni) usable.push_back(&avxvnni_kernels());
  if (avx512) usable.push_back(&avx512_kernels());
  if (avx512_vnni) usable.push_back(&avx512vnni_kernels());
  if (avx512_vnni && more.avx512_bf16) usable.push_back(&avx512bf16_kernels());
  if (avx512_vnni && more.avx512_bf16 && may_use_amx()) usable.push_back(&amx_kernels());
#endif
  return usable;
}

const Kernels& choose_kernels() {
  const auto usable = usable_kernels();
  const char* wanted = std::getenv("NF_CPU_ISA");
  if (!wanted || !*wanted) return *usable.back();
  std::string names;
  for (const Kernels* kernels : usable) {
    if (std::string(wanted) == kernels->name) return *kernels;
    names += std::string(names.empty() ? "" : ", ") + kernels->name;
  }
  throw EngineError(ErrorCode::bad_argument, std::string("NF_CPU_ISA is ") + wanted + ", but this computer can run " +
                                                 names + " only; unset it or choose one of these");
}

}  // namespace nf::cpu
