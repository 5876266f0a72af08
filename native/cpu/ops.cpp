#include "ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nf::cpu {
namespace {

int sum_rows(const std::vector<Matrix>& matrices) {
  int n = 0;
  for (const Matrix& m : matrices) n += m.n_out;
  return n;
}

}  // namespace

CpuOps::CpuOps(const ModelPlan& plan, const Weights& weights, const Kernels& kernels, ThreadPool& pool, bool wide_cache)
    : plan_(plan),
      c_(plan.config),
      weights_(weights),
      kernels_(kernels),
      pool_(pool),
      wide_cache_(wide_cache),
      layout_(plan),
      state_index_(plan.layers.size(), -1) {
  if (c_.mamba_conv > max_taps) {
    throw EngineError(ErrorCode::unsupported, "config.json asks for a mamba_d_conv of " +
                                                  std::to_string(c_.mamba_conv) + "; the CPU engine knows up to " +
                                                  std::to_string(max_taps));
  }
  for (std::size_t i = 0; i < layout_.entries.size(); ++i) {
    state_index_[static_cast<std::size_t>(layout_.entries[i].layer)] = static_cast<int>(i);
  }
  for (const Layer& layer : plan.layers) {
    projected_dim_ = std::max(projected_dim_, sum_rows(layer.in));
    mixed_dim_ = std::max({mixed_dim_, layer.out.n_in, layer.has_ffn ? layer.ffn.up.n_out : 0});
  }
  const auto know = [this](const CpuMatrix& matrix) {
    longest_row_ = std::max(longest_row_, matrix.n_in);
    any_quantised_ |= matrix.quantised();
    any_bf16_ |= matrix.format == MatrixFormat::bf16;
  };
  for (const LayerWeights& layer : weights.layers) {
    for (const CpuMatrix& matrix : layer.in) know(matrix);
    for (const CpuMatrix* matrix : {&layer.out, &layer.gate, &layer.up, &layer.down}) know(*matrix);
  }
  know(weights.head);
  for (int i = 0; i < c_.qk_dim / 2; ++i) {
    inverse_frequency_.push_back(static_cast<float>(std::pow(c_.rope_base, -2.0 * i / c_.qk_dim)));
  }
  const std::int64_t d = c_.delta_dim, chunk = chunk_tokens;
  const std::int64_t delta = 5 * chunk * d + 2 * chunk * chunk + chunk;
  const std::int64_t ssm = 3 * chunk * c_.mamba_head_dim + chunk * chunk + 4 * chunk;
  const std::int64_t attention = std::int64_t{chunk} * (256 + c_.qk_dim + c_.v_dim + 2);
  scratch_floats_ = (std::max({delta, ssm, attention}) + 15) / 16 * 16;
  scratch_.reserve(static_cast<std::size_t>(scratch_floats_ * pool_.n_threads()));
  tiles_.reserve(static_cast<std::size_t>(tile_floats * 3 * pool_.n_threads()));
}

