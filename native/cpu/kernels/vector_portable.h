// Eight floats as a plain array: compiles everywhere, and compilers find the vectors of the base instruction set.
// Included inside an anonymous namespace.

struct Vector {
  static constexpr int width = 8;
  static constexpr int tile_rows = 4, tile_tokens = 2;  // of dot products
  static constexpr int gemm_rows = 4, gemm_vectors = 1;

  struct F {
    float v[width];
  };

  template <class Op>
  static F map(Op op) {
    F r;
    for (int i = 0; i < width; ++i) r.v[i] = op(i);
    return r;
  }
  static F zero() { return set(0); }
  static F set(float x) {
    return map([&](int) { return x; });
  }
  static F load(const float* p) {
    return map([&](int i) { return p[i]; });
  }
  static F load_n(const float* p, int n) {
    return map([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  static void store(float* p, F a) {
    for (int i = 0; i < width; ++i) p[i] = a.v[i];
  }
  static void store_n(float* p, F a, int n) {
    for (int i = 0; i < n; ++i) p[i] = a.v[i];
  }
  static F load(const Bf16* p) {
    return map([&](int i) { return widen(p[i]); });
  }
  static F load_n(const Bf16* p, int n) {
    return map([&](int i) { return i < n ? widen(p[i]) : 0.0f; });
  }
  static void store_n(Bf16* p, F a, int n) {
    for (int i = 0; i < n; ++i) p[i] = narrow(a.v[i]);
  }
  static F add(F a, F b) {
    return map([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F sub(F a, F b) {
    return map([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F mul(F a, F b) {
    return map([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F div(F a, F b) {
    return map([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F fma(F a, F b, F c) {
    return map([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  /// The larger; b when either is NaN.
  static F max(F a, F b) {
    return map([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F min(F a, F b) {
    return map([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F abs(F a) {
    return map([&](int i) { return a.v[i] < 0 ? -a.v[i] : a.v[i]; });
  }
  static float sum(F a) { return ((a.v[0] + a.v[4]) + (a.v[2] + a.v[6])) + ((a.v[1] + a.v[5]) + (a.v[3] + a.v[7])); }
  static float largest(F a) {
    float r = a.v[0];
    for (int i = 1; i < width; ++i) r = a.v[i] > r ? a.v[i] : r;
    return r;
  }
  /// a times 2 to the power that the low bits of `shifted` = 1.5 * 2^23 + n hold.
  static F times_power(F a, F shifted) {
    return map([&](int i) {
      const std::int32_t bits = (bits_of(shifted.v[i]) - 0x4B400000 + 127) * (1 << 23);
      float power;
      __builtin_memcpy(&power, &bits, sizeof power);
      return a.v[i] * power;
    });
  }

  static std::int32_t bits_of(float x) {
    std::int32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
  }
  static float widen(Bf16 x) {
    const std::uint32_t bits = std::uint32_t{x} << 16;
    float r;
    __builtin_memcpy(&r, &bits, sizeof r);
    return r;
  }
  static Bf16 narrow(float x) {
    const auto bits = static_cast<std::uint32_t>(bits_of(x));
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<Bf16>(bits >> 16 | 0x40);
    return static_cast<Bf16>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  }
};
