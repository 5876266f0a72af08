// What happens to the sums of a matrix-matrix product.
#pragma once

#include "device_code.cuh"
#include "gemm.h"

namespace nf::cuda {

__device__ __forceinline__ void finish_one(const GemmArguments& a, int row, int out, float value) {
  float* y = a.y + row * std::int64_t{a.y_stride} + out;
  if (a.epilogue == Epilogue::add) {
    // Nobody else adds here: a reduction is what a thread need not wait for, unlike one load after the other.
    if (out < a.n_valid) atomicAdd(y, value);
  } else {
    *y = a.epilogue == Epilogue::relu2 ? fmaxf(value, 0.0f) * fmaxf(value, 0.0f) : value;
  }
}

/// Row g of tile `tile` (an even one) and of the next, for one token: written as they are as partial sums, or through
/// the epilogue, which for `gated` makes one result of both.
__device__ __forceinline__ void finish_pair(const GemmArguments& a, int part, int row, int tile, int g, float first,
                                            float second) {
  if (tile >= a.n_tiles) return;
  const int out = tile * tile_rows + g;
  const bool has_second = tile + 1 < a.n_tiles;
  if (a.partials) {
    float* to = a.partials + (std::int64_t{part} * a.n_rows + row) * a.n_tiles * tile_rows + out;
    to[0] = first;
    if (has_second) to[tile_rows] = second;
  } else if (a.epilogue == Epilogue::gated) {
    a.y[row * std::int64_t{a.y_stride} + tile / 2 * tile_rows + g] = silu(first) * second;
  } else {
    finish_one(a, row, out, first);
    if (has_second) finish_one(a, row, out + tile_rows, second);
  }
}

}  // namespace nf::cuda
