#include "vector_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define NF_X86_DISPATCH 1
#define NF_INLINE inline __attribute__((always_inline))
#else
#define NF_X86_DISPATCH 0
#define NF_INLINE inline
#endif

namespace nf {
namespace {

// Loops over fixed arrays of lanes, which compilers turn into vector registers without being allowed to reorder sums.
constexpr int n_lanes = 16;

/// exp(x) for x <= 0: 2^n times a polynomial on [-ln2/2, ln2/2] (Cephes' coefficients); 0 below -87.
NF_INLINE float exp_not_positive(float x) {
  const float clamped = x > -87.0f ? x : -87.0f;
  const float shifted = clamped * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to a whole number in the low bits
  const float n = shifted - 12582912.0f;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::int32_t power = (std::bit_cast<std::int32_t>(shifted) - 0x4B400000 + 127) << 23;
  const float value = p * std::bit_cast<float>(power);
  return x > -87.0f ? value : 0.0f;
}

NF_INLINE bool block_maxima_body(const float* values, int n, float* maxima) {
  std::uint32_t nan[n_lanes] = {};
  for (int block = 0; block * math_block < n; ++block) {
    const float* x = values + block * math_block;
    const int size = std::min(math_block, n - block * math_block);
    float best[n_lanes];
    for (int k = 0; k < n_lanes; ++k) best[k] = -std::numeric_limits<float>::infinity();
    int i = 0;
    for (; i + n_lanes <= size; i += n_lanes) {
      for (int k = 0; k < n_lanes; ++k) {
        best[k] = x[i + k] > best[k] ? x[i + k] : best[k];
        nan[k] |= (std::bit_cast<std::uint32_t>(x[i + k]) & 0x7FFFFFFFu) > 0x7F800000u ? 1u : 0u;
      }
    }
    for (; i < size; ++i) {
      best[0] = x[i] > best[0] ? x[i] : best[0];
      nan[0] |= std::isnan(x[i]) ? 1u : 0u;
    }
    float largest = best[0];
    for (int k = 1; k < n_lanes; ++k) largest = best[k] > largest ? best[k] : largest;
    maxima[block] = largest;
  }
  std::uint32_t any = 0;
  for (int k = 0; k < n_lanes; ++k) any |= nan[k];
  return any == 0;
}

NF_INLINE void exp_weights_body(const float* values, int n, float largest, float scale, float* weights, double* sums,
                                float* maxima) {
  for (int block = 0; block * math_block < n; ++block) {
    const float* x = values + block * math_block;
    float* w = weights + block * math_block;
    const int size = std::min(math_block, n - block * math_block);
    float sum[n_lanes] = {}, best[n_lanes] = {};
    int i = 0;
    for (; i + n_lanes <= size; i += n_lanes) {
      for (int k = 0; k < n_lanes; ++k) {
        const float weight = exp_not_positive((x[i + k] - largest) * scale);
        w[i + k] = weight;
        sum[k] += weight;
        best[k] = weight > best[k] ? weight : best[k];
      }
    }
    for (; i < size; ++i) {
      w[i] = exp_not_positive((x[i] - largest) * scale);
      sum[0] += w[i];
      best[0] = w[i] > best[0] ? w[i] : best[0];
    }
    double total = 0;
    for (int k = 0; k < n_lanes; ++k) total += sum[k];
    for (int k = 1; k < n_lanes; ++k) best[0] = best[k] > best[0] ? best[k] : best[0];
    sums[block] = total;
    maxima[block] = best[0];
  }
}

NF_INLINE double exp_sum_body(const float* values, int n, float largest) {
  double total = 0;
  for (int block = 0; block * math_block < n; ++block) {
    const float* x = values + block * math_block;
    const int size = std::min(math_block, n - block * math_block);
    float sum[n_lanes] = {};
    int i = 0;
    for (; i + n_lanes <= size; i += n_lanes) {
      for (int k = 0; k < n_lanes; ++k) sum[k] += exp_not_positive(x[i + k] - largest);
    }
    for (; i < size; ++i) sum[0] += exp_not_positive(x[i] - largest);
    for (int k = 0; k < n_lanes; ++k) total += sum[k];
  }
  return total;
}

#if NF_X86_DISPATCH

#define NF_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma")))
#define NF_AVX2 __attribute__((target("avx2,fma")))

NF_AVX512 bool block_maxima_avx512(const float* values, int n, float* maxima) {
  return block_maxima_body(values, n, maxima);
}
NF_AVX2 bool block_maxima_avx2(const float* values, int n, float* maxima) {
  return block_maxima_body(values, n, maxima);
}
NF_AVX512 void exp_weights_avx512(const float* values, int n, float largest, float scale, float* weights, double* sums,
                                  float* maxima) {
  exp_weights_body(values, n, largest, scale, weights, sums, maxima);
}
NF_AVX2 void exp_weights_avx2(const float* values, int n, float largest, float scale, float* weights, double* sums,
                              float* maxima) {
  exp_weights_body(values, n, largest, scale, weights, sums, maxima);
}
NF_AVX512 double exp_sum_avx512(const float* values, int n, float largest) { return exp_sum_body(values, n, largest); }
NF_AVX2 double exp_sum_avx2(const float* values, int n, float largest) { return exp_sum_body(values, n, largest); }

enum class Isa { base, avx2, avx512 };

Isa isa() {
  static const Isa found = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw")) {
      return Isa::avx512;
    }
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? Isa::avx2 : Isa::base;
  }();
  return found;
}

#endif

}  // namespace

bool block_maxima(const float* values, int n, float* maxima) {
#if NF_X86_DISPATCH
  if (isa() == Isa::avx512) return block_maxima_avx512(values, n, maxima);
  if (isa() == Isa::avx2) return block_maxima_avx2(values, n, maxima);
#endif
  return block_maxima_body(values, n, maxima);
}

void exp_weights(const float* values, int n, float largest, float scale, float* weights, double* sums, float* maxima) {
#if NF_X86_DISPATCH
  if (isa() == Isa::avx512) return exp_weights_avx512(values, n, largest, scale, weights, sums, maxima);
  if (isa() == Isa::avx2) return exp_weights_avx2(values, n, largest, scale, weights, sums, maxima);
#endif
  exp_weights_body(values, n, largest, scale, weights, sums, maxima);
}

double exp_sum(const float* values, int n, float largest) {
#if NF_X86_DISPATCH
  if (isa() == Isa::avx512) return exp_sum_avx512(values, n, largest);
  if (isa() == Isa::avx2) return exp_sum_avx2(values, n, largest);
#endif
  return exp_sum_body(values, n, largest);
}

}  // namespace nf
