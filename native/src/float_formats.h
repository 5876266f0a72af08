// Conversions between the stored float formats and float32. Plain loops that a compiler vectorises.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "model.h"

namespace nf {

inline float float_of_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// Rounds to nearest, ties to even; NaN stays NaN.
inline std::uint16_t bf16_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float float_of_f16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1F, mantissa = bits & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | mantissa << 13);
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24, exact in float32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

/// Rounds to nearest, ties to even; too large becomes infinity.
inline std::uint16_t f16_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00);
  if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00);
  if (magnitude < 0x38800000u) {  // subnormal in float16: let the float adder round to multiples of 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u));
  }
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000u + 0xFFF + (magnitude >> 13 & 1)) >> 13));
}

constexpr std::int64_t size_of(DType dtype) { return dtype == DType::f32 ? 4 : 2; }

/// Widens n elements starting at element `first`.
inline void widen(const TensorView& tensor, std::int64_t first, std::int64_t n, float* out) {
  const std::byte* data = tensor.data + first * size_of(tensor.dtype);
  if (tensor.dtype == DType::f32) {
    std::memcpy(out, data, static_cast<std::size_t>(n) * sizeof(float));
    return;
  }
  const auto* halves = reinterpret_cast<const std::uint16_t*>(data);
  if (tensor.dtype == DType::bf16) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = float_of_bf16(halves[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] = float_of_f16(halves[i]);
  }
}

}  // namespace nf
