// The forward pass in double precision, one position at a time, as native/MODEL.md writes it. Slow, obvious, and
// written from the formulas alone: the judge of every kernel.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "model.h"

namespace nf::test {

using Vec = std::vector<double>;

struct OracleLayerState {
  Vec matrix;                // deltanet: S [heads, d key, d value]; mamba2: h [heads, head_dim, state]
  std::vector<Vec> windows;  // deltanet: q, k, v; mamba2: one; each [width - 1, channels], oldest first
  std::vector<Vec> k, v;     // attention, one entry per position
};

struct OracleState {
  int position = 0;
  std::vector<OracleLayerState> layers;
};

struct OracleRow {
  std::vector<Vec> hidden;  // residual stream: 0 the embedding, N + 1 after layer N, last the final norm
  Vec logits;               // [n_vocab]
};

class Oracle {
 public:
  explicit Oracle(const Config& config, std::shared_ptr<const TensorSource> source)
      : c_(config), source_(std::move(source)) {}
  explicit Oracle(const ModelPlan& plan) : Oracle(plan.config, plan.source) {}

  /// The state behind the memory tokens.
  OracleState fresh() const {
    OracleState state;
    state.layers.resize(static_cast<std::size_t>(c_.n_layers));
    for (int i = 0; i < c_.n_layers; ++i) {
      OracleLayerState& layer = state.layers[i];
      const std::string& type = c_.layer_types[i];
      if (type == "deltanet") {
        layer.matrix.assign(static_cast<std::size_t>(c_.n_heads) * c_.delta_dim * c_.delta_dim, 0);
        layer.windows.assign(3, Vec(static_cast<std::size_t>(delta_conv_width - 1) * c_.hidden, 0));
      } else if (type == "m2" || type == "m") {
        layer.matrix.assign(static_cast<std::size_t>(c_.mamba_inner) * c_.mamba_state, 0);
        layer.windows.assign(1, Vec(static_cast<std::size_t>(c_.mamba_conv - 1) * mamba_channels(), 0));
      }
    }
    for (int i = 0; i < c_.n_memory; ++i) advance(state, row("model.memory_tokens", i), nullptr);
    return state;
  }

  /// Consumes one text token.
  OracleRow step(OracleState& state, Token token) const {
    OracleRow out;
    advance(state, row("model.embed_tokens.weight", token), &out);
    return out;
  }

  /// Consumes one token as Slice counts them: ids from n_vocab on are the memory tokens.
  OracleRow consume(OracleState& state, Token id) const {
    if (id < c_.n_vocab) return step(state, id);
    OracleRow out;
    advance(state, row("model.memory_tokens", id - c_.n_vocab), &out);
    return out;
  }

 private:
  using Floats = std::vector<float>;

  int mamba_channels() const { return c_.mamba_inner + 2 * c_.mamba_state; }

  const Floats& tensor(const std::string& name) const {
    const auto [place, fresh] = tensors_.try_emplace(name);
    if (fresh) {
      std::int64_t n = 1;
      for (const std::int64_t extent : source_->shape(name)) n *= extent;
      place->second.resize(static_cast<std::size_t>(n));
      source_->read_floats(name, 0, n, place->second.data());
    }
    return place->second;
  }

  Vec row(const std::string& name, int index) const {
    const Floats& all = tensor(name);
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(index) * c_.hidden;
    return Vec(first, first + c_.hidden);
  }

  Vec project(const std::string& name, const Vec& x) const {
    const Floats& w = tensor(name);
    const std::size_t n_in = x.size(), n_out = w.size() / n_in;
    Vec y(n_out);
    for (std::size_t r = 0; r < n_out; ++r) {
      double sum = 0;
      for (std::size_t i = 0; i < n_in; ++i) sum += w[r * n_in + i] * x[i];
      y[r] = sum;
    }
    return y;
  }

  static double silu(double x) { return x / (1 + std::exp(-x)); }

  Vec rms(const Vec& x, const std::string& weight, double eps) const {
    const Floats& w = tensor(weight);
    double sum = 0;
    for (const double value : x) sum += value * value;
    const double scale = 1 / std::sqrt(sum / static_cast<double>(x.size()) + eps);
    Vec y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = w[i] * x[i] * scale;
    return y;
  }

  static Vec part(const Vec& x, std::size_t first, std::size_t n) {
    return Vec(x.begin() + static_cast<std::ptrdiff_t>(first), x.begin() + static_cast<std::ptrdiff_t>(first + n));
  }

  static void put(Vec& into, std::size_t first, const Vec& x) {
    for (std::size_t i = 0; i < x.size(); ++i) into[first + i] = x[i];
  }

