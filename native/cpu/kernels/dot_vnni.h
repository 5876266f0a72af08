// Dot products of bytes with VNNI, for panel_512.h. Included inside an anonymous namespace.

inline __m512i four_of(const std::int8_t* x);

struct Dot512 {
  static __m512i sum(const __m512i* w, const std::int8_t* x, bool) {
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    for (int q = 0; q < 8; q += 2) {
      even = _mm512_dpbusd_epi32(even, w[q], four_of(x + q * 4));
      odd = _mm512_dpbusd_epi32(odd, w[q + 1], four_of(x + q * 4 + 4));
    }
    return _mm512_add_epi32(even, odd);
  }
};
