// The arithmetic that depends on the instruction set: one table of functions per set, chosen once when a model loads.
//
// The files that fill a table are compiled with wide instructions. They include this header and intrinsics only, and
// keep everything in an anonymous namespace: an inline function compiled there must never be the copy that the linker
// picks for the rest of the program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nf::cpu {

using Bf16 = std::uint16_t;
using F16 = std::uint16_t;

// Quantised matrices are stored as panels of 16 rows. Columns come in blocks of 32, padded with zeros; within a block,
// 64 bytes hold 4 columns (int8) or 2 x 4 columns (int4) of all 16 rows, so that one 512-bit register is 16 rows.
//   int8  byte [block][column / 4][row][column % 4] = code + 128; one float16 scale per row and 128 columns
//   int4  byte [block][column / 4 % 4][row][column % 4]: low half = code + 8 of columns 0-15 of the block, high half of
//         columns 16-31; one float16 scale per row and 32 columns
// A panel is its codes, then its scales [group][row], then zeros up to a multiple of 64 bytes.
inline constexpr int panel_rows = 16;
inline constexpr int block_columns = 32;
inline constexpr int int8_group_blocks = 4;

/// Activations of n_tokens rows quantised to int8, one scale per 32 columns. Blocks outside, tokens inside.
struct QuantRows {
  std::int8_t* codes;     // [n_blocks, n_tokens, 32]
  float* scales;          // [n_blocks, n_tokens]
  std::int32_t* offsets;  // [n_blocks, n_tokens]: -8 times the sum of the block's codes
  int n_tokens, n_blocks;
};

/// Activations of n_tokens rows as bf16 in tiles of 16 rows and 32 columns, for matrix units: zeros behind the columns,
/// anything in rows up to the next multiple of 32.
struct TiledRows {
  Bf16* tiles;    // [n_tokens / 16, n_blocks, 16, 32]
  Bf16* weights;  // [n_rows rounded up to 16, tiled_chunk_columns], scratch of one thread
  int n_tokens, n_blocks;
};
inline constexpr int tiled_chunk_columns = 384;

struct Kernels {
  const char* name;

  // out[t * ld_out + r] = dot(row r of w, row t of x) over k columns. Each dot is summed in the same order whatever
  // n_rows and n_tokens are.
  void (*dot_f32)(const float* w, std::int64_t ld_w, int n_rows, const float* x, std::int64_t ld_x, int n_tokens, int k,
                  float* out, std::int64_t ld_out);
  void (*dot_bf16)(const Bf16* w, std::int64_t ld_w, int n_rows, const float* x, std::int64_t ld_x, int n_tokens, int k,
                   float* out, std::int64_t ld_out);
  /// Both sides bf16, float32 sums; null where the instruction set has nothing better than dot_bf16.
  void (*dot_bf16_bf16)(const Bf16* w, std::int64_t ld_w, int n_rows, const Bf16* x, std::int64_t ld_x, int n_tokens,
                        int k, float* out, std::int64_t ld_out);
  /// out[t * ld_out + 16 p + r] for n_panels panels, all 16 rows of each. `sums` is scratch [n_tokens, 16].
  void (*dot_int8)(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const QuantRows& x, float* sums,
                   float* out, std::int64_t ld_out);
  void (*dot_int4)(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const QuantRows& x, float* sums,
                   float* out, std::int64_t ld_out);

  // The same with bf16 activations on matrix units; null where there are none. Whole tiles are written: up to the next
  // multiple of 16 rows and of 32 tokens.
  void (*tiled_bf16)(const Bf16* w, std::int64_t ld_w, int n_rows, const TiledRows& x, int k, float* out,
                     std::int64_t ld_out);
  void (*tiled_int8)(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const TiledRows& x, float* out,
                     std::int64_t ld_out);
  void (*tiled_int4)(const std::byte* panels, std::int64_t panel_bytes, int n_panels, const TiledRows& x, float* out,
                     std::int64_t ld_out);
  void (*to_tiles)(const float* x, int n, const TiledRows& rows, int token);

  /// Quantises row `token` of `rows` from x [n]; columns behind n are zeros.
  void (*quantise)(const float* x, int n, const QuantRows& rows, int token);
  void (*to_bf16)(const float* x, int n, Bf16* out);
  float (*sum_squares)(const float* x, int n);
  /// out = x * w * scale; w may be null (1). out may be x.
  void (*scale)(const float* x, const float* w, float scale, int n, float* out);
  void (*add)(const float* x, int n, float* out);                           // out += x
  void (*silu_mul)(const float* gate, const float* up, int n, float* out);  // silu(gate) * up; out may be an input
  void (*relu_squared)(const float* x, int n, float* out);
  /// out[c] = silu(bias[c] + sum over j < width of w[j * ld_w + c] * rows[j][c]); bias may be null.
  void (*conv_silu)(const float* const* rows, const float* w, std::int64_t ld_w, const float* bias, int width, int n,
                    float* out);

  // c[i * ld_c + j] (+)= sum over l < k of a[i * a_row + l * a_column] * b[l * ld_b + j], i < m, j < n.
  void (*gemm)(int m, int n, int k, const float* a, std::int64_t a_row, std::int64_t a_column, const float* b,
               std::int64_t ld_b, float* c, std::int64_t ld_c, bool accumulate);
  void (*gemm_bf16)(int m, int n, int k, const float* a, std::int64_t a_row, std::int64_t a_column, const Bf16* b,
                    std::int64_t ld_b, float* c, std::int64_t ld_c, bool accumulate);

  /// One token of the delta rule for one head: s [d key, d value]; q has its scale; o [d]. k, q, v: [d].
  void (*delta_step)(float* s, int d, const float* q, const float* k, const float* v, float beta, float* o);
  /// One token of the SSM for one head: h [n_rows, n_state] = decay h + (dt x) B^T; y[i] = h[i] C + skip * x[i].
  void (*ssm_step)(float* h, int n_rows, int n_state, const float* x, const float* b, const float* c, float decay,
                   float dt, float skip, float* y);
  /// row[s] *= exp(g_t - g[s]) * dt[s] for s < n; every exponent is <= 0.
  void (*decay_row)(float* row, const float* g, const float* dt, float g_t, int n);
  /// Continues a softmax: scores [n] become exp(score - largest); updates largest and total; returns by what earlier
  /// results must be multiplied.
  float (*softmax_step)(float* scores, int n, float* largest, float* total);
};

}  // namespace nf::cpu
