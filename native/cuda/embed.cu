#include "device_code.cuh"
#include "stages.h"

namespace nf::cuda {
namespace {

/// Element (row, column) of a matrix in the layout of layout.h, widened.
__device__ float element(const DeviceMatrix& m, int row, int column) {
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
    const int byte = std::to_integer<int>(unit[granule / 2 * 512 + (g * 4 + t) * 16 + granule % 2 * 8 + j]);
    const int code = byte & 0x80 ? -(byte & 0x7f) : byte;
    return static_cast<float>(code) * __half2float(reinterpret_cast<const __half*>(unit + 1024)[g]);
  }
  const auto word = *reinterpret_cast<const std::uint32_t*>(unit + (g * 4 + t) * 16 + granule * 4);
  const int code = static_cast<int>(word >> (4 * (j / 2 + j % 2 * 4)) & 15) - 8;
  return static_cast<float>(code) * __half2float(reinterpret_cast<const __half*>(unit + 512)[granule * tile_rows + g]);
}

/// x[row, :] = table[tokens[row], :]. Block: 256 columns of one row, one per thread. Bytes moved: a row of each.
__global__ void __launch_bounds__(256)
    embed_kernel(DeviceMatrix table, const float* memory, int n_vocab, const int* tokens, float* x) {
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.y), column = static_cast<int>(blockIdx.x * 256 + threadIdx.x);
  if (column >= table.k) return;
  const int token = __ldcg(tokens + row);
  x[row * std::int64_t{table.k} + column] =
      token < n_vocab ? element(table, token, column) : memory[(token - n_vocab) * std::int64_t{table.k} + column];
}

}  // namespace

void embed(const LaunchContext& context, const DeviceMatrix& table, const float* memory, int n_vocab, const int* tokens,
           int n_rows, float* x) {
  launch(context, embed_kernel, dim3(static_cast<unsigned>((table.k + 255) / 256), static_cast<unsigned>(n_rows)), 256,
         0, table, memory, n_vocab, tokens, x);
}

}  // namespace nf::cuda
