// Products of many tokens with weights of any format on matrix units (AMX). Included inside an anonymous namespace,
// with AVX-512 and AMX BF16.
//
// Columns go in chunks. The weights of one become bf16 tiles, which stay in the second cache; 32 tokens of a chunk stay
// in the first while all rows are multiplied with them, 32 rows at a time in the eight tile registers. A weight tile is
// 16 rows and 32 columns: [column / 2][row][column % 2], as the units want their second operand.

constexpr int tile_elements = 512;
constexpr int chunk_blocks = tiled_chunk_columns / block_columns;

struct TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t n_rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/// Two registers of 16 floats each as pairs [lane][2] of bf16, rounded to nearest; halfway goes away from zero.
inline __m512i paired(__m512 even, __m512 odd) {
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i low = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(even), half), 16);
  const __m512i high = _mm512_add_epi32(_mm512_castps_si512(odd), half);
  return _mm512_mask_mov_epi16(high, 0x55555555, low);
}

inline __m512 scales_of(const F16* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

/// Blocks first .. end - 1 of a panel of n_blocks.
void expand_int8(const std::byte* panel, int n_blocks, int first, int end, Bf16* out) {
  const auto* scales = reinterpret_cast<const F16*>(panel + n_blocks * 512);
  for (int block = first; block < end; ++block, out += tile_elements) {
    const __m512 scale = scales_of(scales + block / int8_group_blocks * panel_rows);
    for (int q = 0; q < 8; ++q) {
      const __m512i codes = _mm512_xor_si512(_mm512_loadu_si512(panel + block * 512 + q * 64), _mm512_set1_epi8(-128));
      const auto column = [&](__m512i at_top) {
        return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srai_epi32(at_top, 24)), scale);
      };
      const __m512 c0 = column(_mm512_slli_epi32(codes, 24)), c1 = column(_mm512_slli_epi32(codes, 16));
      const __m512 c2 = column(_mm512_slli_epi32(codes, 8)), c3 = column(codes);
      _mm512_storeu_si512(out + q * 64, paired(c0, c1));
      _mm512_storeu_si512(out + q * 64 + 32, paired(c2, c3));
    }
  }
}

void expand_int4(const std::byte* panel, int n_blocks, int first, int end, Bf16* out) {
  const auto* scales = reinterpret_cast<const F16*>(panel + n_blocks * 256);
  const __m512 values = _mm512_set_ps(7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7, -8);
  for (int block = first; block < end; ++block, out += tile_elements) {
    const __m512 scale = scales_of(scales + block * panel_rows);
    for (int q = 0; q < 4; ++q) {
      const __m512i codes = _mm512_loadu_si512(panel + block * 256 + q * 64);
      const auto column = [&](unsigned shift) {
        return _mm512_mul_ps(_mm512_permutexvar_ps(_mm512_srli_epi32(codes, shift), values), scale);
      };
      _mm512_storeu_si512(out + q * 64, paired(column(0), column(8)));
      _mm512_storeu_si512(out + q * 64 + 32, paired(column(16), column(24)));
      _mm512_storeu_si512(out + (q + 4) * 64, paired(column(4), column(12)));
      _mm512_storeu_si512(out + (q + 4) * 64 + 32, paired(column(20), column(28)));
    }
  }
}

