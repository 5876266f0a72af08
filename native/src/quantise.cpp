#include "quantise.h"

#include <algorithm>
#include <cmath>

#include "float_formats.h"
#include "quantise_kernels.h"

namespace nf {
namespace {

constexpr int max_group = 128;  // of quant_spec()
constexpr std::int32_t infinity_bits = 0x7F800000;

float round_to_f16(float value) { return float_of_f16(f16_of_float(value)); }

class Quantiser {
 public:
  Quantiser(const QuantiseKernels& kernels, const QuantSpec& spec)
      : kernels_(kernels), code_min_(static_cast<float>(spec.code_min)), code_max_(static_cast<float>(spec.code_max)) {}

  /// Sets `scale`. On a grid with one more negative code the weight of largest magnitude takes that end, whatever its
  /// sign. False when the weights cannot be held.
  bool group(const float* weights, int n, std::int8_t* codes, float& scale) {
    const int padded = (n + 15) / 16 * 16;
    const float* w = weights;
    if (n != padded) {
      std::copy(weights, weights + n, w_);
      std::fill(w_ + n, w_ + padded, 0.0f);
      w = w_;
    }
    const Extent extent = kernels_.extent_of(w, padded);
    if (extent.peak_bits >= infinity_bits) return false;
    const float extreme = -extent.low >= extent.high ? extent.low : extent.high;
    const bool lopsided = code_min_ != -code_max_;
    const float plain = lopsided ? extreme / code_min_ : std::fabs(extreme) / code_max_;
    // A fine grid gains nothing measurable from a search.
    const bool searches = code_max_ < 16 && round_to_f16(plain) != 0;
    scale = round_to_f16(searches ? kernels_.fit_scale(w, n, plain, code_min_, code_max_) : plain);
    if (!std::isfinite(scale)) return false;
    std::int8_t* to = n == padded ? codes : codes_;
    kernels_.encode(w, padded, scale != 0 ? 1 / scale : 0, code_min_, code_max_, to);
    if (to != codes) std::copy(codes_, codes_ + n, codes);
    return true;
  }

 private:
  const QuantiseKernels& kernels_;
  const float code_min_, code_max_;
  float w_[max_group];
  std::int8_t codes_[max_group];
};

}  // namespace

std::vector<const QuantiseKernels*> usable_quantise_kernels() {
  std::vector<const QuantiseKernels*> usable{&quantise_kernels_plain()};
#if NF_QUANTISE_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) usable.push_back(&quantise_kernels_avx2());
  if (__builtin_cpu_supports("avx512f")) usable.push_back(&quantise_kernels_avx512());
#endif
  return usable;
}

bool quantise_rows(const float* weights, int n_rows, int n_in, const QuantSpec& spec, std::int8_t* codes,
                   float* scales) {
  static const QuantiseKernels& best = *usable_quantise_kernels().back();
  return quantise_rows(weights, n_rows, n_in, spec, codes, scales, best);
}

bool quantise_rows(const float* weights, int n_rows, int n_in, const QuantSpec& spec, std::int8_t* codes, float* scales,
                   const QuantiseKernels& kernels) {
  Quantiser quantiser(kernels, spec);
  for (int row = 0; row < n_rows; ++row) {
    for (int first = 0; first < n_in; first += spec.group) {
      const int n = std::min(spec.group, n_in - first);
      const std::int64_t at = static_cast<std::int64_t>(row) * n_in + first;
      if (!quantiser.group(weights + at, n, codes + at, *scales++)) return false;
    }
  }
  return true;
}

}  // namespace nf
