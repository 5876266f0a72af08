// Quantised panels in plain C++. Included inside an anonymous namespace.

struct Panel {
  struct Rows {
    float v[panel_rows];
  };
  struct Codes {
    std::uint8_t v[8][panel_rows][4];  // [column / 4][row][column % 4]
  };

  static Rows zero() { return {}; }
  static Rows load(const float* p) {
    Rows r;
    for (int i = 0; i < panel_rows; ++i) r.v[i] = p[i];
    return r;
  }
  static void store(float* p, Rows a) {
    for (int i = 0; i < panel_rows; ++i) p[i] = a.v[i];
  }
  static Rows fma(Rows a, Rows b, Rows c) {
    for (int i = 0; i < panel_rows; ++i) c.v[i] += a.v[i] * b.v[i];
    return c;
  }
  static Rows load_scales(const F16* p) {
    Rows r;
    for (int i = 0; i < panel_rows; ++i) r.v[i] = widen(p[i]);
    return r;
  }
  static Codes load_int8(const std::byte* p) {
    Codes codes;
    __builtin_memcpy(&codes, p, sizeof codes);
    return codes;
  }
  static Codes load_int4(const std::byte* p) {
    Codes codes;
    for (int q = 0; q < 4; ++q) {
      for (int r = 0; r < panel_rows; ++r) {
        for (int c = 0; c < 4; ++c) {
          const auto both = static_cast<std::uint8_t>(p[(q * panel_rows + r) * 4 + c]);
          codes.v[q][r][c] = both & 15;
          codes.v[q + 4][r][c] = both >> 4;
        }
      }
    }
    return codes;
  }
  static Rows dot(const Codes& w, const std::int8_t* x, std::int32_t offset, float scale) {
    Rows out;
    for (int r = 0; r < panel_rows; ++r) {
      std::int32_t sum = offset;
      for (int q = 0; q < 8; ++q) {
        for (int c = 0; c < 4; ++c) sum += w.v[q][r][c] * x[q * 4 + c];
      }
      out.v[r] = static_cast<float>(sum) * scale;
    }
    return out;
  }

 private:
  static float widen(F16 bits) {
    const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16, exponent = bits >> 10 & 0x1F,
                        mantissa = bits & 0x3FF;
    if (exponent == 0) return (sign ? -1.0f : 1.0f) * static_cast<float>(mantissa) * 0x1p-24f;
    const std::uint32_t wide = sign | (exponent + 112) << 23 | mantissa << 13;  // scales are finite
    float r;
    __builtin_memcpy(&r, &wide, sizeof r);
    return r;
  }
};
