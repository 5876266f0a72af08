#include "slot.h"

#include <cstring>

namespace nf::cpu {

Slot::Slot(const ModelPlan& plan, const StateLayout& layout, bool wide_cache, int n_positions)
    : max_positions(n_positions),
      state(static_cast<std::size_t>(layout.n_floats)),
      kept(static_cast<std::size_t>(layout.n_floats)),
      kv(static_cast<std::size_t>(plan.n_attention_layers)),
      logits(static_cast<std::size_t>(plan.config.n_vocab)),
      sampler(plan.config.n_vocab, plan.config.end_tokens),
      n_heads_(plan.config.n_kv_heads),
      k_row_(plan.config.qk_dim * (wide_cache ? 4 : 2)),
      v_row_(plan.config.v_dim * (wide_cache ? 4 : 2)),
      kv_bytes_per_position_(plan.n_attention_layers * n_heads_ * (k_row_ + v_row_)) {
  for (KvCache& cache : kv) {
    cache.k = Buffer<std::byte>(static_cast<std::size_t>(n_heads_ * k_row_ * max_positions));
    cache.v = Buffer<std::byte>(static_cast<std::size_t>(n_heads_ * v_row_ * max_positions));
  }
}

/// copy(cache bytes, offset in the flat form, n bytes) for every row: per layer, per position, keys then values.
template <class Copy>
void Slot::each_row(int first, int n, const Copy& copy) const {
  const std::int64_t per_layer = n_heads_ * (k_row_ + v_row_);
  for (std::size_t layer = 0; layer < kv.size(); ++layer) {
    for (int p = 0; p < n; ++p) {
      const std::int64_t flat = (static_cast<std::int64_t>(layer) * n + p) * per_layer;
      for (std::int64_t head = 0; head < n_heads_; ++head) {
        const std::int64_t row = head * max_positions + first + p;
        copy(kv[layer].k.data() + row * k_row_, flat + head * k_row_, k_row_);
        copy(kv[layer].v.data() + row * v_row_, flat + n_heads_ * k_row_ + head * v_row_, v_row_);
      }
    }
  }
}

void Slot::read_kv(int first, int n, std::span<std::byte> out) const {
  each_row(first, n, [&](const std::byte* row, std::int64_t flat, std::int64_t n_bytes) {
    std::memcpy(out.data() + flat, row, static_cast<std::size_t>(n_bytes));
  });
}

void Slot::write_kv(int first, int n, std::span<const std::byte> in) {
  each_row(first, n, [&](const std::byte* row, std::int64_t flat, std::int64_t n_bytes) {
    std::memcpy(const_cast<std::byte*>(row), in.data() + flat, static_cast<std::size_t>(n_bytes));
  });
}

}  // namespace nf::cpu
