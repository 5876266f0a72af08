// Kernels for AVX-512 with VNNI and BF16: dot products of bytes and of bf16.
#include <immintrin.h>

#include "isa.h"
#include "kernels.h"

namespace nf::cpu {
namespace {

#include "kernels/vector_avx512.h"
// Each part needs the ones before it.
#include "kernels/codes.h"
#include "kernels/dense.h"
#include "kernels/dense_bf16.h"
#include "kernels/dot_vnni.h"
#include "kernels/elementwise.h"
#include "kernels/panel_512.h"
#include "kernels/quantised.h"
#include "kernels/recurrence.h"
#include "kernels/small_gemm.h"
#include "kernels/table.h"

constexpr Kernels make_bf16_table() {
  Kernels k = make_table("avx512bf16");
  k.dot_bf16_bf16 = dot_bf16_bf16;
  return k;
}

}  // namespace

const Kernels& avx512bf16_kernels() {
  static constexpr Kernels table = make_bf16_table();
  return table;
}

}  // namespace nf::cpu
