// Which instruction sets this program was built for and this machine has.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace nf::cpu {

/// Tables of the sets that this machine can run, plainest first. portable is always there.
std::vector<const Kernels*> usable_kernels();

/// The best usable table, or the one that the environment variable NF_CPU_ISA names (portable, avx2, avxvnni, avx512,
/// avx512vnni, avx512bf16, amx). Throws bad_argument when it names one that this machine or build lacks.
const Kernels& choose_kernels();

// One file each, compiled for its set.
const Kernels& portable_kernels();
const Kernels& avx2_kernels();
const Kernels& avxvnni_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512vnni_kernels();
const Kernels& avx512bf16_kernels();
const Kernels& amx_kernels();

}  // namespace nf::cpu
