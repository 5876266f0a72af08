// A Backend made of the oracle: slow, exact, and with counters and a fuse for tests of what sits above a backend.
#pragma once

#include <algorithm>
#include <map>

#include "backend.h"
#include "oracle.h"
#include "sampler.h"

namespace nf::test {

class OracleBackend : public Backend {
 public:
  explicit OracleBackend(const ModelPlan& plan) : plan_(plan), oracle_(plan) {}

  int n_rows_read = 0, n_rows_written = 0;  // of the attention cache, by read_kv and write_kv
  int n_forwards = 0;
  int n_tokens_computed = 0;
  int n_tokens_until_failure = -1;  // forward() throws cancelled in the middle of this many tokens; -1: never
  bool fails_for_good = false;      // throws device_lost instead
  int max_rows_now = 16;

  int n_slots() const { return static_cast<int>(slots_.size()); }

  int add_slot(int max_positions) override {
    Slot slot;
    slot.max_positions = max_positions;
    slot.state.layers.resize(plan_.layers.size());
    slots_.emplace(next_slot_, std::move(slot));
    return next_slot_++;
  }
  void remove_slot(int slot) noexcept override { slots_.erase(slot); }
  int max_rows() const override { return max_rows_now; }

  void forward(const Batch& batch, const StopFlag& stop, Tap* tap) override {
    ++n_forwards;
    logits_.clear();
    std::vector<std::vector<float>> hidden;
    for (const Slice& slice : batch.slices) {
      Slot& slot = slots_.at(slice.slot);
      slot.state.position = slice.first_position;
      trim(slot);
      for (std::size_t i = 0; i < slice.tokens.size(); ++i) {
        if (stop.load()) throw EngineError(ErrorCode::cancelled, "stopped");
        if (n_tokens_until_failure == 0) {
          n_tokens_until_failure = -1;
          throw EngineError(fails_for_good ? ErrorCode::device_lost : ErrorCode::cancelled, "the fuse");
        }
        if (n_tokens_until_failure > 0) --n_tokens_until_failure;
        ++n_tokens_computed;
        const OracleRow row = oracle_.consume(slot.state, slice.tokens[i]);
        if (slot.state.position > slot.max_positions) throw EngineError(ErrorCode::bad_argument, "slot overrun");
        hidden.resize(row.hidden.size());
        for (std::size_t h = 0; h < hidden.size(); ++h) {
          hidden[h].insert(hidden[h].end(), row.hidden[h].begin(), row.hidden[h].end());
        }
        slot.logits.assign(row.logits.begin(), row.logits.end());
        const bool is_last = i + 1 == slice.tokens.size();
        if (slice.logits == LogitsWanted::all || (slice.logits == LogitsWanted::last && is_last)) {
          logits_.insert(logits_.end(), slot.logits.begin(), slot.logits.end());
        }
      }
    }
    for (std::size_t h = 0; tap && h < hidden.size(); ++h) tap->rows(static_cast<int>(h), hidden[h]);
  }

  std::span<const float> logits() override { return logits_; }
  void set_logits(int slot, std::span<const float> values) override {
    slots_.at(slot).logits.assign(values.begin(), values.end());
  }
  void read_logits(int slot, std::span<float> out) override {
    std::copy(slots_.at(slot).logits.begin(), slots_.at(slot).logits.end(), out.begin());
  }

  std::size_t decode(int slot, int position, Token pending, const Sampling& sampling, const History& history,
                     std::span<Step> out, const StopFlag& stop, int& n_consumed) override {
    n_consumed = 0;
    Sampler sampler(plan_.config.n_vocab, plan_.config.end_tokens);
    sampler.begin(sampling, history);
    std::size_t n = 0;
    Token next = pending;
    while (n < out.size() && !stop.load()) {
      if (next >= 0) {
        const Slice slice{slot, position, {&next, 1}, LogitsWanted::last};
        forward({{&slice, 1}}, stop, nullptr);
        sampler.accept(next);
        ++position;
        ++n_consumed;
      }
      sampler.sample(slots_.at(slot).logits, position, out[n]);
      next = out[n].token;
      if (out[n++].is_end) break;
    }
    return n;
  }