/// Gives every slice its rows: step slices first, so that both kinds are ranges.
void CpuOps::begin_rows(const Batch& batch, const StopFlag& stop) {
  stop_ = &stop;
  n_rows_ = n_step_rows_ = 0;
  first_row_.assign(batch.slices.size(), 0);
  for (SliceRows& rows : order_) {
    rows.first_row = n_rows_;
    rows.n_rows = static_cast<int>(rows.slice->tokens.size());
    first_row_[static_cast<std::size_t>(rows.slice - batch.slices.data())] = n_rows_;
    n_rows_ += rows.n_rows;
    if (rows.steps) n_step_rows_ = n_rows_;
  }
  wanted_rows_.clear();
  for (std::size_t i = 0; i < batch.slices.size(); ++i) {
    const int n = static_cast<int>(batch.slices[i].tokens.size());
    const LogitsWanted wanted = batch.slices[i].logits;
    for (int t = wanted == LogitsWanted::all ? 0 : n - 1; wanted != LogitsWanted::none && t < n; ++t) {
      wanted_rows_.push_back(first_row_[i] + t);
    }
  }
  n_wanted_ = static_cast<int>(wanted_rows_.size());
  row_blocks_.clear();
  cut_blocks(row_blocks_, 0, n_step_rows_, false);
  cut_blocks(row_blocks_, n_step_rows_, n_rows_ - n_step_rows_, true);
  // Logits of a token are the same however it came here, so the head always multiplies in the step form.
  wanted_blocks_.clear();
  cut_blocks(wanted_blocks_, 0, n_wanted_, false);

  const auto n = static_cast<std::size_t>(n_rows_);
  x_.reserve(n * static_cast<std::size_t>(c_.hidden));
  projected_.reserve(n * static_cast<std::size_t>(projected_dim_));
  mixed_.reserve(n * static_cast<std::size_t>(mixed_dim_));
  b_.reserve(n * static_cast<std::size_t>(c_.mamba_state));
  c_rows_.reserve(n * static_cast<std::size_t>(c_.mamba_state));
  cb_.reserve(n * chunk_tokens);
  reserve_prepared(n_rows_);
  wanted_.reserve(static_cast<std::size_t>(n_wanted_) * static_cast<std::size_t>(c_.hidden));
  logits_.reserve(static_cast<std::size_t>(n_wanted_) * static_cast<std::size_t>(c_.n_vocab));

  n_segments_ = 1;
  for (const SliceRows& rows : order_) {
    if (rows.steps) n_segments_ = std::max(n_segments_, segments_before(rows.slice->first_position + rows.n_rows));
  }
  partial_.reserve(static_cast<std::size_t>(n_step_rows_) * static_cast<std::size_t>(n_segments_) *
                   static_cast<std::size_t>(c_.n_heads * (c_.v_dim + 2)));

  if (c_.rope && plan_.n_attention_layers > 0) {
    const auto half = static_cast<int>(inverse_frequency_.size());
    cosine_.reserve(n * static_cast<std::size_t>(half));
    sine_.reserve(n * static_cast<std::size_t>(half));
    for (const SliceRows& rows : order_) {
      for (int t = 0; t < rows.n_rows; ++t) {
        for (int i = 0; i < half; ++i) {
          const float angle =
              static_cast<float>(rows.slice->first_position + t) * inverse_frequency_[static_cast<std::size_t>(i)];
          row_of(cosine_, rows.first_row + t, half)[i] = std::cos(angle);
          row_of(sine_, rows.first_row + t, half)[i] = std::sin(angle);
        }
      }
    }
  }
  stage_ns_.clear();
  class_ns_.fill(0);
  if (tracing_ || stamping_) stage_start_ = std::chrono::steady_clock::now();
}

void CpuOps::embed(const ModelPlan& plan, const Batch&) {
  pool_.run_on_caller([&] {  // reading the checkpoint may throw
    for (const SliceRows& rows : order_) {
      for (int t = 0; t < rows.n_rows; ++t) {
        const Token token = rows.slice->tokens[static_cast<std::size_t>(t)];
        float* out = row_of(x_, rows.first_row + t, c_.hidden);
        if (token < c_.n_vocab) {
          plan.read_rows(plan.embed, token, 1, out);
        } else {
          const float* memory = plan.memory.data() + static_cast<std::int64_t>(token - c_.n_vocab) * c_.hidden;
          std::copy(memory, memory + c_.hidden, out);
        }
      }
    }
  });
}

void CpuOps::norm_project(const Layer& layer, const Batch&) {
  std::vector<const CpuMatrix*> matrices;
  for (const CpuMatrix& matrix : weights_of(layer).in) matrices.push_back(&matrix);
  prepare(x_.data(), c_.hidden, c_.hidden, layer.norm.data(), c_.norm_eps, matrices, row_blocks_);
  std::vector<int> column(matrices.size(), 0);
  for (std::size_t i = 1; i < matrices.size(); ++i) column[i] = column[i - 1] + matrices[i - 1]->n_out;
  each_tile(matrices, row_blocks_, [&](int m, int first, int n, const TokenBlock& block, int thread) {
    multiply(*matrices[static_cast<std::size_t>(m)], first, n, block, thread);
    for (int t = 0; t < block.n_rows; ++t) {
      const float* from = tile(thread, 0) + t * tile_ld;
      std::copy(from, from + n,
                row_of(projected_, block.first_row + t, projected_dim_) + column[static_cast<std::size_t>(m)] + first);
    }
  });
}

