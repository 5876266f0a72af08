// The inner product of the resident kernel: a tile of W times one row of x, by the matrix instruction.
//
// W is the operand of 16 rows. A lane's weights fill it as they come, in two rows: g and g + 8. So x comes in two
// versions, one for each, and in parts that add up to it: column n = 2 part + version of the other operand. Rows g of
// version 0 and rows g + 8 of version 1 are results, the rest means nothing; lane t of a row holds those of part t.
//
//   bf16 weights        two parts of x in bf16, high and low; a granule of 32 columns at a time, whose words 0 and 2
//                       are row g, words 1 and 3 row g + 8
//   int8, int4 weights  three parts in 8-bit integers: x in units of a power of two that suits its largest value in the
//                       unit, to base 256. Codes are multiplied as they are (int4: 16 times as large), sums are exact.
//                       int8: 64 columns at a time, the first four of every eight as row g. int4: two granules at a
//                       time, as rows g and g + 8.
#pragma once

#include "matvec.cuh"

namespace nf::cuda {

constexpr int n_digits = 3;

__host__ __device__ constexpr int digit_row_bytes(int k) { return padded(k, unit_columns) + x_pad_bytes; }
/// Three rows of digits, then per unit the value of a one in each digit.
__host__ __device__ constexpr int digits_bytes(int k) {
  return n_digits * digit_row_bytes(k) + n_units(k) * static_cast<int>(sizeof(float4));
}
/// Two rows of bf16.
__host__ __device__ constexpr int parts_bytes(int k) { return 2 * x_row_bytes(k); }

/// Four consecutive values of x, from column 4 `index` on, as two bf16 parts each.
__device__ __forceinline__ void store_parts_as_operand(std::byte* rows, int row_bytes, int index, float4 v) {
  const std::uint32_t high0 = pack_bf16(v.x, v.y), high1 = pack_bf16(v.z, v.w);
  const std::uint32_t low0 = pack_bf16(v.x - low_bf16(high0), v.y - high_bf16(high0));
  const std::uint32_t low1 = pack_bf16(v.z - low_bf16(high1), v.w - high_bf16(high1));
  const int granule = index / 8 % 4, t = index / 2 % 4;
  std::byte* place = rows + index / 32 * 256 + granule / 2 * 128 + t * 16 + granule % 2 * 8 + index % 2 * 4;
  *reinterpret_cast<std::uint32_t*>(place) = high0;
  *reinterpret_cast<std::uint32_t*>(place + 64) = high1;
  *reinterpret_cast<std::uint32_t*>(place + row_bytes) = low0;
  *reinterpret_cast<std::uint32_t*>(place + row_bytes + 64) = low1;
}

// An integer of at most 2^22 is, added to 1.5 2^23 as a float, in the last bits of the sum; and the other way round.
constexpr int sum_zero = 0x4b400000;
__device__ __forceinline__ float value_of_sum(int bits) { return __int_as_float(bits) - 12582912.0f; }

/// The same as digits, in the order of the weights' codes. Warp-collective: the lanes hold one unit.
__device__ __forceinline__ void store_digits(std::byte* rows, int k, int index, float4 v, bool for_int4) {
  // Of numbers without sign the bits are in order, and those of NaN the largest.
  const auto size = [](float x) { return __float_as_uint(x) & 0x7fffffffu; };
  const std::uint32_t most = __reduce_max_sync(full_warp, max(max(size(v.x), size(v.y)), max(size(v.z), size(v.w))));
  // The largest is 2^21 to 2^22 ones; below 2^-105 it is less.
  const std::uint32_t exponent = max(most & 0x7f800000u, 22u << 23);
  const float inverse = __uint_as_float((275u << 23) - exponent);
  const auto digits_of = [&](float x) {  // bytes 0 to 2, signed
    constexpr std::uint32_t borrow = 0x808080u;
    return (__float_as_uint(fmaf(x, inverse, 12582912.0f)) - (static_cast<std::uint32_t>(sum_zero) - borrow)) ^ borrow;
  };
  std::uint32_t z[4] = {digits_of(v.x), digits_of(v.y), digits_of(v.z), digits_of(v.w)};
  const int unit = index / 32, granule = index / 8 % 4, t = index / 2 % 4, half = index % 2;
  const int row_bytes = digit_row_bytes(k);
  int version = half, slot = granule % 2;
  if (for_int4) {
    // The codes of eight columns come as 0 4 1 5 and 2 6 3 7: see pack_int4_kernel.
    version = granule % 2, slot = half;
    const std::uint32_t first = __shfl_xor_sync(full_warp, half ? z[0] : z[2], 1);
    const std::uint32_t second = __shfl_xor_sync(full_warp, half ? z[1] : z[3], 1);
    if (half) {
      z[0] = first, z[1] = z[2], z[2] = second;
    } else {
      z[2] = z[1], z[1] = first, z[3] = second;
    }
  }
  if (index % 32 == 0) {
    const float one = most < 0x7f800000u ? __uint_as_float(exponent - (21u << 23)) : NAN;
    *reinterpret_cast<float4*>(rows + n_digits * row_bytes + unit * static_cast<int>(sizeof(float4))) =
        make_float4(one, 256 * one, 65536 * one, 0);
  }
  const std::uint32_t low0 = __byte_perm(z[0], z[1], 0x5140), low1 = __byte_perm(z[2], z[3], 0x5140);
  const std::uint32_t high0 = __byte_perm(z[0], z[1], 0x0062), high1 = __byte_perm(z[2], z[3], 0x0062);
  std::byte* place = rows + unit * unit_columns + (version * 4 + t) * 16 + granule / 2 * 8 + slot * 4;
  *reinterpret_cast<std::uint32_t*>(place) = __byte_perm(low0, low1, 0x5410);
  *reinterpret_cast<std::uint32_t*>(place + row_bytes) = __byte_perm(low0, low1, 0x7632);
  *reinterpret_cast<std::uint32_t*>(place + 2 * row_bytes) = __byte_perm(high0, high1, 0x5410);
}

/// Where a lane finds its share of x.
template <MatrixFormat F>
struct XShare {
  const std::byte *values, *ones;  // of unit 0

