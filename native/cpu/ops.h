// The stages of forward.h on the CPU. One file per kind of stage: project.cpp, deltanet.cpp, mamba2.cpp,
// attention.cpp; the rest in ops.cpp.
//
// Rows of a batch are the tokens of its slices. Slices of up to step_tokens tokens take the step form of every stage,
// longer ones the chunk form (there activations are rounded to bf16 where the machine multiplies bf16: with bf16
// weights, and with all but float32 on matrix units). So what a slice computes depends on the slice alone.
//
// Every thread walks through all stages (thread_pool.h). Outside of tasks it reads only what begin() has set.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "backend.h"
#include "kernels.h"
#include "memory.h"
#include "slot.h"
#include "thread_pool.h"
#include "weights.h"

namespace nf::cpu {

inline constexpr int step_tokens = 8;
inline constexpr int max_taps = 16;       // of a convolution
inline constexpr int chunk_tokens = 64;   // of the block forms of DeltaNet and Mamba2
inline constexpr int segment_size = 512;  // positions of a step's context that one thread takes

/// A slice and the rows of the residual stream that it has here; step slices come first.
struct SliceRows {
  Slot* slot;
  const Slice* slice;
  int first_row, n_rows;
  bool steps;
};

/// Tokens that are multiplied together with a tile of weight rows.
struct TokenBlock {
  int first_row, n_rows;
  bool narrow;  // bf16 activations
};

class CpuOps {
 public:
  CpuOps(const ModelPlan&, const Weights&, const Kernels&, ThreadPool&, bool wide_cache);

  /// Prepares buffers and the order of rows. `slot_of` gives the slot of a slice.
  template <class SlotOf>
  void begin(const Batch& batch, const StopFlag& stop, const SlotOf& slot_of) {
    order_.clear();
    for (const bool steps : {true, false}) {
      for (const Slice& slice : batch.slices) {
        const bool short_slice = slice.tokens.size() <= static_cast<std::size_t>(step_tokens);
        if (short_slice == steps) order_.push_back({&slot_of(slice.slot), &slice, 0, 0, steps});
      }
    }
    begin_rows(batch, stop);
  }

  void embed(const ModelPlan&, const Batch&);
  void norm_project(const Layer&, const Batch&);
  void attention(const Layer&, const Batch&);
  void deltanet(const Layer&, const Batch&);
  void mamba2(const Layer&, const Batch&);
  void project_add(const Layer&, const Batch&);
  void ffn_up(const Layer&, const Batch&);
  void ffn_down_add(const Layer&, const Batch&);
  void head(const ModelPlan&, const Batch&);
  void end_stage(const char* name, StageClass, int layer, const StopFlag&);
  void tap(Tap*, int index);

  std::span<const float> logits() const {
    return {logits_.data(), static_cast<std::size_t>(n_wanted_) * static_cast<std::size_t>(c_.n_vocab)};
  }
  /// FLOP/s of a batch of so many rows by the layer's up matrix, as ffn_up() multiplies them: the best of many times.
  double measure_product_rate(const Layer&, int n_rows);
  void trace(bool on) { tracing_ = on; }
  std::span<const std::int64_t> stage_ns() const { return stage_ns_; }
  void stamp_classes(bool on) { stamping_ = on; }
  /// Of the last forward pass, by StageClass; all 0 when stamping is off.
  const std::array<std::int64_t, n_stage_classes>& class_ns() const { return class_ns_; }

 private:
  using Blocks = std::vector<TokenBlock>;

  void begin_rows(const Batch&, const StopFlag&);
  bool stopped() const { return stop_->load(std::memory_order_relaxed); }
  const LayerWeights& weights_of(const Layer& layer) const {
    return weights_.layers[static_cast<std::size_t>(layer.index)];
  }

  // project.cpp
  static void cut_blocks(Blocks& blocks, int first, int n, bool narrow);
  void reserve_prepared(int n_rows);
  void prepare(const float* x, std::int64_t ld, int k, const float* norm, float eps,
               std::span<const CpuMatrix* const> matrices, const Blocks&);
  QuantRows quant_rows(const TokenBlock&, int k) const;
  bool multiplies_tiles(const TokenBlock& block) const { return block.narrow && kernels_.tiled_bf16 != nullptr; }
  TiledRows tiled_rows(const TokenBlock&, int k, int thread);
  void multiply(const CpuMatrix&, int first_row, int n_rows, const TokenBlock&, int thread, int index = 0);
  int rows_of_tile(std::span<const CpuMatrix* const> matrices, const Blocks&, int& n_tiles) const;
  template <class Done>
  void each_tile(std::span<const CpuMatrix* const> matrices, const Blocks&, const Done& done);
  void add_product(const CpuMatrix&);

  // deltanet.cpp
  void delta_inputs(const Layer&, const SliceRows&, int head, int first, int n, float* qkv, float* betas) const;
  void delta_steps(const Layer&, const SliceRows&, int head, float* scratch);
  void delta_chunks(const Layer&, const SliceRows&, int head, float* scratch);
  void delta_outputs(const Layer&, const SliceRows&, int head, int first, int n, const float* o);
  void keep_window(float* window, std::int64_t ld, int n_kept, const SliceRows&, int column, int n_columns) const;

  // mamba2.cpp
  void ssm_shared(const Layer&, const SliceRows&, int first, int n);
  void ssm_steps(const Layer&, const SliceRows&, int head, float* scratch);
  void ssm_chunks(const Layer&, const SliceRows&, int head, float* scratch);
  void convolve(const Layer&, const SliceRows&, const float* window, std::int64_t ld_window, int n_taps, int column,
                int channel, const float* bias, int first, int n, int n_columns, float* out, std::int64_t ld_out) const;

