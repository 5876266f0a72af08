// Rows of the embedding table, widened.
#pragma once

#include "stages.h"
#include "team.cuh"

namespace nf::cuda {

/// Element (row, column) of a matrix in the layout of layout.h, widened.
__device__ __forceinline__ float element(const DeviceMatrix& m, int row, int column) {
  if (m.format == MatrixFormat::f32) {
    return reinterpret_cast<const float*>(m.data)[row * std::int64_t{m.k} + column];
  }
  const int g = row % tile_rows, inside = column % unit_columns, granule = inside / 32, t = inside % 32 / 8,
            j = inside % 8;
  const std::byte* unit =
      m.data + (std::int64_t{row / tile_rows} * n_units(m.k) + column / unit_columns) * unit_bytes(m.format);
  if (m.format == MatrixFormat::bf16) {
    const std::byte* place = unit + granule * 512 + g * 64 + ((t ^ (g >> 1 & 3)) << 4) + j * 2;
    return __bfloat162float(*reinterpret_cast<const __nv_bfloat16*>(place));
  }
  if (m.format == MatrixFormat::int8) {
    const int code = static_cast<std::int8_t>(unit[granule / 2 * 512 + (g * 4 + t) * 16 + granule % 2 * 8 + j]);
    return static_cast<float>(code) * __half2float(reinterpret_cast<const __half*>(unit + 1024)[g]);
  }
  const auto word = *reinterpret_cast<const std::uint32_t*>(unit + (g * 4 + t) * 16 + granule * 4);
  const int code = static_cast<int>(word >> (4 * (j / 2 + j % 2 * 4)) & 15) - 8;
  return static_cast<float>(code) * __half2float(reinterpret_cast<const __half*>(unit + 512)[granule * tile_rows + g]);
}

/// x[row, :] = table[tokens[row], :], or a memory token's row. Place: x blocks of 128 columns, one per thread; y rows.
template <class Team>
__device__ __forceinline__ void embed_block(const EmbedCall& c, const Place& at, const Team& team) {
  team.wait_for_inputs();
  const int column = at.x * team_threads + team.thread();
  const bool exists = column < c.table.k;
  const int token = __ldcg(c.tokens + at.y);
  float value = 0;
  if (exists) {
    value = token < c.n_vocab ? element(c.table, token, column)
                              : c.memory[(token - c.n_vocab) * std::int64_t{c.table.k} + column];
  }
  team.template put<1>(c.x + at.y * std::int64_t{c.table.k}, column, value, exists);
}

}  // namespace nf::cuda
