#include "quantise.h"

#include <algorithm>
#include <cmath>

#include "float_formats.h"

namespace nf {
namespace {

/// Scales tried on either side of the plain one (largest weight at the end of the grid).
constexpr int n_candidates = 15;
constexpr float narrowest = 0.70f, widest = 1.05f;

float round_to_f16(float value) { return float_of_f16(f16_of_float(value)); }

/// Codes for one scale; returns the squared error. The inverse of a zero scale is taken as zero.
float encode(const float* w, int n, float scale, const QuantSpec& spec, std::int8_t* codes) {
  const float inverse = scale != 0 ? 1 / scale : 0;
  float error = 0;
  for (int i = 0; i < n; ++i) {
    const float code = std::clamp(std::nearbyint(w[i] * inverse), static_cast<float>(spec.code_min),
                                  static_cast<float>(spec.code_max));
    const float missing = w[i] - code * scale;
    codes[i] = static_cast<std::int8_t>(code);
    error += missing * missing;
  }
  return error;
}

/// The scale that fits these codes best: sum w c / sum c c.
float fitted_scale(const float* w, int n, const std::int8_t* codes) {
  float wc = 0, cc = 0;
  for (int i = 0; i < n; ++i) {
    wc += w[i] * codes[i];
    cc += static_cast<float>(codes[i]) * codes[i];
  }
  return cc > 0 ? wc / cc : 0;
}

/// Tries scales around the plain one, each refined once for the codes it gives, and keeps the least squared error. On
/// a grid with one more negative code the weight of largest magnitude takes that end, whatever its sign.
float quantise_group(const float* w, int n, const QuantSpec& spec, std::int8_t* codes) {
  float extreme = 0;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(w[i]) > std::fabs(extreme)) extreme = w[i];
  }
  const bool lopsided = spec.code_min != -spec.code_max;
  const float plain = lopsided ? extreme / static_cast<float>(spec.code_min) : std::fabs(extreme) / spec.code_max;
  float best = round_to_f16(plain);
  float least = encode(w, n, best, spec, codes);
  if (spec.code_max > 16 || plain == 0) return best;  // a fine grid gains nothing measurable from a search
  std::int8_t trial[64];
  for (int i = 0; i <= n_candidates; ++i) {
    const float guess = plain * (narrowest + (widest - narrowest) * static_cast<float>(i) / n_candidates);
    encode(w, n, guess, spec, trial);
    const float scale = round_to_f16(fitted_scale(w, n, trial));
    const float error = encode(w, n, scale, spec, trial);
    if (error < least) {
      least = error;
      best = scale;
      std::copy(trial, trial + n, codes);
    }
  }
  return best;
}

}  // namespace

void quantise_rows(const float* weights, int n_rows, int n_in, const QuantSpec& spec, std::int8_t* codes,
                   float* scales) {
  for (int row = 0; row < n_rows; ++row) {
    for (int first = 0; first < n_in; first += spec.group) {
      const int n = std::min(spec.group, n_in - first);
      const std::int64_t at = static_cast<std::int64_t>(row) * n_in + first;
      *scales++ = quantise_group(weights + at, n, spec, codes + at);
    }
  }
}

}  // namespace nf
