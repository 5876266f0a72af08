// The delta rule, token after token: body of the scan kernel, and a stage of the resident one.
#pragma once

#include "stages.h"
#include "team.cuh"

namespace nf::cuda {

constexpr int max_delta_dim = 256;

struct DeltaNetShared {
  float q[2][max_delta_dim], k[2][max_delta_dim], v[2][32];
  float dots[2][team_warps][3], partial[2][2][team_warps][32];
};

/// silu of the causal convolution of width 4 at token i of the slice. `input` is the token's row of projections,
/// `window` the ring [4][window_channels] of earlier inputs.
__device__ __forceinline__ float conv4(const float* input, int stride, const float* window, int window_channels,
                                       int ring, int i, const float4 taps) {
  const float w[4] = {taps.x, taps.y, taps.z, taps.w};
  float sum = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int back = 3 - j;
    const float value = i >= back ? __ldcg(input - std::int64_t{back} * stride)
                                  : __ldcg(window + ((ring + i + j) & 3) * std::int64_t{window_channels});
    sum += w[j] * value;
  }
  return silu(sum);
}

/// The same for a slice's first token, in two parts: what earlier inputs give, and the newest one's tap.
struct Convolved {
  float earlier, tap;
  __device__ float with(float newest) const { return silu(earlier + tap * newest); }
};
__device__ __forceinline__ Convolved conv4_earlier(const float* window, int window_channels, int ring, float4 taps) {
  const auto at = [&](int j) { return __ldcg(window + ((ring + j) & 3) * std::int64_t{window_channels}); };
  return {taps.x * at(0) + taps.y * at(1) + taps.z * at(2), taps.w};
}

