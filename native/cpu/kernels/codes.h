// Rounding activations to codes, and fetching ahead. Included inside an anonymous namespace, behind Vector.

/// codes = values * inverse rounded to nearest, ties to even; returns their sum.
inline int round_codes(const float* values, float inverse, std::int8_t* codes) {
  int sum = 0;
  for (int i = 0; i < block_columns; ++i) {
    const float shifted = values[i] * inverse + 12582912.0f;  // 1.5 * 2^23: the low bits hold the rounded number
    codes[i] = static_cast<std::int8_t>(Vector::bits_of(shifted) - 0x4B400000);
    sum += codes[i];
  }
  return sum;
}

inline void prefetch(const std::byte* p, int n_lines) {
  for (int i = 0; i < n_lines; ++i) __builtin_prefetch(p + i * 64);
}
