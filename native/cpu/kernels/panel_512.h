// Quantised panels in 512-bit registers: all 16 rows at once. Included inside an anonymous namespace, behind Vector and
// Dot512, which multiplies unsigned codes with signed activations.

struct Panel {
  using Rows = __m512;
  struct Codes {
    __m512i v[8];  // [column / 4], four columns of a row in 32 bits
    bool wide;     // codes of 8 bits, else of 4
  };

  static Rows zero() { return _mm512_setzero_ps(); }
  static Rows load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Rows a) { _mm512_storeu_ps(p, a); }
  static Rows fma(Rows a, Rows b, Rows c) { return _mm512_fmadd_ps(a, b, c); }
  static Rows load_scales(const F16* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Codes load_int8(const std::byte* p) {
    Codes codes;
    codes.wide = true;
    for (int q = 0; q < 8; ++q) codes.v[q] = _mm512_loadu_si512(p + q * 64);
    return codes;
  }
  static Codes load_int4(const std::byte* p) {
    Codes codes;
    codes.wide = false;
    const __m512i low = _mm512_set1_epi8(15);
    for (int q = 0; q < 4; ++q) {
      const __m512i both = _mm512_loadu_si512(p + q * 64);
      codes.v[q] = _mm512_and_si512(both, low);
      codes.v[q + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
    }
    return codes;
  }
  static Rows dot(const Codes& w, const std::int8_t* x, std::int32_t offset, float scale) {
    const __m512i sum = _mm512_add_epi32(Dot512::sum(w.v, x, w.wide), _mm512_set1_epi32(offset));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(scale));
  }
};

inline __m512i four_of(const std::int8_t* x) {
  std::int32_t four;
  __builtin_memcpy(&four, x, sizeof four);
  return _mm512_set1_epi32(four);
}