/// Rows as they are to tiles: pairs of columns are transposed, four rows by four pairs at a time.
void expand_block(const Bf16* const* rows, std::int64_t column, Bf16* out) {
  for (int piece = 0; piece < 4; ++piece) {
    __m512i lanes[4];  // [i]: rows i, 4 + i, 8 + i, 12 + i
    for (int i = 0; i < 4; ++i) {
      const auto part = [&](int row) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + column + piece * 8));
      };
      lanes[i] = _mm512_castsi128_si512(part(i));
      lanes[i] = _mm512_mask_broadcast_i32x4(lanes[i], 0x00F0, part(4 + i));
      lanes[i] = _mm512_mask_broadcast_i32x4(lanes[i], 0x0F00, part(8 + i));
      lanes[i] = _mm512_mask_broadcast_i32x4(lanes[i], 0xF000, part(12 + i));
    }
    const __m512i a = _mm512_unpacklo_epi32(lanes[0], lanes[1]), b = _mm512_unpackhi_epi32(lanes[0], lanes[1]);
    const __m512i c = _mm512_unpacklo_epi32(lanes[2], lanes[3]), d = _mm512_unpackhi_epi32(lanes[2], lanes[3]);
    _mm512_storeu_si512(out + (piece * 4 + 0) * 32, _mm512_unpacklo_epi64(a, c));
    _mm512_storeu_si512(out + (piece * 4 + 1) * 32, _mm512_unpackhi_epi64(a, c));
    _mm512_storeu_si512(out + (piece * 4 + 2) * 32, _mm512_unpacklo_epi64(b, d));
    _mm512_storeu_si512(out + (piece * 4 + 3) * 32, _mm512_unpackhi_epi64(b, d));
  }
}

/// Blocks first .. end - 1 of up to 16 rows of k columns.
void expand_bf16(const Bf16* w, std::int64_t ld_w, int n_rows, int k, int first, int end, Bf16* out) {
  const Bf16* rows[panel_rows];
  for (int r = 0; r < panel_rows; ++r) rows[r] = r < n_rows ? w + r * ld_w : w;  // a row too many gives no result
  for (int block = first; block < end; ++block, out += tile_elements) {
    const int column = block * block_columns;
    if (column + block_columns <= k) {
      expand_block(rows, column, out);
      continue;
    }
    Bf16 padded[panel_rows][block_columns] = {};
    const Bf16* ends[panel_rows];
    for (int r = 0; r < panel_rows; ++r) {
      for (int i = 0; column + i < k; ++i) padded[r][i] = rows[r][column + i];
      ends[r] = padded[r];
    }
    expand_block(ends, 0, out);
  }
}

