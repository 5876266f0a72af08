// The state-space recurrence over a slice of several tokens, in two passes: everything that does not depend on the
// state, for all tokens at once; then the state, token after token, with rows of it in one warp.
#include <algorithm>

#include "mamba2_scan.cuh"

namespace nf::cuda {
namespace {

constexpr int n_threads = 256, n_warps = n_threads / 32;
constexpr int chunk_tokens = 8;  // that travel to shared memory together
constexpr int warp_rows = 8;     // of h
constexpr int block_rows = n_warps * warp_rows;
constexpr int max_state = 128;

/// A token after the first pass: x, B, C convolved, then dt, exp(dt a), 0, 0 per head.
__host__ __device__ constexpr int record_floats(int channels, int n_heads) { return channels + 4 * n_heads; }

struct TokenShared {
  float4 b[max_state / 4], c[max_state / 4], x[block_rows / 4], z[block_rows / 4], scalars;
};

/// prepared[token of the slice] = record. Thread: four channels of a token, or the scalars of a head. Bytes moved: the
/// projections once from memory (`width` times from the caches), the records once.
__global__ void __launch_bounds__(n_threads) prepare_mamba2_kernel(Mamba2Call c, float* prepared) {
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const DeviceSlice slice = *c.rows.slices;
  const int inner = c.n_heads * c.head_dim, channels = inner + 2 * c.state;
  const int index = static_cast<int>(blockIdx.x * n_threads + threadIdx.x), i = static_cast<int>(blockIdx.y);
  const float* in = c.projected + (slice.first_row + i) * std::int64_t{c.stride};
  float* out = prepared + i * std::int64_t{record_floats(channels, c.n_heads)};
  if (index >= channels / 4) {
    const int head = index - channels / 4;
    if (head >= c.n_heads) return;
    const float dt = softplus(in[c.dt_offset + head] + c.dt_bias[head]);
    *reinterpret_cast<float4*>(out + channels + 4 * head) = make_float4(dt, expf(dt * c.a[head]), 0, 0);
    return;
  }
  const int channel = index * 4;
  const float* window = slice.state + c.window_offset + channel;
  float4 sum = *reinterpret_cast<const float4*>(c.conv_bias + channel);
  for (int j = 0; j < c.width; ++j) {
    const int back = c.width - 1 - j;
    const float* from = i >= back ? in + inner + channel - std::int64_t{back} * c.stride
                                  : window + (slice.ring + i + j) % c.width * std::int64_t{channels};
    const float4 x = *reinterpret_cast<const float4*>(from);
    const float* taps = c.conv + channel * c.width + j;
    sum.x += taps[0] * x.x, sum.y += taps[c.width] * x.y;
    sum.z += taps[2 * c.width] * x.z, sum.w += taps[3 * c.width] * x.w;
  }
  *reinterpret_cast<float4*>(out + channel) = make_float4(silu(sum.x), silu(sum.y), silu(sum.z), silu(sum.w));
}

constexpr int shared_bytes = 2 * chunk_tokens * static_cast<int>(sizeof(TokenShared));

/// Asks for tokens first .. first + 7: B, C, the block's rows of x and z, the head's scalars.
__device__ void fetch_tokens(const Mamba2Call& c, const DeviceSlice& slice, const float* prepared, int head,
                             int first_row, int first, TokenShared* tokens) {
  constexpr int state_pieces = max_state / 4, row_pieces = block_rows / 4, n_pieces = sizeof(TokenShared) / 16;
  const int inner = c.n_heads * c.head_dim, channels = inner + 2 * c.state;
  const int rows = head * c.head_dim + first_row, n_rows = min(block_rows, c.head_dim - first_row);
  for (int index = threadIdx.x; index < chunk_tokens * n_pieces; index += n_threads) {
    const int token = index / n_pieces, piece = index % n_pieces;
    if (first + token >= slice.n_tokens) break;
    const float* record = prepared + (first + token) * std::int64_t{record_floats(channels, c.n_heads)};
    const float* from = record + channels + 4 * head;
    bool valid = true;
    if (piece < state_pieces) {
      valid = piece * 4 < c.state, from = record + inner + piece * 4;
    } else if (piece < 2 * state_pieces) {
      const int i = (piece - state_pieces) * 4;
      valid = i < c.state, from = record + inner + c.state + i;
    } else if (piece < 2 * state_pieces + row_pieces) {
      const int i = (piece - 2 * state_pieces) * 4;
      valid = i < n_rows, from = record + rows + i;
    } else if (piece < 2 * state_pieces + 2 * row_pieces) {
      const int i = (piece - 2 * state_pieces - row_pieces) * 4;
      valid = i < n_rows, from = c.projected + (slice.first_row + first + token) * std::int64_t{c.stride} + rows + i;
    }
    if (valid) cp_async_16(shared_address(tokens + token) + piece * 16, from);
  }
}

/// h = exp(dt a) h + dt x B^T; y = h C + D x; u = y silu(z), for each token in turn. Grid: heads x blocks of 64 rows of
/// h. Half a warp: four rows; lane: eight columns of each, in registers. All float32. Shared memory: two chunks of
/// tokens, and so much that a multiprocessor takes one block. Bytes moved: h once, x, z and u once, B and C once per
/// block. Preconditions: state at most 128; state and head_dim multiples of 4.
__global__ void __launch_bounds__(n_threads, 1) mamba2_rows_kernel(Mamba2Call c, const float* prepared) {
  extern __shared__ __align__(16) std::byte memory[];
  TokenShared* tokens = reinterpret_cast<TokenShared*>(memory);  // [2][chunk_tokens]
  const int head = static_cast<int>(blockIdx.x), first_row = static_cast<int>(blockIdx.y) * block_rows;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, n_rows = min(block_rows, c.head_dim - first_row);
  // What is not fetched, behind a narrow state or head, must be zero.
  for (int i = threadIdx.x; i < 2 * chunk_tokens * static_cast<int>(sizeof(TokenShared) / 16); i += n_threads) {
    reinterpret_cast<float4*>(tokens)[i] = make_float4(0, 0, 0, 0);
  }
  __syncthreads();
  const float d = c.d[head];
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const DeviceSlice slice = *c.rows.slices;
  const int n_tokens = slice.n_tokens, inner = c.n_heads * c.head_dim;
  float* state = slice.state + c.matrix_offset + (std::int64_t{head} * c.head_dim + first_row) * c.state;
  // Rows 4 (lane / 16) .. + 3 of the warp; columns 4 part .. + 3, and the same 64 further on.
  const int part = lane % 16, half_row = warp * warp_rows + lane / 16 * 4;
  const auto exists = [&](int r, int i) { return half_row + r < n_rows && i * 64 + part * 4 < c.state; };
  const auto place = [&](int r, int i) { return (half_row + r) * c.state + i * 64 + part * 4; };
  float h[4][8];
#pragma unroll
  for (int r = 0; r < 4; ++r) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float4 four =
          exists(r, i) ? *reinterpret_cast<const float4*>(state + place(r, i)) : make_float4(0, 0, 0, 0);
      h[r][4 * i] = four.x, h[r][4 * i + 1] = four.y, h[r][4 * i + 2] = four.z, h[r][4 * i + 3] = four.w;
    }
  }
  const int my_row = half_row + part / 4;  // whose sum this lane gets
  const bool writes = part % 4 == 0 && my_row < n_rows;
  float* y = c.y + slice.first_row * std::int64_t{inner} + head * c.head_dim + first_row + my_row;

