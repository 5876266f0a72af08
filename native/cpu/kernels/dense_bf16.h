// Dot products of bf16 rows with bf16 rows, two products to a float lane. Included inside an anonymous namespace,
// behind Vector, with AVX-512 BF16.

inline __m512bh bf16_of(const Bf16* p, int n) {
  const __m512i bits =
      n == 32 ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi16(static_cast<__mmask32>((1ull << n) - 1), p);
  return (__m512bh)bits;
}

template <int n_rows, int n_tokens>
void dot_bf16_tile(const Bf16* w, std::int64_t ld_w, const Bf16* x, std::int64_t ld_x, int k, float* out,
                   std::int64_t ld_out) {
  __m512 sums[n_rows][n_tokens];
  for (int r = 0; r < n_rows; ++r) {
    for (int t = 0; t < n_tokens; ++t) sums[r][t] = _mm512_setzero_ps();
  }
  for (int i = 0; i < k; i += 32) {
    const int n = k - i < 32 ? k - i : 32;
    __m512bh xs[n_tokens];
    for (int t = 0; t < n_tokens; ++t) xs[t] = bf16_of(x + t * ld_x + i, n);
    for (int r = 0; r < n_rows; ++r) {
      const __m512bh ws = bf16_of(w + r * ld_w + i, n);
      for (int t = 0; t < n_tokens; ++t) sums[r][t] = _mm512_dpbf16_ps(sums[r][t], ws, xs[t]);
    }
  }
  for (int r = 0; r < n_rows; ++r) {
    for (int t = 0; t < n_tokens; ++t) out[t * ld_out + r] = _mm512_reduce_add_ps(sums[r][t]);
  }
}

template <int n_rows>
void dot_bf16_tokens(const Bf16* w, std::int64_t ld_w, const Bf16* x, std::int64_t ld_x, int n_tokens, int k,
                     float* out, std::int64_t ld_out) {
  constexpr int tile = 6;
  int t = 0;
  for (; t + tile <= n_tokens; t += tile) {
    dot_bf16_tile<n_rows, tile>(w, ld_w, x + t * ld_x, ld_x, k, out + t * ld_out, ld_out);
  }
  for (; t + 2 <= n_tokens; t += 2) {
    dot_bf16_tile<n_rows, 2>(w, ld_w, x + t * ld_x, ld_x, k, out + t * ld_out, ld_out);
  }
  for (; t < n_tokens; ++t) dot_bf16_tile<n_rows, 1>(w, ld_w, x + t * ld_x, ld_x, k, out + t * ld_out, ld_out);
}

void dot_bf16_bf16(const Bf16* w, std::int64_t ld_w, int n_rows, const Bf16* x, std::int64_t ld_x, int n_tokens, int k,
                   float* out, std::int64_t ld_out) {
  constexpr int tile = 4, cached_tokens = 48;  // of the latter 3072 columns take 288 KiB
  for (int first = 0; first < n_tokens; first += cached_tokens, x += cached_tokens * ld_x) {
    const int n = n_tokens - first < cached_tokens ? n_tokens - first : cached_tokens;
    float* to = out + first * ld_out;
    int r = 0;
    for (; r + tile <= n_rows; r += tile) dot_bf16_tokens<tile>(w + r * ld_w, ld_w, x, ld_x, n, k, to + r, ld_out);
    for (; r < n_rows; ++r) dot_bf16_tokens<1>(w + r * ld_w, ld_w, x, ld_x, n, k, to + r, ld_out);
  }
}
