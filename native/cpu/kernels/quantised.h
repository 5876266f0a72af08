// Products with quantised panels; see kernels.h for their layout. For every block of 32 columns the panel's 16 rows are
// brought into registers once and multiplied with all tokens. Included inside an anonymous namespace, behind Vector and
// Panel, which knows a set's integer dot products:
//   Panel::Codes        a block's codes of 16 rows, unsigned
//   Panel::load_int8/4  fetches them
//   Panel::dot          per row: offset + sum of code * activation, as float, times the activation's scale
//   Panel::Rows         16 floats, one per row

/// The next block arrives while this one is used: the panels of a thread are one stream.
constexpr int prefetch_bytes = 4096;

void dot_int4(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const QuantRows& x, float* sums,
              float* out, std::int64_t ld_out) {
  for (int p = 0; p < n_panels; ++p) {
    const std::byte* codes = panels + p * panel_bytes;
    const auto* scales = reinterpret_cast<const F16*>(codes + x.n_blocks * 256);
    if (x.n_tokens == 1) {
      auto total = Panel::zero();
      for (int block = 0; block < x.n_blocks; ++block) {
        prefetch(codes + block * 256 + prefetch_bytes, 4);
        const auto ws = Panel::load_int4(codes + block * 256);
        const auto sum = Panel::dot(ws, x.codes + block * 32, x.offsets[block], x.scales[block]);
        total = Panel::fma(sum, Panel::load_scales(scales + block * panel_rows), total);
      }
      Panel::store(out + p * panel_rows, total);
      continue;
    }
    for (int t = 0; t < x.n_tokens; ++t) Panel::store(sums + t * panel_rows, Panel::zero());
    for (int block = 0; block < x.n_blocks; ++block) {
      const auto ws = Panel::load_int4(codes + block * 256);
      const auto ss = Panel::load_scales(scales + block * panel_rows);
      const std::int64_t first = static_cast<std::int64_t>(block) * x.n_tokens;
      for (int t = 0; t < x.n_tokens; ++t) {
        const auto sum = Panel::dot(ws, x.codes + (first + t) * 32, x.offsets[first + t], x.scales[first + t]);
        float* total = sums + t * panel_rows;
        Panel::store(total, Panel::fma(sum, ss, Panel::load(total)));
      }
    }
    for (int t = 0; t < x.n_tokens; ++t) {
      Panel::store(out + t * ld_out + p * panel_rows, Panel::load(sums + t * panel_rows));
    }
  }
}

void dot_int8(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const QuantRows& x, float* sums,
              float* out, std::int64_t ld_out) {
  for (int p = 0; p < n_panels; ++p) {
    const std::byte* codes = panels + p * panel_bytes;
    const auto* scales = reinterpret_cast<const F16*>(codes + x.n_blocks * 512);
    if (x.n_tokens == 1) {
      auto total = Panel::zero();
      for (int block = 0; block < x.n_blocks; ++block) {
        prefetch(codes + block * 512 + prefetch_bytes, 8);
        const auto ws = Panel::load_int8(codes + block * 512);
        const auto sum = Panel::dot(ws, x.codes + block * 32, x.offsets[block] * 16, x.scales[block]);
        total = Panel::fma(sum, Panel::load_scales(scales + block / int8_group_blocks * panel_rows), total);
      }
      Panel::store(out + p * panel_rows, total);
      continue;
    }
    for (int t = 0; t < x.n_tokens; ++t) Panel::store(sums + t * panel_rows, Panel::zero());
    for (int block = 0; block < x.n_blocks; ++block) {
      const auto ws = Panel::load_int8(codes + block * 512);
      const auto ss = Panel::load_scales(scales + block / int8_group_blocks * panel_rows);
      const std::int64_t first = static_cast<std::int64_t>(block) * x.n_tokens;
      for (int t = 0; t < x.n_tokens; ++t) {
        const auto sum = Panel::dot(ws, x.codes + (first + t) * 32, x.offsets[first + t] * 16, x.scales[first + t]);
        float* total = sums + t * panel_rows;
        Panel::store(total, Panel::fma(sum, ss, Panel::load(total)));
      }
    }
    for (int t = 0; t < x.n_tokens; ++t) {
      Panel::store(out + t * ld_out + p * panel_rows, Panel::load(sums + t * panel_rows));
    }
  }
}

void quantise(const float* x, int n, const QuantRows& rows, int token) {
  constexpr int width = Vector::width;
  static_assert(block_columns % width == 0);
  for (int block = 0; block < rows.n_blocks; ++block) {
    const std::int64_t place = static_cast<std::int64_t>(block) * rows.n_tokens + token;
    float values[block_columns];
    auto peaks = Vector::zero(), probe = Vector::zero();
    for (int i = 0; i < block_columns; i += width) {
      const int left = n - block * block_columns - i;
      const auto v = left >= width ? Vector::load(x + block * block_columns + i)
                                   : Vector::load_n(x + block * block_columns + i, left > 0 ? left : 0);
      Vector::store(values + i, v);
      peaks = Vector::max(peaks, Vector::abs(v));
      probe = Vector::fma(v, Vector::zero(), probe);  // max() may lose a NaN; this keeps it, and makes one of infinity
    }
    const float peak = Vector::largest(peaks);
    rows.scales[place] = peak / 127 + Vector::sum(probe);
    rows.offsets[place] = -8 * round_codes(values, peak > 0 ? 127 / peak : 0, rows.codes + place * block_columns);
  }
}
