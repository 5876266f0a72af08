// Every kernel of every instruction set that this machine has, against the formula in double: random values, shapes
// with ragged ends, and guards behind what may be written. Sums are held to a share of the sum of their terms'
// magnitudes.
#include "cpu/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "cpu/pack.h"
#include "float_formats.h"
#include "quantise.h"
#include "support/check.h"
#include "support/random.h"

namespace nf::test {
namespace {

using cpu::Bf16;
using cpu::Kernels;
using cpu::QuantRows;

/// Of a sum, per unit of the sum of magnitudes: float32 rounding over some hundred terms.
constexpr double sum_limit = 1e-6;
constexpr float guard = 1234.5f;
constexpr int lengths[] = {1, 3, 8, 15, 16, 17, 31, 32, 33, 64, 95, 130, 257};

/// Runs `body` for each set and says which one failed.
void for_each_set(const std::function<void(const Kernels&)>& body) {
  for (const Kernels* kernels : cpu::usable_kernels()) {
    const int n_before = result().n_failures_of_case;
    body(*kernels);
    if (result().n_failures_of_case > n_before) report(__FILE__, __LINE__, std::string("with ") + kernels->name);
  }
}

struct Sum {
  double value = 0, magnitude = 0;
  void add(double term) {
    value += term;
    magnitude += std::fabs(term);
  }
};

void check_sum(float got, const Sum& wanted, double limit = sum_limit) {
  CHECK_NEAR(got, wanted.value, limit * wanted.magnitude + 1e-30);
}

std::vector<Bf16> narrowed(const std::vector<float>& values) {
  std::vector<Bf16> out;
  for (const float value : values) out.push_back(bf16_of_float(value));
  return out;
}

float widened(float value) { return value; }
float widened(Bf16 value) { return float_of_bf16(value); }

/// out[t * ld_out + r], with rows of w and x that lie further apart than they are long.
template <class W, class X, class Dot>
void check_dot(Dot dot, const std::vector<W>& w, const std::vector<X>& x, int n_rows, int n_tokens, int k) {
  const std::int64_t ld_w = k + 3, ld_x = k + 5, ld_out = n_rows + 2;
  std::vector<float> out(static_cast<std::size_t>(ld_out * n_tokens), guard);
  dot(w.data(), ld_w, n_rows, x.data(), ld_x, n_tokens, k, out.data(), ld_out);
  for (int t = 0; t < n_tokens; ++t) {
    for (int r = 0; r < n_rows; ++r) {
      Sum sum;
      for (int i = 0; i < k; ++i)
        sum.add(double{widened(w[static_cast<std::size_t>(r * ld_w + i)])} *
                widened(x[static_cast<std::size_t>(t * ld_x + i)]));
      const float got = out[static_cast<std::size_t>(t * ld_out + r)];
      check_sum(got, sum);
      float alone = guard;
      dot(w.data() + r * ld_w, ld_w, 1, x.data() + t * ld_x, ld_x, 1, k, &alone, 1);
      CHECK_EQ(alone, got);  // whatever else is multiplied with it
    }
    for (int r = n_rows; r < ld_out; ++r) CHECK_EQ(out[static_cast<std::size_t>(t * ld_out + r)], guard);
  }
}

/// Activations as the kernels take them.
struct Activations {
  int n_tokens, n_blocks;
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  std::vector<std::int32_t> offsets;
  Activations(int tokens, int n)
      : n_tokens(tokens),
        n_blocks((n + cpu::block_columns - 1) / cpu::block_columns),
        codes(static_cast<std::size_t>(n_blocks * tokens * cpu::block_columns), 99),
        scales(static_cast<std::size_t>(n_blocks * tokens), guard),
        offsets(scales.size(), 99) {}
  QuantRows rows() { return {codes.data(), scales.data(), offsets.data(), n_tokens, n_blocks}; }
  std::size_t place(int block, int token) const { return static_cast<std::size_t>(block * n_tokens + token); }
};

/// Weights of a quantised matrix, as panels and as the numbers that they stand for.
struct Panels {
  std::vector<float> values;  // [n_rows, k]
  std::vector<std::byte> bytes;
  std::int64_t panel_bytes;
  int n_panels;

