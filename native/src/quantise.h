// Group-wise weight quantisation, one definition for every backend: w is about scale * code, codes signed and
// symmetric, one scale per group of consecutive input columns, rounded to float16.
#pragma once

#include <cstdint>
#include <vector>

#include "model.h"
#include "quantise_kernels.h"

namespace nf {

struct QuantSpec {
  int group;  // columns that share a scale
  int code_min, code_max;
};

constexpr QuantSpec quant_spec(MatrixFormat format) {
  return format == MatrixFormat::int4 ? QuantSpec{32, -8, 7} : QuantSpec{128, -127, 127};
}

/// Groups in a row of n_in columns; the last may be short.
constexpr int n_groups(const QuantSpec& spec, int n_in) { return (n_in + spec.group - 1) / spec.group; }

/// Chooses each group's scale to minimise the squared error of its weights and writes codes [n_rows, n_in] and
/// scales [n_rows, n_groups] (float32 values that are exact in float16). False, with the output unfinished, when a
/// weight is not finite or so large that its scale is no float16. The same bits on every machine; thread-safe.
[[nodiscard]] bool quantise_rows(const float* weights, int n_rows, int n_in, const QuantSpec&, std::int8_t* codes,
                                 float* scales);
[[nodiscard]] bool quantise_rows(const float* weights, int n_rows, int n_in, const QuantSpec&, std::int8_t* codes,
                                 float* scales, const QuantiseKernels&);

/// Those that this machine can run, plainest first.
std::vector<const QuantiseKernels*> usable_quantise_kernels();

}  // namespace nf
