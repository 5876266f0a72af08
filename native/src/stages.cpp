// The Ops that only writes down: forward() run with it lists the stages of a decode step and the bytes each moves.
#include "forward.h"
#include "model_impl.h"
#include "quantise.h"

namespace nf {
namespace {

std::int64_t row_bytes(const Matrix& matrix, WeightFormat format) {
  const MatrixFormat stored = matrix_format(matrix.role, format);
  const std::int64_t n_in = matrix.n_in;
  switch (stored) {
    case MatrixFormat::f32: return 4 * n_in;
    case MatrixFormat::bf16: return 2 * n_in;
    case MatrixFormat::int8: return n_in + 2LL * n_groups(quant_spec(stored), matrix.n_in);
    case MatrixFormat::int4: return (n_in + 1) / 2 + 2LL * n_groups(quant_spec(stored), matrix.n_in);
  }
  return 0;
}

std::int64_t matrix_bytes(const Matrix& matrix, WeightFormat format) {
  return matrix.n_out * row_bytes(matrix, format);
}

std::int64_t matrix_flops(const Matrix& matrix) { return 2LL * matrix.n_out * matrix.n_in; }

template <class... Vectors>
std::int64_t float_bytes(const Vectors&... vectors) {
  return (std::int64_t{0} + ... + static_cast<std::int64_t>(vectors.size() * sizeof(float)));
}

class ListOps {
 public:
  ListOps(const ModelPlan& plan, WeightFormat format, std::int64_t kv_bytes_per_position, int context)
      : layout_(plan), format_(format), context_(context) {
    if (plan.n_attention_layers > 0) layer_row_bytes_ = kv_bytes_per_position / plan.n_attention_layers;
  }

  void embed(const ModelPlan& plan, const Batch&) { weights_ = row_bytes(plan.embed, format_); }

  void norm_project(const Layer& layer, const Batch&) {
    weights_ = float_bytes(layer.norm);
    for (const Matrix& matrix : layer.in) multiply(matrix);
  }

  void attention(const Layer& layer, const Batch&) {
    weights_ = float_bytes(layer.attention.q_norm, layer.attention.k_norm);
    state_ = (context_ + 1) * layer_row_bytes_;  // reads every row, writes one
  }

  void deltanet(const Layer& layer, const Batch&) {
    const DeltaNetSmall& small = layer.deltanet;
    weights_ = float_bytes(small.conv_q, small.conv_k, small.conv_v, small.out_norm);
    recurrent(layer);
  }

  void mamba2(const Layer& layer, const Batch&) {
    const Mamba2Small& small = layer.mamba2;
    weights_ = float_bytes(small.conv, small.conv_bias, small.dt_bias, small.a, small.d, small.norm);
    recurrent(layer);
  }

  void project_add(const Layer& layer, const Batch&) { multiply(layer.out); }

  void ffn_up(const Layer& layer, const Batch&) {
    weights_ = float_bytes(layer.ffn.norm);
    multiply(layer.ffn.gate);
    multiply(layer.ffn.up);
  }

  void ffn_down_add(const Layer& layer, const Batch&) { multiply(layer.ffn.down); }

  void head(const ModelPlan& plan, const Batch&) {
    weights_ = float_bytes(plan.final_norm, plan.head_scale);
    multiply(plan.head);
  }

  void end_stage(const char* name, StageClass stage_class, int layer, const StopFlag&) {
    stages.push_back({name, stage_class, layer, weights_, state_, flops_});
    weights_ = state_ = flops_ = 0;
  }

  void tap(Tap*, int) {}

  std::vector<StageInfo> stages;

 private:
  void multiply(const Matrix& matrix) {
    weights_ += matrix_bytes(matrix, format_);
    flops_ += matrix_flops(matrix);
  }

  void recurrent(const Layer& layer) {
    for (const StateLayout::Entry& entry : layout_.entries) {
      if (entry.layer == layer.index) state_ = 2 * 4 * (entry.n_matrix + entry.n_window);  // read and written
    }
  }

  StateLayout layout_;
  WeightFormat format_;
  std::int64_t context_;
  std::int64_t layer_row_bytes_ = 0;
  std::int64_t weights_ = 0, state_ = 0, flops_ = 0;
};

}  // namespace

std::vector<StageInfo> list_stages(const ModelPlan& plan, WeightFormat format, std::int64_t kv_bytes_per_position,
                                   int context) {
  ListOps ops(plan, format, kv_bytes_per_position, context);
  const StopFlag never{false};
  forward(plan, ops, Batch{}, never);
  const std::int64_t logits_bytes = 4LL * plan.config.n_vocab;
  ops.stages.push_back({"sample", StageClass::sampling, -1, 0, logits_bytes, 0});
  return std::move(ops.stages);
}

std::int64_t planned_weight_bytes(const ModelPlan& plan, WeightFormat format) {
  std::int64_t total = float_bytes(plan.memory);
  for (const StageInfo& stage : list_stages(plan, format, 0, 0)) total += stage.weight_bytes;
  if (plan.embed.name != plan.head.name) total += matrix_bytes(plan.embed, format);
  return total;
}

}  // namespace nf
