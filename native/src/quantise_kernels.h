// What of the quantiser is compiled once per instruction set. Includes nothing that has inline functions.
#pragma once

#include <cstdint>

namespace nf {

/// Scales that the search tries, as shares of the plain one (largest weight at the end of the grid), which is among
/// them.
inline constexpr float narrowest = 0.75f, widest = 1.125f;

struct Extent {
  float low, high;         // at most and at least 0; NaN left out
  std::int32_t peak_bits;  // of the largest magnitude; from 0x7F800000 on, not all are finite
};

/// All sets give the same bits. Groups are padded with zeros to a multiple of 16 weights.
struct QuantiseKernels {
  Extent (*extent_of)(const float* w, int n);
  /// The scale with the least squared error near `plain`, before it is rounded to float16.
  float (*fit_scale)(const float* w, int n, float plain, float code_min, float code_max);
  /// Writes the codes for a scale. `inverse` is 1 / scale, or 0 for a scale of 0.
  void (*encode)(const float* w, int n, float inverse, float code_min, float code_max, std::int8_t* codes);
};

const QuantiseKernels& quantise_kernels_plain();
const QuantiseKernels& quantise_kernels_avx2();
const QuantiseKernels& quantise_kernels_avx512();

}  // namespace nf
