// The state-space recurrence over a slice of several tokens, in two passes: everything that does not depend on the
// state, for all tokens at once; then the state, token after token, with rows of it in one warp.
#include "mamba2_scan.cuh"
#include "scan_rows.cuh"

namespace nf::cuda {
namespace {

constexpr int n_threads = 256, n_warps = n_threads / 32;
constexpr int chunk_tokens = 16;  // that travel to shared memory together
constexpr int group_tokens = 4;   // whose sums are taken together
constexpr int warp_rows = 8;      // of h
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
  const auto input = [&](int j, int width) {
    const int back = width - 1 - j;
    const float* from = i >= back ? in + inner + channel - std::int64_t{back} * c.stride
                                  : window + (slice.ring + i + j) % width * std::int64_t{channels};
    return *reinterpret_cast<const float4*>(from);
  };
  const float* taps = c.conv + channel * c.width;
  if (c.width == 4) {
    const float4 x0 = input(0, 4), x1 = input(1, 4), x2 = input(2, 4), x3 = input(3, 4);
    const auto add = [&](float& to, int k, float a, float b, float d, float e) {
      const float4 tap = reinterpret_cast<const float4*>(taps)[k];
      to += tap.x * a, to += tap.y * b, to += tap.z * d, to += tap.w * e;
    };
    add(sum.x, 0, x0.x, x1.x, x2.x, x3.x), add(sum.y, 1, x0.y, x1.y, x2.y, x3.y);
    add(sum.z, 2, x0.z, x1.z, x2.z, x3.z), add(sum.w, 3, x0.w, x1.w, x2.w, x3.w);
  } else {
    for (int j = 0; j < c.width; ++j) {
      const float4 x = input(j, c.width);
      sum.x += taps[j] * x.x, sum.y += taps[c.width + j] * x.y;
      sum.z += taps[2 * c.width + j] * x.z, sum.w += taps[3 * c.width + j] * x.w;
    }
  }
  *reinterpret_cast<float4*>(out + channel) = make_float4(silu(sum.x), silu(sum.y), silu(sum.z), silu(sum.w));
}

constexpr int shared_bytes = 2 * chunk_tokens * static_cast<int>(sizeof(TokenShared));

/// Asks for tokens first .. first + 15, two for each warp: B, C, the block's rows of x and z, the head's scalars.
__device__ __forceinline__ void fetch_tokens(const Mamba2Call& c, const DeviceSlice& slice, const float* prepared,
                                             int head, int first_row, int first, TokenShared* tokens) {
  constexpr int row_pieces = block_rows / 4;
  const int inner = c.n_heads * c.head_dim, channels = inner + 2 * c.state;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, piece = lane % row_pieces * 4;
  const int rows = head * c.head_dim + first_row + piece;
  const bool has_columns = lane * 4 < c.state, has_rows = first_row + piece < c.head_dim;
#pragma unroll
  for (int i = warp; i < chunk_tokens; i += n_warps) {
    if (first + i >= slice.n_tokens) break;
    TokenShared& to = tokens[i];
    const float* record = prepared + (first + i) * std::int64_t{record_floats(channels, c.n_heads)};
    if (has_columns) {
      cp_async_16(shared_address(to.b + lane), record + inner + lane * 4);
      cp_async_16(shared_address(to.c + lane), record + inner + c.state + lane * 4);
    }
    const float* z = c.projected + (slice.first_row + first + i) * std::int64_t{c.stride};
    // x and z lie one behind the other.
    if (has_rows) cp_async_16(shared_address(to.x + lane), (lane < row_pieces ? record : z) + rows);
    if (lane == 0) cp_async_16(shared_address(&to.scalars), record + channels + 4 * head);
  }
}

/// h = decay h + dt x B^T for one token; sums[r][turn] = this lane's share of row r of h C.
__device__ __forceinline__ void step(const TokenShared& token, int part, int row, bool exists, int turn,
                                     float (&h)[4][8], float (&sums)[16]) {
  const float4 b0 = token.b[part], b1 = token.b[16 + part], c0 = token.c[part], c1 = token.c[16 + part];
  const float4 x4 = token.x[row / 4];
  const float b[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
  const float cc[8] = {c0.x, c0.y, c0.z, c0.w, c1.x, c1.y, c1.z, c1.w};
  const float x[4] = {x4.x, x4.y, x4.z, x4.w};
  const float dt = exists ? token.scalars.x : 0.0f, decay = exists ? token.scalars.y : 1.0f;
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const float gain = dt * x[r];
    float even = 0, odd = 0;
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      h[r][j] = decay * h[r][j] + gain * b[j];
      (j % 2 ? odd : even) += h[r][j] * cc[j];
    }
    sums[r * group_tokens + turn] = even + odd;
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
  clear_tokens(tokens, 2 * chunk_tokens);
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
  // Of each group of tokens, a lane gets one sum.
  const int my_row = half_row + part / group_tokens, my_token = part % group_tokens;
  float* y = c.y + (slice.first_row + my_token) * std::int64_t{inner} + head * c.head_dim + first_row + my_row;

  const auto fetch = [&](int first, TokenShared* to) { fetch_tokens(c, slice, prepared, head, first_row, first, to); };
  const auto use = [&](const TokenShared* token, int n) {
    for (int i = 0; i < n; i += group_tokens, token += group_tokens, y += group_tokens * inner) {
      float sums[4 * group_tokens];
#pragma unroll
      for (int k = 0; k < group_tokens; ++k) step(token[k], part, half_row, i + k < n, k, h, sums);
      const float sum = sum_of_sixteen(sums, part);
      if (i + my_token < n && my_row < n_rows) {
        const float x = reinterpret_cast<const float*>(token[my_token].x)[my_row];
        *y = (sum + d * x) * silu(reinterpret_cast<const float*>(token[my_token].z)[my_row]);
      }
    }
  };
  for_each_chunk<chunk_tokens>(tokens, n_tokens, fetch, use);
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
  launch_rows(context, mamba2_rows_kernel, call.head_dim, block_rows, n_threads, shared_bytes, call, prepared);
}

void prepare_mamba2_rows(const DeviceFacts& device) {
  allow_shared_bytes(mamba2_rows_kernel, device.shared_bytes_per_block);
}

}  // namespace nf::cuda
