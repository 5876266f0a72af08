// C (+)= A B for the small matrices inside a head: A by element with two strides, B and C by rows.
// Included inside an anonymous namespace, behind Vector.

template <class B, int n_rows, int n_vectors>
void gemm_tile(int k, int n, const float* a, std::int64_t a_row, std::int64_t a_column, const B* b, std::int64_t ld_b,
               float* c, std::int64_t ld_c, bool accumulate) {
  constexpr int width = Vector::width;
  // n columns: all of n_vectors registers, or part of a single one.
  const bool whole = n == n_vectors * width;
  typename Vector::F sums[n_rows][n_vectors];
  for (int i = 0; i < n_rows; ++i) {
    for (int v = 0; v < n_vectors; ++v) {
      float* place = c + i * ld_c + v * width;
      sums[i][v] = !accumulate ? Vector::zero() : whole ? Vector::load(place) : Vector::load_n(place, n);
    }
  }
  for (int l = 0; l < k; ++l) {
    typename Vector::F bs[n_vectors];
    for (int v = 0; v < n_vectors; ++v) {
      const B* place = b + l * ld_b + v * width;
      bs[v] = whole ? Vector::load(place) : Vector::load_n(place, n);
    }
    for (int i = 0; i < n_rows; ++i) {
      const auto as = Vector::set(a[i * a_row + l * a_column]);
      for (int v = 0; v < n_vectors; ++v) sums[i][v] = Vector::fma(as, bs[v], sums[i][v]);
    }
  }
  for (int i = 0; i < n_rows; ++i) {
    for (int v = 0; v < n_vectors; ++v) {
      float* place = c + i * ld_c + v * width;
      if (whole) {
        Vector::store(place, sums[i][v]);
      } else {
        Vector::store_n(place, sums[i][v], n);
      }
    }
  }
}

template <class B, int n_vectors>
void gemm_columns(int m, int n, int k, const float* a, std::int64_t a_row, std::int64_t a_column, const B* b,
                  std::int64_t ld_b, float* c, std::int64_t ld_c, bool accumulate) {
  constexpr int tile = Vector::gemm_rows;
  int i = 0;
  for (; i + tile <= m; i += tile) {
    gemm_tile<B, tile, n_vectors>(k, n, a + i * a_row, a_row, a_column, b, ld_b, c + i * ld_c, ld_c, accumulate);
  }
  for (; i + 4 <= m; i += 4) {  // the heads that share keys and values
    gemm_tile<B, 4, n_vectors>(k, n, a + i * a_row, a_row, a_column, b, ld_b, c + i * ld_c, ld_c, accumulate);
  }
  for (; i < m; ++i) {
    gemm_tile<B, 1, n_vectors>(k, n, a + i * a_row, a_row, a_column, b, ld_b, c + i * ld_c, ld_c, accumulate);
  }
}

template <class B>
void small_gemm(int m, int n, int k, const float* a, std::int64_t a_row, std::int64_t a_column, const B* b,
                std::int64_t ld_b, float* c, std::int64_t ld_c, bool accumulate) {
  constexpr int width = Vector::width, wide = Vector::gemm_vectors * width;
  int j = 0;
  for (; j + wide <= n; j += wide) {
    gemm_columns<B, Vector::gemm_vectors>(m, wide, k, a, a_row, a_column, b + j, ld_b, c + j, ld_c, accumulate);
  }
  for (; j < n; j += width) {
    const int left = n - j < width ? n - j : width;
    gemm_columns<B, 1>(m, left, k, a, a_row, a_column, b + j, ld_b, c + j, ld_c, accumulate);
  }
}
