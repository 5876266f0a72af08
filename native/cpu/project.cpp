// Products with weight matrices: activations are prepared once per stage in every form that its matrices multiply,
// then threads take tiles of matrix rows and multiply each with all tokens while it is in their cache.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "ops.h"
#include "pack.h"

namespace nf::cpu {
namespace {

std::int64_t padded(int k) { return (k + block_columns - 1) / block_columns * block_columns; }

}  // namespace

void CpuOps::cut_blocks(Blocks& blocks, int first, int n, bool narrow) {
  for (int i = 0; i < n; i += max_block_tokens) {
    blocks.push_back({first + i, std::min(max_block_tokens, n - i), narrow});
  }
}

QuantRows CpuOps::quant_rows(const TokenBlock& block, int k) const {
  const std::int64_t n_blocks = padded(k) / block_columns;
  const std::int64_t first = block.first_row * n_blocks;
  return {const_cast<std::int8_t*>(codes_.data()) + first * block_columns,
          const_cast<float*>(code_scales_.data()) + first, const_cast<std::int32_t*>(code_offsets_.data()) + first,
          block.n_rows, static_cast<int>(n_blocks)};
}

TiledRows CpuOps::tiled_rows(const TokenBlock& block, int k, int thread) {
  return {narrow_.data() + block.first_row * padded(k), tile_scratch_.data() + thread * tile_scratch_elements,
          block.n_rows, static_cast<int>(padded(k) / block_columns)};
}

/// Room for prepare() with so many rows of any stage.
void CpuOps::reserve_prepared(int n_rows) {
  const auto n = static_cast<std::size_t>(n_rows), k = static_cast<std::size_t>(padded(longest_row_));
  normed_.reserve(n * k);
  if ((any_bf16_ && kernels_.dot_bf16_bf16) || ((any_bf16_ || any_quantised_) && kernels_.tiled_bf16)) {
    narrow_.reserve((n + 31) * k);  // matrix units take 32 rows at a time
    tile_scratch_.reserve(static_cast<std::size_t>(pool_.n_threads() * tile_scratch_elements));
  }
  if (any_quantised_) {
    codes_.reserve(n * k);
    code_scales_.reserve(n * k / block_columns);
    code_offsets_.reserve(n * k / block_columns);
  }
}

/// Rows of x [n, ld], normalised when `norm` is given, in the forms that `matrices` are multiplied with.
void CpuOps::prepare(const float* x, std::int64_t ld, int k, const float* norm, float eps,
                     std::span<const CpuMatrix* const> matrices, const Blocks& blocks) {
  const bool quantised = std::any_of(matrices.begin(), matrices.end(), [](const auto* m) { return m->quantised(); });
  const bool bf16 =
      std::any_of(matrices.begin(), matrices.end(), [](const auto* m) { return m->format == MatrixFormat::bf16; });
  const bool f32 =
      std::any_of(matrices.begin(), matrices.end(), [](const auto* m) { return m->format == MatrixFormat::f32; });
  const bool narrow = (bf16 && kernels_.dot_bf16_bf16) || ((bf16 || quantised) && kernels_.tiled_bf16);
  const auto prepare_row = [&](const TokenBlock& block, int token) {
    const int row = block.first_row + token;
    const float* from = x + row * ld;
    float* normed = normed_.data() + static_cast<std::int64_t>(row) * k;
    if (norm) {
      const float mean = kernels_.sum_squares(from, k) / static_cast<float>(k);
      kernels_.scale(from, norm, 1 / std::sqrt(mean + eps), k, normed);
      from = normed;
    } else if (f32 || (bf16 && !(narrow && block.narrow))) {  // multiplied as float32
      std::copy(from, from + k, normed);
    }
    if (multiplies_tiles(block)) {
      if (bf16 || quantised) kernels_.to_tiles(from, k, tiled_rows(block, k, 0), token);
      return;
    }
    if (narrow && block.narrow) {
      kernels_.to_bf16(from, k, narrow_.data() + row * padded(k));
    }
    if (quantised) kernels_.quantise(from, k, quant_rows(block, k), token);
  };
  for (const TokenBlock& block : blocks) {
    pool_.run(block.n_rows, [&](int t, int) { prepare_row(block, t); });
  }
}

/// Tall tiles save reading the tokens again, where these do not fit the second cache; low ones share the work more
/// evenly. Counts the tiles of all matrices.
int CpuOps::rows_of_tile(std::span<const CpuMatrix* const> matrices, const Blocks& blocks, int& n_tiles) const {
  constexpr int tasks_per_thread = 4;
  const bool tiled = multiplies_tiles(blocks.back());
  const bool many_columns = padded(matrices.front()->n_in) * blocks.back().n_rows > (1 << 19);
  for (int rows = tiled && many_columns ? tall_rows : tiled ? tall_rows / 2 : tall_rows / 4;; rows /= 2) {
    n_tiles = 0;
    for (const CpuMatrix* matrix : matrices) n_tiles += (matrix->n_out + rows - 1) / rows;
    if (rows < tall_rows || n_tiles >= tasks_per_thread * pool_.n_threads()) return rows;
  }
}

/// tile(thread, index)[t * tile_ld + r] = matrix row first_row + r times token t of the block.
void CpuOps::multiply(const CpuMatrix& matrix, int first_row, int n_rows, const TokenBlock& block, int thread,
                      int index) {
  const int k = matrix.n_in;
  const std::int64_t start = static_cast<std::int64_t>(first_row) * k;
  float* out = tile(thread, index);
  const std::byte* panels = matrix.data + first_row / panel_rows * matrix.panel_bytes;
  const bool tiled = multiplies_tiles(block);
  switch (matrix.format) {
    case MatrixFormat::f32:
      kernels_.dot_f32(reinterpret_cast<const float*>(matrix.data) + start, k, n_rows,
                       normed_.data() + static_cast<std::int64_t>(block.first_row) * k, k, block.n_rows, k, out,
                       tile_ld);
      return;
    case MatrixFormat::bf16: {
      const Bf16* w = reinterpret_cast<const Bf16*>(matrix.data) + start;
      if (tiled) {
        kernels_.tiled_bf16(w, k, n_rows, tiled_rows(block, k, thread), k, out, tile_ld);
      } else if (block.narrow && kernels_.dot_bf16_bf16) {
        kernels_.dot_bf16_bf16(w, k, n_rows, narrow_.data() + block.first_row * padded(k), padded(k), block.n_rows, k,
                               out, tile_ld);
      } else {
        kernels_.dot_bf16(w, k, n_rows, normed_.data() + static_cast<std::int64_t>(block.first_row) * k, k,
                          block.n_rows, k, out, tile_ld);
      }
      return;
    }
    case MatrixFormat::int8:
    case MatrixFormat::int4: {
      const bool is_int8 = matrix.format == MatrixFormat::int8;
      if (tiled) {
        const auto multiply_tiled = is_int8 ? kernels_.tiled_int8 : kernels_.tiled_int4;
        multiply_tiled(panels, matrix.panel_bytes, n_panels(n_rows), tiled_rows(block, k, thread), out, tile_ld);
      } else {
        const auto dot = is_int8 ? kernels_.dot_int8 : kernels_.dot_int4;
        dot(panels, matrix.panel_bytes, n_panels(n_rows), quant_rows(block, k), tile(thread, 2), out, tile_ld);
      }
      return;
    }
  }
}

/// x += matrix times what was prepared.
void CpuOps::add_product(const CpuMatrix& matrix) {
  const CpuMatrix* const matrices[] = {&matrix};
  each_tile(matrices, row_blocks_, [&](int, int first, int n, const TokenBlock& block, int thread) {
    multiply(matrix, first, n, block, thread);
    for (int t = 0; t < block.n_rows; ++t) {
      kernels_.add(tile(thread, 0) + t * tile_ld, n, row_of(x_, block.first_row + t, c_.hidden) + first);
    }
  });
}

double CpuOps::measure_product_rate(const Layer& layer, int n_rows) {
  using Clock = std::chrono::steady_clock;
  constexpr auto long_enough = std::chrono::milliseconds(300);  // a processor needs some of it to reach its clock
  const StopFlag never{false};
  stop_ = &never;
  row_blocks_.clear();
  cut_blocks(row_blocks_, 0, n_rows, true);
  reserve_prepared(n_rows);
  const auto n_values = static_cast<std::size_t>(n_rows) * static_cast<std::size_t>(c_.hidden);
  x_.reserve(n_values);
  for (std::size_t i = 0; i < n_values; ++i) x_[i] = static_cast<float>(i % 17) - 8;
  const CpuMatrix& up = weights_of(layer).up;
  const CpuMatrix* const matrices[] = {&up};
  pool_.together(
      [&] { prepare(x_.data(), c_.hidden, c_.hidden, layer.ffn.norm.data(), c_.norm_eps, matrices, row_blocks_); });
  double best_s = std::numeric_limits<double>::max();
  for (const auto begin = Clock::now(); Clock::now() - begin < long_enough;) {
    const auto start = Clock::now();
    pool_.together([&] {
      each_tile(matrices, row_blocks_, [&](int, int first, int n, const TokenBlock& block, int thread) {
        multiply(up, first, n, block, thread);
      });
    });
    best_s = std::min(best_s, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return 2.0 * up.n_out * up.n_in * n_rows / best_s;
}

}  // namespace nf::cpu
