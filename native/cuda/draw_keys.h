// The numbers that a draw on the device is made of, the same on a GPU and on a CPU. All are integers, so that no sum
// depends on the order in which threads add to it.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "nf/engine.h"

#ifdef __CUDACC__
#define NF_EVERYWHERE __host__ __device__ __forceinline__
#else
#define NF_EVERYWHERE inline
#endif
#ifdef __CUDA_ARCH__
#define NF_ROLLED _Pragma("unroll 1")
#else
#define NF_ROLLED
#endif

namespace nf::cuda {

/// A token's key is its distance from the largest logit, divided by the temperature, in 2^-25 nats: the smaller, the
/// likelier. Tokens 32 nats below the best (a probability of 1e-14) are never drawn.
constexpr int key_bits = 30;
constexpr std::uint32_t too_light = std::uint32_t{1} << key_bits;

NF_EVERYWHERE std::uint32_t key_of(float value, float largest, float scale) {
  const float distance = (largest - value) * scale;
  return distance < 32.0f ? static_cast<std::uint32_t>(distance * 0x1p25f) : too_light;
}

/// a b + c, rounded once: compilers may neither split it nor make one of others.
NF_EVERYWHERE float fused(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}

/// exp(-key) in 2^-44, so that the best token has 2^44: 2^n times a polynomial on [-ln2/2, ln2/2] (Cephes).
NF_EVERYWHERE std::uint64_t mass_of(std::uint32_t key) {
  const float x = static_cast<float>(key) * -0x1p-25f;
  const float n = fused(x, 1.44269504f, 12582912.0f) - 12582912.0f;  // 1.5 * 2^23: rounds to a whole number
  const float r = fused(n, 2.12194440e-4f, fused(n, -0.693359375f, x));
  float p = 1.9875691500e-4f;
  p = fused(p, r, 1.3981999507e-3f);
  p = fused(p, r, 8.3334519073e-3f);
  p = fused(p, r, 4.1665795894e-2f);
  p = fused(p, r, 1.6666665459e-1f);
  p = fused(p, r, 5.0000001201e-1f);
  p = fused(p, r * r, r + 1.0f);
  return static_cast<std::uint64_t>(p * 0x1p44f) >> static_cast<int>(-n);
}

constexpr int max_draw_vocab = 1 << 19;  // so that the masses of all tokens together fit 63 bits, their high halves 31

/// The upper 64 bits of a product.
NF_EVERYWHERE std::uint64_t mul_high(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t low = 0xffffffffu;
  const std::uint64_t middle = (a >> 32) * (b & low) + ((a & low) * (b & low) >> 32);
  const std::uint64_t other = (a & low) * (b >> 32) + (middle & low);
  return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/// Unsigned integers in the order of the numbers, which must not be NaN; 0 is left free below and ~0 above.
NF_EVERYWHERE std::uint32_t ordered_bits(float value) {
#ifdef __CUDA_ARCH__
  const std::uint32_t bits = __float_as_uint(value);
#else
  const auto bits = std::bit_cast<std::uint32_t>(value);
#endif
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
NF_EVERYWHERE float number_of(std::uint32_t ordered) {
  const std::uint32_t bits = ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered;
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

/// Sampling as a draw takes it.
struct DrawSettings {
  float scale;             // 1 / temperature
  std::uint32_t top_k;     // 0: off
  std::uint64_t top_p;     // share of the mass in 2^-64; 0: off
  std::uint32_t last_key;  // of the lightest token that min-p keeps
  std::uint64_t seed;

  /// Temperature above 0; penalties, bias and masks are not for here.
  static DrawSettings of(const Sampling& s) {
    const double last = s.min_p > 0 ? -std::log(double{s.min_p}) * 0x1p25 : 1e30;
    return {std::min(1 / s.temperature, 1e30f), static_cast<std::uint32_t>(s.top_k),
            s.top_p < 1 ? std::max<std::uint64_t>(1, static_cast<std::uint64_t>(s.top_p * 0x1p64)) : 0,
            static_cast<std::uint32_t>(std::min<double>(last, too_light - 1)), s.seed};
  }
};

}  // namespace nf::cuda
