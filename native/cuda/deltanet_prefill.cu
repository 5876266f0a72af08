// The delta rule over a slice of several tokens, in two passes: everything that does not depend on the state, for all
// tokens at once; then the state, token after token, with all of a column of it in one warp.
#include "deltanet_scan.cuh"
#include "scan_rows.cuh"

namespace nf::cuda {
namespace {

constexpr int n_threads = 256, n_warps = n_threads / 32;
constexpr int chunk_tokens = 16;  // that travel to shared memory together
constexpr int group_tokens = 8;   // whose results are summed together
constexpr int warp_columns = 4;   // of the state: two for each half of a warp
constexpr int block_columns = n_warps * warp_columns;
constexpr int max_dim = 128;

/// A head of a token after the first pass: q / (|q| sqrt(dim)), k / |k|, v, then beta and q k.
__host__ __device__ constexpr int record_floats(int dim) { return 3 * dim + 4; }

struct TokenShared {
  float4 q[max_dim / 4], k[max_dim / 4], v[block_columns / 4], scalars;
};

__device__ __forceinline__ float4 conv4_of_four(const float* input, int stride, const float* window,
                                                int window_channels, int ring, int i, const float4* taps) {
  float4 x[4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int back = 3 - j;
    const float* from =
        i >= back ? input - std::int64_t{back} * stride : window + ((ring + i + j) & 3) * std::int64_t{window_channels};
    x[j] = *reinterpret_cast<const float4*>(from);
  }
  const auto sum = [&](const float4& w, float a, float b, float c, float d) {
    return silu(w.x * a + w.y * b + w.z * c + w.w * d);
  };
  return make_float4(sum(taps[0], x[0].x, x[1].x, x[2].x, x[3].x), sum(taps[1], x[0].y, x[1].y, x[2].y, x[3].y),
                     sum(taps[2], x[0].z, x[1].z, x[2].z, x[3].z), sum(taps[3], x[0].w, x[1].w, x[2].w, x[3].w));
}

__device__ __forceinline__ float dot(const float4& a, const float4& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
__device__ __forceinline__ float4 scaled(const float4& a, float s) {
  return make_float4(a.x * s, a.y * s, a.z * s, a.w * s);
}

/// prepared[token of the slice][head] = record. Warp: one head of one token; lane: four dimensions. Bytes moved: the
/// projections once from memory (four times from the caches), the records once.
__global__ void __launch_bounds__(n_threads) prepare_deltanet_kernel(DeltaNetCall c, float* prepared) {
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int lane = threadIdx.x % 32,
            index = static_cast<int>(blockIdx.x) * n_warps + static_cast<int>(threadIdx.x) / 32;
  const DeviceSlice slice = *c.rows.slices;
  const int head = index % c.n_heads, i = index / c.n_heads, hidden = c.n_heads * c.dim;
  if (i >= slice.n_tokens) return;
  const float* in = c.projected + (slice.first_row + i) * std::int64_t{c.stride};
  const float* window = slice.state + c.window_offset;
  const bool active = lane * 4 < c.dim;
  const int channel = head * c.dim + (active ? lane * 4 : 0);
  const float4* taps = reinterpret_cast<const float4*>(c.conv) + channel;
  const auto convolved = [&](int offset, int part) {
    const float4 x = conv4_of_four(in + offset + channel, c.stride, window + part * hidden + channel, 3 * hidden,
                                   slice.ring, i, taps + part * hidden);
    return active ? x : make_float4(0, 0, 0, 0);
  };
  const float4 q = convolved(0, 0), k = convolved(c.k_offset, 1), v = convolved(c.v_offset, 2);
  const float q_scale = rsqrtf(warp_sum(dot(q, q)) + delta_l2_eps) * rsqrtf(static_cast<float>(c.dim));
  const float k_scale = rsqrtf(warp_sum(dot(k, k)) + delta_l2_eps);
  const float qk = warp_sum(dot(q, k)) * q_scale * k_scale;
  float* out = prepared + std::int64_t{index} * record_floats(c.dim);
  if (active) {
    *reinterpret_cast<float4*>(out + lane * 4) = scaled(q, q_scale);
    *reinterpret_cast<float4*>(out + c.dim + lane * 4) = scaled(k, k_scale);
    *reinterpret_cast<float4*>(out + 2 * c.dim + lane * 4) = v;
  }
  if (lane == 0) {
    *reinterpret_cast<float4*>(out + 3 * c.dim) = make_float4(sigmoid(in[c.b_offset + head]), qk, 0, 0);
  }
}

constexpr int shared_bytes = 2 * chunk_tokens * static_cast<int>(sizeof(TokenShared));

/// Asks for the records of tokens first .. first + 15 of a head, two for each warp, with the block's columns of v.
__device__ __forceinline__ void fetch_tokens(const DeltaNetCall& c, const float* prepared, int head, int first_column,
                                             int first, int n_tokens, TokenShared* tokens) {
  constexpr int v_pieces = block_columns / 4;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, v = 2 * c.dim + first_column + lane * 4;
#pragma unroll
  for (int i = warp; i < chunk_tokens; i += n_warps) {
    if (first + i >= n_tokens) break;
    TokenShared& to = tokens[i];
    const float* record = prepared + (std::int64_t{first + i} * c.n_heads + head) * record_floats(c.dim);
    if (lane * 4 < c.dim) {
      cp_async_16(shared_address(to.q + lane), record + lane * 4);
      cp_async_16(shared_address(to.k + lane), record + c.dim + lane * 4);
    }
    if (lane < v_pieces && v < 3 * c.dim) cp_async_16(shared_address(to.v + lane), record + v);
    if (lane == v_pieces) cp_async_16(shared_address(&to.scalars), record + 3 * c.dim);
  }
}

/// S += k delta^T with delta = beta (v - S^T k) for one token; first, second = this lane's share of the columns' S^T q
/// before that. Returns delta.
__device__ __forceinline__ float2 step(const TokenShared& token, int part, int column, bool exists, float (&s)[8][2],
                                       float& first, float& second) {
  const float4 k0 = token.k[part], k1 = token.k[16 + part], q0 = token.q[part], q1 = token.q[16 + part];
  const float k[8] = {k0.x, k0.y, k0.z, k0.w, k1.x, k1.y, k1.z, k1.w};
  const float q[8] = {q0.x, q0.y, q0.z, q0.w, q1.x, q1.y, q1.z, q1.w};
  const float2 v = *reinterpret_cast<const float2*>(reinterpret_cast<const float*>(token.v) + column);
  const float beta = exists ? token.scalars.x : 0.0f;
  float r0[2] = {}, r1[2] = {}, o0[2] = {}, o1[2] = {};
#pragma unroll
  for (int row = 0; row < 8; ++row) {
    r0[row % 2] += k[row] * s[row][0], r1[row % 2] += k[row] * s[row][1];
    o0[row % 2] += q[row] * s[row][0], o1[row % 2] += q[row] * s[row][1];
  }
  first = o0[0] + o0[1], second = o1[0] + o1[1];
  float a = r0[0] + r0[1], b = r1[0] + r1[1];
#pragma unroll
  for (int offset = 8; offset >= 1; offset /= 2) {
    a += __shfl_xor_sync(full_warp, a, offset), b += __shfl_xor_sync(full_warp, b, offset);
  }
  const float2 delta = make_float2(beta * (v.x - a), beta * (v.y - b));
#pragma unroll
  for (int row = 0; row < 8; ++row) s[row][0] += k[row] * delta.x, s[row][1] += k[row] * delta.y;
  return delta;
}

/// S += k (beta (v - S^T k))^T; y = S^T q, for each token in turn. Grid: heads x blocks of 32 columns of S. Half a
/// warp: two columns; lane: eight rows of each, in registers. All float32. Shared memory: two chunks of tokens, and so
/// much that a multiprocessor takes one block. Bytes moved: S once, q and k once per block, v and y once. Precondition:
/// dim a multiple of 4, at most 128.
__global__ void __launch_bounds__(n_threads, 1) deltanet_rows_kernel(DeltaNetCall c, const float* prepared) {
  extern __shared__ __align__(16) std::byte memory[];
  TokenShared* tokens = reinterpret_cast<TokenShared*>(memory);  // [2][chunk_tokens]
  const int head = static_cast<int>(blockIdx.x), first_column = static_cast<int>(blockIdx.y) * block_columns;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, part = lane % 16;
  const int my_column = warp * warp_columns + lane / 16 * 2, column = first_column + my_column;
  clear_tokens(tokens, 2 * chunk_tokens);
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const DeviceSlice slice = *c.rows.slices;
  const int n_tokens = slice.n_tokens, hidden = c.n_heads * c.dim;
  float* state = slice.state + c.matrix_offset + std::int64_t{head} * c.dim * c.dim + column;
  // Rows 4 part .. 4 part + 3, and the same 64 further on.
  const auto row_of = [&](int i) { return i / 4 * 64 + part * 4 + i % 4; };
  float s[8][2];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const bool exists = row_of(i) < c.dim && column < c.dim;
    const float2 two = exists ? *reinterpret_cast<const float2*>(state + row_of(i) * c.dim) : make_float2(0, 0);
    s[i][0] = two.x, s[i][1] = two.y;
  }
  // Of each group of tokens, a lane gets one sum.
  const int sum_column = part / group_tokens, sum_token = part % group_tokens;
  float* y = c.y + (slice.first_row + sum_token) * std::int64_t{hidden} + head * c.dim + column + sum_column;

  const auto fetch = [&](int first, TokenShared* to) {
    fetch_tokens(c, prepared, head, first_column, first, n_tokens, to);
  };
  const auto use = [&](const TokenShared* token, int n) {
    for (int i = 0; i < n; i += group_tokens, token += group_tokens, y += group_tokens * hidden) {
      float sums[2 * group_tokens], my_delta = 0;
#pragma unroll
      for (int t = 0; t < group_tokens; ++t) {
        const float2 delta = step(token[t], part, my_column, i + t < n, s, sums[t], sums[group_tokens + t]);
        if (sum_token == t) my_delta = sum_column == 0 ? delta.x : delta.y;
      }
      const float sum = sum_of_sixteen(sums, part);
      if (i + sum_token < n && column < c.dim) *y = sum + token[sum_token].scalars.y * my_delta;
    }
  };
  for_each_chunk<chunk_tokens>(tokens, n_tokens, fetch, use);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    if (row_of(i) < c.dim && column < c.dim) {
      *reinterpret_cast<float2*>(state + row_of(i) * c.dim) = make_float2(s[i][0], s[i][1]);
    }
  }
}

}  // namespace

std::int64_t deltanet_prepared_floats(int n_heads, int dim) { return std::int64_t{n_heads} * record_floats(dim); }

bool deltanet_rows_serves(const DeltaNetCall& call) { return call.dim <= max_dim && call.dim % 4 == 0; }

void deltanet_rows(const LaunchContext& context, const DeltaNetCall& call, float* prepared) {
  const int n_records = call.rows.n_rows * call.n_heads;
  launch(context, prepare_deltanet_kernel, dim3(static_cast<unsigned>((n_records + n_warps - 1) / n_warps)), n_threads,
         0, call, prepared);
  launch_rows(context, deltanet_rows_kernel, call.dim, block_columns, n_threads, shared_bytes, call, prepared);
}

void prepare_deltanet_rows(const DeviceFacts& device) {
  allow_shared_bytes(deltanet_rows_kernel, device.shared_bytes_per_block);
}

}  // namespace nf::cuda
