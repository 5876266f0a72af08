// Attention of a single row over a bf16 cache, with scores from the matrix instruction: a stage of the resident kernel.
#pragma once

#include "attend_split.cuh"

namespace nf::cuda {

/// y = softmax(q K^T / sqrt(qk_dim)) V for four query heads of one cache head, over positions 0 .. p; the row's own key
/// and value come from its projections and go to the cache. Place: groups of 4 query heads x splits of the positions.
/// Warp: 8 positions in turn. A lane's 16 bytes of a key fill the 16 x 16 operand as they come (words 0 and 2 as row g,
/// words 1 and 3 as row g + 8), so q comes in two versions: column 2 h + version of the other operand; lane (g, t) gets
/// the score of position g and head t. Operands bf16, sums float32. Shared memory: q, the new key, the warps' results.
/// Bytes moved: the split's keys and values once per group. Preconditions: as attend_split_block<4>, and qk_dim a
/// multiple of 8.
template <class Team>
__device__ __forceinline__ void attend_one_block(const SplitArguments& a, const Place& at, AttendShared<4>& shared,
                                                 const Team& team) {
  constexpr int step_positions = 8, stride = team_warps * step_positions;
  const AttentionCall& c = a.call;
  auto& [q, key, maxima_, sums_, values_, weights_, last_] = shared;
  const int lane = team.thread() % 32, warp = team.thread() / 32, g = lane / 4, t = lane % 4;
  const DeviceSlice slice = team.slice(c.rows, 0);
  const int position = slice.first_position;
  const int per_kv_head = c.n_heads / c.n_kv_heads, groups = (per_kv_head + attend_heads - 1) / attend_heads;
  const int kv_head = at.x / groups, group = at.x % groups;
  const int first_head = kv_head * per_kv_head + group * attend_heads;
  const int n_heads = min(attend_heads, per_kv_head - group * attend_heads);
  const int n_positions = position + 1, per_split = (n_positions + a.n_splits - 1) / a.n_splits;
  const int begin = at.y * per_split, end = min(n_positions, begin + per_split);
  const float* in = c.projected + slice.first_row * std::int64_t{c.stride};
  const float* new_value = in + c.v_offset + kv_head * c.v_dim + lane * 4;
  const int width = c.n_kv_heads * (c.qk_dim + c.v_dim);
  const __nv_bfloat16* keys = cache_row<__nv_bfloat16>(c, slice, 0) + kv_head * c.qk_dim + t * 8;
  const __nv_bfloat16* values =
      cache_row<__nv_bfloat16>(c, slice, 0) + c.n_kv_heads * c.qk_dim + kv_head * c.v_dim + lane * 4;
  const bool has_value = lane * 4 < c.v_dim;
  uint4 k[4];
  uint2 v[step_positions];
  const auto fetch_keys = [&](int first) {
    const int p = first + g;
    const uint4* from = reinterpret_cast<const uint4*>(keys + std::int64_t{p} * width);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool valid = p < end && p != position && i * 32 + t * 8 < c.qk_dim;
      k[i] = valid ? __ldcg(from + i * 4) : make_uint4(0, 0, 0, 0);
    }
  };
  const auto fetch_values = [&](int first) {
#pragma unroll
    for (int j = 0; j < step_positions; ++j) {
      const int p = first + j;
      const bool valid = p < end && p != position && has_value;
      v[j] = valid ? __ldcg(reinterpret_cast<const uint2*>(values + std::int64_t{p} * width)) : make_uint2(0, 0);
    }
  };
  // All but the newest key and value are already there.
  int first = begin + warp * step_positions;
  fetch_keys(first);
  fetch_values(first);
  team.wait_for_inputs();