  void save_state(int slot, std::span<float> out) override {
    const std::vector<float> blob = blob_of(slots_.at(slot).state);
    std::copy(blob.begin(), blob.end(), out.begin());
  }

  void load_state(int slot, std::span<const float> blob) override {
    const StateLayout layout(plan_);
    for (const StateLayout::Entry& entry : layout.entries) {
      OracleLayerState& layer = slots_.at(slot).state.layers[static_cast<std::size_t>(entry.layer)];
      layer.matrix.assign(blob.begin() + entry.matrix, blob.begin() + entry.matrix + entry.n_matrix);
      const bool is_delta = plan_.layers[static_cast<std::size_t>(entry.layer)].kind == LayerKind::deltanet;
      layer.windows.assign(is_delta ? 3 : 1, {});
      const std::int64_t n = entry.n_window / static_cast<std::int64_t>(layer.windows.size());
      for (std::size_t w = 0; w < layer.windows.size(); ++w) {
        const auto first = blob.begin() + entry.window + static_cast<std::int64_t>(w) * n;
        layer.windows[w].assign(first, first + n);
      }
    }
  }

  void keep_state(int slot) override { kept_[slot] = slots_.at(slot).state; }
  void undo_state(int slot) override { slots_.at(slot).state = kept_.at(slot); }

  std::int64_t kv_bytes_per_position() const override {
    const Config& c = plan_.config;
    return std::int64_t{plan_.n_attention_layers} * c.n_kv_heads * (c.qk_dim + c.v_dim) * 4;
  }

  void read_kv(int slot, int first, int n, std::span<std::byte> out) override {
    n_rows_read += n;
    auto* at = reinterpret_cast<float*>(out.data());
    for (const Vec* row : rows_of(slot, first, n)) at = std::copy(row->begin(), row->end(), at);
  }

  void write_kv(int slot, int first, int n, std::span<const std::byte> in) override {
    n_rows_written += n;
    const auto* at = reinterpret_cast<const float*>(in.data());
    for (Vec* row : rows_of(slot, first, n)) {
      std::copy(at, at + row->size(), row->begin());
      at += row->size();
    }
  }

  void trace_stages(bool) override {}
  std::span<const std::int64_t> stage_ns() const override { return {}; }
  std::int64_t weight_bytes() const override { return 8 * plan_.n_parameters; }
  std::string device_name() const override { return "oracle"; }
  int device_index() const override { return 0; }
  int n_threads() const override { return 1; }

 private:
  struct Slot {
    int max_positions = 0;
    OracleState state;
    std::vector<float> logits;
  };

  /// The oracle appends rows; a sequence that went back must lose those of its old future.
  static void trim(Slot& slot) {
    for (OracleLayerState& layer : slot.state.layers) {
      const auto n = static_cast<std::size_t>(slot.state.position);
      if (layer.k.size() > n) layer.k.resize(n), layer.v.resize(n);
    }
  }

  std::vector<Vec*> rows_of(int slot, int first, int n) {
    const Config& c = plan_.config;
    std::vector<Vec*> out;
    for (const Layer& layer : plan_.layers) {
      if (layer.kind != LayerKind::attention) continue;
      OracleLayerState& state = slots_.at(slot).state.layers[static_cast<std::size_t>(layer.index)];
      const auto needed = static_cast<std::size_t>(first + n);
      if (state.k.size() < needed) {
        state.k.resize(needed, Vec(static_cast<std::size_t>(c.n_kv_heads * c.qk_dim)));
        state.v.resize(needed, Vec(static_cast<std::size_t>(c.n_kv_heads * c.v_dim)));
      }
      for (int t = first; t < first + n; ++t) {
        out.push_back(&state.k[static_cast<std::size_t>(t)]);
        out.push_back(&state.v[static_cast<std::size_t>(t)]);
      }
    }
    return out;
  }

  const ModelPlan& plan_;
  Oracle oracle_;
  std::map<int, Slot> slots_;
  std::map<int, OracleState> kept_;
  int next_slot_ = 0;
  std::vector<float> logits_;
};

}  // namespace nf::test