  __device__ XShare(const std::byte* rows, int k, int lane) {
    const int g = lane / 4, t = lane % 4;
    if constexpr (F == MatrixFormat::bf16) {
      values = rows + g / 2 % 2 * x_row_bytes(k) + (g % 2 * 4 + t) * 16;
      ones = nullptr;
    } else {
      const int row_bytes = digit_row_bytes(k);
      values = rows + min(g / 2, n_digits - 1) * row_bytes + (g % 2 * 4 + t) * 16;
      ones = rows + n_digits * row_bytes + t * static_cast<int>(sizeof(float));
    }
  }
};

/// This lane's sums over units of one tile.
template <MatrixFormat F>
struct TileSum {
  float even[4] = {}, odd[4] = {}, sum = 0;

  __device__ __forceinline__ void add(const std::byte* unit, const XShare<F>& x, int number, int lane) {
    const int g = lane / 4, t = lane % 4;
    if constexpr (F == MatrixFormat::bf16) {
      const uint4 x0 = *reinterpret_cast<const uint4*>(x.values + number * 256);
      const uint4 x1 = *reinterpret_cast<const uint4*>(x.values + number * 256 + 128);
      const std::byte* mine = unit + g * 64 + ((t ^ (g >> 1 & 3)) << 4);
      const uint4 u = *reinterpret_cast<const uint4*>(mine), v = *reinterpret_cast<const uint4*>(mine + 512);
      const uint4 w = *reinterpret_cast<const uint4*>(mine + 1024), z = *reinterpret_cast<const uint4*>(mine + 1536);
      mma_bf16(even, u.x, u.y, u.z, u.w, x0.x, x0.y);
      mma_bf16(odd, v.x, v.y, v.z, v.w, x0.z, x0.w);
      mma_bf16(even, w.x, w.y, w.z, w.w, x1.x, x1.y);
      mma_bf16(odd, z.x, z.y, z.z, z.w, x1.z, x1.w);
      return;
    }
    const uint4 xs = *reinterpret_cast<const uint4*>(x.values + number * unit_columns);
    const float one = *reinterpret_cast<const float*>(x.ones + number * static_cast<int>(sizeof(float4)));
    const uint4 u = *reinterpret_cast<const uint4*>(unit + lane * 16);
    int c[4] = {sum_zero, sum_zero, sum_zero, sum_zero};
    if constexpr (F == MatrixFormat::int8) {
      const uint4 v = *reinterpret_cast<const uint4*>(unit + 512 + lane * 16);
      const float scale = __half2float(reinterpret_cast<const __half*>(unit + 1024)[g]);
      mma_s8(c, u.x, u.y, u.z, u.w, xs.x, xs.y);
      mma_s8(c, v.x, v.y, v.z, v.w, xs.z, xs.w);
      sum += scale * one * (value_of_sum(c[0]) + value_of_sum(c[3]));
    } else if constexpr (F == MatrixFormat::int4) {
      const __half* scales = reinterpret_cast<const __half*>(unit + 512) + g;
      // Code + 8 in the upper half of a byte, and its first bit turned: the byte is 16 times the code.
      const auto low = [](std::uint32_t word) { return (word << 4 ^ 0x80808080u) & 0xf0f0f0f0u; };
      const auto high = [](std::uint32_t word) { return (word ^ 0x80808080u) & 0xf0f0f0f0u; };
      int d[4] = {sum_zero, sum_zero, sum_zero, sum_zero};
      mma_s8(c, low(u.x), low(u.y), high(u.x), high(u.y), xs.x, xs.y);
      mma_s8(d, low(u.z), low(u.w), high(u.z), high(u.w), xs.z, xs.w);
      const float first =
          __half2float(scales[0]) * value_of_sum(c[0]) + __half2float(scales[tile_rows]) * value_of_sum(c[3]);
      const float second = __half2float(scales[2 * tile_rows]) * value_of_sum(d[0]) +
                           __half2float(scales[3 * tile_rows]) * value_of_sum(d[3]);
      sum += one * 0.0625f * (first + second);
    }
  }

  __device__ __forceinline__ float total() const {
    float all = F == MatrixFormat::bf16 ? (even[0] + even[3]) + (odd[0] + odd[3]) : sum;
    all += __shfl_xor_sync(full_warp, all, 1);
    if (F != MatrixFormat::bf16) all += __shfl_xor_sync(full_warp, all, 2);
    return all;
  }
};

}  // namespace nf::cuda