  Panels(MatrixFormat format, int n_rows, int k, Random& random)
      : values(random.normals(static_cast<std::size_t>(n_rows * k))),
        panel_bytes(cpu::panel_shape(format, k).panel_bytes),
        n_panels(cpu::n_panels(n_rows)) {
    const QuantSpec spec = quant_spec(format);
    const int groups = n_groups(spec, k);
    std::vector<std::int8_t> codes(values.size());
    std::vector<float> scales(static_cast<std::size_t>(n_rows * groups));
    REQUIRE(quantise_rows(values.data(), n_rows, k, spec, codes.data(), scales.data()));
    bytes.resize(static_cast<std::size_t>(panel_bytes * n_panels));
    for (int p = 0; p < n_panels; ++p) {
      const int first = p * cpu::panel_rows;
      cpu::pack_panel(format, std::min(cpu::panel_rows, n_rows - first), k, codes.data() + first * k,
                      scales.data() + first * groups, bytes.data() + p * panel_bytes);
    }
    for (int i = 0; i < n_rows * k; ++i) {
      const auto group = static_cast<std::size_t>(i / k * groups + i % k / spec.group);
      values[static_cast<std::size_t>(i)] = static_cast<float>(codes[static_cast<std::size_t>(i)]) * scales[group];
    }
  }
};

void check_quantised_dot(const Kernels& kernels, MatrixFormat format, int n_rows, int n_tokens, int k, Random& random) {
  const Panels w(format, n_rows, k, random);
  Activations x(n_tokens, k);
  for (int t = 0; t < n_tokens; ++t) {
    cpu::portable_kernels().quantise(random.normals(static_cast<std::size_t>(k)).data(), k, x.rows(), t);
  }
  const std::int64_t n_written = w.n_panels * cpu::panel_rows, ld_out = n_written + 3;
  std::vector<float> out(static_cast<std::size_t>(ld_out * n_tokens), guard);
  std::vector<float> sums(static_cast<std::size_t>(n_tokens * cpu::panel_rows));
  const auto dot = format == MatrixFormat::int8 ? kernels.dot_int8 : kernels.dot_int4;
  dot(w.bytes.data(), w.panel_bytes, w.n_panels, x.rows(), sums.data(), out.data(), ld_out);
  for (int t = 0; t < n_tokens; ++t) {
    for (int r = 0; r < n_written; ++r) {
      Sum sum;
      for (int i = 0; r < n_rows && i < k; ++i) {
        const std::size_t place = x.place(i / cpu::block_columns, t);
        const int code = x.codes[place * cpu::block_columns + static_cast<std::size_t>(i % cpu::block_columns)];
        sum.add(double{x.scales[place]} * code * w.values[static_cast<std::size_t>(r * k + i)]);
      }
      check_sum(out[static_cast<std::size_t>(t * ld_out + r)], sum);
    }
    for (std::int64_t r = n_written; r < ld_out; ++r) CHECK_EQ(out[static_cast<std::size_t>(t * ld_out + r)], guard);
  }
}

/// To the nearest bf16, halfway away from zero.
double rounded_weight(float value) {
  return float_of_bf16(static_cast<Bf16>((std::bit_cast<std::uint32_t>(value) + 0x8000) >> 16));
}

/// Both sides rounded to bf16 by the kernel; bf16 weights are so already.
void check_tiled(const Kernels& kernels, MatrixFormat format, int n_rows, int n_tokens, int k, Random& random) {
  const int n_blocks = (k + cpu::block_columns - 1) / cpu::block_columns;
  const int padded_tokens = (n_tokens + 31) / 32 * 32, padded_rows = (n_rows + 15) / 16 * 16;
  std::vector<Bf16> tiles(static_cast<std::size_t>(padded_tokens * n_blocks * cpu::block_columns));
  std::vector<Bf16> scratch(static_cast<std::size_t>(padded_rows * cpu::tiled_chunk_columns));
  const cpu::TiledRows rows{tiles.data(), scratch.data(), n_tokens, n_blocks};
  const auto x = random.normals(static_cast<std::size_t>(n_tokens * k));
  for (int t = 0; t < n_tokens; ++t) kernels.to_tiles(x.data() + t * k, k, rows, t);

  const std::int64_t ld_out = padded_rows + 3;
  std::vector<float> out(static_cast<std::size_t>(ld_out * padded_tokens), guard);
  std::vector<float> w;
  if (format == MatrixFormat::bf16) {
    const auto narrow = narrowed(random.normals(static_cast<std::size_t>(n_rows * k)));
    for (const Bf16 value : narrow) w.push_back(float_of_bf16(value));
    kernels.tiled_bf16(narrow.data(), k, n_rows, rows, k, out.data(), ld_out);
  } else {
    const Panels panels(format, n_rows, k, random);
    w = panels.values;
    const auto multiply = format == MatrixFormat::int8 ? kernels.tiled_int8 : kernels.tiled_int4;
    multiply(panels.bytes.data(), panels.panel_bytes, panels.n_panels, rows, out.data(), ld_out);
  }
  const auto rounded = [](float value) { return double{float_of_bf16(bf16_of_float(value))}; };
  for (int t = 0; t < n_tokens; ++t) {
    for (int r = 0; r < n_rows; ++r) {
      Sum sum;
      for (int i = 0; i < k; ++i) {
        sum.add(rounded_weight(w[static_cast<std::size_t>(r * k + i)]) *
                rounded(x[static_cast<std::size_t>(t * k + i)]));
      }
      check_sum(out[static_cast<std::size_t>(t * ld_out + r)], sum, 3e-6);
    }
    for (std::int64_t r = padded_rows; r < ld_out; ++r) CHECK_EQ(out[static_cast<std::size_t>(t * ld_out + r)], guard);
  }
}

double silu(double x) { return x / (1 + std::exp(-x)); }

template <class B, class Gemm>
void check_gemm(Gemm gemm, const std::vector<B>& b, int m, int n, int k, bool transposed, bool accumulate,
                Random& random) {
  const std::int64_t a_row = transposed ? 1 : k + 2, a_column = transposed ? m + 1 : 1, ld_b = n + 3, ld_c = n + 2;
  const auto a = random.normals(static_cast<std::size_t>((m + 1) * (k + 2)));
  auto c = random.normals(static_cast<std::size_t>(m * ld_c));
  const auto before = c;
  gemm(m, n, k, a.data(), a_row, a_column, b.data(), ld_b, c.data(), ld_c, accumulate);
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < ld_c; ++j) {
      const auto place = static_cast<std::size_t>(i * ld_c + j);
      if (j >= n) {
        CHECK_EQ(c[place], before[place]);
        continue;
      }
      Sum sum;
      if (accumulate) sum.add(before[place]);
      for (int l = 0; l < k; ++l) {
        sum.add(double{a[static_cast<std::size_t>(i * a_row + l * a_column)]} *
                widened(b[static_cast<std::size_t>(l * ld_b + j)]));
      }
      check_sum(c[place], sum);
    }
  }
}

}  // namespace

