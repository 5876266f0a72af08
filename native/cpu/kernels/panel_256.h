// Quantised panels in pairs of 256-bit registers: 8 rows each. Included inside an anonymous namespace, behind Vector
// and Dot256, which multiplies unsigned codes with signed activations.

struct Panel {
  struct Rows {
    __m256 low, high;
  };
  struct Codes {
    __m256i v[8][2];  // [column / 4][rows 0-7, 8-15], four columns of a row in 32 bits
    bool wide;        // codes of 8 bits, else of 4
  };

  static Rows zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Rows load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, Rows a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
  }
  static Rows fma(Rows a, Rows b, Rows c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static Rows load_scales(const F16* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
            _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
  }
  static Codes load_int8(const std::byte* p) {
    Codes codes;
    codes.wide = true;
    const auto* from = reinterpret_cast<const __m256i*>(p);
    for (int q = 0; q < 8; ++q) {
      for (int half = 0; half < 2; ++half) codes.v[q][half] = _mm256_loadu_si256(from + q * 2 + half);
    }
    return codes;
  }
  static Codes load_int4(const std::byte* p) {
    Codes codes;
    codes.wide = false;
    const auto* from = reinterpret_cast<const __m256i*>(p);
    const __m256i low = _mm256_set1_epi8(15);
    for (int q = 0; q < 4; ++q) {
      for (int half = 0; half < 2; ++half) {
        const __m256i both = _mm256_loadu_si256(from + q * 2 + half);
        codes.v[q][half] = _mm256_and_si256(both, low);
        codes.v[q + 4][half] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
      }
    }
    return codes;
  }
  static Rows dot(const Codes& w, const std::int8_t* x, std::int32_t offset, float scale) {
    return {rows(w, 0, x, offset, scale), rows(w, 1, x, offset, scale)};
  }

 private:
  static __m256 rows(const Codes& w, int half, const std::int8_t* x, std::int32_t offset, float scale) {
    const __m256i sum = _mm256_add_epi32(Dot256::sum(w.v, half, x, w.wide), _mm256_set1_epi32(offset));
    return _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scale));
  }
};

inline __m256i four_of(const std::int8_t* x) {
  std::int32_t four;
  __builtin_memcpy(&four, x, sizeof four);
  return _mm256_set1_epi32(four);
}