void to_tiles(const float* x, int n, const TiledRows& rows, int token) {
  Bf16* out = rows.tiles + static_cast<std::int64_t>(token / 16) * rows.n_blocks * tile_elements + token % 16 * 32;
  for (int first = 0; first < n; first += block_columns, out += tile_elements) {
    const int left = n - first;
    const __m512 low = load_some(x + first, left < 16 ? left : 16);
    const __m512 high = left > 16 ? load_some(x + first + 16, left < 32 ? left - 16 : 16) : Vector::zero();
    _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
}

/// out[t * ld_out + r] (+)= products of 32 tokens, 16 rows or 32 and n_blocks blocks of columns.
template <bool two_panels>
void multiply_tiles(const Bf16* low, const Bf16* high, const Bf16* w, const Bf16* w_next, int n_blocks, bool accumulate,
                    float* out, std::int64_t ld_out) {
  const std::int64_t out_stride = ld_out * 4;
  float* below = out + 16 * ld_out;
  if (accumulate) {
    _tile_loadd(0, out, out_stride);
    _tile_loadd(2, below, out_stride);
    if (two_panels) {
      _tile_loadd(1, out + panel_rows, out_stride);
      _tile_loadd(3, below + panel_rows, out_stride);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int i = 0; i < n_blocks * tile_elements; i += tile_elements) {
    _tile_loadd(4, low + i, 64);
    _tile_loadd(6, w + i, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, high + i, 64);
    _tile_dpbf16ps(2, 5, 6);
    if (two_panels) {
      _tile_loadd(7, w_next + i, 64);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, out, out_stride);
  _tile_stored(2, below, out_stride);
  if (two_panels) {
    _tile_stored(1, out + panel_rows, out_stride);
    _tile_stored(3, below + panel_rows, out_stride);
  }
}

void fetch_bytes(const std::byte* p, int n) {
  for (int i = 0; i < n; i += 64) __builtin_prefetch(p + i, 0, 2);
}

/// expand(panel, first block, end, tiles) for every panel and chunk of columns, then the products. Meanwhile
/// fetch(panel, first block, end) asks for the weights of the next chunk: these come from memory, in pieces too short
/// for the processor to foresee.
template <class Expand, class Fetch>
void multiply_panels(int n_panels, const Expand& expand, const Fetch& fetch, const TiledRows& x, float* out,
                     std::int64_t ld_out) {
  static const TileConfig config;
  _tile_loadconfig(&config);
  const std::int64_t row_of_tiles = static_cast<std::int64_t>(x.n_blocks) * tile_elements;
  constexpr std::int64_t panel = std::int64_t{chunk_blocks} * tile_elements;
  for (int first = 0; first < x.n_blocks; first += chunk_blocks) {
    const int end = x.n_blocks - first < chunk_blocks ? x.n_blocks : first + chunk_blocks;
    for (int p = 0; p < n_panels; ++p) expand(p, first, end, x.weights + p * panel);
    asm volatile("" ::: "memory");  // compilers do not know that tile loads read memory
    const int next_end = x.n_blocks - end < chunk_blocks ? x.n_blocks : end + chunk_blocks;
    for (int t = 0; t < x.n_tokens; t += 32) {
      const Bf16* low = x.tiles + t / 16 * row_of_tiles + static_cast<std::int64_t>(first) * tile_elements;
      for (int p = 0; p < n_panels; p += 2) {
        if (const int next = p + t / 32; t < 64 && next < n_panels) fetch(next, end, next_end);
        const auto multiply = p + 1 < n_panels ? multiply_tiles<true> : multiply_tiles<false>;
        multiply(low, low + row_of_tiles, x.weights + p * panel, x.weights + (p + 1) * panel, end - first, first > 0,
                 out + t * ld_out + p * panel_rows, ld_out);
      }
    }
  }
  _tile_release();
}

void tiled_bf16(const Bf16* w, std::int64_t ld_w, int n_rows, const TiledRows& x, int k, float* out,
                std::int64_t ld_out) {
  const auto expand = [&](int p, int first, int end, Bf16* tiles) {
    const int row = p * panel_rows;
    expand_bf16(w + row * ld_w, ld_w, n_rows - row < panel_rows ? n_rows - row : panel_rows, k, first, end, tiles);
  };
  const auto fetch = [&](int p, int first, int end) {
    for (int r = p * panel_rows; r < n_rows && r < (p + 1) * panel_rows; ++r) {
      fetch_bytes(reinterpret_cast<const std::byte*>(w + r * ld_w + first * block_columns), (end - first) * 64);
    }
  };
  multiply_panels((n_rows + panel_rows - 1) / panel_rows, expand, fetch, x, out, ld_out);
}

void tiled_int8(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const TiledRows& x, float* out,
                std::int64_t ld_out) {
  const auto expand = [&](int p, int first, int end, Bf16* tiles) {
    expand_int8(panels + p * panel_bytes, x.n_blocks, first, end, tiles);
  };
  const auto fetch = [&](int p, int first, int end) {
    fetch_bytes(panels + p * panel_bytes + first * 512, (end - first) * 512);
  };
  multiply_panels(n_panels, expand, fetch, x, out, ld_out);
}

void tiled_int4(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const TiledRows& x, float* out,
                std::int64_t ld_out) {
  const auto expand = [&](int p, int first, int end, Bf16* tiles) {
    expand_int4(panels + p * panel_bytes, x.n_blocks, first, end, tiles);
  };
  const auto fetch = [&](int p, int first, int end) {
    const std::byte* panel = panels + p * panel_bytes;
    fetch_bytes(panel + first * 256, (end - first) * 256);
    fetch_bytes(panel + x.n_blocks * 256 + first * 32, (end - first) * 32);
  };
  multiply_panels(n_panels, expand, fetch, x, out, ld_out);
}
