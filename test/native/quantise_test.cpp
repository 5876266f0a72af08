// The quantiser: the same bits from every instruction set, better than the plain scale, and nothing lost in silence.
#include "quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "checkpoint_writer.h"
#include "nf/engine.h"
#include "support/check.h"
#include "support/paths.h"
#include "support/random.h"

namespace nf::test {
namespace {

const StopFlag never{false};
constexpr MatrixFormat formats[] = {MatrixFormat::int8, MatrixFormat::int4};

struct Quantised {
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  bool is_whole = false;
  Quantised(const std::vector<float>& weights, int n_in, MatrixFormat format,
            const QuantiseKernels& kernels = *usable_quantise_kernels().back())
      : codes(weights.size()) {
    const int n_rows = static_cast<int>(weights.size()) / n_in;
    scales.resize(static_cast<std::size_t>(n_rows * n_groups(quant_spec(format), n_in)));
    is_whole = quantise_rows(weights.data(), n_rows, n_in, quant_spec(format), codes.data(), scales.data(), kernels);
  }
  /// Squared error of a row, whose first group is given.
  double error(const std::vector<float>& weights, int n_in, MatrixFormat format) const {
    const int group = quant_spec(format).group, groups = n_groups(quant_spec(format), n_in);
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const std::size_t row = i / static_cast<std::size_t>(n_in), column = i % static_cast<std::size_t>(n_in);
      const double scale = scales[row * static_cast<std::size_t>(groups) + column / static_cast<std::size_t>(group)];
      const double missing = weights[i] - codes[i] * scale;
      sum += missing * missing;
    }
    return sum;
  }
};

/// Of one group whose scale has this share of the plain one, in double.
double error_at(const float* w, int n, double share) {
  double extreme = 0;
  for (int i = 0; i < n; ++i) extreme = std::fabs(w[i]) > std::fabs(extreme) ? w[i] : extreme;
  const double scale = extreme / -8 * share;
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    const double code = std::clamp(std::nearbyint(w[i] / scale), -8.0, 7.0);
    sum += (w[i] - code * scale) * (w[i] - code * scale);
  }
  return sum;
}

}  // namespace

TEST("the quantiser gives the same bits with every instruction set") {
  Random random(11);
  for (const MatrixFormat format : formats) {
    for (const int n_in : {1, 31, 96, 161, 384}) {
      const auto weights = random.normals(static_cast<std::size_t>(5 * n_in), 0.02f);
      const Quantised plain(weights, n_in, format, *usable_quantise_kernels().front());
      CHECK(plain.is_whole);
      for (const QuantiseKernels* kernels : usable_quantise_kernels()) {
        const Quantised other(weights, n_in, format, *kernels);
        CHECK(other.codes == plain.codes);
        CHECK(other.scales == plain.scales);
      }
    }
  }
}

TEST("int4 scales are as good as an exhaustive search finds, and better than the plain ones") {
  Random random(12);
  constexpr int n = 32, n_rows = 400;
  const auto weights = random.normals(n * n_rows, 1.0f);
  const double found = Quantised(weights, n, MatrixFormat::int4).error(weights, n, MatrixFormat::int4);
  double plain = 0, best = 0;
  for (int row = 0; row < n_rows; ++row) {
    const float* w = weights.data() + row * n;
    double least = HUGE_VAL;
    for (int i = 0; i <= 400; ++i) least = std::min(least, error_at(w, n, 0.6 + 0.002 * i));
    plain += error_at(w, n, 1);
    best += least;
  }
  CHECK_AT_MOST(found, 1.005 * best);
  CHECK_AT_MOST(found, 0.92 * plain);
}

TEST("quantised weights are as near as half a step, at every length of a row") {
  Random random(13);
  for (const MatrixFormat format : formats) {
    for (const int n_in : {1, 15, 33, 130, 260}) {
      const auto weights = random.normals(static_cast<std::size_t>(3 * n_in), 0.1f);
      const Quantised quantised(weights, n_in, format);
      double sum = 0;
      for (const float w : weights) sum += double{w} * w;
      const double relative = std::sqrt(quantised.error(weights, n_in, format) / sum);
      CHECK_AT_MOST(relative, format == MatrixFormat::int8 ? 0.009 : 0.1);
    }
  }
}

TEST("zeros stay zeros, and weights too small for a scale become zeros") {
  for (const MatrixFormat format : formats) {
    for (const float value : {0.0f, -0.0f, 1e-12f, 1e-40f}) {
      const Quantised quantised(std::vector<float>(40, value), 40, format);
      CHECK(quantised.is_whole);
      for (const float scale : quantised.scales) CHECK_EQ(scale, 0.0f);
    }
  }
}

TEST("the quantiser refuses what it cannot hold, wherever it stands") {
  for (const MatrixFormat format : formats) {
    for (const QuantiseKernels* kernels : usable_quantise_kernels()) {
      for (const float bad : {NAN, -NAN, INFINITY, -INFINITY, 1e30f}) {
        for (const std::size_t place : {std::size_t{0}, std::size_t{17}, std::size_t{130}, std::size_t{160}}) {
          std::vector<float> weights(161, 0.5f);
          weights[place] = bad;
          CHECK(!Quantised(weights, 161, format, *kernels).is_whole);
        }
      }
    }
  }
}

TEST("a checkpoint with a weight that is not finite is refused by name in every format") {
  const ScratchDir dir;
  const std::string config_text = small_config({{"tie_word_embeddings", "false"}});
  const Config config = parse_config(config_text, "", "config.json");
  write_text(dir.path() / "config.json", config_text);
  for (const WeightFormat format :
       {WeightFormat::f32, WeightFormat::bf16, WeightFormat::int8, WeightFormat::mixed, WeightFormat::int4}) {
    for (const char* name :
         {"model.layers.0.gla.b_proj.weight", "model.layers.2.mamba.in_proj.weight",
          "model.layers.4.self_attn.v_proj.weight", "model.layers.5.ffn.down_proj.weight",
          "model.layers.3.pre_ffn_layernorm.weight", "model.embed_tokens.weight", "lm_head.weight"}) {
      auto tensors = random_tensors(config, 5);
      std::vector<std::byte>& bytes = tensors.at(name).bytes;
      const std::uint16_t bits = format == WeightFormat::int4 ? 0x7F80 : 0xFFC1;  // infinity; NaN
      std::memcpy(bytes.data() + bytes.size() / 4 * 2, &bits, sizeof(bits));
      write_text(dir.path() / "model.safetensors", safetensors_text(tensors));
      LoadOptions options;
      options.source = dir.path().string();
      options.format = format;
      options.max_positions = 64;
      CHECK_THROWS(Model::load(options, never), ErrorCode::bad_model, std::string("tensor ") + name + " ");
    }
  }
}

}  // namespace nf::test
