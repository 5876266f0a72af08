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

/// Sums eight values over the warp's lanes; lane l returns the sum of value number (l >> 2) & 7. Half of the values
/// change hands in each of the first three steps, so nine shuffles do the work of forty.
__device__ __forceinline__ float sum_of_eight(const float (&v)[8], int lane) {
  float four[4], two[2];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float mine = lane & 16 ? v[i + 4] : v[i], other = lane & 16 ? v[i] : v[i + 4];
    four[i] = mine + __shfl_xor_sync(full_warp, other, 16);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float mine = lane & 8 ? four[i + 2] : four[i], other = lane & 8 ? four[i] : four[i + 2];
    two[i] = mine + __shfl_xor_sync(full_warp, other, 8);
  }
  const float mine = lane & 4 ? two[1] : two[0], other = lane & 4 ? two[0] : two[1];
  float sum = mine + __shfl_xor_sync(full_warp, other, 4);
  sum += __shfl_xor_sync(full_warp, sum, 2);
  return sum + __shfl_xor_sync(full_warp, sum, 1);
}

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

/// For each token: x, B, C = silu(conv); dt = softplus(dt~ + bias); h = exp(dt a) h + dt x B^T; y = h C + D x;
/// u = y silu(z). Grid: heads x blocks of 32 rows of h x slices. Warp: 8 rows of h; lane: N columns of each, in
/// registers. All float32. Shared memory: x [32], B, C [state], twice. Bytes moved: h and the slice's inputs once
/// (B and C once per block). Precondition: state at most 32 N; ONE as in deltanet_scan_kernel.
template <int N, bool ONE, class Team>
__device__ __forceinline__ void mamba2_scan_block(const Mamba2Call& c, const Place& at, Mamba2Shared& shared,
                                                  const Team& team) {
  auto& [x_, b_, c_] = shared;
  const int head = at.x, lane = team.thread() % 32, warp = team.thread() / 32;
  const int inner = c.n_heads * c.head_dim, channels = inner + 2 * c.state;
  const int first = at.y * mamba_block_rows;  // row of h
  const int n_block_rows = min(mamba_block_rows, c.head_dim - first);
  // No stage runs before the one two behind it is complete, so the state is already there.
  float* state = c.rows.slices[at.z].state + c.matrix_offset + (std::int64_t{head} * c.head_dim + first) * c.state;
  float h[mamba_warp_rows][N];
#pragma unroll
  for (int r = 0; r < mamba_warp_rows; ++r) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const int row = warp * mamba_warp_rows + r, column = lane * N + j;
      h[r][j] = row < n_block_rows && column < c.state ? __ldcg(state + row * c.state + column) : 0.0f;
    }
  }
  const float a = c.a[head], d = c.d[head], dt_bias = c.dt_bias[head];
  team.wait_for_inputs();
  const DeviceSlice slice = c.rows.slices[at.z];
  float* window = slice.state + c.window_offset;
  const int n_tokens = ONE ? 1 : slice.n_tokens, n_inputs = n_block_rows + 2 * c.state;
  constexpr int n_shares = (mamba_block_rows + 64 * N + team_threads - 1) / team_threads;
  const auto channel_of = [&](int index) {  // of a block's inputs: its rows of x, then B and C
    return index < n_block_rows ? head * c.head_dim + first + index : inner + index - n_block_rows;
  };
  for (int i = 0; i < n_tokens; ++i) {
    const int turn = i & 1;
    const float* in = c.projected + (slice.first_row + i) * std::int64_t{c.stride};
    float values[n_shares];  // all loads before the first use
#pragma unroll
    for (int share = 0; share < n_shares; ++share) {
      const int index = share * team_threads + team.thread();
      if (index < n_inputs) values[share] = mamba_conv(c, in, window, slice.ring, i, channel_of(index));
    }
    const int y_row = warp * mamba_warp_rows + lane / 4;
    const float z = y_row < n_block_rows ? __ldcg(in + head * c.head_dim + first + y_row) : 0.0f;
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
    const float dt = softplus(__ldcg(in + c.dt_offset + head) + dt_bias);
    const float decay = expf(dt * a);
    team.sync();
    float y[mamba_warp_rows];
#pragma unroll
    for (int r = 0; r < mamba_warp_rows; ++r) {
      const int row = warp * mamba_warp_rows + r;
      const float gain = row < n_block_rows ? dt * x_[turn][row] : 0.0f;
      float sum = 0;
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const int column = lane * N + j;
        if (column >= c.state) break;
        h[r][j] = decay * h[r][j] + gain * b_[turn][column];
        sum += h[r][j] * c_[turn][column];
      }
      y[r] = sum;
    }
    const float mine = sum_of_eight(y, lane);
    if (lane % 4 == 0 && y_row < n_block_rows) {
      c.y[(slice.first_row + i) * std::int64_t{inner} + head * c.head_dim + first + y_row] =
          (mine + d * x_[turn][y_row]) * silu(z);
    }
    if constexpr (ONE) {
      // Every block writes its own channels of x; one block in the grid writes B and C.
      float* place = window + (slice.ring + c.width - 1) % c.width * std::int64_t{channels};
      const int n_mine = at.x == 0 && at.y == 0 ? n_inputs : n_block_rows;
      for (int index = team.thread(); index < n_mine; index += team_threads) {
        const int channel = channel_of(index);
        place[channel] = __ldcg(in + inner + channel);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < mamba_warp_rows; ++r) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const int row = warp * mamba_warp_rows + r, column = lane * N + j;
      if (row < n_block_rows && column < c.state) state[row * c.state + column] = h[r][j];
    }
  }
}

}  // namespace nf::cuda
