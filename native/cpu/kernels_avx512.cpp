// Kernels for AVX-512 F, BW, VL and DQ.
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

/// Pairs of products are added in 16 bits: 15 * 127 * 2 * 8 fits, so codes of 8 bits go in two halves.
struct Dot512 {
  static __m512i sum(const __m512i* w, const std::int8_t* x, bool wide) {
    const __m512i low_bits = _mm512_set1_epi8(15), ones = _mm512_set1_epi16(1);
    __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();
    for (int q = 0; q < 8; ++q) {
      const __m512i xs = four_of(x + q * 4);
      low = _mm512_add_epi16(low, _mm512_maddubs_epi16(_mm512_and_si512(w[q], low_bits), xs));
      if (!wide) continue;
      const __m512i upper = _mm512_and_si512(_mm512_srli_epi16(w[q], 4), low_bits);
      high = _mm512_add_epi16(high, _mm512_maddubs_epi16(upper, xs));
    }
    return _mm512_add_epi32(_mm512_madd_epi16(low, ones), _mm512_slli_epi32(_mm512_madd_epi16(high, ones), 4));
  }
};
#include "kernels/panel_512.h"
#include "kernels/quantised.h"
#include "kernels/table.h"

}  // namespace

const Kernels& avx512_kernels() {
  static constexpr Kernels table = make_table("avx512");
  return table;
}

}  // namespace nf::cpu
