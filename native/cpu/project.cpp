// Products with weight matrices: activations are prepared once per stage in every form that its matrices multiply,
// then threads take tiles of matrix rows and multiply each with all tokens while it is in their cache.
#include <algorithm>
#include <cmath>

#include "ops.h"
#include "pack.h"

namespace nf::cpu {

void CpuOps::cut_blocks(std::vector<TokenBlock>& blocks, int first, int n, bool narrow) {
  for (int i = 0; i < n; i += max_block_tokens) {
    blocks.push_back({first + i, std::min(max_block_tokens, n - i), narrow});
  }
}

QuantRows CpuOps::quant_rows(const TokenBlock& block) const {
  const std::int64_t n_blocks = (k_ + block_columns - 1) / block_columns;
  const std::int64_t first = block.first_row * n_blocks;
  return {const_cast<std::int8_t*>(codes_.data()) + first * block_columns,
          const_cast<float*>(code_scales_.data()) + first, const_cast<std::int32_t*>(code_offsets_.data()) + first,
          block.n_rows, static_cast<int>(n_blocks)};
}

/// Rows of x [n, ld], normalised when `norm` is given, as float32 and as what `matrices` want besides.
void CpuOps::prepare(const float* x, std::int64_t ld, int k, const float* norm, float eps,
                     std::span<const CpuMatrix* const> matrices) {
  if (blocks_ == nullptr) blocks_ = &row_blocks_;
  const bool quantised = std::any_of(matrices.begin(), matrices.end(), [](const auto* m) { return m->quantised(); });
  const bool bf16 =
      kernels_.dot_bf16_bf16 != nullptr &&
      std::any_of(matrices.begin(), matrices.end(), [](const auto* m) { return m->format == MatrixFormat::bf16; });
  k_ = k;
  const TokenBlock& last = blocks_->back();
  const auto n = static_cast<std::size_t>(last.first_row + last.n_rows);
  const auto n_blocks = static_cast<std::size_t>((k + block_columns - 1) / block_columns);
  normed_.reserve(n * static_cast<std::size_t>(k));
  if (bf16) narrow_.reserve(n * static_cast<std::size_t>(k));
  if (quantised) {
    codes_.reserve(n * n_blocks * block_columns);
    code_scales_.reserve(n * n_blocks);
    code_offsets_.reserve(n * n_blocks);
  }
  const auto prepare_row = [&](const TokenBlock& block, int token) {
    const int row = block.first_row + token;
    const float* from = x + row * ld;
    float* to = normed_.data() + static_cast<std::int64_t>(row) * k;
    if (norm) {
      const float mean = kernels_.sum_squares(from, k) / static_cast<float>(k);
      kernels_.scale(from, norm, 1 / std::sqrt(mean + eps), k, to);
    } else {
      std::copy(from, from + k, to);
    }
    if (bf16 && block.narrow) kernels_.to_bf16(to, k, narrow_.data() + static_cast<std::int64_t>(row) * k);
    if (quantised) kernels_.quantise(to, k, quant_rows(block), token);
  };
  for (const TokenBlock& block : *blocks_) {
    if (block.n_rows <= step_tokens) {
      for (int t = 0; t < block.n_rows; ++t) prepare_row(block, t);
    } else {
      pool_.run(block.n_rows, [&](int t, int) { prepare_row(block, t); });
    }
  }
}

/// tile[t * tile_rows + r] = matrix row first_row + r times token t of the block.
void CpuOps::multiply(const CpuMatrix& matrix, int first_row, int n_rows, const TokenBlock& block, float* tile,
                      float* sums) const {
  const std::int64_t start = static_cast<std::int64_t>(first_row) * matrix.n_in;
  const std::int64_t x_start = static_cast<std::int64_t>(block.first_row) * k_;
  switch (matrix.format) {
    case MatrixFormat::f32:
      kernels_.dot_f32(reinterpret_cast<const float*>(matrix.data) + start, matrix.n_in, n_rows,
                       normed_.data() + x_start, k_, block.n_rows, k_, tile, tile_rows);
      return;
    case MatrixFormat::bf16: {
      const Bf16* w = reinterpret_cast<const Bf16*>(matrix.data) + start;
      if (block.narrow && kernels_.dot_bf16_bf16) {
        kernels_.dot_bf16_bf16(w, matrix.n_in, n_rows, narrow_.data() + x_start, k_, block.n_rows, k_, tile, tile_rows);
      } else {
        kernels_.dot_bf16(w, matrix.n_in, n_rows, normed_.data() + x_start, k_, block.n_rows, k_, tile, tile_rows);
      }
      return;
    }
    case MatrixFormat::int8:
    case MatrixFormat::int4: {
      const auto dot = matrix.format == MatrixFormat::int8 ? kernels_.dot_int8 : kernels_.dot_int4;
      dot(matrix.data + first_row / panel_rows * matrix.panel_bytes, matrix.panel_bytes, n_panels(n_rows),
          quant_rows(block), sums, tile, tile_rows);
      return;
    }
  }
}

/// x += matrix times what was prepared.
void CpuOps::add_product(const CpuMatrix& matrix) {
  const CpuMatrix* const matrices[] = {&matrix};
  each_tile(matrices, [&](int, int first, int n, const TokenBlock& block, int thread) {
    multiply(matrix, first, n, block, tile(thread, 0), tile(thread, 2));
    for (int t = 0; t < block.n_rows; ++t) {
      kernels_.add(tile(thread, 0) + t * tile_rows, n, row_of(x_, block.first_row + t, c_.hidden) + first);
    }
  });
}

}  // namespace nf::cpu
