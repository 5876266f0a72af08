// Kernels for AVX2 with AVX-VNNI: dot products of bytes.
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

struct Dot256 {
  static __m256i sum(const __m256i (*w)[2], int half, const std::int8_t* x, bool) {
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    for (int q = 0; q < 8; q += 2) {
      even = _mm256_dpbusd_avx_epi32(even, w[q][half], four_of(x + q * 4));
      odd = _mm256_dpbusd_avx_epi32(odd, w[q + 1][half], four_of(x + q * 4 + 4));
    }
    return _mm256_add_epi32(even, odd);
  }
};
#include "kernels/panel_256.h"
#include "kernels/quantised.h"
#include "kernels/table.h"

}  // namespace

const Kernels& avxvnni_kernels() {
  static constexpr Kernels table = make_table("avxvnni");
  return table;
}

}  // namespace nf::cpu
