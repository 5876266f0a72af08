// One token of the two recurrences, each reading and writing its state once. Included inside an anonymous namespace,
// behind Vector.

/// Columns j .. j + n_vectors * width - 1 of the delta rule, all of them whole.
///   r = S^T k;  u = beta (v - r);  S += k u^T;  o = S^T q
template <int n_vectors>
void delta_columns(float* s, int d, const float* q, const float* k, const float* v, float beta, float* o) {
  constexpr int width = Vector::width;
  typename Vector::F read[n_vectors], out[n_vectors];
  for (int c = 0; c < n_vectors; ++c) read[c] = out[c] = Vector::zero();
  for (int i = 0; i < d; ++i) {
    const auto ki = Vector::set(k[i]);
    for (int c = 0; c < n_vectors; ++c) {
      read[c] = Vector::fma(Vector::load(s + static_cast<std::int64_t>(i) * d + c * width), ki, read[c]);
    }
  }
  for (int c = 0; c < n_vectors; ++c) {
    read[c] = Vector::mul(Vector::set(beta), Vector::sub(Vector::load(v + c * width), read[c]));
  }
  for (int i = 0; i < d; ++i) {
    const auto ki = Vector::set(k[i]), qi = Vector::set(q[i]);
    for (int c = 0; c < n_vectors; ++c) {
      float* place = s + static_cast<std::int64_t>(i) * d + c * width;
      const auto fresh = Vector::fma(ki, read[c], Vector::load(place));
      Vector::store(place, fresh);
      out[c] = Vector::fma(fresh, qi, out[c]);
    }
  }
  for (int c = 0; c < n_vectors; ++c) Vector::store(o + c * width, out[c]);
}

void delta_step(float* s, int d, const float* q, const float* k, const float* v, float beta, float* o) {
  constexpr int width = Vector::width;
  int j = 0;
  for (; j + 4 * width <= d; j += 4 * width) delta_columns<4>(s + j, d, q, k, v + j, beta, o + j);
  for (; j + width <= d; j += width) delta_columns<1>(s + j, d, q, k, v + j, beta, o + j);
  for (; j < d; ++j) {
    float read = 0, out = 0;
    for (int i = 0; i < d; ++i) read += s[static_cast<std::int64_t>(i) * d + j] * k[i];
    const float u = beta * (v[j] - read);
    for (int i = 0; i < d; ++i) {
      float& cell = s[static_cast<std::int64_t>(i) * d + j];
      cell += k[i] * u;
      out += cell * q[i];
    }
    o[j] = out;
  }
}

template <int n_rows>
void ssm_rows(float* h, int n_state, const float* x, const float* b, const float* c, float decay, float dt, float skip,
              float* y) {
  typename Vector::F sums[n_rows], input[n_rows];
  for (int r = 0; r < n_rows; ++r) sums[r] = Vector::zero(), input[r] = Vector::set(dt * x[r]);
  const auto decays = Vector::set(decay);
  each_vector(n_state, [&](int i, int count) {
    const auto bs = load_some(b + i, count), cs = load_some(c + i, count);
    for (int r = 0; r < n_rows; ++r) {
      float* place = h + static_cast<std::int64_t>(r) * n_state + i;
      const auto fresh = Vector::fma(load_some(place, count), decays, Vector::mul(input[r], bs));
      store_some(place, fresh, count);
      sums[r] = Vector::fma(fresh, cs, sums[r]);
    }
  });
  for (int r = 0; r < n_rows; ++r) y[r] = Vector::sum(sums[r]) + skip * x[r];
}

void ssm_step(float* h, int n_rows, int n_state, const float* x, const float* b, const float* c, float decay, float dt,
              float skip, float* y) {
  int r = 0;
  for (; r + 4 <= n_rows; r += 4) {
    ssm_rows<4>(h + static_cast<std::int64_t>(r) * n_state, n_state, x + r, b, c, decay, dt, skip, y + r);
  }
  for (; r < n_rows; ++r) {
    ssm_rows<1>(h + static_cast<std::int64_t>(r) * n_state, n_state, x + r, b, c, decay, dt, skip, y + r);
  }
}
