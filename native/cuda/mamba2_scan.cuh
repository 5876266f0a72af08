// The state-space recurrence, token after token: body of the scan kernel, and a stage of the resident one.
#pragma once

#include "stages.h"
#include "team.cuh"

namespace nf::cuda {

constexpr int mamba_warp_rows = 8, mamba_block_rows = team_warps * mamba_warp_rows;
constexpr int max_mamba_state = 256;

struct Mamba2Shared {
  float x[2][mamba_block_rows], b[2][max_mamba_state], c[2][max_mamba_state];
};

/// The causal convolution of one channel at token i of the slice. `in`: the token's row of projections.
__device__ __forceinline__ float mamba_conv(const Mamba2Call& c, const float* in, const float* window, int ring, int i,
                                            int channel) {
  const int inner = c.n_heads * c.head_dim, channels = inner + 2 * c.state;
  const auto input = [&](int j, int width) {
    const int back = width - 1 - j;
    return i >= back ? __ldcg(in + inner + channel - std::int64_t{back} * c.stride)
                     : __ldcg(window + (ring + i + j) % width * std::int64_t{channels} + channel);
  };
  float sum = c.conv_bias[channel];
  if (c.width == 4) {
    const float4 taps = __ldg(reinterpret_cast<const float4*>(c.conv) + channel);
    const float x0 = input(0, 4), x1 = input(1, 4), x2 = input(2, 4), x3 = input(3, 4);
    return sum + taps.x * x0 + taps.y * x1 + taps.z * x2 + taps.w * x3;
  }
  for (int j = 0; j < c.width; ++j) sum += c.conv[channel * c.width + j] * input(j, c.width);
  return sum;
}

/// The same for a slice's first token, in two parts: what earlier inputs give (`earlier`), and the newest one's tap.
/// FOUR: the width is known to be 4.
template <bool FOUR>
__device__ __forceinline__ void mamba_conv_earlier(const Mamba2Call& c, const float* window, int ring, int channel,
                                                   float& earlier, float& tap) {
  const int channels = c.n_heads * c.head_dim + 2 * c.state;
  earlier = __ldg(c.conv_bias + channel);
  if (FOUR || c.width == 4) {
    const auto at = [&](int j) { return __ldcg(window + ((ring + j) & 3) * std::int64_t{channels} + channel); };
    const float4 taps = __ldg(reinterpret_cast<const float4*>(c.conv) + channel);
    earlier += taps.x * at(0) + taps.y * at(1) + taps.z * at(2);
    tap = taps.w;
  } else {
    for (int j = 0; j + 1 < c.width; ++j) {
      const int place = (ring + j) % c.width;
      earlier += c.conv[channel * c.width + j] * __ldcg(window + place * std::int64_t{channels} + channel);
    }
    tap = c.conv[channel * c.width + c.width - 1];
  }
}

/// For each token: x, B, C = silu(conv); dt = softplus(dt~ + bias); h = exp(dt a) h + dt x B^T; y = h C + D x;
/// u = y silu(z). Grid: heads x blocks of 32 rows of h x slices. Warp: 8 rows of h; lane: N columns of each, in
/// registers. All float32. Shared memory: x [32], B, C [state], twice. Bytes moved: h and the slice's inputs once
/// (B and C once per block). Preconditions: state a multiple of 4, at most 32 N; ONE as in deltanet_scan_block.
template <int N, bool ONE, class Team>
__device__ __forceinline__ void mamba2_scan_block(const Mamba2Call& c, const Place& at, Mamba2Shared& shared,
                                                  const Team& team) {
  auto& [x_, b_, c_] = shared;
  const int head = at.x, lane = team.thread() % 32, warp = team.thread() / 32;
  const int inner = c.n_heads * c.head_dim, channels = inner + 2 * c.state;
  const int first = at.y * mamba_block_rows;  // row of h
  const int n_block_rows = min(mamba_block_rows, c.head_dim - first);
  // No stage runs before the one two behind it is complete, so the state is already there.
  DeviceSlice slice = team.slice(c.rows, at.z);
  float* state = slice.state + c.matrix_offset + (std::int64_t{head} * c.head_dim + first) * c.state;
  float h[mamba_warp_rows][N];
#pragma unroll
  for (int r = 0; r < mamba_warp_rows; ++r) {
#pragma unroll
    for (int j = 0; j < N; ++j) h[r][j] = 0;
    const int row = warp * mamba_warp_rows + r;
    if (row >= n_block_rows || lane * N >= c.state) continue;
    const float* from = state + row * c.state + lane * N;
    if constexpr (N % 4 == 0) {
#pragma unroll
      for (int j = 0; j < N; j += 4) {
        const float4 four = __ldcg(reinterpret_cast<const float4*>(from + j));
        h[r][j] = four.x, h[r][j + 1] = four.y, h[r][j + 2] = four.z, h[r][j + 3] = four.w;
      }
    } else {
#pragma unroll
      for (int j = 0; j < N; ++j) h[r][j] = __ldcg(from + j);
    }
  }
  const float a = c.a[head], d = c.d[head], dt_bias = c.dt_bias[head];
  const int n_inputs = n_block_rows + 2 * c.state;
  constexpr int n_shares = (mamba_block_rows + 64 * N + team_threads - 1) / team_threads;
  const auto channel_of = [&](int index) {  // of a block's inputs: its rows of x, then B and C
    return index < n_block_rows ? head * c.head_dim + first + index : inner + index - n_block_rows;
  };
  // So are the earlier inputs of a single token.
  float earlier[n_shares], taps[n_shares];
  if constexpr (ONE) {
#pragma unroll
    for (int share = 0; share < n_shares; ++share) {
      const int index = min(share * team_threads + team.thread(), n_inputs - 1);
      mamba_conv_earlier<Team::conv_is_four>(c, slice.state + c.window_offset, slice.ring, channel_of(index),
                                             earlier[share], taps[share]);
    }
  }
  team.wait_for_inputs();
  if constexpr (!ONE) slice = team.slice(c.rows, at.z);
  float* window = slice.state + c.window_offset;
  const int n_tokens = ONE ? 1 : slice.n_tokens;
  for (int i = 0; i < n_tokens; ++i) {
    const int turn = i & 1;
    const float* in = c.projected + (slice.first_row + i) * std::int64_t{c.stride};
    float values[n_shares];  // all loads before the first use
#pragma unroll
    for (int share = 0; share < n_shares; ++share) {
      const int index = share * team_threads + team.thread();
      if (index >= n_inputs) break;
      values[share] =
          ONE ? __ldcg(in + inner + channel_of(index)) : mamba_conv(c, in, window, slice.ring, i, channel_of(index));
    }
    const float dt_in = __ldcg(in + c.dt_offset + head);
    const int y_row = warp * mamba_warp_rows + lane / 4;
    const float z = y_row < n_block_rows ? __ldcg(in + head * c.head_dim + first + y_row) : 0.0f;
    if constexpr (ONE) {
      // Every block writes its own channels of x; one block in the grid writes B and C.
      const int newest = Team::conv_is_four ? (slice.ring + 3) & 3 : (slice.ring + c.width - 1) % c.width;
      float* place = window + newest * std::int64_t{channels};
      const int n_mine = at.x == 0 && at.y == 0 ? n_inputs : n_block_rows;
#pragma unroll
      for (int share = 0; share < n_shares; ++share) {
        const int index = share * team_threads + team.thread();
        if (index < n_mine) place[channel_of(index)] = values[share];
        values[share] = earlier[share] + taps[share] * values[share];
      }
    }
#pragma unroll
    for (int share = 0; share < n_shares; ++share) {
      const int index = share * team_threads + team.thread();
      if (index >= n_inputs) break;
      const float value = silu(values[share]);
      if (index < n_block_rows) {
        x_[turn][index] = value;
      } else if (index < n_block_rows + c.state) {
        b_[turn][index - n_block_rows] = value;
      } else {
        c_[turn][index - n_block_rows - c.state] = value;
      }
    }
    const float dt = softplus(dt_in + dt_bias);
    const float decay = expf(dt * a);
    team.sync();
    float y[mamba_warp_rows], b[N], cc[N];
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const bool exists = lane * N + j < c.state;
      b[j] = exists ? b_[turn][lane * N + j] : 0.0f, cc[j] = exists ? c_[turn][lane * N + j] : 0.0f;
    }
#pragma unroll
    for (int r = 0; r < mamba_warp_rows; ++r) {
      const int row = warp * mamba_warp_rows + r;
      const float gain = row < n_block_rows ? dt * x_[turn][row] : 0.0f;
      float sum = 0;
#pragma unroll
      for (int j = 0; j < N; ++j) {
        h[r][j] = decay * h[r][j] + gain * b[j];
        sum += h[r][j] * cc[j];
      }
      y[r] = sum;
    }
    const float mine = sum_of_eight(y, lane);
    const bool has_row = y_row < n_block_rows;
    team.template put<4>(c.y + (slice.first_row + i) * std::int64_t{inner}, head * c.head_dim + first + y_row,
                         has_row ? (mine + d * x_[turn][y_row]) * silu(z) : 0.0f, has_row && lane % 4 == 0);
  }
#pragma unroll
  for (int r = 0; r < mamba_warp_rows; ++r) {
    const int row = warp * mamba_warp_rows + r;
    if (row >= n_block_rows || lane * N >= c.state) continue;
    float* to = state + row * c.state + lane * N;
    if constexpr (N % 4 == 0) {
#pragma unroll
      for (int j = 0; j < N; j += 4) {
        *reinterpret_cast<float4*>(to + j) = make_float4(h[r][j], h[r][j + 1], h[r][j + 2], h[r][j + 3]);
      }
    } else {
#pragma unroll
      for (int j = 0; j < N; ++j) to[j] = h[r][j];
    }
  }
}

}  // namespace nf::cuda
