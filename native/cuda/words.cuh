// Activations on their way from stage to stage of the resident kernel: words of four numbers and the number of the
// stage that wrote them, read and written as a whole. Whoever finds the number expected has the numbers too, so that
// neither a barrier across the grid nor a fence is needed.
#pragma once

#include "device_code.cuh"

namespace nf::cuda {

using Word = uint4;  // 4 x 28 bits of float32 (its last four bits are dropped), 16 bits of stage

__device__ __forceinline__ Word word_of(float4 v, std::uint32_t stage) {
  const std::uint32_t a = __float_as_uint(v.x) >> 4, b = __float_as_uint(v.y) >> 4, c = __float_as_uint(v.z) >> 4,
                      d = __float_as_uint(v.w) >> 4;
  return make_uint4(a | b << 28, b >> 4 | c << 24, c >> 8 | d << 20, d >> 12 | stage << 16);
}
__device__ __forceinline__ bool is_of_stage(const Word& word, std::uint32_t stage) {
  return word.w >> 16 == (stage & 0xffffu);
}
__device__ __forceinline__ float4 numbers_of(const Word& word) {
  constexpr std::uint32_t mask = 0xfffffff0u;
  return make_float4(__uint_as_float(word.x << 4), __uint_as_float(__funnelshift_r(word.x, word.y, 24) & mask),
                     __uint_as_float(__funnelshift_r(word.y, word.z, 20) & mask),
                     __uint_as_float(__funnelshift_r(word.z, word.w, 16) & mask));
}

__device__ __forceinline__ Word load_word(const Word* from) {
  std::uint64_t low = 0, high = 0;
#if __CUDA_ARCH__ >= 900
  asm volatile("{\n .reg .b128 word;\n ld.relaxed.gpu.global.b128 word, [%2];\n mov.b128 {%0, %1}, word;\n}"
               : "=l"(low), "=l"(high)
               : "l"(from)
               : "memory");
#endif
  return make_uint4(static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32),
                    static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32));
}
__device__ __forceinline__ void store_word(Word* to, const Word& word) {
#if __CUDA_ARCH__ >= 900
  const std::uint64_t low = word.x | std::uint64_t{word.y} << 32, high = word.z | std::uint64_t{word.w} << 32;
  asm volatile("{\n .reg .b128 word;\n mov.b128 word, {%1, %2};\n st.relaxed.gpu.global.b128 [%0], word;\n}" ::"l"(to),
               "l"(low), "l"(high)
               : "memory");
#endif
}

/// The numbers of a stage in words. Warp-collective: four lanes, STEP apart, hold the numbers of a word; `index` is the
/// word's place, of which the lane with the first number (`is_first`) writes it.
template <int STEP>
__device__ __forceinline__ void put_word(Word* words, int index, float value, bool is_first, std::uint32_t stage) {
  const float b = __shfl_down_sync(full_warp, value, STEP), c = __shfl_down_sync(full_warp, value, 2 * STEP),
              d = __shfl_down_sync(full_warp, value, 3 * STEP);
  if (is_first) store_word(words + index, word_of(make_float4(value, b, c, d), stage));
}

}  // namespace nf::cuda