  if (warp < n_heads) {
    rotate_head(in + (first_head + warp) * c.qk_dim, c.qk_dim, c.q_norm, c.inverse_frequency, position,
                rsqrtf(static_cast<float>(c.qk_dim)), q[warp]);
    for (int i = c.qk_dim + lane; i < 128; i += 32) q[warp][i] = 0;
  } else {
    for (int i = lane; i < 128; i += 32) q[warp][i] = 0;
  }
  if (begin < n_positions && end == n_positions) {
    if (warp == 0) {
      rotate_head(in + c.k_offset + kv_head * c.qk_dim, c.qk_dim, c.k_norm, c.inverse_frequency, position, 1.0f, key);
    }
    team.sync();
    if (group == 0) {
      __nv_bfloat16* cached = cache_row<__nv_bfloat16>(c, slice, position);
      for (int i = team.thread(); i < c.qk_dim; i += team_threads) {
        cached[kv_head * c.qk_dim + i] = __float2bfloat16_rn(key[i]);
      }
      for (int i = team.thread(); i < c.v_dim; i += team_threads) {
        cached[c.n_kv_heads * c.qk_dim + kv_head * c.v_dim + i] =
            __float2bfloat16_rn(__ldcg(in + c.v_offset + kv_head * c.v_dim + i));
      }
    }
  }
  team.sync();
  std::uint32_t queries[4][2];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float* from = q[g / 2] + i * 32 + t * 8 + g % 2 * 2;
    queries[i][0] = pack_bf16(from[0], from[1]), queries[i][1] = pack_bf16(from[4], from[5]);
  }

  float maximum = -INFINITY, sum = 0;  // of head t; the sum is over positions of this g
  Running<4> running;
  for (; first < end; first += stride) {
    if (first <= position && position < first + step_positions) {  // the newest is in no cache that can be read yet
      if (first + g == position) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float* from = key + i * 32 + t * 8;
          if (i * 32 + t * 8 < c.qk_dim) {
            k[i] = make_uint4(pack_bf16(from[0], from[1]), pack_bf16(from[2], from[3]), pack_bf16(from[4], from[5]),
                              pack_bf16(from[6], from[7]));
          }
        }
      }
#pragma unroll
      for (int j = 0; j < step_positions; ++j) {
        if (first + j == position && has_value) {
          v[j] = make_uint2(pack_bf16(__ldcg(new_value), __ldcg(new_value + 1)),
                            pack_bf16(__ldcg(new_value + 2), __ldcg(new_value + 3)));
        }
      }
    }
    float d[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) mma_bf16(d, k[i].x, k[i].y, k[i].z, k[i].w, queries[i][0], queries[i][1]);
    fetch_keys(first + stride);
    const float score = first + g < end ? d[0] + d[3] : -INFINITY;
    float most = fmaxf(score, __shfl_xor_sync(full_warp, score, 4));
    most = fmaxf(most, __shfl_xor_sync(full_warp, most, 8));
    most = fmaxf(most, __shfl_xor_sync(full_warp, most, 16));
    most = fmaxf(most, maximum);
    const float weight = expf(score - most), shrink = expf(maximum - most);
    maximum = most;
    sum = sum * shrink + weight;
#pragma unroll
    for (int h = 0; h < attend_heads; ++h) {
      const float head_shrink = __shfl_sync(full_warp, shrink, h);
#pragma unroll
      for (int i = 0; i < 4; ++i) running.values[h][i] *= head_shrink;
    }
#pragma unroll
    for (int j = 0; j < step_positions; ++j) {
      const float value[4] = {low_bf16(v[j].x), high_bf16(v[j].x), low_bf16(v[j].y), high_bf16(v[j].y)};
#pragma unroll
      for (int h = 0; h < attend_heads; ++h) {
        const float w = __shfl_sync(full_warp, weight, j * 4 + h);
#pragma unroll
        for (int i = 0; i < 4; ++i) running.values[h][i] += w * value[i];
      }
    }
    fetch_values(first + stride);
  }
  sum += __shfl_xor_sync(full_warp, sum, 4);
  sum += __shfl_xor_sync(full_warp, sum, 8);
  sum += __shfl_xor_sync(full_warp, sum, 16);
  running.maximum = __shfl_sync(full_warp, maximum, lane / 8);
  running.sum = __shfl_sync(full_warp, sum, lane / 8);
  combine<4>(a, at, running, first_head, n_heads, slice.first_row, shared, team);
}

}  // namespace nf::cuda