  static void add(Vec& x, const Vec& y) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  /// silu(depthwise causal convolution + bias); moves the window on by the current input.
  Vec convolve(Vec& window, const Vec& now, const std::string& weight, const std::string& bias) const {
    const Floats& w = tensor(weight);
    const std::size_t n = now.size(), width = w.size() / n;
    Vec y(n);
    for (std::size_t c = 0; c < n; ++c) {
      double sum = bias.empty() ? 0 : tensor(bias)[c];
      for (std::size_t j = 0; j + 1 < width; ++j) sum += w[c * width + j] * window[j * n + c];
      y[c] = silu(sum + w[c * width + width - 1] * now[c]);
    }
    if (width > 1) {
      window.erase(window.begin(), window.begin() + static_cast<std::ptrdiff_t>(n));
      window.insert(window.end(), now.begin(), now.end());
    }
    return y;
  }

  static Vec l2_normalised(Vec x) {
    double sum = 0;
    for (const double value : x) sum += value * value;
    for (double& value : x) value /= std::sqrt(sum + 1e-6);
    return x;
  }

  Vec deltanet(const std::string& p, OracleLayerState& state, const Vec& x) const {
    const Vec qs = convolve(state.windows[0], project(p + "q_proj.weight", x), p + "q_conv1d.weight", "");
    const Vec ks = convolve(state.windows[1], project(p + "k_proj.weight", x), p + "k_conv1d.weight", "");
    const Vec vs = convolve(state.windows[2], project(p + "v_proj.weight", x), p + "v_conv1d.weight", "");
    const Vec b = project(p + "b_proj.weight", x);
    const auto d = static_cast<std::size_t>(c_.hidden / c_.n_heads);
    Vec heads(x.size());
    for (int h = 0; h < c_.n_heads; ++h) {
      const std::size_t first = h * d;
      const Vec q = l2_normalised(part(qs, first, d)), k = l2_normalised(part(ks, first, d));
      const double beta = 1 / (1 + std::exp(-b[h]));
      double* s = state.matrix.data() + h * d * d;
      Vec read(d, 0), o(d, 0);
      for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t j = 0; j < d; ++j) read[j] += s[i * d + j] * k[i];
      }
      for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t j = 0; j < d; ++j) {
          s[i * d + j] += k[i] * beta * (vs[first + j] - read[j]);
          o[j] += s[i * d + j] * q[i] / std::sqrt(static_cast<double>(d));
        }
      }
      put(heads, first, rms(o, p + "o_norm.weight", 1e-5));
    }
    return project(p + "o_proj.weight", heads);
  }

  Vec mamba2(const std::string& p, OracleLayerState& state, const Vec& x) const {
    const std::size_t inner = c_.mamba_inner, n_state = c_.mamba_state, head_dim = c_.mamba_head_dim;
    const Vec projected = project(p + "in_proj.weight", x);
    const Vec z = part(projected, 0, inner);
    const Vec xbc =
        convolve(state.windows[0], part(projected, inner, inner + 2 * n_state), p + "conv1d.weight", p + "conv1d.bias");
    Vec u(inner);
    for (int h = 0; h < c_.mamba_heads; ++h) {
      const double raw = projected[2 * inner + 2 * n_state + h] + tensor(p + "dt_bias")[h];
      const double dt = raw > 20 ? raw : std::log1p(std::exp(raw));
      const double decay = std::exp(-dt * std::exp(static_cast<double>(tensor(p + "A_log")[h])));
      for (std::size_t i = 0; i < head_dim; ++i) {
        const std::size_t channel = h * head_dim + i;
        double y = tensor(p + "D")[h] * xbc[channel];
        for (std::size_t n = 0; n < n_state; ++n) {
          double& cell = state.matrix[channel * n_state + n];
          cell = decay * cell + dt * xbc[channel] * xbc[inner + n];
          y += cell * xbc[inner + n_state + n];
        }
        u[channel] = y * silu(z[channel]);
      }
    }
    return project(p + "out_proj.weight", rms(u, p + "norm.weight", 1e-5));
  }

  void rotate(Vec& x, int position) const {
    if (!c_.rope) return;
    const std::size_t half = x.size() / 2;
    for (std::size_t i = 0; i < half; ++i) {
      const double angle =
          position * std::pow(c_.rope_base, -2.0 * static_cast<double>(i) / static_cast<double>(x.size()));
      const double a = x[i], b = x[i + half];
      x[i] = a * std::cos(angle) - b * std::sin(angle);
      x[i + half] = b * std::cos(angle) + a * std::sin(angle);
    }
  }

  Vec attention(const std::string& p, OracleLayerState& state, const Vec& x, int position) const {
    const std::size_t qk = c_.qk_dim, dv = c_.v_dim;
    const Vec qs = project(p + "q_proj.weight", x);
    Vec ks = project(p + "k_proj.weight", x);
    for (int h = 0; h < c_.n_kv_heads; ++h) {
      Vec k = part(ks, h * qk, qk);
      if (c_.qk_norm) k = rms(k, p + "k_norm.weight", 1e-5);
      rotate(k, position);
      put(ks, h * qk, k);
    }
    state.k.push_back(ks);
    state.v.push_back(project(p + "v_proj.weight", x));
    Vec heads(c_.n_heads * dv, 0);
    for (int h = 0; h < c_.n_heads; ++h) {
      Vec q = part(qs, h * qk, qk);
      if (c_.qk_norm) q = rms(q, p + "q_norm.weight", 1e-5);
      rotate(q, position);
      const std::size_t kv_head = h / (c_.n_heads / c_.n_kv_heads);
      Vec score(state.k.size());
      double largest = -HUGE_VAL, total = 0;
      for (std::size_t t = 0; t < score.size(); ++t) {
        for (std::size_t i = 0; i < qk; ++i) score[t] += q[i] * state.k[t][kv_head * qk + i];
        score[t] /= std::sqrt(static_cast<double>(qk));
        largest = std::max(largest, score[t]);
      }
      for (double& s : score) total += s = std::exp(s - largest);
      for (std::size_t t = 0; t < score.size(); ++t) {
        for (std::size_t i = 0; i < dv; ++i) heads[h * dv + i] += score[t] / total * state.v[t][kv_head * dv + i];
      }
    }
    return project(p + "o_proj.weight", heads);
  }

  Vec ffn(const std::string& p, const Vec& x) const {
    Vec up = project(p + "up_proj.weight", x);
    if (c_.ffn_gated) {
      const Vec gate = project(p + "gate_proj.weight", x);
      for (std::size_t i = 0; i < up.size(); ++i) up[i] *= silu(gate[i]);
    } else {
      for (double& value : up) value = value > 0 ? value * value : 0;
    }
    return project(p + "down_proj.weight", up);
  }

  void advance(OracleState& state, Vec x, OracleRow* out) const {
    if (out) out->hidden.push_back(x);
    for (int i = 0; i < c_.n_layers; ++i) {
      const std::string p = "model.layers." + std::to_string(i) + ".";
      const std::string& type = c_.layer_types[i];
      OracleLayerState& layer = state.layers[i];
      if (type != "f") {
        const Vec normed = rms(x, p + "input_layernorm.weight", c_.norm_eps);
        if (type == "deltanet") add(x, deltanet(p + "gla.", layer, normed));
        if (type == "m2" || type == "m") add(x, mamba2(p + "mamba.", layer, normed));
        if (type == "a") add(x, attention(p + "self_attn.", layer, normed, state.position));
      }
      if (type == "f" || c_.ffn_in_mixers) {
        add(x, ffn(p + "ffn.", rms(x, p + "pre_ffn_layernorm.weight", c_.norm_eps)));
      }
      if (out) out->hidden.push_back(x);
    }
    ++state.position;
    if (!out) return;
    const Vec y = rms(x, "model.final_layernorm.weight", c_.norm_eps);
    out->hidden.push_back(y);
    out->logits = head(y);
  }

  Vec head(const Vec& y) const {
    const Floats& w = tensor(c_.tied_head ? "model.embed_tokens.weight" : "lm_head.weight");
    Vec logits(static_cast<std::size_t>(c_.n_vocab));
    for (std::size_t r = 0; r < logits.size(); ++r) {
      double dot = 0, square = 0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const double value = w[r * y.size() + i];
        dot += value * y[i];
        square += value * value;
      }
      logits[r] = c_.head_row_norm ? dot / std::sqrt(square) : dot;
    }
    return logits;
  }

  Config c_;
  std::shared_ptr<const TensorSource> source_;
  mutable std::map<std::string, Floats> tensors_;
};

/// The recurrent state in StateLayout's order: layers in order, each its matrix, then its windows.
inline std::vector<float> blob_of(const OracleState& state) {
  std::vector<float> blob;
  for (const OracleLayerState& layer : state.layers) {
    blob.insert(blob.end(), layer.matrix.begin(), layer.matrix.end());
    for (const Vec& window : layer.windows) blob.insert(blob.end(), window.begin(), window.end());
  }
  return blob;
}

}  // namespace nf::test
