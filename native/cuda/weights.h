// The model's weights on the device: matrices stacked per stage, small vectors as float32.
#pragma once

#include <vector>

#include "layout.h"
#include "memory.h"
#include "nf/engine.h"

namespace nf::cuda {

/// The matrices that one stage multiplies with the same input, stacked: `main` in the chosen format and, when some rows
/// are never quantised, `kept` in bf16 behind it. Each matrix is padded to whole tiles, so first_row[i] is where the
/// results of matrix i begin in the stage's output.
struct StageWeights {
  DeviceMatrix main, kept;
  std::vector<int> first_row;
  int n_rows() const { return (main.n_tiles + kept.n_tiles) * tile_rows; }
};

struct LayerWeights {
  StageWeights in, out, up, down;
  const float* norm = nullptr;
  const float* ffn_norm = nullptr;
  const float* out_norm = nullptr;   // deltanet [delta_dim]; mamba2 [inner]
  const float* conv = nullptr;       // deltanet [3, hidden, 4]; mamba2 [inner + 2 state, width]
  const float* conv_bias = nullptr;  // mamba2
  const float *dt_bias = nullptr, *a = nullptr, *d = nullptr;
  const float *q_norm = nullptr, *k_norm = nullptr;
};

class Weights {
 public:
  /// Reads, quantises and uploads. Throws cancelled, out_of_memory, bad_model, device_lost.
  Weights(const ModelPlan&, const LoadOptions&, const StopFlag&);

  std::vector<LayerWeights> layers;
  StageWeights head;
  DeviceMatrix embed;             // the head's matrix when tied
  const float* memory = nullptr;  // [n_memory, hidden]
  const float* final_norm = nullptr;
  const float* head_scale = nullptr;         // null without row norms
  const float* inverse_frequency = nullptr;  // [qk_dim / 2]
  std::int64_t n_bytes = 0;

  /// What the constructor will allocate, in bytes.
  static std::int64_t bytes_needed(const ModelPlan&, WeightFormat);

 private:
  class Uploader;
  const float* vector_of(const std::vector<float>&);

  std::vector<DeviceBuffer<std::byte>> buffers_;
};

}  // namespace nf::cuda
