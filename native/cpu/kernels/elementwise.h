// Passes over vectors: norms, activations, convolution, softmax. Included inside an anonymous namespace, behind Vector.

/// exp(x), relative error about 2e-7; x is brought into [-87, 88] first, NaN stays NaN. Cephes' polynomial.
inline Vector::F exp_of(Vector::F x) {
  x = Vector::min(Vector::set(88.0f), Vector::max(Vector::set(-87.0f), x));
  const auto shifted = Vector::fma(x, Vector::set(1.44269504f), Vector::set(12582912.0f));
  const auto n = Vector::sub(shifted, Vector::set(12582912.0f));
  auto r = Vector::fma(n, Vector::set(-0.693359375f), x);
  r = Vector::fma(n, Vector::set(2.12194440e-4f), r);
  auto p = Vector::set(1.9875691500e-4f);
  p = Vector::fma(p, r, Vector::set(1.3981999507e-3f));
  p = Vector::fma(p, r, Vector::set(8.3334519073e-3f));
  p = Vector::fma(p, r, Vector::set(4.1665795894e-2f));
  p = Vector::fma(p, r, Vector::set(1.6666665459e-1f));
  p = Vector::fma(p, r, Vector::set(5.0000001201e-1f));
  p = Vector::fma(Vector::mul(p, r), r, Vector::add(r, Vector::set(1.0f)));
  return Vector::times_power(p, shifted);
}

inline Vector::F silu_of(Vector::F x) {
  const auto one = Vector::set(1.0f);
  return Vector::div(x, Vector::add(one, exp_of(Vector::sub(Vector::zero(), x))));
}

/// Calls body(first, n) for whole vectors and once for the rest.
template <class Body>
inline void each_vector(int n, Body body) {
  int i = 0;
  for (; i + Vector::width <= n; i += Vector::width) body(i, Vector::width);
  if (i < n) body(i, n - i);
}

inline Vector::F load_some(const float* p, int n) {
  return n == Vector::width ? Vector::load(p) : Vector::load_n(p, n);
}
inline void store_some(float* p, Vector::F x, int n) {
  if (n == Vector::width) {
    Vector::store(p, x);
  } else {
    Vector::store_n(p, x, n);
  }
}

float sum_squares(const float* x, int n) {
  auto sums = Vector::zero();
  each_vector(n, [&](int i, int count) {
    const auto v = load_some(x + i, count);
    sums = Vector::fma(v, v, sums);
  });
  return Vector::sum(sums);
}

void scale(const float* x, const float* w, float factor, int n, float* out) {
  const auto factors = Vector::set(factor);
  each_vector(n, [&](int i, int count) {
    const auto v = Vector::mul(load_some(x + i, count), factors);
    store_some(out + i, w ? Vector::mul(v, load_some(w + i, count)) : v, count);
  });
}

void add(const float* x, int n, float* out) {
  each_vector(n, [&](int i, int count) {
    store_some(out + i, Vector::add(load_some(x + i, count), load_some(out + i, count)), count);
  });
}

void silu_mul(const float* gate, const float* up, int n, float* out) {
  each_vector(n, [&](int i, int count) {
    store_some(out + i, Vector::mul(silu_of(load_some(gate + i, count)), load_some(up + i, count)), count);
  });
}

void relu_squared(const float* x, int n, float* out) {
  each_vector(n, [&](int i, int count) {
    const auto positive = Vector::max(Vector::zero(), load_some(x + i, count));
    store_some(out + i, Vector::mul(positive, positive), count);
  });
}

void conv_silu(const float* const* rows, const float* w, std::int64_t ld_w, const float* bias, int width, int n,
               float* out) {
  each_vector(n, [&](int i, int count) {
    auto sum = bias ? load_some(bias + i, count) : Vector::zero();
    for (int j = 0; j < width; ++j) {
      sum = Vector::fma(load_some(w + j * ld_w + i, count), load_some(rows[j] + i, count), sum);
    }
    store_some(out + i, silu_of(sum), count);
  });
}

void to_bf16(const float* x, int n, Bf16* out) {
  each_vector(n, [&](int i, int count) { Vector::store_n(out + i, load_some(x + i, count), count); });
}

void decay_row(float* row, const float* g, const float* dt, float g_t, int n) {
  const auto now = Vector::set(g_t);
  each_vector(n, [&](int i, int count) {
    const auto decay = exp_of(Vector::sub(now, load_some(g + i, count)));
    const auto factor = Vector::mul(decay, load_some(dt + i, count));
    store_some(row + i, Vector::mul(load_some(row + i, count), factor), count);
  });
}

float softmax_step(float* scores, int n, float* largest, float* total) {
  float peak = *largest;
  int i = 0;
  auto peaks = Vector::set(peak);
  for (; i + Vector::width <= n; i += Vector::width) peaks = Vector::max(peaks, Vector::load(scores + i));
  peak = Vector::largest(peaks);
  for (; i < n; ++i) peak = scores[i] > peak ? scores[i] : peak;
  const auto shift = Vector::set(peak);
  float sum = 0;
  each_vector(n, [&](int first, int count) {
    const auto p = exp_of(Vector::sub(load_some(scores + first, count), shift));
    store_some(scores + first, p, count);
    if (count == Vector::width) {
      sum += Vector::sum(p);
    } else {
      for (int j = 0; j < count; ++j) sum += scores[first + j];
    }
  });
  float factor[Vector::width];
  Vector::store(factor, exp_of(Vector::set(*largest - peak)));  // 0 at the start, where *largest is -infinity
  if (*largest == -__builtin_inff()) factor[0] = 0;
  *largest = peak;
  *total = *total * factor[0] + sum;
  return factor[0];
}