  // attention.cpp
  void rotate(float* x, const float* norm, int row) const;
  void rotate_and_store(const Layer&, const SliceRows&, int token);
  void attend_step(const Layer&, const SliceRows&, int token, int kv_head, int segment, float* scratch);
  void combine_step(const SliceRows&, int token, int head);
  void attend_chunk(const Layer&, const SliceRows&, int first, int head, float* scratch);
  void scores(const KvCache&, const Slot&, int kv_head, int first, int n, const float* q, int n_q, float* out) const;
  void weigh(const KvCache&, const Slot&, int kv_head, int first, int n, const float* p, int n_q, float* out,
             std::int64_t ld_out) const;
  float* partial(int row, int segment, int head);
  static int segments_before(int position) { return (position + segment_size - 1) / segment_size; }

  const StateLayout::Entry& state_entry(const Layer& layer) const {
    return layout_.entries[static_cast<std::size_t>(state_index_[static_cast<std::size_t>(layer.index)])];
  }
  float* row_of(Buffer<float>& buffer, int row, int dim) {
    return buffer.data() + static_cast<std::int64_t>(row) * dim;
  }
  const float* projected(int row, int column) const {
    return projected_.data() + static_cast<std::int64_t>(row) * projected_dim_ + column;
  }
  float* mixed(int row, int column) { return mixed_.data() + static_cast<std::int64_t>(row) * mixed_dim_ + column; }
  float* scratch(int thread) { return scratch_.data() + thread * scratch_floats_; }
  float* tile(int thread, int index) { return tiles_.data() + (thread * 3 + index) * tile_floats; }

  // The rows of a tile do not start a power of two apart: those of one column would share few lines of a cache.
  static constexpr int tall_rows = 256, tile_ld = tall_rows + 16, max_block_tokens = 256;
  static constexpr std::int64_t tile_floats = std::int64_t{tile_ld} * max_block_tokens;
  static constexpr std::int64_t tile_scratch_elements = std::int64_t{tall_rows} * tiled_chunk_columns;

  const ModelPlan& plan_;
  const Config& c_;
  const Weights& weights_;
  const Kernels& kernels_;
  ThreadPool& pool_;
  const bool wide_cache_;
  const StateLayout layout_;
  std::vector<int> state_index_;  // by layer index, into layout_.entries
  std::vector<float> inverse_frequency_;
  int projected_dim_ = 0, mixed_dim_ = 0;
  int longest_row_ = 0;  // of any matrix
  bool any_quantised_ = false, any_bf16_ = false;

  // The batch at hand.
  std::vector<SliceRows> order_;
  std::vector<int> first_row_;  // by slice, in the batch's order
  const StopFlag* stop_ = nullptr;
  int n_rows_ = 0, n_step_rows_ = 0, n_wanted_ = 0;
  std::vector<int> wanted_rows_;  // rows whose logits are wanted, in the batch's order
  Blocks row_blocks_, wanted_blocks_;

  Buffer<float> x_;          // [n_rows, hidden], the residual stream
  Buffer<float> projected_;  // [n_rows, projected_dim_]
  Buffer<float> mixed_;      // [n_rows, mixed_dim_], what the mixers or gate and up give
  // What is multiplied next, [n_rows, columns of the matrices] each, as far as these want it.
  Buffer<float> normed_;
  Buffer<Bf16> narrow_;  // with columns up to the next multiple of block_columns, or tiles of them
  Buffer<std::int8_t> codes_;
  Buffer<float> code_scales_;
  Buffer<std::int32_t> code_offsets_;
  Buffer<float> cosine_, sine_;    // [n_rows, qk_dim / 2]
  Buffer<float> b_, c_rows_, cb_;  // mamba2: B and C [n_rows, state]; C B^T of each chunk [n_rows, chunk_tokens]
  Buffer<float> partial_;          // attention of steps [n_step_rows, n_segments_, n_heads, v_dim + 2]
  int n_segments_ = 1;             // of the longest context among the steps
  Buffer<float> wanted_;           // [n_wanted, hidden]
  Buffer<float> logits_;           // [n_wanted, n_vocab]
  Buffer<float> tiles_, scratch_;
  Buffer<Bf16> tile_scratch_;  // weights on their way to matrix units, per thread
  std::int64_t scratch_floats_ = 0;

  bool tracing_ = false, stamping_ = true;
  std::chrono::steady_clock::time_point stage_start_;
  std::vector<std::int64_t> stage_ns_;
  std::array<std::int64_t, n_stage_classes> class_ns_{};
};

/// done(matrix, first row, n rows, block, thread) for every tile of rows and every block of tokens.
template <class Done>
void CpuOps::each_tile(std::span<const CpuMatrix* const> matrices, const Blocks& blocks, const Done& done) {
  int n_tiles = 0;
  const int rows = rows_of_tile(matrices, blocks, n_tiles);
  pool_.run(n_tiles, [&](int task, int thread) {
    if (stopped()) return;  // end_stage() throws
    int m = 0;
    for (int n = 0; task >= (n = (matrices[static_cast<std::size_t>(m)]->n_out + rows - 1) / rows); ++m) task -= n;
    const int first = task * rows;
    const int n_rows = std::min(rows, matrices[static_cast<std::size_t>(m)]->n_out - first);
    for (const TokenBlock& block : blocks) done(m, first, n_rows, block, thread);
  });
}

}  // namespace nf::cpu
