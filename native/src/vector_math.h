// The passes over a whole vocabulary that sampling needs, vectorised for the machine at run time.
#pragma once

#include <cstdint>

namespace nf {

/// Values are looked at in blocks of this many; the last may be short.
inline constexpr int math_block = 256;
constexpr int n_math_blocks(int n) { return (n + math_block - 1) / math_block; }

/// maxima[b] = largest of block b. Returns false when a value is NaN (the maxima are then of no use).
bool block_maxima(const float* values, int n, float* maxima);

/// weights[i] = exp((values[i] - largest) * scale) for values not above `largest`, 0 below the smallest normal float;
/// sums[b] is the sum of block b's weights and maxima[b] their largest. Relative error about 2e-7.
void exp_weights(const float* values, int n, float largest, float scale, float* weights, double* sums, float* maxima);

/// Sum of exp(values[i] - largest).
double exp_sum(const float* values, int n, float largest);

}  // namespace nf
