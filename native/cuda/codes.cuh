// Integer weight codes to bf16 pairs, exactly, in a few instructions.
#pragma once

#include "device_code.cuh"

namespace nf::cuda {

__device__ __forceinline__ std::uint32_t mask_or(std::uint32_t a, std::uint32_t mask, std::uint32_t bits) {
  std::uint32_t result;
  asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(result) : "r"(a), "r"(mask), "r"(bits));  // (a & mask) | bits
  return result;
}
__device__ __forceinline__ std::uint32_t fma_bf16x2(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t result;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
}
constexpr std::uint32_t bf16_ones = 0x3f803f80u, bf16_minus_ones = 0xbf80bf80u;

/// One 32-column granule: 8 codes of a row as four bf16 pairs, exact integers.
__device__ __forceinline__ void int4_codes(std::uint32_t word, std::uint32_t (&pairs)[4]) {
#pragma unroll
  for (int p = 0; p < 4; ++p) {
    // 0x4300 is 128 in bf16, whose last bit is worth 1: or-ing the nibble in adds it. 0xC308 is -(128 + 8).
    pairs[p] = fma_bf16x2(mask_or(word >> (4 * p), 0x000f000fu, 0x43004300u), bf16_ones, 0xC308C308u);
  }
}
__device__ __forceinline__ void int8_codes(std::uint32_t word, std::uint32_t& pair0, std::uint32_t& pair1) {
#pragma unroll
  for (int p = 0; p < 2; ++p) {
    const std::uint32_t bytes = __byte_perm(word, word, p == 0 ? 0x1100 : 0x3322);  // each byte twice
    // 128 + the low 7 bits - (128, or 256 where the sign bit is set)
    const std::uint32_t base = mask_or(bytes, 0x00800080u, 0x43004300u);
    const std::uint32_t sum = mask_or(bytes, 0x007f007fu, 0x43004300u);
    (p == 0 ? pair0 : pair1) = fma_bf16x2(base, bf16_minus_ones, sum);
  }
}

}  // namespace nf::cuda