TEST("kernels: rows of floats and of bf16 times activations") {
  for_each_set([](const Kernels& kernels) {
    Random random(21);
    for (const int k : lengths) {
      for (const int n_rows : {1, 3, 9}) {
        for (const int n_tokens : {1, 2, 4, 7}) {
          const auto w = random.normals(static_cast<std::size_t>(n_rows * (k + 3)));
          const auto x = random.normals(static_cast<std::size_t>(n_tokens * (k + 5)));
          check_dot(kernels.dot_f32, w, x, n_rows, n_tokens, k);
          check_dot(kernels.dot_bf16, narrowed(w), x, n_rows, n_tokens, k);
          if (kernels.dot_bf16_bf16) check_dot(kernels.dot_bf16_bf16, narrowed(w), narrowed(x), n_rows, n_tokens, k);
        }
      }
    }
  });
}

TEST("kernels: panels of int8 and int4 times quantised activations") {
  for_each_set([](const Kernels& kernels) {
    Random random(22);
    for (const MatrixFormat format : {MatrixFormat::int8, MatrixFormat::int4}) {
      for (const int k : lengths) {
        for (const int n_rows : {1, 16, 37}) {
          for (const int n_tokens : {1, 2, 5, 9}) check_quantised_dot(kernels, format, n_rows, n_tokens, k, random);
        }
      }
    }
  });
}

