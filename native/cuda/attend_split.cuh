// Attention of single rows over the cache, split over positions: body of the split kernel, and a stage of the resident
// one.
#pragma once

#include "stages.h"
#include "team.cuh"

namespace nf::cuda {

constexpr int attend_heads = 4;      // query heads per block; all read the same keys
constexpr int attend_positions = 4;  // that a warp takes at a time
constexpr int max_attend_dim = 256;
constexpr int max_splits = 64;

template <int N>
struct AttendShared {
  float q[attend_heads][32 * N], key[32 * N];
  float maxima[team_warps][attend_heads], sums[team_warps][attend_heads];
  float values[team_warps][attend_heads][32 * N];
  float weights[attend_heads][max_splits];
  bool last;
};

/// One head of q or k after norm and rotation, element i of this lane's share, into `out` in shared memory.
/// Warp-collective. `in` is the projected head, [dim].
__device__ __forceinline__ void rotate_head(const float* in, int dim, const float* norm, const float* frequency,
                                            int position, float scale, float* out) {
  const int lane = threadIdx.x % 32, half = dim / 2;
  float r = scale;
  if (norm) {
    float sum = 0;
    for (int i = lane; i < dim; i += 32) sum += __ldcg(in + i) * __ldcg(in + i);
    r *= rsqrtf(warp_sum(sum) / static_cast<float>(dim) + qk_norm_eps);
  }
  const auto value = [&](int i) { return __ldcg(in + i) * r * (norm ? norm[i] : 1.0f); };
  if (!frequency) {
    for (int i = lane; i < dim; i += 32) out[i] = value(i);
    return;
  }
  for (int i = lane; i < half; i += 32) {
    float sine, cosine;
    sincosf(static_cast<float>(position) * frequency[i], &sine, &cosine);
    const float x = value(i), y = value(i + half);
    out[i] = x * cosine - y * sine;
    out[i + half] = y * cosine + x * sine;
  }
}

template <class T>
__device__ __forceinline__ T* cache_row(const AttentionCall& c, const DeviceSlice& slice, int position) {
  const int width = c.n_kv_heads * (c.qk_dim + c.v_dim);
  return reinterpret_cast<T*>(slice.kv) + (std::int64_t{c.layer} * slice.kv_capacity + position) * width;
}

/// N consecutive elements of a cache row.
template <int N, class T>
struct alignas(N * sizeof(T) > 16 ? 16 : N * sizeof(T)) Pack {
  T value[N];
};
template <int N, class T>
__device__ __forceinline__ Pack<N, T> load_pack(const T* from, bool valid) {
  return valid ? *reinterpret_cast<const Pack<N, T>*>(from) : Pack<N, T>{};
}

/// Sums sixteen values over the warp's lanes; lane l returns the sum of value number l / 2.
__device__ __forceinline__ float sum_of_sixteen(float (&v)[16], int lane) {
#pragma unroll
  for (int width = 8; width >= 1; width /= 2) {
    const bool high = lane & (2 * width);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      const float mine = high ? v[i + width] : v[i], other = high ? v[i] : v[i + width];
      v[i] = mine + __shfl_xor_sync(full_warp, other, 2 * width);
    }
  }
  return v[0] + __shfl_xor_sync(full_warp, v[0], 1);
}

struct SplitArguments {
  AttentionCall call;
  int n_splits, n_groups;  // of heads
  int slice, first_token;  // rows of one slice; unused for one-token slices
};

/// Softmax state of one warp: lane l keeps maximum and sum of head l / 8, and N value columns of every head.
template <int N>
struct Running {
  float maximum = -INFINITY, sum = 0;
  float values[attend_heads][N] = {};
};

