// Attention: keys and values go to the cache, then every query attends with an online softmax over pieces of context.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "float_formats.h"
#include "ops.h"

namespace nf::cpu {
namespace {

constexpr int piece = 256;        // positions whose scores are held at once
constexpr int tile_queries = 32;  // tokens of a chunk, or heads of a step, that share a pass over the cache

}  // namespace

/// Half rotation of x [qk_dim] by the angles of a row, after the norm when there is one.
void CpuOps::rotate(float* x, const float* norm, int row) const {
  const int dim = c_.qk_dim, half = dim / 2;
  if (norm) {
    const float mean = kernels_.sum_squares(x, dim) / static_cast<float>(dim);
    kernels_.scale(x, norm, 1 / std::sqrt(mean + qk_norm_eps), dim, x);
  }
  if (!c_.rope) return;
  const float* cosine = cosine_.data() + static_cast<std::int64_t>(row) * half;
  const float* sine = sine_.data() + static_cast<std::int64_t>(row) * half;
  for (int i = 0; i < half; ++i) {
    const float low = x[i], high = x[i + half];
    x[i] = low * cosine[i] - high * sine[i];
    x[i + half] = high * cosine[i] + low * sine[i];
  }
}

/// Prepares the queries of one token in place, with their scale of 1 / sqrt(qk_dim), and stores its keys and values.
void CpuOps::rotate_and_store(const Layer& layer, const SliceRows& rows, int token) {
  const int row = rows.first_row + token, dqk = c_.qk_dim, dv = c_.v_dim;
  const float* q_norm = layer.attention.q_norm.empty() ? nullptr : layer.attention.q_norm.data();
  const float* k_norm = layer.attention.k_norm.empty() ? nullptr : layer.attention.k_norm.data();
  float* q = row_of(projected_, row, projected_dim_);
  float* k = q + c_.n_heads * dqk;
  const float* v = k + c_.n_kv_heads * dqk;
  for (int head = 0; head < c_.n_heads; ++head) {
    rotate(q + head * dqk, q_norm, row);
    kernels_.scale(q + head * dqk, nullptr, 1 / std::sqrt(static_cast<float>(dqk)), dqk, q + head * dqk);
  }
  KvCache& cache = rows.slot->kv[static_cast<std::size_t>(layer.mixer_index)];
  const auto store = [&](const float* from, int dim, Buffer<std::byte>& to, int head) {
    const std::int64_t at =
        (static_cast<std::int64_t>(head) * rows.slot->max_positions + rows.slice->first_position + token) * dim;
    if (wide_cache_) {
      std::copy(from, from + dim, reinterpret_cast<float*>(to.data()) + at);
    } else {
      kernels_.to_bf16(from, dim, reinterpret_cast<Bf16*>(to.data()) + at);
    }
  };
  for (int head = 0; head < c_.n_kv_heads; ++head) {
    rotate(k + head * dqk, k_norm, row);
    store(k + head * dqk, dqk, cache.k, head);
    store(v + head * dv, dv, cache.v, head);
  }
}

/// out [n_q, piece] = q [n_q, ld projected or packed] . keys first .. first + n - 1
void CpuOps::scores(const KvCache& cache, const Slot& slot, int kv_head, int first, int n, const float* q, int n_q,
                    float* out) const {
  const int dim = c_.qk_dim;
  const std::int64_t at = (static_cast<std::int64_t>(kv_head) * slot.max_positions + first) * dim;
  if (wide_cache_) {
    kernels_.dot_f32(reinterpret_cast<const float*>(cache.k.data()) + at, dim, n, q, dim, n_q, dim, out, piece);
  } else {
    kernels_.dot_bf16(reinterpret_cast<const Bf16*>(cache.k.data()) + at, dim, n, q, dim, n_q, dim, out, piece);
  }
}

/// out [n_q, ld_out] += p [n_q, piece] times values first .. first + n - 1
void CpuOps::weigh(const KvCache& cache, const Slot& slot, int kv_head, int first, int n, const float* p, int n_q,
                   float* out, std::int64_t ld_out) const {
  const int dim = c_.v_dim;
  const std::int64_t at = (static_cast<std::int64_t>(kv_head) * slot.max_positions + first) * dim;
  if (wide_cache_) {
    kernels_.gemm(n_q, dim, n, p, piece, 1, reinterpret_cast<const float*>(cache.v.data()) + at, dim, out, ld_out,
                  true);
  } else {
    kernels_.gemm_bf16(n_q, dim, n, p, piece, 1, reinterpret_cast<const Bf16*>(cache.v.data()) + at, dim, out, ld_out,
                       true);
  }
}

/// What segment `segment` of a row's context gave a head: v_dim sums, largest score, total.
float* CpuOps::partial(int row, int segment, int head) {
  const std::int64_t at = (static_cast<std::int64_t>(row) * n_segments_ + segment) * c_.n_heads + head;
  return partial_.data() + at * (c_.v_dim + 2);
}

/// One segment of one token's context for the query heads of one cache head.
void CpuOps::attend_step(const Layer& layer, const SliceRows& rows, int token, int kv_head, int segment,
                         float* scratch) {
  const int group = c_.n_heads / c_.n_kv_heads, dv = c_.v_dim, ld = dv + 2;
  const int begin = segment * segment_size;
  const int end = std::min(rows.slice->first_position + token + 1, begin + segment_size);
  const KvCache& cache = rows.slot->kv[static_cast<std::size_t>(layer.mixer_index)];
  for (int first_head = kv_head * group; first_head < (kv_head + 1) * group; first_head += tile_queries) {
    const int n_heads = std::min(tile_queries, (kv_head + 1) * group - first_head);
    const float* q = projected(rows.first_row + token, first_head * c_.qk_dim);
    float* out = partial(rows.first_row + token, segment, first_head);
    std::fill(out, out + static_cast<std::int64_t>(n_heads) * ld, 0.0f);
    for (int h = 0; h < n_heads; ++h) out[h * ld + dv] = -std::numeric_limits<float>::infinity();
    for (int first = begin; first < end; first += piece) {
      const int n = std::min(piece, end - first);
      scores(cache, *rows.slot, kv_head, first, n, q, n_heads, scratch);
      for (int h = 0; h < n_heads; ++h) {
        float* sums = out + h * ld;
        const float factor = kernels_.softmax_step(scratch + h * piece, n, &sums[dv], &sums[dv + 1]);
        if (factor != 1) kernels_.scale(sums, nullptr, factor, dv, sums);
      }
      weigh(cache, *rows.slot, kv_head, first, n, scratch, n_heads, out, ld);
    }
  }
}

/// Joins the segments of one token and head, in their order.
void CpuOps::combine_step(const SliceRows& rows, int token, int head) {
  const int dv = c_.v_dim, row = rows.first_row + token;
  const int n_segments = segments_before(rows.slice->first_position + token + 1);
  const auto part = [&](int segment) { return partial(row, segment, head); };
  float largest = -std::numeric_limits<float>::infinity(), total = 0;
  for (int s = 0; s < n_segments; ++s) largest = std::max(largest, part(s)[dv]);
  float* out = mixed(row, head * dv);
  std::fill(out, out + dv, 0.0f);
  for (int s = 0; s < n_segments; ++s) {
    const float* sums = part(s);
    const float factor = std::exp(sums[dv] - largest);
    total += factor * sums[dv + 1];
    for (int i = 0; i < dv; ++i) out[i] += factor * sums[i];
  }
  kernels_.scale(out, nullptr, 1 / total, dv, out);
}

/// Queries of one head for tile_queries tokens of a chunk slice.
void CpuOps::attend_chunk(const Layer& layer, const SliceRows& rows, int first_token, int head, float* scratch) {
  const int dqk = c_.qk_dim, dv = c_.v_dim, kv_head = head / (c_.n_heads / c_.n_kv_heads);
  const int n_q = std::min(tile_queries, rows.n_rows - first_token);
  const int first_position = rows.slice->first_position + first_token;
  const KvCache& cache = rows.slot->kv[static_cast<std::size_t>(layer.mixer_index)];
  float *p = scratch, *q = p + static_cast<std::int64_t>(tile_queries) * piece, *sums = q + tile_queries * dqk;
  float *largest = sums + tile_queries * dv, *total = largest + tile_queries;
  for (int t = 0; t < n_q; ++t) {
    const float* from = projected(rows.first_row + first_token + t, head * dqk);
    std::copy(from, from + dqk, q + t * dqk);
    largest[t] = -std::numeric_limits<float>::infinity();
    total[t] = 0;
  }
  std::fill(sums, sums + static_cast<std::int64_t>(n_q) * dv, 0.0f);
  const int n_context = first_position + n_q;
  for (int first = 0; first < n_context; first += piece) {
    const int n = std::min(piece, n_context - first);
    scores(cache, *rows.slot, kv_head, first, n, q, n_q, p);
    for (int t = 0; t < n_q; ++t) {
      float* row = p + static_cast<std::int64_t>(t) * piece;
      const int n_seen = std::clamp(first_position + t + 1 - first, 0, n);
      std::fill(row + n_seen, row + n, 0.0f);
      if (n_seen == 0) continue;
      const float factor = kernels_.softmax_step(row, n_seen, &largest[t], &total[t]);
      if (factor != 1) kernels_.scale(sums + t * dv, nullptr, factor, dv, sums + t * dv);
    }
    weigh(cache, *rows.slot, kv_head, first, n, p, n_q, sums, dv);
  }
  for (int t = 0; t < n_q; ++t) {
    kernels_.scale(sums + t * dv, nullptr, 1 / total[t], dv, mixed(rows.first_row + first_token + t, head * dv));
  }
}

void CpuOps::attention(const Layer& layer, const Batch&) {
  struct Task {
    const SliceRows* rows;
    int token, head, segment;
  };
  std::vector<Task> tokens, tasks;
  for (const SliceRows& rows : order_) {
    for (int t = 0; t < rows.n_rows; ++t) tokens.push_back({&rows, t, 0, 0});
  }
  pool_.run(static_cast<int>(tokens.size()), [&](int i, int) {
    const Task& task = tokens[static_cast<std::size_t>(i)];
    rotate_and_store(layer, *task.rows, task.token);
  });

  for (const SliceRows& rows : order_) {
    for (int t = 0; rows.steps && t < rows.n_rows; ++t) {
      const int n = segments_before(rows.slice->first_position + t + 1);
      for (int s = 0; s < n; ++s) {
        for (int head = 0; head < c_.n_kv_heads; ++head) tasks.push_back({&rows, t, head, s});
      }
    }
    for (int t = 0; !rows.steps && t < rows.n_rows; t += tile_queries) {
      for (int head = 0; head < c_.n_heads; ++head) tasks.push_back({&rows, t, head, 0});
    }
  }
  pool_.run(static_cast<int>(tasks.size()), [&](int i, int thread) {
    if (stopped()) return;
    const Task& task = tasks[static_cast<std::size_t>(i)];
    if (task.rows->steps) {
      attend_step(layer, *task.rows, task.token, task.head, task.segment, scratch(thread));
    } else {
      attend_chunk(layer, *task.rows, task.token, task.head, scratch(thread));
    }
  });
  pool_.run(n_step_rows_, [&](int i, int) {  // steps come first
    const Task& task = tokens[static_cast<std::size_t>(i)];
    for (int head = 0; head < c_.n_heads; ++head) combine_step(*task.rows, task.token, head);
  });
}

}  // namespace nf::cpu
