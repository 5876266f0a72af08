// The fused stages of forward.h on a GPU. Every method only puts kernels on the stream.
#pragma once

#include <functional>
#include <vector>

#include "backend.h"
#include "forward.h"
#include "memory.h"
#include "stages.h"
#include "state_map.h"
#include "weights.h"

namespace nf::cuda {

/// A batch as the device sees it: rows of one-token slices first, then the longer slices one after another.
struct DeviceBatch {
  const DeviceSlice* slices = nullptr;  // device memory, in the order of the rows
  const int* tokens = nullptr;          // device memory, [n_rows]
  int n_single = 0;                     // slices of one token; as many rows
  struct Long {
    int slice, first_row, n_tokens;
  };
  std::vector<Long> longer;
  int n_rows = 0;
};

class CudaOps {
 public:
  CudaOps(const ModelPlan&, const Weights&, const DeviceFacts&, cudaStream_t, bool f32, int max_rows);

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

  /// Logits of `n` rows from `first_row` on, into rows[i].logits (device memory).
  void logits_of(const DeviceSlice* rows, int first_row, int n);

  DeviceBatch batch;                    // what the stages work on
  std::function<void()> head_of_batch;  // which rows get logits is the backend's business
  std::vector<int> tap_order;           // row of the batch handed in -> row here
  const StopFlag* unstoppable = nullptr;

  static std::int64_t scratch_bytes(const ModelPlan&, const DeviceFacts&, int max_rows, bool f32);

  // Stage times of the last traced forward pass.
  bool tracing = false;
  void begin_trace();
  void end_trace();
  std::vector<std::int64_t> stage_ns;

  const StateMap& states() const { return states_; }
  /// The residual stream of a full batch, in device memory.
  float* residual() const { return x_.data(); }
  std::size_t residual_bytes() const { return static_cast<std::size_t>(x_.size()) * sizeof(float); }
  const LaunchContext& context() const { return context_; }
  /// Where the stages go from now on: to the resident kernel, for batches of a single row, or (null) to their own.
  void set_resident(Resident* resident) { context_.resident = resident; }

 private:
  struct Widths {
    int hidden, projected, mixed, ffn, input;
    explicit Widths(const ModelPlan&);
  };
  struct Product;
  void product(const Product&);
  Rows single_rows() const { return {batch.slices, batch.n_single, 0, batch.n_single}; }
  Rows long_rows(const DeviceBatch::Long& slice) const {
    return {batch.slices + slice.slice, 1, slice.first_row, slice.n_tokens};
  }

  const ModelPlan& plan_;
  const Config& c_;
  const Weights& weights_;
  const DeviceFacts& device_;
  bool f32_;
  int max_rows_;
  StateMap states_;
  Widths widths_;
  int n_splits_;
  LaunchContext context_;
  // Activations, float32: [max_rows, width].
  DeviceBuffer<float> x_, projected_, mixed_, ffn_;
  DeviceBuffer<__nv_bfloat16> narrow_;  // rows as gemm() wants them
  DeviceBuffer<float> gemm_partials_;
  DeviceBuffer<float> partials_;
  DeviceBuffer<int> arrivals_;
  std::vector<Event> trace_events_;
  std::size_t n_traced_ = 0;
};

}  // namespace nf::cuda
