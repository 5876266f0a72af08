// DeltaNet: convolution, l2 norm, delta rule and head norm, one task per head. Formulas: native/MODEL.md.
#include <algorithm>
#include <cmath>

#include "ops.h"

namespace nf::cpu {

/// Convolved and activated inputs of tokens first .. first + n - 1 of a slice: out[t * ld_out ...], n_columns each.
/// `column` is where the channels stand in projected_, `channel` where in the convolution's taps; window [taps - 1]
/// holds the inputs before the slice.
void CpuOps::convolve(const Layer& layer, const SliceRows& rows, const float* window, std::int64_t ld_window,
                      int n_taps, int column, int channel, const float* bias, int first, int n, int n_columns,
                      float* out, std::int64_t ld_out) const {
  const std::vector<float>& taps = weights_of(layer).conv;
  const auto ld_taps = static_cast<std::int64_t>(taps.size()) / n_taps;
  const float* inputs[max_taps];
  for (int t = 0; t < n; ++t) {
    for (int j = 0; j < n_taps; ++j) {
      const int at = first + t - (n_taps - 1) + j;
      inputs[j] = at >= 0 ? projected(rows.first_row + at, column) : window + (n_taps - 1 + at) * ld_window;
    }
    kernels_.conv_silu(inputs, taps.data() + channel, ld_taps, bias, n_taps, n_columns, out + t * ld_out);
  }
}

/// The last inputs of a slice become its window.
void CpuOps::keep_window(float* window, std::int64_t ld, int n_kept, const SliceRows& rows, int column,
                         int n_columns) const {
  for (int j = 0; j < n_kept; ++j) {
    const int at = rows.n_rows - n_kept + j;
    const float* from = at >= 0 ? projected(rows.first_row + at, column) : window + (j + rows.n_rows) * ld;
    std::copy(from, from + n_columns, window + j * ld);
  }
}

/// q, k, v of one head for n tokens: qkv [3][chunk_tokens or 1 .. n][d], q with its scale of 1 / sqrt(d); betas [n].
void CpuOps::delta_inputs(const Layer& layer, const SliceRows& rows, int head, int first, int n, float* qkv,
                          float* betas) const {
  const int d = c_.delta_dim, hidden = c_.hidden;
  const float* window = rows.slot->state.data() + state_entry(layer).window;
  for (int part = 0; part < 3; ++part) {
    float* out = qkv + static_cast<std::int64_t>(part) * chunk_tokens * d;
    convolve(layer, rows, window + static_cast<std::int64_t>(part) * 3 * hidden + head * d, hidden, delta_conv_width,
             part * hidden + head * d, part * hidden + head * d, nullptr, first, n, d, out, d);
    if (part == 2) continue;
    for (int t = 0; t < n; ++t) {
      float* row = out + t * d;
      float factor = 1 / std::sqrt(kernels_.sum_squares(row, d) + delta_l2_eps);
      if (part == 0) factor /= std::sqrt(static_cast<float>(d));
      kernels_.scale(row, nullptr, factor, d, row);
    }
  }
  for (int t = 0; t < n; ++t) betas[t] = 1 / (1 + std::exp(-*projected(rows.first_row + first + t, 3 * hidden + head)));
}

/// rms norm of a head's outputs o [n, d] into mixed_.
void CpuOps::delta_outputs(const Layer& layer, const SliceRows& rows, int head, int first, int n, const float* o) {
  const int d = c_.delta_dim;
  for (int t = 0; t < n; ++t) {
    const float mean = kernels_.sum_squares(o + t * d, d) / static_cast<float>(d);
    kernels_.scale(o + t * d, layer.deltanet.out_norm.data(), 1 / std::sqrt(mean + delta_norm_eps), d,
                   mixed(rows.first_row + first + t, head * d));
  }
}

void CpuOps::delta_steps(const Layer& layer, const SliceRows& rows, int head, float* scratch) {
  const std::int64_t d = c_.delta_dim, plane = chunk_tokens * d;
  float* state = rows.slot->state.data() + state_entry(layer).matrix + head * d * d;
  float* o = scratch + 3 * plane;
  float* betas = scratch + 5 * plane;
  delta_inputs(layer, rows, head, 0, rows.n_rows, scratch, betas);
  for (int t = 0; t < rows.n_rows; ++t) {
    kernels_.delta_step(state, static_cast<int>(d), scratch + t * d, scratch + plane + t * d,
                        scratch + 2 * plane + t * d, betas[t], o + t * d);
  }
  delta_outputs(layer, rows, head, 0, rows.n_rows, o);
}

/// Blocks of chunk_tokens positions:
///   A = I + strict_lower(b K K^T);  U = A^-1 b (V - K S);  O = Q S + lower(Q K^T) U;  S += K^T U
void CpuOps::delta_chunks(const Layer& layer, const SliceRows& rows, int head, float* scratch) {
  const int d = c_.delta_dim;
  const std::int64_t plane = static_cast<std::int64_t>(chunk_tokens) * d;
  float* state = rows.slot->state.data() + state_entry(layer).matrix + static_cast<std::int64_t>(head) * d * d;
  const float *q = scratch, *k = scratch + plane, *v = scratch + 2 * plane;
  float *u = scratch + 3 * plane, *o = scratch + 4 * plane, *betas = scratch + 5 * plane;
  float* products = betas + chunk_tokens;  // [chunk, chunk]
  for (int first = 0; first < rows.n_rows; first += chunk_tokens) {
    if (stopped()) return;
    const int n = std::min(chunk_tokens, rows.n_rows - first);
    delta_inputs(layer, rows, head, first, n, scratch, betas);
    kernels_.gemm(n, d, d, k, d, 1, state, d, u, d, false);
    for (int t = 0; t < n; ++t) {
      for (int i = 0; i < d; ++i) u[t * d + i] = betas[t] * (v[t * d + i] - u[t * d + i]);
    }
    kernels_.dot_f32(k, d, n, k, d, n, d, products, chunk_tokens);
    for (int t = 1; t < n; ++t) {  // forward substitution
      float* row = products + t * chunk_tokens;
      for (int s = 0; s < t; ++s) row[s] *= -betas[t];
      kernels_.gemm(1, d, t, row, 0, 1, u, d, u + t * d, d, true);
    }
    kernels_.dot_f32(k, d, n, q, d, n, d, products, chunk_tokens);
    for (int t = 0; t < n; ++t) std::fill(products + t * chunk_tokens + t + 1, products + t * chunk_tokens + n, 0.0f);
    kernels_.gemm(n, d, d, q, d, 1, state, d, o, d, false);
    kernels_.gemm(n, d, n, products, chunk_tokens, 1, u, d, o, d, true);
    kernels_.gemm(d, d, n, k, 1, d, u, d, state, d, true);
    delta_outputs(layer, rows, head, first, n, o);
  }
}

void CpuOps::deltanet(const Layer& layer, const Batch&) {
  const int n_heads = c_.n_heads, d = c_.delta_dim, hidden = c_.hidden;
  pool_.run(static_cast<int>(order_.size()) * n_heads, [&](int task, int thread) {
    if (stopped()) return;
    const SliceRows& rows = order_[static_cast<std::size_t>(task / n_heads)];
    const int head = task % n_heads;
    if (rows.steps) {
      delta_steps(layer, rows, head, scratch(thread));
    } else {
      delta_chunks(layer, rows, head, scratch(thread));
    }
    float* window = rows.slot->state.data() + state_entry(layer).window;
    for (int part = 0; part < 3; ++part) {
      keep_window(window + static_cast<std::int64_t>(part) * 3 * hidden + head * d, hidden, delta_conv_width - 1, rows,
                  part * hidden + head * d, d);
    }
  });
}

}  // namespace nf::cpu
