// The arithmetic of the quantiser on 16 lanes, held in as many vectors of NF_VECTOR_BYTES as that takes. Included by
// one file per instruction set, inside an anonymous namespace behind <cstdint>, <cstring> and quantise_kernels.h: an
// inline function compiled there must never be the copy that the linker picks for the rest of the program. Compiled
// without fused multiply-adds and with sums in a fixed order, so that every set gives the same bits.

constexpr int lanes = 16, width = NF_VECTOR_BYTES / 4, n_parts = lanes / width;
typedef float Floats __attribute__((vector_size(NF_VECTOR_BYTES)));
typedef std::int32_t Ints __attribute__((vector_size(NF_VECTOR_BYTES)));

inline Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

inline Floats all(float value) { return Floats{} + value; }

/// Nearest whole numbers, ties to even, of |v| < 2^22, held to [low, high].
inline Floats code_of(Floats v, Floats low, Floats high) {
  const Floats magic = all(12582912.0f);  // 1.5 * 2^23: a float this large has no fraction
  v = v < low ? low : v;
  v = v > high ? high : v;
  return v + magic - magic;
}

/// w is padded with zeros to whole vectors.
Extent extent_of(const float* w, int n) {
  Floats low{}, high{};
  Ints peak{};
  for (int i = 0; i < n; i += width) {
    const Floats v = load(w + i);
    Ints bits;
    std::memcpy(&bits, &v, sizeof(bits));
    bits &= 0x7FFFFFFF;
    peak = bits > peak ? bits : peak;  // as whole numbers: a NaN is larger than infinity, and infinity than the rest
    low = v < low ? v : low;
    high = v > high ? v : high;
  }
  Extent extent{0, 0, 0};
  for (int lane = 0; lane < width; ++lane) {
    extent.low = low[lane] < extent.low ? low[lane] : extent.low;
    extent.high = high[lane] > extent.high ? high[lane] : extent.high;
    extent.peak_bits = peak[lane] > extent.peak_bits ? peak[lane] : extent.peak_bits;
  }
  return extent;
}

/// One candidate per lane. With its codes c given, the best scale is sum w c / sum c c, and it lowers the squared error
/// by (sum w c)^2 / sum c c: the candidate with the most of that wins.
float fit_scale(const float* w, int n, float plain, float code_min, float code_max) {
  const Floats low = all(code_min), high = all(code_max);
  Floats inverse[n_parts], wc[n_parts] = {}, cc[n_parts] = {};
  for (int lane = 0; lane < lanes; ++lane) {
    const float share = narrowest + (widest - narrowest) / (lanes - 1) * static_cast<float>(lane);
    inverse[lane / width][lane % width] = share;
  }
  for (Floats& part : inverse) part = 1.0f / (part * plain);
  for (int i = 0; i < n; ++i) {
    const Floats v = all(w[i]);
    for (int part = 0; part < n_parts; ++part) {
      const Floats code = code_of(v * inverse[part], low, high);
      wc[part] += v * code;
      cc[part] += code * code;
    }
  }
  // The lane in place of the gain's last bits: the largest as a whole number says which lane it was.
  std::int32_t bits[lanes];
  float scales[lanes];
  for (int part = 0; part < n_parts; ++part) {
    const Floats scale = wc[part] / cc[part], gain = wc[part] * scale;
    std::memcpy(scales + part * width, &scale, sizeof(scale));
    std::memcpy(bits + part * width, &gain, sizeof(gain));
  }
  std::int32_t most = 0;
  for (int lane = 0; lane < lanes; ++lane) {
    const std::int32_t marked = (bits[lane] & ~(lanes - 1)) | lane;
    most = marked > most ? marked : most;
  }
  return scales[most & (lanes - 1)];
}

/// w is padded with zeros to 16 weights, and so are the codes.
void encode(const float* w, int n, float inverse, float code_min, float code_max, std::int8_t* codes) {
  const Floats low = all(code_min), high = all(code_max);
  for (int i = 0; i < n; i += lanes) {
    float rounded[lanes];
    for (int part = 0; part < n_parts; ++part) {
      const Floats code = code_of(load(w + i + part * width) * inverse, low, high);
      std::memcpy(rounded + part * width, &code, sizeof(code));
    }
    for (int lane = 0; lane < lanes; ++lane) codes[i + lane] = static_cast<std::int8_t>(rounded[lane]);
  }
}
