// Kernels for AVX2 with FMA and F16C.
#include <immintrin.h>

#include "isa.h"
#include "kernels.h"

namespace nf::cpu {
namespace {

#include "kernels/vector_avx2.h"
// Each part needs the ones before it.
#include "kernels/codes.h"
#include "kernels/dense.h"
#include "kernels/elementwise.h"
#include "kernels/recurrence.h"
#include "kernels/small_gemm.h"

inline __m256i four_of(const std::int8_t* x);

/// Pairs of products are added in 16 bits: 15 * 127 * 2 * 8 fits, so codes of 8 bits go in two halves.
struct Dot256 {
  static __m256i sum(const __m256i (*w)[2], int half, const std::int8_t* x, bool wide) {
    const __m256i low_bits = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
    for (int q = 0; q < 8; ++q) {
      const __m256i xs = four_of(x + q * 4);
      low = _mm256_add_epi16(low, _mm256_maddubs_epi16(_mm256_and_si256(w[q][half], low_bits), xs));
      if (!wide) continue;
      const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(w[q][half], 4), low_bits);
      high = _mm256_add_epi16(high, _mm256_maddubs_epi16(upper, xs));
    }
    return _mm256_add_epi32(_mm256_madd_epi16(low, ones), _mm256_slli_epi32(_mm256_madd_epi16(high, ones), 4));
  }
};
#include "kernels/panel_256.h"
#include "kernels/quantised.h"
#include "kernels/table.h"

}  // namespace

const Kernels& avx2_kernels() {
  static constexpr Kernels table = make_table("avx2");
  return table;
}

}  // namespace nf::cpu
