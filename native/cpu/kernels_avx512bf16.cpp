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
#include "kernels/elementwise.h"
#include "kernels/recurrence.h"
#include "kernels/small_gemm.h"

inline __m512i four_of(const std::int8_t* x);

struct Dot512 {
  static __m512i sum(const __m512i* w, const std::int8_t* x, bool) {
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    for (int q = 0; q < 8; q += 2) {
      even = _mm512_dpbusd_epi32(even, w[q], four_of(x + q * 4));
      odd = _mm512_dpbusd_epi32(odd, w[q + 1], four_of(x + q * 4 + 4));
    }
    return _mm512_add_epi32(even, odd);
  }
};
#include "kernels/dense_bf16.h"
#include "kernels/panel_512.h"
#include "kernels/quantised.h"
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
