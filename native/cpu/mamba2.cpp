// Mamba2: convolution, SSM and gate, one task per head; B and C are shared by all heads. Formulas: native/MODEL.md.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "ops.h"

namespace nf::cpu {
namespace {

float softplus(float x) { return x > 20 ? x : std::log1p(std::exp(x)); }

}  // namespace

/// B and C of n tokens of a slice, and within a chunk C_t . B_s, which all heads share: cb_ [t][s].
void CpuOps::ssm_shared(const Layer& layer, const SliceRows& rows, int first, int n) {
  const int inner = c_.mamba_inner, n_state = c_.mamba_state, row = rows.first_row + first;
  const float* window = rows.slot->state.data() + state_entry(layer).window + inner;
  const float* bias = layer.mamba2.conv_bias.data() + inner;
  for (int part = 0; part < 2; ++part) {
    convolve(layer, rows, window + part * n_state, inner + 2 * n_state, c_.mamba_conv, 2 * inner + part * n_state,
             inner + part * n_state, bias + part * n_state, first, n, n_state,
             row_of(part == 0 ? b_ : c_rows_, row, n_state), n_state);
  }
  if (rows.steps) return;
  kernels_.dot_f32(row_of(b_, row, n_state), n_state, n, row_of(c_rows_, row, n_state), n_state, n, n_state,
                   row_of(cb_, row, chunk_tokens), chunk_tokens);
}

void CpuOps::ssm_steps(const Layer& layer, const SliceRows& rows, int head, float* scratch) {
  const int inner = c_.mamba_inner, n_state = c_.mamba_state, dim = c_.mamba_head_dim;
  const StateLayout::Entry& entry = state_entry(layer);
  float* h = rows.slot->state.data() + entry.matrix + static_cast<std::int64_t>(head) * dim * n_state;
  const float* window = rows.slot->state.data() + entry.window + head * dim;
  const Mamba2Small& small = layer.mamba2;
  const auto at = static_cast<std::size_t>(head);
  convolve(layer, rows, window, inner + 2 * n_state, c_.mamba_conv, inner + head * dim, head * dim,
           small.conv_bias.data() + head * dim, 0, rows.n_rows, dim, scratch, dim);
  float* y = scratch + static_cast<std::int64_t>(chunk_tokens) * dim;
  for (int t = 0; t < rows.n_rows; ++t) {
    const int row = rows.first_row + t;
    const float dt = softplus(*projected(row, 2 * inner + 2 * n_state + head) + small.dt_bias[at]);
    kernels_.ssm_step(h, dim, n_state, scratch + t * dim, row_of(b_, row, n_state), row_of(c_rows_, row, n_state),
                      std::exp(dt * small.a[at]), dt, small.d[at], y);
    kernels_.silu_mul(projected(row, head * dim), y, dim, mixed(row, head * dim));
  }
}

/// Blocks of chunk_tokens positions, with g_t = sum of dt_i A:
///   y_t = exp(g_t) h C_t + sum over s <= t of exp(g_t - g_s) dt_s (C_t . B_s) x_s + D x_t
///   h   = exp(g_n) h + sum over s of exp(g_n - g_s) dt_s x_s B_s^T
void CpuOps::ssm_chunks(const Layer& layer, const SliceRows& rows, int head, float* scratch) {
  const int inner = c_.mamba_inner, n_state = c_.mamba_state, dim = c_.mamba_head_dim;
  const StateLayout::Entry& entry = state_entry(layer);
  float* h = rows.slot->state.data() + entry.matrix + static_cast<std::int64_t>(head) * dim * n_state;
  const float* window = rows.slot->state.data() + entry.window + head * dim;
  const Mamba2Small& small = layer.mamba2;
  const auto at = static_cast<std::size_t>(head);
  float *x = scratch, *y = x + chunk_tokens * dim, *weights = y + chunk_tokens * dim;
  float *dt = weights + chunk_tokens * chunk_tokens, *g = dt + chunk_tokens, *factors = g + chunk_tokens;
  for (int first = 0; first < rows.n_rows; first += chunk_tokens) {
    if (stopped()) return;
    const int n = std::min(chunk_tokens, rows.n_rows - first), row = rows.first_row + first;
    convolve(layer, rows, window, inner + 2 * n_state, c_.mamba_conv, inner + head * dim, head * dim,
             small.conv_bias.data() + head * dim, first, n, dim, x, dim);
    float sum = 0;
    for (int t = 0; t < n; ++t) {
      dt[t] = softplus(*projected(row + t, 2 * inner + 2 * n_state + head) + small.dt_bias[at]);
      g[t] = sum += dt[t] * small.a[at];
    }
    kernels_.dot_f32(h, n_state, dim, row_of(c_rows_, row, n_state), n_state, n, n_state, y, dim);
    for (int t = 0; t < n; ++t) {
      kernels_.scale(y + t * dim, nullptr, std::exp(g[t]), dim, y + t * dim);
      float* w = weights + t * chunk_tokens;
      const float* products = row_of(cb_, row + t, chunk_tokens);
      std::copy(products, products + t + 1, w);
      kernels_.decay_row(w, g, dt, g[t], t + 1);
      w[t] += small.d[at];  // D x_t
      std::fill(w + t + 1, w + n, 0.0f);
    }
    kernels_.gemm(n, dim, n, weights, chunk_tokens, 1, x, dim, y, dim, true);
    for (int t = 0; t < n; ++t) {
      kernels_.silu_mul(projected(row + t, head * dim), y + t * dim, dim, mixed(row + t, head * dim));
    }
    std::fill(factors, factors + n, 1.0f);
    kernels_.decay_row(factors, g, dt, g[n - 1], n);
    for (int t = 0; t < n; ++t) kernels_.scale(x + t * dim, nullptr, factors[t], dim, x + t * dim);
    const float decay = std::exp(g[n - 1]);
    for (int i = 0; i < dim; ++i) kernels_.scale(h + i * n_state, nullptr, decay, n_state, h + i * n_state);
    kernels_.gemm(dim, n_state, n, x, 1, dim, row_of(b_, row, n_state), n_state, h, n_state, true);
  }
}

void CpuOps::mamba2(const Layer& layer, const Batch&) {
  const int n_heads = c_.mamba_heads, dim = c_.mamba_head_dim, inner = c_.mamba_inner, n_state = c_.mamba_state;
  const std::int64_t ld = inner + 2 * n_state;
  std::vector<std::pair<const SliceRows*, int>> chunks;
  for (const SliceRows& rows : order_) {
    for (int first = 0; first < rows.n_rows; first += chunk_tokens) chunks.emplace_back(&rows, first);
  }
  pool_.run(static_cast<int>(chunks.size()), [&](int i, int) {
    const auto [rows, first] = chunks[static_cast<std::size_t>(i)];
    ssm_shared(layer, *rows, first, std::min(chunk_tokens, rows->n_rows - first));
  });
  pool_.run(static_cast<int>(order_.size()) * n_heads, [&](int task, int thread) {
    if (stopped()) return;
    const SliceRows& rows = order_[static_cast<std::size_t>(task / n_heads)];
    const int head = task % n_heads;
    if (rows.steps) {
      ssm_steps(layer, rows, head, scratch(thread));
    } else {
      ssm_chunks(layer, rows, head, scratch(thread));
    }
    float* window = rows.slot->state.data() + state_entry(layer).window;
    keep_window(window + head * dim, ld, c_.mamba_conv - 1, rows, inner + head * dim, dim);
    if (head == 0) keep_window(window + inner, ld, c_.mamba_conv - 1, rows, 2 * inner, 2 * n_state);  // of B and C
  });
}

}  // namespace nf::cpu
