// Mamba2, token after token: the decode step, and the reference for the chunked form.
#include <algorithm>

#include "device_code.cuh"
#include "stages.h"

namespace nf::cuda {
namespace {

constexpr int n_warps = 4, n_threads = n_warps * 32;
constexpr int rows_per_warp = 8, block_rows = n_warps * rows_per_warp;
constexpr int max_state = 256;

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

/// For each token: x, B, C = silu(conv); dt = softplus(dt~ + bias); h = exp(dt a) h + dt x B^T; y = h C + D x;
/// u = y silu(z). Grid: heads x blocks of 32 rows of h x slices. Warp: 8 rows of h; lane: N columns of each, in
/// registers. All float32. Shared memory: x [32], B, C [state], twice. Bytes moved: h and the slice's inputs once
/// (B and C once per block). Precondition: state at most 32 N; ONE as in deltanet_scan_kernel.
template <int N, bool ONE>
__global__ void __launch_bounds__(n_threads) mamba2_scan_kernel(Mamba2Call c) {
  __shared__ float x_[2][block_rows], b_[2][max_state], c_[2][max_state];
  const int head = static_cast<int>(blockIdx.x), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int inner = c.n_heads * c.head_dim, channels = inner + 2 * c.state;
  const int first = static_cast<int>(blockIdx.y) * block_rows;  // row of h
  const int n_block_rows = min(block_rows, c.head_dim - first);
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const DeviceSlice slice = c.rows.slices[blockIdx.z];
  float* state = slice.state + c.matrix_offset + (std::int64_t{head} * c.head_dim + first) * c.state;
  float* window = slice.state + c.window_offset;
  float h[rows_per_warp][N];
#pragma unroll
  for (int r = 0; r < rows_per_warp; ++r) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const int row = warp * rows_per_warp + r, column = lane * N + j;
      h[r][j] = row < n_block_rows && column < c.state ? state[row * c.state + column] : 0.0f;
    }
  }
  const float a = c.a[head], d = c.d[head], dt_bias = c.dt_bias[head];
  const int n_tokens = ONE ? 1 : slice.n_tokens, n_inputs = n_block_rows + 2 * c.state;
  for (int i = 0; i < n_tokens; ++i) {
    const int turn = i & 1;
    const float* in = c.projected + (slice.first_row + i) * std::int64_t{c.stride};
    for (int index = threadIdx.x; index < n_inputs; index += n_threads) {
      const int channel = index < n_block_rows ? head * c.head_dim + first + index : inner + index - n_block_rows;
      const float* taps = c.conv + channel * c.width;
      float sum = c.conv_bias[channel];
      for (int j = 0; j < c.width; ++j) {
        const int back = c.width - 1 - j;
        const float value = i >= back
                                ? __ldcg(in + inner + channel - std::int64_t{back} * c.stride)
                                : __ldcg(window + (slice.ring + i + j) % c.width * std::int64_t{channels} + channel);
        sum += taps[j] * value;
      }
      const float value = silu(sum);
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
    __syncthreads();
    float y[rows_per_warp];
#pragma unroll
    for (int r = 0; r < rows_per_warp; ++r) {
      const int row = warp * rows_per_warp + r;
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
    const int row = warp * rows_per_warp + lane / 4;
    if (lane % 4 == 0 && row < n_block_rows) {
      const int channel = head * c.head_dim + first + row;
      const float z = __ldcg(in + channel);
      c.y[(slice.first_row + i) * std::int64_t{inner} + channel] = (mine + d * x_[turn][row]) * silu(z);
    }
    if constexpr (ONE) {
      // Every block writes its own channels of x; one block in the grid writes B and C.
      float* place = window + (slice.ring + c.width - 1) % c.width * std::int64_t{channels};
      const int n_mine = blockIdx.x == 0 && blockIdx.y == 0 ? n_inputs : n_block_rows;
      for (int index = threadIdx.x; index < n_mine; index += n_threads) {
        const int channel = index < n_block_rows ? head * c.head_dim + first + index : inner + index - n_block_rows;
        place[channel] = __ldcg(in + inner + channel);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < rows_per_warp; ++r) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const int row = warp * rows_per_warp + r, column = lane * N + j;
      if (row < n_block_rows && column < c.state) state[row * c.state + column] = h[r][j];
    }
  }
}

template <int N>
void launch_scan(const LaunchContext& context, const Mamba2Call& call, bool one_token) {
  const dim3 grid(static_cast<unsigned>(call.n_heads),
                  static_cast<unsigned>((call.head_dim + block_rows - 1) / block_rows),
                  static_cast<unsigned>(call.rows.n_slices));
  launch(context, one_token ? mamba2_scan_kernel<N, true> : mamba2_scan_kernel<N, false>, grid, n_threads, 0, call);
}

}  // namespace

void mamba2_scan(const LaunchContext& context, const Mamba2Call& call, bool one_token) {
  if (call.state <= 32) return launch_scan<1>(context, call, one_token);
  if (call.state <= 64) return launch_scan<2>(context, call, one_token);
  if (call.state <= 128) return launch_scan<4>(context, call, one_token);
  if (call.state <= max_state) return launch_scan<8>(context, call, one_token);
  throw EngineError(ErrorCode::unsupported, "Mamba2 states wider than 256 do not run on the GPU; choose the CPU");
}

}  // namespace nf::cuda