/// The block's result for head h is (values, maximum, sum) at `slot`; the last block of a group of heads to arrive
/// combines all splits in order and writes y.
template <int N, class Team>
__device__ __forceinline__ void combine(const SplitArguments& a, const Place& at, const Running<N>& mine,
                                        int first_head, int n_heads, int row, AttendShared<N>& shared,
                                        const Team& team) {
  const AttentionCall& c = a.call;
  auto& [q_, key_, maxima, sums, values, weights, last] = shared;
  const int lane = team.thread() % 32, warp = team.thread() / 32, width = c.v_dim + 2;
  if (lane % 8 == 0) maxima[warp][lane / 8] = mine.maximum, sums[warp][lane / 8] = mine.sum;
#pragma unroll
  for (int h = 0; h < attend_heads; ++h) {
#pragma unroll
    for (int i = 0; i < N; ++i) values[warp][h][lane * N + i] = mine.values[h][i];
  }
  team.sync();
  const auto slot = [&](int h, int split) {
    return c.partials + ((std::int64_t{at.z} * c.n_heads + first_head + h) * a.n_splits + split) * width;
  };
  for (int index = team.thread(); index < n_heads * 32 * N; index += team_threads) {
    const int h = index / (32 * N), i = index % (32 * N);
    if (i >= c.v_dim) continue;
    float maximum = -INFINITY, value = 0, sum = 0;
    for (int w = 0; w < team_warps; ++w) maximum = fmaxf(maximum, maxima[w][h]);
    for (int w = 0; w < team_warps; ++w) {
      const float weight = maxima[w][h] == -INFINITY ? 0.0f : expf(maxima[w][h] - maximum);
      value += weight * values[w][h][i];
      sum += weight * sums[w][h];
    }
    float* out = slot(h, at.y);
    out[i] = value;
    if (i == 0) out[c.v_dim] = maximum, out[c.v_dim + 1] = sum;
  }
  team.sync();
  int* arrivals = c.arrivals + at.z * a.n_groups + at.x;
  if (team.thread() == 0) last = arrive_counting(arrivals) == a.n_splits - 1;
  team.sync();
  if (!last) return;
  if (team.thread() == 0) *arrivals = 0;
  if (warp < n_heads) {  // one warp per head: team_warps == attend_heads
    float maxima_of[max_splits / 32], sums_of[max_splits / 32], maximum = -INFINITY, total = 0;
#pragma unroll
    for (int i = 0; i < max_splits / 32; ++i) {
      const int s = lane + 32 * i;
      maxima_of[i] = s < a.n_splits ? __ldcg(slot(warp, s) + c.v_dim) : -INFINITY;
      sums_of[i] = s < a.n_splits ? __ldcg(slot(warp, s) + c.v_dim + 1) : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < max_splits / 32; ++i) maximum = fmaxf(maximum, maxima_of[i]);
    maximum = warp_max(maximum);
#pragma unroll
    for (int i = 0; i < max_splits / 32; ++i) total += expf(maxima_of[i] - maximum) * sums_of[i];
    total = warp_sum(total);
#pragma unroll
    for (int i = 0; i < max_splits / 32; ++i) {
      const int s = lane + 32 * i;
      if (s < a.n_splits) weights[warp][s] = expf(maxima_of[i] - maximum) / total;
    }
  }
  team.sync();
  constexpr int n_mine = attend_heads * 32 * N / team_threads;  // results per thread, with all their loads in flight
  float sum[n_mine] = {};
  const float* from[n_mine];
  const float* weight[n_mine];
#pragma unroll
  for (int m = 0; m < n_mine; ++m) {
    const int index = team.thread() + m * team_threads, h = min(index / (32 * N), n_heads - 1);
    from[m] = slot(h, 0) + min(index % (32 * N), c.v_dim - 1);
    weight[m] = weights[h];
  }
#pragma unroll 8
  for (int split = 0; split < a.n_splits; ++split) {
#pragma unroll
    for (int m = 0; m < n_mine; ++m) sum[m] += weight[m][split] * __ldcg(from[m] + split * width);
  }
#pragma unroll
  for (int m = 0; m < n_mine; ++m) {
    const int index = team.thread() + m * team_threads, h = index / (32 * N), i = index % (32 * N);
    team.template put<1>(c.y + row * std::int64_t{c.n_heads * c.v_dim}, (first_head + h) * c.v_dim + i, sum[m],
                         h < n_heads && i < c.v_dim);
  }
}

