// Causal attention for a slice of several tokens: queries in blocks of 64, keys and values in blocks of 64, softmax as
// it goes (Dao et al. 2022), products on tensor cores.
#include <algorithm>

#include "attend_split.cuh"

namespace nf::cuda {
namespace {

constexpr int n_warps = 4, n_threads = n_warps * 32;
constexpr int block_queries = 16 * n_warps, block_keys = 64;

__device__ __forceinline__ void load_matrices(std::uint32_t (&d)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(std::uint32_t (&d)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(address)
               : "memory");
}

/// Byte offset of the 16-byte piece in a block of rows of D bf16: pieces are exchanged so that eight rows of a column
/// of pieces lie in different banks.
template <int D>
__device__ __forceinline__ int piece_offset(int row, int piece) {
  constexpr int mask = D / 8 < 8 ? D / 8 - 1 : 7;
  return row * (D * 2) + ((piece ^ (row & mask)) << 4);
}

/// Queries after norm and rotation, times log2(e) / sqrt(dim), as bf16 [row of the slice][head][dim]. Block: one warp,
/// one head of one token.
__global__ void __launch_bounds__(32) rotate_queries_kernel(AttentionCall c, __nv_bfloat16* queries) {
  __shared__ float query[max_attend_dim];
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const DeviceSlice slice = *c.rows.slices;
  const int head = static_cast<int>(blockIdx.x), token = static_cast<int>(blockIdx.y);
  const float* in = c.projected + (slice.first_row + token) * std::int64_t{c.stride} + head * c.qk_dim;
  constexpr float log2_e = 1.4426950408889634f;
  rotate_head(in, c.qk_dim, c.q_norm, c.inverse_frequency, slice.first_position + token,
              log2_e * rsqrtf(static_cast<float>(c.qk_dim)), query);
  __syncwarp();
  __nv_bfloat16* out = queries + (std::int64_t{token} * c.n_heads + head) * c.qk_dim;
  for (int i = threadIdx.x; i < c.qk_dim; i += 32) out[i] = __float2bfloat16_rn(query[i]);
}

/// Asks for 64 rows of D bf16 that lie `stride` elements apart; rows from n_rows on become zeros.
template <int D>
__device__ void fetch_rows(std::uint32_t to, const __nv_bfloat16* from, std::int64_t stride, int n_rows) {
#pragma unroll
  for (int i = 0; i < 64 * (D / 8) / n_threads; ++i) {
    const int index = i * n_threads + static_cast<int>(threadIdx.x), row = index / (D / 8), piece = index % (D / 8);
    const bool valid = row < n_rows;
    cp_async_16_or_zero(to + piece_offset<D>(row, piece), from + (valid ? row * stride : 0) + piece * 8, valid);
  }
}

/// y = softmax(q K^T / sqrt(dim)) V, query i over positions 0 .. first_position + i. Grid: query heads x blocks of 64
/// queries, the longest first. Warp: 16 queries. Sums in float32, operands bf16. Shared memory: queries, two blocks of
/// keys and of values. Bytes moved: keys and values once per block, mostly from L2.
template <int D>
__global__ void __launch_bounds__(n_threads) attend_rows_kernel(AttentionCall c, const __nv_bfloat16* queries) {
  extern __shared__ __align__(128) std::byte memory[];
  constexpr int rows_bytes = 64 * D * 2;
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const std::uint32_t q_rows = shared_address(memory), k_rows = q_rows + rows_bytes, v_rows = k_rows + 2 * rows_bytes;
  const DeviceSlice slice = *c.rows.slices;
  const int head = static_cast<int>(blockIdx.x), kv_head = head / (c.n_heads / c.n_kv_heads);
  const int first_query = static_cast<int>(gridDim.y - 1 - blockIdx.y) * block_queries;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int n_queries = min(block_queries, slice.n_tokens - first_query);
  const int n_keys = slice.first_position + first_query + n_queries;
  const std::int64_t width = std::int64_t{c.n_kv_heads} * 2 * D;
  const __nv_bfloat16* keys = cache_row<__nv_bfloat16>(c, slice, 0) + kv_head * D;
  const __nv_bfloat16* values = keys + c.n_kv_heads * D;

  fetch_rows<D>(q_rows, queries + (std::int64_t{first_query} * c.n_heads + head) * D, std::int64_t{c.n_heads} * D,
                n_queries);
  fetch_rows<D>(k_rows, keys, width, n_keys);
  fetch_rows<D>(v_rows, values, width, n_keys);
  cp_async_commit();
  float out[D / 8][4] = {}, maximum[2] = {-INFINITY, -INFINITY}, total[2] = {};
  const int n_blocks = (n_keys + block_keys - 1) / block_keys;
  for (int block = 0; block < n_blocks; ++block) {
    const int first_key = block * block_keys;
    if (block + 1 < n_blocks) {
      const int next = first_key + block_keys;
      fetch_rows<D>(k_rows + (block + 1) % 2 * rows_bytes, keys + next * width, width, n_keys - next);
      fetch_rows<D>(v_rows + (block + 1) % 2 * rows_bytes, values + next * width, width, n_keys - next);
    }
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    const std::uint32_t ks = k_rows + block % 2 * rows_bytes, vs = v_rows + block % 2 * rows_bytes;

    float scores[block_keys / 8][4] = {};
#pragma unroll
    for (int step = 0; step < D / 16; ++step) {
      std::uint32_t q[4];
      load_matrices(q, q_rows + piece_offset<D>(warp * 16 + lane % 16, step * 2 + lane / 16));
#pragma unroll
      for (int n = 0; n < block_keys / 16; ++n) {
        std::uint32_t k[4];
        load_matrices(k, ks + piece_offset<D>(n * 16 + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
        mma_bf16(scores[2 * n], q[0], q[1], q[2], q[3], k[0], k[1]);
        mma_bf16(scores[2 * n + 1], q[0], q[1], q[2], q[3], k[2], k[3]);
      }
    }
    const int last_of_first = slice.first_position + first_query + warp * 16;  // position of the warp's first query
    if (first_key + block_keys - 1 > last_of_first) {
#pragma unroll
      for (int n = 0; n < block_keys / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if (first_key + n * 8 + 2 * t + i % 2 > last_of_first + g + i / 2 * 8) scores[n][i] = -INFINITY;
        }
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {  // rows g and g + 8
      float most = maximum[half];
#pragma unroll
      for (int n = 0; n < block_keys / 8; ++n) most = fmaxf(most, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
      most = fmaxf(most, __shfl_xor_sync(full_warp, most, 1));
      most = fmaxf(most, __shfl_xor_sync(full_warp, most, 2));
      const float shrink = exp2f(maximum[half] - most);
      maximum[half] = most;
      float sum = 0;
#pragma unroll
      for (int n = 0; n < block_keys / 8; ++n) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) scores[n][i] = exp2f(scores[n][i] - most), sum += scores[n][i];
      }
      total[half] = total[half] * shrink + sum;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) out[n][2 * half] *= shrink, out[n][2 * half + 1] *= shrink;
    }
#pragma unroll
    for (int step = 0; step < block_keys / 16; ++step) {
      const float(&low)[4] = scores[2 * step], (&high)[4] = scores[2 * step + 1];
      const std::uint32_t p[4] = {pack_bf16(low[0], low[1]), pack_bf16(low[2], low[3]), pack_bf16(high[0], high[1]),
                                  pack_bf16(high[2], high[3])};
#pragma unroll
      for (int n = 0; n < D / 16; ++n) {
        std::uint32_t v[4];
        load_matrices_transposed(v, vs + piece_offset<D>(step * 16 + lane % 16, n * 2 + lane / 16));
        mma_bf16(out[2 * n], p[0], p[1], p[2], p[3], v[0], v[1]);
        mma_bf16(out[2 * n + 1], p[0], p[1], p[2], p[3], v[2], v[3]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = total[half];
    sum += __shfl_xor_sync(full_warp, sum, 1);
    sum += __shfl_xor_sync(full_warp, sum, 2);
    const int query = first_query + warp * 16 + g + half * 8;
    if (query >= slice.n_tokens) continue;
    float* y = c.y + (slice.first_row + query) * std::int64_t{c.n_heads * D} + head * D + 2 * t;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      *reinterpret_cast<float2*>(y + n * 8) = make_float2(out[n][2 * half] / sum, out[n][2 * half + 1] / sum);
    }
  }
}

template <int D>
void launch_rows(const LaunchContext& context, const AttentionCall& call, const __nv_bfloat16* queries) {
  const dim3 grid(static_cast<unsigned>(call.n_heads),
                  static_cast<unsigned>((call.rows.n_rows + block_queries - 1) / block_queries));
  constexpr int bytes = 5 * 64 * D * 2;
  launch(context, attend_rows_kernel<D>, grid, n_threads, bytes, call, queries);
}

}  // namespace

bool attend_rows_serves(const AttentionCall& call) {
  return !call.kv_is_f32 && call.qk_dim == call.v_dim && (call.qk_dim == 32 || call.qk_dim == 64 || call.qk_dim == 128);
}

void attend_rows(const LaunchContext& context, const AttentionCall& call, __nv_bfloat16* queries) {
  launch(context, rotate_queries_kernel,
         dim3(static_cast<unsigned>(call.n_heads), static_cast<unsigned>(call.rows.n_rows)), 32, 0, call, queries);
  switch (call.qk_dim) {
    case 32: return launch_rows<32>(context, call, queries);
    case 64: return launch_rows<64>(context, call, queries);
    default: return launch_rows<128>(context, call, queries);
  }
}

void prepare_attention() {
  constexpr int bytes = 5 * 64 * 128 * 2;
  allow_shared_bytes(attend_rows_kernel<128>, bytes);
}

}  // namespace nf::cuda
