// How weights lie in device memory. One layout serves matrix-vector and matrix-matrix kernels.
//
// A matrix [n_out, k] is cut into tiles of 8 rows; a tile is a run of units of 128 columns (k padded with zeros). In a
// unit, lane (g = lane / 4, t = lane % 4) of a warp owns row g and, of each 32 columns, columns 8 t .. 8 t + 7: that is
// its share of two m16n8k16 fragments, in an order of k that both operands use.
//
//   bf16  2048 bytes: four 512-byte atoms (8 rows x 32 columns); row g at 64 g, its 16-byte piece t at place
//                     t ^ (g / 2 % 4). Read as fragments without bank conflicts, and by wgmma as a 64-byte swizzle.
//   int8  1040 bytes: two blocks of 16 bytes per lane (64 columns each), 8 float16 scales
//   int4   576 bytes: 16 bytes per lane (one 32-bit word per 32 columns; code + 8), then 4 x 8 float16 scales
//   f32   row-major [n_out, k], the reference format; no units.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model.h"

namespace nf::cuda {

constexpr int tile_rows = 8;
constexpr int unit_columns = 128;

constexpr int unit_bytes(MatrixFormat format) {
  switch (format) {
    case MatrixFormat::bf16: return 2048;
    case MatrixFormat::int8: return 1040;
    case MatrixFormat::int4: return 576;
    case MatrixFormat::f32: return tile_rows * unit_columns * 4;
  }
  return 0;
}

constexpr int padded(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }
constexpr int n_units(int k) { return (k + unit_columns - 1) / unit_columns; }

/// A matrix in device memory, n_tiles * 8 rows. Does not own its bytes.
struct DeviceMatrix {
  const std::byte* data = nullptr;
  MatrixFormat format = MatrixFormat::bf16;
  int n_tiles = 0;
  int k = 0;

  std::int64_t tile_bytes() const {
    return format == MatrixFormat::f32 ? std::int64_t{tile_rows} * k * 4
                                       : std::int64_t{n_units(k)} * unit_bytes(format);
  }
  std::int64_t bytes() const { return n_tiles * tile_bytes(); }
};

}  // namespace nf::cuda
