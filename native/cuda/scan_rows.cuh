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

}  // namespace nf::cuda
