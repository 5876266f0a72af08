// What the two recurrences over a slice of several tokens share.
#pragma once

#include "device_code.cuh"
#include "launch.h"

namespace nf::cuda {

/// Sums sixteen values over the lanes of half a warp; the lane with lane % 16 = i returns the sum of value number i. As
/// half of the values change hands in each step, fifteen shuffles do the work of sixty-four.
__device__ __forceinline__ float sum_of_sixteen(const float (&v)[16], int lane) {
  float eight[8], four[4], two[2];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float mine = lane & 8 ? v[i + 8] : v[i], other = lane & 8 ? v[i] : v[i + 8];
    eight[i] = mine + __shfl_xor_sync(full_warp, other, 8);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float mine = lane & 4 ? eight[i + 4] : eight[i], other = lane & 4 ? eight[i] : eight[i + 4];
    four[i] = mine + __shfl_xor_sync(full_warp, other, 4);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float mine = lane & 2 ? four[i + 2] : four[i], other = lane & 2 ? four[i] : four[i + 2];
    two[i] = mine + __shfl_xor_sync(full_warp, other, 2);
  }
  const float mine = lane & 1 ? two[1] : two[0], other = lane & 1 ? two[0] : two[1];
  return mine + __shfl_xor_sync(full_warp, other, 1);
}

/// Zeros in n tokens of shared memory: for what is not fetched, behind a narrow head.
template <class Token>
__device__ __forceinline__ void clear_tokens(Token* tokens, int n) {
  for (int i = threadIdx.x; i < n * static_cast<int>(sizeof(Token) / 16); i += static_cast<int>(blockDim.x)) {
    reinterpret_cast<float4*>(tokens)[i] = make_float4(0, 0, 0, 0);
  }
  __syncthreads();
}

/// All tokens of a slice, N at a time, through two buffers of N tokens: `fetch(first, to)` asks for tokens first ..
/// first + N - 1 that exist, `use(tokens, n)` gets them when they are there.
template <int N, class Token, class Fetch, class Use>
__device__ __forceinline__ void for_each_chunk(Token* buffers, int n_tokens, const Fetch& fetch, const Use& use) {
  fetch(0, buffers);
  cp_async_commit();
  for (int first = 0, turn = 0; first < n_tokens; first += N, turn ^= 1) {
    cp_async_wait<0>();
    __syncthreads();  // the chunk is here, and everybody has left the one before it
    fetch(first + N, buffers + (turn ^ 1) * N);
    cp_async_commit();
    use(buffers + turn * N, min(N, n_tokens - first));
  }
}

/// One block for each head and each block_width of its rows or columns, alone on its multiprocessor.
template <class Call>
void launch_rows(const LaunchContext& context, void (*kernel)(Call, const float*), int width, int block_width,
                 int n_threads, int shared_bytes, const Call& call, const float* prepared) {
  const dim3 grid(static_cast<unsigned>(call.n_heads), static_cast<unsigned>((width + block_width - 1) / block_width));
  launch(context, kernel, grid, n_threads, one_block_bytes(context, shared_bytes), call, prepared);
}

}  // namespace nf::cuda
