// The model's weights as the kernels read them.
#pragma once

#include <memory>
#include <vector>

#include "memory.h"
#include "model.h"
#include "nf/engine.h"
#include "weight_cache.h"

namespace nf::cpu {

/// float32 and bf16: rows [n_out, n_in]. int8 and int4: panels (kernels.h). Does not own its bytes.
struct CpuMatrix {
  const std::byte* data = nullptr;
  MatrixFormat format = MatrixFormat::f32;
  int n_out = 0, n_in = 0;
  std::int64_t panel_bytes = 0;

  bool quantised() const { return format == MatrixFormat::int8 || format == MatrixFormat::int4; }
  std::int64_t bytes() const;
};

struct LayerWeights {
  std::vector<CpuMatrix> in;
  CpuMatrix out, gate, up, down;
  std::vector<float> conv;  // [width, channels]; deltanet: channels are q, k, v
};

class Weights {
 public:
  /// Reads and quantises, or takes all of it from the plan's cache. Throws cancelled, out_of_memory, bad_model.
  Weights(const ModelPlan&, const LoadOptions&, const StopFlag&);

  /// What this process made, by name: for the cache of the next load. Empty when the plan's cache had it.
  std::vector<CacheSection> made() const { return made_; }

  std::vector<LayerWeights> layers;
  CpuMatrix head;
  std::int64_t n_bytes = 0;

 private:
  class Loader;
  Buffer<std::byte> packed_;                         // what this process made
  std::vector<CacheSection> made_;                   // the parts of packed_
  std::vector<std::shared_ptr<const void>> mapped_;  // what lies in files
};

}  // namespace nf::cpu