TEST("kernels: matrix units times every format") {
  for_each_set([](const Kernels& kernels) {
    if (!kernels.tiled_bf16) return;
    Random random(30);
    for (const MatrixFormat format : {MatrixFormat::bf16, MatrixFormat::int8, MatrixFormat::int4}) {
      for (const int k : {1, 31, 33, 130, 384, 417}) {
        for (const int n_rows : {1, 16, 37}) {
          for (const int n_tokens : {1, 17, 33}) check_tiled(kernels, format, n_rows, n_tokens, k, random);
        }
      }
    }
  });
}

TEST("kernels: activations are quantised to the nearest code of their block") {
  for_each_set([](const Kernels& kernels) {
    Random random(23);
    for (const int n : lengths) {
      Activations x(3, n);
      const auto values = random.normals(static_cast<std::size_t>(n), 3.0f);
      kernels.quantise(values.data(), n, x.rows(), 1);
      for (int block = 0; block < x.n_blocks; ++block) {
        const int first = block * cpu::block_columns, end = std::min(n, first + cpu::block_columns);
        float peak = 0;
        for (int i = first; i < end; ++i) peak = std::max(peak, std::fabs(values[static_cast<std::size_t>(i)]));
        const std::size_t place = x.place(block, 1);
        CHECK_EQ(x.scales[place], peak / 127);
        int sum = 0;
        for (int i = 0; i < cpu::block_columns; ++i) {
          const int code = x.codes[place * cpu::block_columns + static_cast<std::size_t>(i)];
          const double wanted = first + i < end ? values[static_cast<std::size_t>(first + i)] / (peak / 127) : 0.0;
          CHECK_NEAR(code, wanted, 0.5001);
          sum += code;
        }
        CHECK_EQ(x.offsets[place], -8 * sum);
        CHECK_EQ(x.scales[x.place(block, 0)], guard);
        CHECK_EQ(x.scales[x.place(block, 2)], guard);
      }
    }
  });
}

TEST("kernels: a block with a value that is not finite has a scale that is not finite") {
  for_each_set([](const Kernels& kernels) {
    for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
      for (std::size_t place = 0; place < 96; ++place) {
        std::vector<float> values(96, 0.25f);
        values[place] = bad;
        Activations x(1, 96);
        kernels.quantise(values.data(), 96, x.rows(), 0);
        for (std::size_t block = 0; block < 3; ++block) {
          CHECK_EQ(std::isfinite(x.scales[block]), block != place / 32);
        }
      }
    }
  });
}

TEST("kernels: passes over vectors") {
  for_each_set([](const Kernels& kernels) {
    Random random(24);
    for (const int n : lengths) {
      const auto size = static_cast<std::size_t>(n);
      const auto x = random.normals(size, 4.0f), w = random.normals(size);
      Sum squares;
      for (const float v : x) squares.add(double{v} * v);
      check_sum(kernels.sum_squares(x.data(), n), squares);

      std::vector<float> scaled(size + 1, guard), plain(size + 1, guard), sum(w), product(size + 1, guard);
      sum.push_back(guard);
      kernels.scale(x.data(), w.data(), 0.3f, n, scaled.data());
      kernels.scale(x.data(), nullptr, 0.3f, n, plain.data());
      kernels.add(x.data(), n, sum.data());
      kernels.silu_mul(x.data(), w.data(), n, product.data());
      std::vector<float> squared(x);
      squared.push_back(guard);
      kernels.relu_squared(squared.data(), n, squared.data());
      std::vector<Bf16> narrow(size + 1, 77);
      kernels.to_bf16(x.data(), n, narrow.data());
      for (std::size_t i = 0; i < size; ++i) {
        CHECK_NEAR(scaled[i], double{x[i]} * w[i] * 0.3f, 3e-7 * std::fabs(x[i] * w[i]));
        CHECK_NEAR(plain[i], double{x[i]} * 0.3f, 2e-7 * std::fabs(x[i]));
        CHECK_EQ(sum[i], w[i] + x[i]);
        CHECK_NEAR(product[i], silu(x[i]) * w[i], 1e-6 * std::fabs(silu(x[i]) * w[i]) + 1e-30);
        CHECK_EQ(squared[i], x[i] > 0 ? x[i] * x[i] : 0.0f);
        CHECK_EQ(narrow[i], bf16_of_float(x[i]));
      }
      for (const auto* values : {&scaled, &plain, &sum, &product, &squared}) CHECK_EQ(values->back(), guard);
      CHECK_EQ(narrow.back(), Bf16{77});
    }
  });
}

