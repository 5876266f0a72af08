// What the matrix-vector kernels share: the one of batches, and the stage of the resident kernel.
#pragma once

#include <algorithm>

#include "codes.cuh"
#include "device_code.cuh"
#include "stages.h"

namespace nf::cuda {

constexpr int x_pad_bytes = 64;  // between rows of x in shared memory: keeps fragment reads free of bank conflicts

struct MatvecArguments {
  const float* x;
  int k, n_rows;
  Prologue prologue;
  const float* norm;
  float eps;
  int head_dim;
  const std::byte* main;
  const std::byte* kept;
  int main_tiles, kept_tiles, main_blocks;
  Epilogue epilogue;
  float* y;
  int y_stride;
  const DeviceSlice* slices;
  const float* head_scale;
  int n_valid;
  MatrixFormat main_format;
};

/// The block's share of a stack: groups of `group` tiles, dealt out in turn.
struct Share {
  int first, stride, group, n_tiles;
  __device__ int count() const {
    const int n_groups = n_tiles / group;
    return first < n_groups ? (n_groups - first + stride - 1) / stride * group : 0;
  }
  __device__ int tile(int i) const { return (first + i / group * stride) * group + i % group; }
};

/// Bytes of one row of x parts in shared memory.
__host__ __device__ constexpr int x_row_bytes(int k) { return padded(k, unit_columns) * 2 + x_pad_bytes; }

/// Four values of x as two bf16 parts each: high, and what is left of it, in the row behind.
__device__ __forceinline__ void store_parts(std::byte* x_rows, int row_bytes, int row, int index, float4 v) {
  const std::uint32_t high0 = pack_bf16(v.x, v.y), high1 = pack_bf16(v.z, v.w);
  const std::uint32_t low0 = pack_bf16(v.x - low_bf16(high0), v.y - high_bf16(high0));
  const std::uint32_t low1 = pack_bf16(v.z - low_bf16(high1), v.w - high_bf16(high1));
  std::byte* place = x_rows + 2 * row * row_bytes + index * 8;
  *reinterpret_cast<uint2*>(place) = make_uint2(high0, high1);
  *reinterpret_cast<uint2*>(place + row_bytes) = make_uint2(low0, low1);
}

/// Blocks for the rows kept apart, so that no block of either kind has much more to read than the others.
inline int kept_blocks(const StageWeights& w, int n_blocks) {
  if (w.kept.n_tiles == 0) return 0;
  const double per_block = static_cast<double>(w.main.bytes() + w.kept.bytes()) / n_blocks;
  const int n = static_cast<int>(static_cast<double>(w.kept.bytes()) / per_block + 0.999);
  return std::clamp(n, 1, std::min(w.kept.n_tiles, n_blocks - 1));
}

}  // namespace nf::cuda