  fetch_tokens(c, slice, prepared, head, first_row, 0, tokens);
  cp_async_commit();
  for (int first = 0, turn = 0; first < n_tokens; first += chunk_tokens, turn ^= 1) {
    if (first + chunk_tokens < n_tokens) {
      fetch_tokens(c, slice, prepared, head, first_row, first + chunk_tokens, tokens + (turn ^ 1) * chunk_tokens);
    }
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    const int n = min(chunk_tokens, n_tokens - first);
    const TokenShared* token = tokens + turn * chunk_tokens;
#pragma unroll 4
    for (int i = 0; i < n; ++i, ++token, y += inner) {
      const float4 b0 = token->b[part], b1 = token->b[16 + part], c0 = token->c[part], c1 = token->c[16 + part];
      const float4 x4 = token->x[half_row / 4];
      const float b[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
      const float cc[8] = {c0.x, c0.y, c0.z, c0.w, c1.x, c1.y, c1.z, c1.w};
      const float x[4] = {x4.x, x4.y, x4.z, x4.w};
      const float dt = token->scalars.x, decay = token->scalars.y;
      float sums[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const float gain = dt * x[r];
        float even = 0, odd = 0;
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          h[r][j] = decay * h[r][j] + gain * b[j];
          (j % 2 ? odd : even) += h[r][j] * cc[j];
        }
        sums[r] = even + odd;
      }
      // Half of the sums change hands in each of the first two steps.
      const bool high = part & 8, odd = part & 4;
      const float first_sum = (high ? sums[2] : sums[0]) + __shfl_xor_sync(full_warp, high ? sums[0] : sums[2], 8);
      const float second_sum = (high ? sums[3] : sums[1]) + __shfl_xor_sync(full_warp, high ? sums[1] : sums[3], 8);
      float sum = (odd ? second_sum : first_sum) + __shfl_xor_sync(full_warp, odd ? first_sum : second_sum, 4);
      sum += __shfl_xor_sync(full_warp, sum, 2);
      sum += __shfl_xor_sync(full_warp, sum, 1);
      if (writes) {
        *y = (sum + d * reinterpret_cast<const float*>(token->x)[my_row]) *
             silu(reinterpret_cast<const float*>(token->z)[my_row]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 4; ++r) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (!exists(r, i)) continue;
      *reinterpret_cast<float4*>(state + place(r, i)) =
          make_float4(h[r][4 * i], h[r][4 * i + 1], h[r][4 * i + 2], h[r][4 * i + 3]);
    }
  }
}

}  // namespace

std::int64_t mamba2_prepared_floats(int channels, int n_heads) { return record_floats(channels, n_heads); }

bool mamba2_rows_serves(const Mamba2Call& call) {
  return call.state <= max_state && call.state % 4 == 0 && call.head_dim % 4 == 0;
}

void mamba2_rows(const LaunchContext& context, const Mamba2Call& call, float* prepared) {
  const int channels = call.n_heads * call.head_dim + 2 * call.state, n = channels / 4 + call.n_heads;
  launch(context, prepare_mamba2_kernel,
         dim3(static_cast<unsigned>((n + n_threads - 1) / n_threads), static_cast<unsigned>(call.rows.n_rows)),
         n_threads, 0, call, prepared);
  const dim3 grid(static_cast<unsigned>(call.n_heads),
                  static_cast<unsigned>((call.head_dim + block_rows - 1) / block_rows));
  launch(context, mamba2_rows_kernel, grid, n_threads, one_block_bytes(context, shared_bytes), call, prepared);
}

void prepare_mamba2_rows(const DeviceFacts& device) {
  allow_shared_bytes(mamba2_rows_kernel, device.shared_bytes_per_block);
}

}  // namespace nf::cuda