/// For each token: q, k, v = silu(conv4(...)); q, k l2-normalised; r = S^T k; S += k (beta (v - r))^T; o = S^T q /
/// sqrt(d). Uses o = S_old^T q + (k.q) delta, so that S is read once. Grid: heads x blocks of 32 value columns x
/// slices. Warp: every fourth key row of S; lane: one value column, ROWS rows of it in registers. All float32. Shared
/// memory: 2 x (q, k [dim], partial sums). Bytes moved: S and the slice's inputs once (q, k per column block).
/// Preconditions: dim a multiple of 4, at most 4 ROWS. A slice of one token (ONE) also writes its window entry: the
/// place it uses holds no input that this step reads.
template <int ROWS, bool ONE, class Team>
__device__ __forceinline__ void deltanet_scan_block(const DeltaNetCall& c, const Place& at, DeltaNetShared& shared,
                                                    const Team& team) {
  auto& [q_, k_, v_, dots, partial] = shared;
  const int head = at.x, lane = team.thread() % 32, warp = team.thread() / 32;
  const int column = at.y * 32 + lane;
  const bool active = column < c.dim;
  const int hidden = c.n_heads * c.dim;
  // No stage runs before the one two behind it is complete, so the state is already there.
  DeviceSlice slice = team.slice(c.rows, at.z);
  float* state = slice.state + c.matrix_offset + std::int64_t{head} * c.dim * c.dim;
  float s[ROWS];
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const int row = i * team_warps + warp;
    s[i] = active && row < c.dim ? __ldcg(state + row * c.dim + column) : 0.0f;
  }
  // So are the earlier inputs of a single token.
  constexpr int n_shares = ROWS * team_warps / team_threads;
  const float4* taps = reinterpret_cast<const float4*>(c.conv);
  Convolved q_before[n_shares], k_before[n_shares], v_before{};
  if constexpr (ONE) {
    const float* window = slice.state + c.window_offset;
#pragma unroll
    for (int share = 0; share < n_shares; ++share) {
      const int channel = head * c.dim + min(share * team_threads + team.thread(), c.dim - 1);
      q_before[share] = conv4_earlier(window + channel, 3 * hidden, slice.ring, __ldg(taps + channel));
      k_before[share] =
          conv4_earlier(window + hidden + channel, 3 * hidden, slice.ring, __ldg(taps + hidden + channel));
    }
    const int channel = 2 * hidden + head * c.dim + min(column, c.dim - 1);
    v_before = conv4_earlier(window + channel, 3 * hidden, slice.ring, __ldg(taps + channel));
  }
  team.wait_for_inputs();
  if constexpr (!ONE) slice = team.slice(c.rows, at.z);
  float* window = slice.state + c.window_offset;
  const float scale = rsqrtf(static_cast<float>(c.dim));
  const int n_tokens = ONE ? 1 : slice.n_tokens;
  for (int i = 0; i < n_tokens; ++i) {
    const int turn = i & 1;
    const float* in = c.projected + (slice.first_row + i) * std::int64_t{c.stride};
    float* place = window + ((slice.ring + 3) & 3) * std::int64_t{3} * hidden;  // of a single token
    float qq = 0, kk = 0, qk = 0;
    const float b = __ldcg(in + c.b_offset + head);
    const int v_channel = head * c.dim + column;
    if constexpr (ONE) {
      float q_in[n_shares], k_in[n_shares];
#pragma unroll
      for (int share = 0; share < n_shares; ++share) {
        const int channel = head * c.dim + min(share * team_threads + team.thread(), c.dim - 1);
        q_in[share] = __ldcg(in + channel), k_in[share] = __ldcg(in + c.k_offset + channel);
      }
      const float v_in = warp == team_warps - 1 && active ? __ldcg(in + c.v_offset + v_channel) : 0.0f;
#pragma unroll
      for (int share = 0; share < n_shares; ++share) {
        const int d = share * team_threads + team.thread();
        if (d >= c.dim) break;
        const float q = q_before[share].with(q_in[share]), k = k_before[share].with(k_in[share]);
        q_[turn][d] = q, k_[turn][d] = k;
        qq += q * q, kk += k * k, qk += q * k;
        // Of the blocks that share q and k of this head, the first writes them; each writes its own columns of v.
        if (at.y == 0) {
          place[head * c.dim + d] = q_in[share];
          place[hidden + head * c.dim + d] = k_in[share];
        }
      }
      if (warp == team_warps - 1 && active) {
        v_[turn][lane] = v_before.with(v_in);
        place[2 * hidden + v_channel] = v_in;
      }
    } else {
      for (int d = team.thread(); d < c.dim; d += team_threads) {
        const int channel = head * c.dim + d;
        const float q = conv4(in + channel, c.stride, window + channel, 3 * hidden, slice.ring, i, taps[channel]);
        const float k = conv4(in + c.k_offset + channel, c.stride, window + hidden + channel, 3 * hidden, slice.ring, i,
                              taps[hidden + channel]);
        q_[turn][d] = q, k_[turn][d] = k;
        qq += q * q, kk += k * k, qk += q * k;
      }
      if (warp == team_warps - 1 && active) {
        v_[turn][lane] = conv4(in + c.v_offset + v_channel, c.stride, window + 2 * hidden + v_channel, 3 * hidden,
                               slice.ring, i, taps[2 * hidden + v_channel]);
      }
    }
    qq = warp_sum(qq), kk = warp_sum(kk), qk = warp_sum(qk);
    if (lane == 0) dots[turn][warp][0] = qq, dots[turn][warp][1] = kk, dots[turn][warp][2] = qk;
    const float beta = sigmoid(b);
    team.sync();
    qq = kk = qk = 0;
#pragma unroll
    for (int w = 0; w < team_warps; ++w) qq += dots[turn][w][0], kk += dots[turn][w][1], qk += dots[turn][w][2];
    const float q_scale = rsqrtf(qq + delta_l2_eps), k_scale = rsqrtf(kk + delta_l2_eps);
    float r = 0, o = 0;
#pragma unroll
    for (int j = 0; j < ROWS; ++j) {
      const int row = j * team_warps + warp;
      if (row >= c.dim) break;
      r += s[j] * k_[turn][row];
      o += s[j] * q_[turn][row];
    }
    partial[turn][0][warp][lane] = r;
    partial[turn][1][warp][lane] = o;
    team.sync();
    r = o = 0;
#pragma unroll
    for (int w = 0; w < team_warps; ++w) r += partial[turn][0][w][lane], o += partial[turn][1][w][lane];
    const float delta = active ? beta * (v_[turn][lane] - r * k_scale) : 0.0f;
#pragma unroll
    for (int j = 0; j < ROWS; ++j) {
      const int row = j * team_warps + warp;
      if (row >= c.dim) break;
      s[j] += k_[turn][row] * k_scale * delta;
    }
    if (warp == 0) {
      team.template put<1>(c.y + (slice.first_row + i) * std::int64_t{hidden}, head * c.dim + column,
                           (o * q_scale + qk * q_scale * k_scale * delta) * scale, active);
    }
  }
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const int row = i * team_warps + warp;
    if (active && row < c.dim) state[row * c.dim + column] = s[i];
  }
}

}  // namespace nf::cuda