/// y = softmax(q K^T / sqrt(qk_dim)) V for the query heads of one cache head, over positions 0 .. p.
/// Grid: groups of 4 query heads x splits of the positions x rows. Warp: 4 positions in turn; lane: N dimensions.
/// Sums in float32; keys and values as cached (T). Shared memory: q, the new key, the warps' results. Bytes moved: the
/// split's keys and values once per group. ONE: the row's own key and value come from its projections, and the split
/// that holds position p writes them to the cache. Preconditions: qk_dim, v_dim at most 32 N and multiples of N.
template <int N, class T, bool ONE, class Team>
__device__ __forceinline__ void attend_split_block(const SplitArguments& a, const Place& at, AttendShared<N>& shared,
                                                   const Team& team) {
  const AttentionCall& c = a.call;
  auto& [q, key, maxima_, sums_, values_, weights_, last_] = shared;
  // Of a single row, all but the newest key and value are already there.
  if constexpr (!ONE) team.wait_for_inputs();
  const int lane = team.thread() % 32, warp = team.thread() / 32, row_index = at.z;
  const DeviceSlice slice = team.slice(c.rows, ONE ? row_index : a.slice);
  const int token = ONE ? 0 : a.first_token + row_index;
  const int position = slice.first_position + token, row = slice.first_row + token;
  const int per_kv_head = c.n_heads / c.n_kv_heads, groups = (per_kv_head + attend_heads - 1) / attend_heads;
  const int kv_head = at.x / groups, group = at.x % groups;
  const int first_head = kv_head * per_kv_head + group * attend_heads;
  const int n_heads = min(attend_heads, per_kv_head - group * attend_heads);
  const int n_positions = position + 1, per_split = (n_positions + a.n_splits - 1) / a.n_splits;
  const int begin = at.y * per_split, end = min(n_positions, begin + per_split);
  const float* in = c.projected + row * std::int64_t{c.stride};
  const bool has_key = lane * N < c.qk_dim, has_value = lane * N < c.v_dim;
  const int width = c.n_kv_heads * (c.qk_dim + c.v_dim);
  const T* keys = cache_row<T>(c, slice, 0) + kv_head * c.qk_dim + lane * N;
  const T* values = cache_row<T>(c, slice, 0) + c.n_kv_heads * c.qk_dim + kv_head * c.v_dim + lane * N;
  Pack<N, T> k_next[attend_positions], v_next[attend_positions];
  const auto fetch = [&](int p) {
#pragma unroll
    for (int j = 0; j < attend_positions; ++j) {
      const std::int64_t offset = std::int64_t{p + j} * width;
      const bool valid = p + j < end && !(ONE && p + j == position);
      k_next[j] = load_pack<N, T>(keys + offset, has_key && valid);
      v_next[j] = load_pack<N, T>(values + offset, has_value && valid);
    }
  };
  const int first_p = begin + warp * attend_positions;
  fetch(first_p);
  if constexpr (ONE) team.wait_for_inputs();

  if (warp < n_heads) {
    rotate_head(in + (first_head + warp) * c.qk_dim, c.qk_dim, c.q_norm, c.inverse_frequency, position,
                rsqrtf(static_cast<float>(c.qk_dim)), q[warp]);
  } else {
    for (int i = lane; i < 32 * N; i += 32) q[warp][i] = 0;
  }
  if (ONE && begin < n_positions && end == n_positions) {
    if (warp == 0) {
      rotate_head(in + c.k_offset + kv_head * c.qk_dim, c.qk_dim, c.k_norm, c.inverse_frequency, position, 1.0f, key);
    }
    team.sync();
    if (group == 0) {
      T* cached = cache_row<T>(c, slice, position);
      for (int i = team.thread(); i < c.qk_dim; i += team_threads) cached[kv_head * c.qk_dim + i] = narrowed<T>(key[i]);
      for (int i = team.thread(); i < c.v_dim; i += team_threads) {
        cached[c.n_kv_heads * c.qk_dim + kv_head * c.v_dim + i] =
            narrowed<T>(__ldcg(in + c.v_offset + kv_head * c.v_dim + i));
      }
    }
  }
  team.sync();

  float query[attend_heads][N];
#pragma unroll
  for (int h = 0; h < attend_heads; ++h) {
#pragma unroll
    for (int i = 0; i < N; ++i) query[h][i] = lane * N < c.qk_dim ? q[h][lane * N + i] : 0.0f;
  }
  Running<N> running;
  for (int p = first_p; p < end; p += team_warps * attend_positions) {
    float k[attend_positions][N], v[attend_positions][N];
#pragma unroll
    for (int j = 0; j < attend_positions; ++j) {
#pragma unroll
      for (int i = 0; i < N; ++i) k[j][i] = widened(k_next[j].value[i]), v[j][i] = widened(v_next[j].value[i]);
      // A block of another group of heads may be writing this row to the cache: take it from where it came.
      if (ONE && p + j == position) {
#pragma unroll
        for (int i = 0; i < N; ++i) {
          k[j][i] = has_key ? widened(narrowed<T>(key[lane * N + i])) : 0.0f;
          v[j][i] = has_value ? widened(narrowed<T>(__ldcg(in + c.v_offset + kv_head * c.v_dim + lane * N + i))) : 0.0f;
        }
      }
    }
    fetch(p + team_warps * attend_positions);
    float scores[attend_heads * attend_positions];
#pragma unroll
    for (int h = 0; h < attend_heads; ++h) {
#pragma unroll
      for (int j = 0; j < attend_positions; ++j) {
        float dot = 0;
#pragma unroll
        for (int i = 0; i < N; ++i) dot += query[h][i] * k[j][i];
        scores[h * attend_positions + j] = dot;
      }
    }
    // Lane l now owns head l / 8, position p + l / 2 % 4.
    float score = sum_of_sixteen(scores, lane);
    if (p + lane / 2 % attend_positions >= end) score = -INFINITY;
    float maximum = fmaxf(score, __shfl_xor_sync(full_warp, score, 2));
    maximum = fmaxf(maximum, __shfl_xor_sync(full_warp, maximum, 4));
    maximum = fmaxf(maximum, running.maximum);
    const float weight = expf(score - maximum), shrink = expf(running.maximum - maximum);
    float sum = weight + __shfl_xor_sync(full_warp, weight, 2);
    sum += __shfl_xor_sync(full_warp, sum, 4);
    running.sum = running.sum * shrink + sum;
    running.maximum = maximum;
#pragma unroll
    for (int h = 0; h < attend_heads; ++h) {
      const float head_shrink = __shfl_sync(full_warp, shrink, h * 8);
#pragma unroll
      for (int i = 0; i < N; ++i) running.values[h][i] *= head_shrink;
#pragma unroll
      for (int j = 0; j < attend_positions; ++j) {
        const float w = __shfl_sync(full_warp, weight, h * 8 + j * 2);
#pragma unroll
        for (int i = 0; i < N; ++i) running.values[h][i] += w * v[j][i];
      }
    }
  }
  combine<N>(a, at, running, first_head, n_heads, row, shared, team);
}

}  // namespace nf::cuda
