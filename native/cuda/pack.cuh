// Kernels that bring row-major weights into the layout of layout.h. One thread owns 8 consecutive columns of a row.
#pragma once

#include "device_code.cuh"
#include "layout.h"

namespace nf::cuda {

/// Where rows go: tile i of the matrix becomes tile first_tile + i * tile_stride of the stack.
struct PackTarget {
  std::byte* data;
  int first_tile, tile_stride;
  int k;  // columns of the matrix
};

__device__ __forceinline__ std::byte* unit_of(const PackTarget& target, int row, int column, int bytes_per_unit) {
  const std::int64_t tile = target.first_tile + std::int64_t{row / tile_rows} * target.tile_stride;
  const int units = (target.k + unit_columns - 1) / unit_columns;
  return target.data + (tile * units + column / unit_columns) * bytes_per_unit;
}

/// Source: [n_rows, k] of float32, float16 or bf16 (T). Target: bf16 units, zeros behind column k.
template <class T>
__global__ void pack_bf16_kernel(const T* source, int first_row, int n_rows, PackTarget target) {
  const int pieces = padded(target.k, unit_columns) / 8;
  const std::int64_t index = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x;
  const int row = static_cast<int>(index / pieces), column = static_cast<int>(index % pieces) * 8;
  if (row >= n_rows) return;
  __nv_bfloat16 values[8];
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const float value =
        column + j < target.k ? static_cast<float>(source[row * std::int64_t{target.k} + column + j]) : 0.0f;
    values[j] = __float2bfloat16_rn(value);
  }
  const int g = (first_row + row) % tile_rows, t = column % 32 / 8;
  std::byte* unit = unit_of(target, first_row + row, column, unit_bytes(MatrixFormat::bf16));
  std::byte* place = unit + column % unit_columns / 32 * 512 + g * 64 + ((t ^ (g >> 1 & 3)) << 4);
  *reinterpret_cast<uint4*>(place) = *reinterpret_cast<const uint4*>(values);
}

/// Source: codes [n_rows, k] and scales [n_rows, groups of 128]. Target: int8 units.
static __global__ void pack_int8_kernel(const std::int8_t* codes, const float* scales, int first_row, int n_rows,
                                        PackTarget target) {
  const int pieces = padded(target.k, unit_columns) / 8;
  const std::int64_t index = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x;
  const int row = static_cast<int>(index / pieces), column = static_cast<int>(index % pieces) * 8;
  if (row >= n_rows) return;
  std::uint8_t bytes[8];
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const int code = column + j < target.k ? codes[row * std::int64_t{target.k} + column + j] : 0;
    bytes[j] = static_cast<std::uint8_t>(code);
  }
  const int g = (first_row + row) % tile_rows, t = column % 32 / 8, granule = column % unit_columns / 32;
  std::byte* unit = unit_of(target, first_row + row, column, unit_bytes(MatrixFormat::int8));
  *reinterpret_cast<uint2*>(unit + granule / 2 * 512 + (g * 4 + t) * 16 + granule % 2 * 8) =
      *reinterpret_cast<const uint2*>(bytes);
  if (column % unit_columns == 0) {
    const int groups = (target.k + unit_columns - 1) / unit_columns;
    reinterpret_cast<__half*>(unit + 1024)[g] = __float2half_rn(scales[row * groups + column / unit_columns]);
  }
}

/// Source: codes [n_rows, k] and scales [n_rows, groups of 32]. Target: int4 units.
static __global__ void pack_int4_kernel(const std::int8_t* codes, const float* scales, int first_row, int n_rows,
                                        PackTarget target) {
  const int pieces = padded(target.k, unit_columns) / 8;
  const std::int64_t index = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x;
  const int row = static_cast<int>(index / pieces), column = static_cast<int>(index % pieces) * 8;
  if (row >= n_rows) return;
  std::uint32_t word = 0;
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const int code = column + j < target.k ? codes[row * std::int64_t{target.k} + column + j] : 0;
    const int nibble = j / 2 + j % 2 * 4;  // pairs (0,1), (2,3), ... lie 16 bits apart
    word |= static_cast<std::uint32_t>(code + 8) << (nibble * 4);
  }
  const int g = (first_row + row) % tile_rows, t = column % 32 / 8, granule = column % unit_columns / 32;
  std::byte* unit = unit_of(target, first_row + row, column, unit_bytes(MatrixFormat::int4));
  *reinterpret_cast<std::uint32_t*>(unit + (g * 4 + t) * 16 + granule * 4) = word;
  if (t == 0) {
    const int groups = (target.k + 31) / 32;
    const float scale = column < target.k ? scales[row * groups + column / 32] : 0.0f;
    reinterpret_cast<__half*>(unit + 512)[granule * tile_rows + g] = __float2half_rn(scale);
  }
}

/// Source: [n_rows, k] of T. Target: row-major float32, tiles of 8 rows.
template <class T>
__global__ void pack_f32_kernel(const T* source, int first_row, int n_rows, PackTarget target) {
  const std::int64_t index = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x;
  const int row = static_cast<int>(index / target.k), column = static_cast<int>(index % target.k);
  if (row >= n_rows) return;
  const int whole = first_row + row;
  const std::int64_t tile = target.first_tile + std::int64_t{whole / tile_rows} * target.tile_stride;
  reinterpret_cast<float*>(target.data)[(tile * tile_rows + whole % tile_rows) * target.k + column] =
      static_cast<float>(source[index]);
}

}  // namespace nf::cuda
