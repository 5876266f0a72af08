// The inner product of the resident kernel: a tile of W times one row of x.
//
// W is the 16 x 16 operand, a 32-column granule at a time. A lane's eight weights, four words, fill it as they come:
// words 0 and 2 as row g, words 1 and 3 as row g + 8. So x comes in two versions, one for each half of the operand, and
// two parts, high and low: four columns of the other operand. Column n = 2 part + version; rows g of columns 0 and 2
// and rows g + 8 of columns 1 and 3 are results, the rest means nothing. Lane t of a row holds part t's two.
#pragma once

#include "matvec.cuh"

namespace nf::cuda {

constexpr float int4_offset = 136;  // int4_biased() gives code + 136

/// Bytes of what a product needs of x: two parts in the order of the operand, then 136 times the sum of every granule
/// (of int4 products), and 16 zeros.
__host__ __device__ constexpr int x_bytes(int k) {
  return 2 * x_row_bytes(k) + padded(k, unit_columns) / 32 * static_cast<int>(sizeof(float)) + 16;
}

/// Where a lane finds its share of x.
struct XShare {
  const std::byte* values;   // of unit 0; 256 bytes per unit
  const std::byte* offsets;  // sums of unit 0's granules, or zeros
  int offsets_step;          // bytes per unit

  __device__ XShare(const std::byte* x_rows, int k, int lane) {
    const int g = lane / 4, t = lane % 4, row_bytes = x_row_bytes(k), n_sums = padded(k, unit_columns) / 32;
    values = x_rows + g / 2 % 2 * row_bytes + (g % 2 * 4 + t) * 16;
    offsets = x_rows + 2 * row_bytes + (t == 0 ? 0 : n_sums * static_cast<int>(sizeof(float)));
    offsets_step = t == 0 ? 16 : 0;
  }
};

/// Four consecutive values of x, from column 4 `index` on, as two bf16 parts each in the operand's order. Returns the
/// sum of what was stored.
__device__ __forceinline__ float store_operand(std::byte* x_rows, int row_bytes, int index, float4 v) {
  const std::uint32_t high0 = pack_bf16(v.x, v.y), high1 = pack_bf16(v.z, v.w);
  const std::uint32_t low0 = pack_bf16(v.x - low_bf16(high0), v.y - high_bf16(high0));
  const std::uint32_t low1 = pack_bf16(v.z - low_bf16(high1), v.w - high_bf16(high1));
  const int granule = index / 8 % 4, t = index / 2 % 4;
  std::byte* place = x_rows + index / 32 * 256 + granule / 2 * 128 + t * 16 + granule % 2 * 8 + index % 2 * 4;
  *reinterpret_cast<std::uint32_t*>(place) = high0;
  *reinterpret_cast<std::uint32_t*>(place + 64) = high1;
  *reinterpret_cast<std::uint32_t*>(place + row_bytes) = low0;
  *reinterpret_cast<std::uint32_t*>(place + row_bytes + 64) = low1;
  return (low_bf16(high0) + high_bf16(high0) + low_bf16(high1) + high_bf16(high1)) +
         (low_bf16(low0) + high_bf16(low0) + low_bf16(low1) + high_bf16(low1));
}

/// This lane's sums over units of one tile.
template <MatrixFormat F>
struct TileSum {
  float even[4] = {}, odd[4] = {}, sum = 0;

  __device__ __forceinline__ void add(const std::byte* unit, const XShare& x, int number, int lane) {
    const uint4 x0 = *reinterpret_cast<const uint4*>(x.values + number * 256);
    const uint4 x1 = *reinterpret_cast<const uint4*>(x.values + number * 256 + 128);
    const int g = lane / 4, t = lane % 4;
    if constexpr (F == MatrixFormat::bf16) {
      const std::byte* mine = unit + g * 64 + ((t ^ (g >> 1 & 3)) << 4);
      const uint4 u = *reinterpret_cast<const uint4*>(mine), v = *reinterpret_cast<const uint4*>(mine + 512);
      const uint4 w = *reinterpret_cast<const uint4*>(mine + 1024), z = *reinterpret_cast<const uint4*>(mine + 1536);
      mma_bf16(even, u.x, u.y, u.z, u.w, x0.x, x0.y);
      mma_bf16(odd, v.x, v.y, v.z, v.w, x0.z, x0.w);
      mma_bf16(even, w.x, w.y, w.z, w.w, x1.x, x1.y);
      mma_bf16(odd, z.x, z.y, z.z, z.w, x1.z, x1.w);
    } else if constexpr (F == MatrixFormat::int8) {
      const uint4 u = *reinterpret_cast<const uint4*>(unit + lane * 16);
      const uint4 v = *reinterpret_cast<const uint4*>(unit + 512 + lane * 16);
      const float scale = __half2float(reinterpret_cast<const __half*>(unit + 1024)[g]);
      float a[4] = {}, b[4] = {};
      std::uint32_t p[4], q[4];
      int8_codes(u.x, p[0], p[1]), int8_codes(u.y, p[2], p[3]);
      int8_codes(u.z, q[0], q[1]), int8_codes(u.w, q[2], q[3]);
      mma_bf16(a, p[0], p[1], p[2], p[3], x0.x, x0.y);
      mma_bf16(b, q[0], q[1], q[2], q[3], x0.z, x0.w);
      int8_codes(v.x, p[0], p[1]), int8_codes(v.y, p[2], p[3]);
      int8_codes(v.z, q[0], q[1]), int8_codes(v.w, q[2], q[3]);
      mma_bf16(a, p[0], p[1], p[2], p[3], x1.x, x1.y);
      mma_bf16(b, q[0], q[1], q[2], q[3], x1.z, x1.w);
      sum += scale * ((a[0] + a[3]) + (b[0] + b[3]));
    } else {
      const uint4 u = *reinterpret_cast<const uint4*>(unit + lane * 16);
      const float4 o = *reinterpret_cast<const float4*>(x.offsets + number * x.offsets_step);
      const __half* scales = reinterpret_cast<const __half*>(unit + 512) + g;
      const std::uint32_t words[4] = {u.x, u.y, u.z, u.w};
      const std::uint32_t xs[8] = {x0.x, x0.y, x0.z, x0.w, x1.x, x1.y, x1.z, x1.w};
      const float offsets[4] = {o.x, o.y, o.z, o.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        std::uint32_t p[4];
        int4_biased(words[i], p);
        float d[4] = {};
        mma_bf16(d, p[0], p[1], p[2], p[3], xs[2 * i], xs[2 * i + 1]);
        sum += __half2float(scales[i * tile_rows]) * ((d[0] + d[3]) - offsets[i]);
      }
    }
  }

  __device__ __forceinline__ float total() const {
    const float here = F == MatrixFormat::bf16 ? (even[0] + even[3]) + (odd[0] + odd[3]) : sum;
    return here + __shfl_xor_sync(full_warp, here, 1);
  }
};

}  // namespace nf::cuda