void CpuOps::project_add(const Layer& layer, const Batch&) {
  const CpuMatrix& out = weights_of(layer).out;
  const CpuMatrix* const matrices[] = {&out};
  // Mamba2's norm over all of its channels waits until here, where every head is done.
  const float* norm = layer.kind == LayerKind::mamba2 ? layer.mamba2.norm.data() : nullptr;
  prepare(mixed_.data(), mixed_dim_, out.n_in, norm, mamba_norm_eps, matrices, row_blocks_);
  add_product(out);
}

void CpuOps::ffn_up(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_of(layer);
  const CpuMatrix* const matrices[] = {&w.up};
  prepare(x_.data(), c_.hidden, c_.hidden, layer.ffn.norm.data(), c_.norm_eps, matrices, row_blocks_);
  each_tile(matrices, row_blocks_, [&](int, int first, int n, const TokenBlock& block, int thread) {
    multiply(w.up, first, n, block, thread);
    if (w.gate.n_out > 0) multiply(w.gate, first, n, block, thread, 1);
    for (int t = 0; t < block.n_rows; ++t) {
      const float* up = tile(thread, 0) + t * tile_ld;
      float* out = mixed(block.first_row + t, first);
      if (w.gate.n_out > 0) {
        kernels_.silu_mul(tile(thread, 1) + t * tile_ld, up, n, out);
      } else {
        kernels_.relu_squared(up, n, out);
      }
    }
  });
}

void CpuOps::ffn_down_add(const Layer& layer, const Batch&) {
  const CpuMatrix& down = weights_of(layer).down;
  const CpuMatrix* const matrices[] = {&down};
  prepare(mixed_.data(), mixed_dim_, down.n_in, nullptr, 0, matrices, row_blocks_);
  add_product(down);
}

void CpuOps::head(const ModelPlan& plan, const Batch&) {
  if (n_wanted_ == 0) return;
  pool_.run(n_wanted_, [&](int i, int) {
    const float* x = row_of(x_, wanted_rows_[static_cast<std::size_t>(i)], c_.hidden);
    const float mean = kernels_.sum_squares(x, c_.hidden) / static_cast<float>(c_.hidden);
    kernels_.scale(x, plan.final_norm.data(), 1 / std::sqrt(mean + c_.norm_eps), c_.hidden,
                   row_of(wanted_, i, c_.hidden));
  });
  const CpuMatrix* const matrices[] = {&weights_.head};
  prepare(wanted_.data(), c_.hidden, c_.hidden, nullptr, 0, matrices, wanted_blocks_);
  each_tile(matrices, wanted_blocks_, [&](int, int first, int n, const TokenBlock& block, int thread) {
    multiply(weights_.head, first, n, block, thread);
    const float* scale = plan.head_scale.empty() ? nullptr : plan.head_scale.data() + first;
    for (int t = 0; t < block.n_rows; ++t) {
      kernels_.scale(tile(thread, 0) + t * tile_ld, scale, 1, n,
                     row_of(logits_, block.first_row + t, c_.n_vocab) + first);
    }
  });
}

void CpuOps::end_stage(const char*, StageClass stage_class, int, const StopFlag& stop) {
  if (stop.load(std::memory_order_relaxed)) throw EngineError(ErrorCode::cancelled, "stopped");
  if ((!tracing_ && !stamping_) || !ThreadPool::is_caller()) return;
  const auto now = std::chrono::steady_clock::now();
  const std::int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now - stage_start_).count();
  if (tracing_) stage_ns_.push_back(ns);
  if (stamping_) class_ns_[static_cast<std::size_t>(stage_class)] += ns;
  stage_start_ = now;
}

void CpuOps::tap(Tap* tap, int index) {
  pool_.run_on_caller([&] {
    if (index == c_.n_layers + 1) {
      tap->rows(index, {wanted_.data(), static_cast<std::size_t>(n_wanted_) * static_cast<std::size_t>(c_.hidden)});
    } else {
      tap->rows(index, {x_.data(), static_cast<std::size_t>(n_rows_) * static_cast<std::size_t>(c_.hidden)});
    }
  });
}

}  // namespace nf::cpu
