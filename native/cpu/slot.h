// What one sequence carries: recurrent state, attention cache, last logits.
#pragma once

#include <span>

#include "kernels.h"
#include "memory.h"
#include "model.h"
#include "sampler.h"

namespace nf::cpu {

/// Keys and values of one attention layer, per cache head: [n_kv_heads, max_positions, dim]. float32 with f32 weights,
/// bf16 otherwise.
struct KvCache {
  Buffer<std::byte> k, v;
};

class Slot {
 public:
  Slot(const ModelPlan&, const StateLayout&, bool wide_cache, int max_positions);

  const int max_positions;
  Buffer<float> state;  // StateLayout's blob: matrices and windows are worked on in place
  Buffer<float> kept;
  std::vector<KvCache> kv;  // by Layer::mixer_index
  Buffer<float> logits;     // [n_vocab], of the last consumed token
  Sampler sampler;

  std::int64_t kv_bytes_per_position() const { return kv_bytes_per_position_; }
  void read_kv(int first, int n, std::span<std::byte> out) const;
  void write_kv(int first, int n, std::span<const std::byte> in);

 private:
  template <class Copy>
  void each_row(int first, int n, const Copy& copy) const;

  int n_heads_;
  std::int64_t k_row_, v_row_;  // bytes of one position of one head
  std::int64_t kv_bytes_per_position_;
};

}  // namespace nf::cpu
