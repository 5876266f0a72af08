// Dot products of rows with rows, both contiguous: matrix-vector and matrix-matrix products of float32 and bf16
// matrices, and attention scores. One accumulator per (row, token), so a result never depends on its neighbours.
// Included inside an anonymous namespace, behind Vector.

template <class W, int n_rows, int n_tokens>
void dot_tile(const W* w, std::int64_t ld_w, const float* x, std::int64_t ld_x, int k, float* out,
              std::int64_t ld_out) {
  constexpr int width = Vector::width;
  typename Vector::F sums[n_rows][n_tokens];
  for (int r = 0; r < n_rows; ++r) {
    for (int t = 0; t < n_tokens; ++t) sums[r][t] = Vector::zero();
  }
  int i = 0;
  for (; i + width <= k; i += width) {
    typename Vector::F xs[n_tokens];
    for (int t = 0; t < n_tokens; ++t) xs[t] = Vector::load(x + t * ld_x + i);
    for (int r = 0; r < n_rows; ++r) {
      if (n_tokens == 1) __builtin_prefetch(w + (r + n_rows) * ld_w + i);  // the rows that come next
      const auto ws = Vector::load(w + r * ld_w + i);
      for (int t = 0; t < n_tokens; ++t) sums[r][t] = Vector::fma(ws, xs[t], sums[r][t]);
    }
  }
  if (i < k) {
    typename Vector::F xs[n_tokens];
    for (int t = 0; t < n_tokens; ++t) xs[t] = Vector::load_n(x + t * ld_x + i, k - i);
    for (int r = 0; r < n_rows; ++r) {
      const auto ws = Vector::load_n(w + r * ld_w + i, k - i);
      for (int t = 0; t < n_tokens; ++t) sums[r][t] = Vector::fma(ws, xs[t], sums[r][t]);
    }
  }
  for (int r = 0; r < n_rows; ++r) {
    for (int t = 0; t < n_tokens; ++t) out[t * ld_out + r] = Vector::sum(sums[r][t]);
  }
}

template <class W, int n_rows>
void dot_tokens(const W* w, std::int64_t ld_w, const float* x, std::int64_t ld_x, int n_tokens, int k, float* out,
                std::int64_t ld_out) {
  constexpr int tile = Vector::tile_tokens;
  int t = 0;
  for (; t + tile <= n_tokens; t += tile) {
    dot_tile<W, n_rows, tile>(w, ld_w, x + t * ld_x, ld_x, k, out + t * ld_out, ld_out);
  }
  for (; t < n_tokens; ++t) dot_tile<W, n_rows, 1>(w, ld_w, x + t * ld_x, ld_x, k, out + t * ld_out, ld_out);
}

template <class W>
void dot_rows(const W* w, std::int64_t ld_w, int n_rows, const float* x, std::int64_t ld_x, int n_tokens, int k,
              float* out, std::int64_t ld_out) {
  constexpr int tile = Vector::tile_rows;
  int r = 0;
  for (; n_tokens == 4 && r + 4 <= n_rows; r += 4) {  // the heads that share keys
    dot_tile<W, 4, 4>(w + r * ld_w, ld_w, x, ld_x, k, out + r, ld_out);
  }
  for (; r + tile <= n_rows; r += tile) {
    dot_tokens<W, tile>(w + r * ld_w, ld_w, x, ld_x, n_tokens, k, out + r, ld_out);
  }
  for (; r < n_rows; ++r) dot_tokens<W, 1>(w + r * ld_w, ld_w, x, ld_x, n_tokens, k, out + r, ld_out);
}
