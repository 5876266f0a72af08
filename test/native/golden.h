// Reads test/golden and measures a result against it, in the terms of test/golden/README.md.
#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "float_formats.h"
#include "safetensors.h"

namespace nf::test {

/// One row of the README's table of demands.
struct Demand {
  const char* name;
  double logits_max_abs, logits_rms, mean_kl, top1_margin, min_cosine, hidden_rms, states_rms;
};

inline constexpr double no_demand = HUGE_VAL;

class Golden {
 public:
  explicit Golden(const std::filesystem::path& dir) : file_(dir / "golden.safetensors") {}

  bool has(const std::string& name) const { return file_.header().tensors.count(name) != 0; }
  std::vector<std::int64_t> shape(const std::string& name) const { return file_.entry(name).shape; }

  std::vector<float> floats(const std::string& name) const {
    const auto bytes = file_.bytes(file_.entry(name));
    std::vector<float> out(bytes.size() / sizeof(float));
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }

  std::vector<Token> tokens(const std::string& name) const {
    const auto bytes = file_.bytes(file_.entry(name));
    std::vector<std::int64_t> wide(bytes.size() / sizeof(std::int64_t));
    std::memcpy(wide.data(), bytes.data(), bytes.size());
    return {wide.begin(), wide.end()};
  }

 private:
  SafetensorsFile file_;
};

/// Root mean square of the difference over that of `expected`; NaN and infinities come out as infinity.
template <class A, class B>
double relative_rms(const A& got, const B& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = static_cast<double>(got[i]) - expected[i];
    difference += d * d;
    size += static_cast<double>(expected[i]) * expected[i];
  }
  const double rms = size > 0 ? std::sqrt(difference / size) : difference > 0 ? HUGE_VAL : 0;
  return std::isfinite(rms) ? rms : HUGE_VAL;
}

struct LogitsReport {
  double max_abs = 0, rms = 0, mean_kl = 0, min_cosine = 1;
  double largest_margin_flipped = 0;  // the golden margin of a row whose best token differs
};

/// Compares rows of logits [n, n_vocab].
template <class A>
LogitsReport compare_logits(const A& got, std::span<const float> expected, std::size_t n_vocab) {
  LogitsReport report;
  report.rms = relative_rms(got, expected);
  const std::size_t n_rows = expected.size() / n_vocab;
  for (std::size_t r = 0; r < n_rows; ++r) {
    double largest_a = -HUGE_VAL, largest_b = -HUGE_VAL, second_b = -HUGE_VAL, ab = 0, aa = 0, bb = 0;
    std::size_t best_a = 0, best_b = 0;
    for (std::size_t i = 0; i < n_vocab; ++i) {
      const double a = got[r * n_vocab + i], b = expected[r * n_vocab + i];
      const double d = std::abs(a - b);
      if (!(d <= report.max_abs)) report.max_abs = std::isfinite(d) ? d : HUGE_VAL;
      ab += a * b, aa += a * a, bb += b * b;
      if (a > largest_a) largest_a = a, best_a = i;
      if (b > largest_b)
        second_b = largest_b, largest_b = b, best_b = i;
      else if (b > second_b)
        second_b = b;
    }
    double total_a = 0, total_b = 0, kl = 0;
    for (std::size_t i = 0; i < n_vocab; ++i) {
      total_a += std::exp(got[r * n_vocab + i] - largest_a);
      total_b += std::exp(expected[r * n_vocab + i] - largest_b);
    }
    for (std::size_t i = 0; i < n_vocab; ++i) {
      const double log_a = got[r * n_vocab + i] - largest_a - std::log(total_a);
      const double log_b = expected[r * n_vocab + i] - largest_b - std::log(total_b);
      kl += std::exp(log_b) * (log_b - log_a);
    }
    report.mean_kl += kl / static_cast<double>(n_rows);
    const double cosine = ab / std::sqrt(aa * bb);
    report.min_cosine = std::min(report.min_cosine, std::isfinite(cosine) ? cosine : -1.0);
    if (best_a != best_b) report.largest_margin_flipped = std::max(report.largest_margin_flipped, largest_b - second_b);
  }
  if (!std::isfinite(report.mean_kl)) report.mean_kl = HUGE_VAL;
  return report;
}

}  // namespace nf::test
