// The recurrent state of a sequence as the kernels keep it: float32, layers in order, per layer the matrix and then a
// ring of inputs [width][channels]. One place more than the convolution looks back, so that a step never overwrites an
// input that another block still reads. StateLayout's blob has width - 1 places, oldest first.
#pragma once

#include <vector>

#include "model.h"

namespace nf::cuda {

struct StateMap {
  struct Entry {
    std::int64_t matrix = 0, window = 0;  // offsets in floats; only for layers that have a state
    std::int64_t n_matrix = 0;
    int width = 0, channels = 0;
    int n_parts = 1;  // the blob's windows: deltanet keeps q, k and v apart
  };
  std::vector<Entry> layers;  // one per layer of the plan
  std::int64_t n_floats = 0;

  explicit StateMap(const ModelPlan& plan) {
    const Config& c = plan.config;
    for (const Layer& layer : plan.layers) {
      Entry entry;
      if (layer.kind == LayerKind::deltanet) {
        entry.n_matrix = std::int64_t{c.n_heads} * c.delta_dim * c.delta_dim;
        entry.width = delta_conv_width;
        entry.channels = 3 * c.hidden;
        entry.n_parts = 3;
      } else if (layer.kind == LayerKind::mamba2) {
        entry.n_matrix = std::int64_t{c.mamba_heads} * c.mamba_head_dim * c.mamba_state;
        entry.width = c.mamba_conv;
        entry.channels = c.mamba_inner + 2 * c.mamba_state;
      }
      entry.matrix = n_floats;
      entry.window = n_floats + entry.n_matrix;
      n_floats = (entry.window + std::int64_t{entry.width} * entry.channels + 31) / 32 * 32;
      layers.push_back(entry);
    }
  }
};

}  // namespace nf::cuda