TEST("kernels: rounding to bf16 keeps NaN and infinity and breaks ties to even") {
  for_each_set([](const Kernels& kernels) {
    std::vector<float> values{NAN, -NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 3.4e38f, 1e-40f};
    for (const std::uint32_t bits : {0x3F808000u, 0x3F818000u, 0x3F807FFFu, 0x3F808001u, 0x7F7FFFFFu}) {
      values.push_back(std::bit_cast<float>(bits));
    }
    while (values.size() < 40) values.push_back(values[values.size() % 13]);
    std::vector<Bf16> out(values.size());
    kernels.to_bf16(values.data(), static_cast<int>(values.size()), out.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) {
        CHECK(std::isnan(float_of_bf16(out[i])));
      } else {
        CHECK_EQ(out[i], bf16_of_float(values[i]));
      }
    }
  });
}

TEST("kernels: convolution and SiLU") {
  for_each_set([](const Kernels& kernels) {
    Random random(25);
    for (const int n : lengths) {
      for (const int width : {1, 2, 4, 7}) {
        const std::int64_t ld_w = n + 2;
        const auto w = random.normals(static_cast<std::size_t>(width * ld_w));
        const auto rows = random.normals(static_cast<std::size_t>(width * n)),
                   bias = random.normals(static_cast<std::size_t>(n));
        std::vector<const float*> pointers;
        for (int j = 0; j < width; ++j) pointers.push_back(rows.data() + j * n);
        for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
          std::vector<float> out(static_cast<std::size_t>(n) + 1, guard);
          kernels.conv_silu(pointers.data(), w.data(), ld_w, b, width, n, out.data());
          for (int c = 0; c < n; ++c) {
            Sum sum;
            if (b) sum.add(b[c]);
            for (int j = 0; j < width; ++j)
              sum.add(double{w[static_cast<std::size_t>(j * ld_w + c)]} * pointers[static_cast<std::size_t>(j)][c]);
            CHECK_NEAR(out[static_cast<std::size_t>(c)], silu(sum.value), 2e-6 * sum.magnitude);
          }
          CHECK_EQ(out.back(), guard);
        }
      }
    }
  });
}

TEST("kernels: small matrix products, either way round, added or not") {
  for_each_set([](const Kernels& kernels) {
    Random random(26);
    for (const int m : {1, 5, 9, 20}) {
      for (const int n : {1, 7, 16, 33, 50}) {
        for (const int k : {1, 6, 64}) {
          const auto b = random.normals(static_cast<std::size_t>(k * (n + 3)));
          for (const bool transposed : {false, true}) {
            for (const bool accumulate : {false, true}) {
              check_gemm(kernels.gemm, b, m, n, k, transposed, accumulate, random);
              check_gemm(kernels.gemm_bf16, narrowed(b), m, n, k, transposed, accumulate, random);
            }
          }
        }
      }
    }
  });
}

TEST("kernels: one token of the delta rule") {
  for_each_set([](const Kernels& kernels) {
    Random random(27);
    for (const int d : {1, 5, 16, 24, 77, 128}) {
      const auto n = static_cast<std::size_t>(d);
      const float unit = 1 / std::sqrt(static_cast<float>(d));
      auto state = random.normals(n * n);
      const std::vector<double> before(state.begin(), state.end());
      const auto q = random.normals(n, unit), k = random.normals(n, unit), v = random.normals(n);
      std::vector<float> out(n + 1, guard);
      const float beta = 0.7f;
      kernels.delta_step(state.data(), d, q.data(), k.data(), v.data(), beta, out.data());
      for (std::size_t j = 0; j < n; ++j) {
        double read = 0, o = 0;
        for (std::size_t i = 0; i < n; ++i) read += before[i * n + j] * k[i];
        const double u = double{beta} * (v[j] - read);
        for (std::size_t i = 0; i < n; ++i) {
          const double cell = before[i * n + j] + k[i] * u;
          CHECK_NEAR(state[i * n + j], cell, 5e-6);
          o += cell * q[i];
        }
        CHECK_NEAR(out[j], o, 1e-5);
      }
      CHECK_EQ(out.back(), guard);
    }
  });
}

TEST("kernels: one token of the state space model") {
  for_each_set([](const Kernels& kernels) {
    Random random(28);
    for (const int n_rows : {1, 4, 7, 64}) {
      for (const int n_state : {1, 4, 16, 48, 100, 128}) {
        auto h = random.normals(static_cast<std::size_t>(n_rows * n_state));
        const std::vector<double> before(h.begin(), h.end());
        const auto x = random.normals(static_cast<std::size_t>(n_rows));
        const auto b = random.normals(static_cast<std::size_t>(n_state)),
                   c = random.normals(static_cast<std::size_t>(n_state));
        const float decay = 0.9f, dt = 0.05f, skip = 1.1f;
        std::vector<float> y(static_cast<std::size_t>(n_rows) + 1, guard);
        kernels.ssm_step(h.data(), n_rows, n_state, x.data(), b.data(), c.data(), decay, dt, skip, y.data());
        for (std::size_t r = 0; r < x.size(); ++r) {
          Sum sum;
          for (std::size_t s = 0; s < b.size(); ++s) {
            const std::size_t place = r * b.size() + s;
            const double cell = double{decay} * before[place] + double{dt} * x[r] * b[s];
            CHECK_NEAR(h[place], cell, 1e-6);
            sum.add(cell * c[s]);
          }
          sum.add(double{skip} * x[r]);
          check_sum(y[r], sum, 2e-6);
        }
        CHECK_EQ(y.back(), guard);
      }
    }
  });
}

TEST("kernels: decays and softmax by pieces") {
  for_each_set([](const Kernels& kernels) {
    Random random(29);
    for (const int n : lengths) {
      const auto size = static_cast<std::size_t>(n);
      auto row = random.normals(size);
      const auto before = row;
      std::vector<float> g(size), dt(size);
      for (std::size_t i = 0; i < size; ++i) g[i] = static_cast<float>(3 * random.uniform()), dt[i] = 0.1f + g[i];
      kernels.decay_row(row.data(), g.data(), dt.data(), -0.5f, n);
      for (std::size_t i = 0; i < size; ++i) {
        const double wanted = before[i] * std::exp(-0.5 - g[i]) * dt[i];
        CHECK_NEAR(row[i], wanted, 2e-6 * std::fabs(wanted));
      }

      float largest = -INFINITY, total = 0;
      std::vector<float> all;
      std::vector<double> kept;
      for (int piece = 0; piece < 3; ++piece) {
        auto scores = random.normals(size, 5.0f);
        all.insert(all.end(), scores.begin(), scores.end());
        const float factor = kernels.softmax_step(scores.data(), n, &largest, &total);
        for (double& value : kept) value *= factor;
        kept.insert(kept.end(), scores.begin(), scores.end());
      }
      const double peak = *std::max_element(all.begin(), all.end());
      double sum = 0;
      for (const float score : all) sum += std::exp(score - peak);
      CHECK_EQ(double{largest}, peak);
      CHECK_NEAR(total, sum, 5e-6 * sum);
      for (std::size_t i = 0; i < all.size(); ++i) CHECK_NEAR(kept[i], std::exp(all[i] - peak), 5e-6);
    }
  });
}

}  // namespace nf::test
