// The CPU behind backend.h.
#include "backend.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "forward.h"
#include "host.h"
#include "isa.h"
#include "ops.h"

namespace nf {
namespace cpu {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t ns_of(Clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

class CpuBackend : public Backend {
 public:
  CpuBackend(const ModelPlan& plan, const LoadOptions& options, const StopFlag& stop)
      : plan_(plan),
        layout_(plan),
        wide_cache_(options.format == WeightFormat::f32),
        weights_(plan, options, stop),
        pool_(options.n_threads > 0 ? options.n_threads : n_physical_cores()),
        ops_(plan, weights_, choose_kernels(), pool_, wide_cache_) {
    static_assert(Ops<CpuOps>);
  }

  int add_slot(int max_positions) override {
    slots_.emplace(next_slot_, std::make_unique<Slot>(plan_, layout_, wide_cache_, max_positions));
    return next_slot_++;
  }
  void remove_slot(int slot) noexcept override { slots_.erase(slot); }
  int max_rows() const override { return 256; }
  int prompt_piece() const override { return 128; }

  void forward(const Batch& batch, const StopFlag& stop, Tap* tap) override {
    run(batch, stop, tap);
    // The slot remembers its last row, so that it can be sampled from.
    const float* row = ops_.logits().data();
    const auto n_vocab = static_cast<std::size_t>(plan_.config.n_vocab);
    for (const Slice& slice : batch.slices) {
      if (slice.logits == LogitsWanted::none) continue;
      if (slice.logits == LogitsWanted::all) row += (slice.tokens.size() - 1) * n_vocab;
      std::copy(row, row + n_vocab, at(slice.slot).logits.data());
      row += n_vocab;
    }
  }
  std::span<const float> logits() override { return ops_.logits(); }

  std::size_t decode(int slot_id, int position, Token pending, const Sampling& sampling, const History& history,
                     std::span<Step> out, const StopFlag& stop, int& n_consumed) override {
    Slot& slot = at(slot_id);
    slot.sampler.begin(sampling, history);
    n_consumed = 0;
    // A token, once begun, is finished: a state cut in the middle would be of no use to anybody.
    const StopFlag never{false};
    std::size_t n = 0;
    for (; n < out.size() && !stop.load(std::memory_order_relaxed); ++n) {
      const auto start = Clock::now();
      if (pending >= 0) {
        const Slice slice{slot_id, position, {&pending, 1}, LogitsWanted::last};
        forward({{&slice, 1}}, never, nullptr);
        slot.sampler.accept(pending);
        ++position;
        ++n_consumed;
      }
      const auto forwarded = Clock::now();
      Step& step = out[n];
      step = {};
      slot.sampler.sample({slot.logits.data(), slot.logits.size()}, position, step);
      const auto end = Clock::now();
      step.stamp_ns = ns_of(end.time_since_epoch());
      step.forward_ns = ns_of(forwarded - start);
      step.sample_ns = ns_of(end - forwarded);
      if (pending >= 0) step.class_ns = ops_.class_ns();
      if (stamping_) step.class_ns[static_cast<std::size_t>(StageClass::sampling)] = step.sample_ns;
      if (tracing_) {
        const auto stages = ops_.stage_ns();
        stage_ns_.assign(stages.begin(), stages.end());
        stage_ns_.push_back(step.sample_ns);
      }
      pending = step.token;
      if (step.is_end) return n + 1;
    }
    return n;
  }

  void set_logits(int slot, std::span<const float> values) override {
    std::copy(values.begin(), values.end(), at(slot).logits.data());
  }
  void read_logits(int slot, std::span<float> out) override {
    std::copy_n(at(slot).logits.data(), out.size(), out.begin());
  }
  void save_state(int slot, std::span<float> out) override { copy(at(slot).state, out.data()); }
  void load_state(int slot, std::span<const float> in) override {
    std::copy(in.begin(), in.end(), at(slot).state.data());
  }
  void keep_state(int slot) override { copy(at(slot).state, at(slot).kept.data()); }
  void undo_state(int slot) override { copy(at(slot).kept, at(slot).state.data()); }

  std::int64_t kv_bytes_per_position() const override {
    const Config& c = plan_.config;
    return std::int64_t{plan_.n_attention_layers} * c.n_kv_heads * (c.qk_dim + c.v_dim) * (wide_cache_ ? 4 : 2);
  }
  DType kv_dtype() const override { return wide_cache_ ? DType::f32 : DType::bf16; }
  void read_kv(int slot, int first, int n, std::span<std::byte> out) override { at(slot).read_kv(first, n, out); }
  void write_kv(int slot, int first, int n, std::span<const std::byte> in) override { at(slot).write_kv(first, n, in); }

  void trace_stages(bool on) override {
    tracing_ = on;
    ops_.trace(on);
  }
  std::span<const std::int64_t> stage_ns() const override { return stage_ns_; }
  void stamp_classes(bool on) override {
    stamping_ = on;
    ops_.stamp_classes(on);
  }
  std::int64_t weight_bytes() const override { return weights_.n_bytes; }
  std::vector<CacheSection> made_weights() const override { return weights_.made(); }
  std::string arithmetic() const override { return choose_kernels().name; }
  std::string device_name() const override { return cpu_model_name(); }
  int device_index() const override { return 0; }
  int n_threads() const override { return pool_.n_threads(); }
  double measure_product_rate(const Layer& layer) override { return ops_.measure_product_rate(layer, max_rows()); }

 private:
  Slot& at(int slot) { return *slots_.at(slot); }
  static void copy(const Buffer<float>& from, float* to) { std::copy_n(from.data(), from.size(), to); }

  void run(const Batch& batch, const StopFlag& stop, Tap* tap) {
    ops_.begin(batch, stop, [&](int slot) -> Slot& { return at(slot); });
    pool_.together([&] { nf::forward(plan_, ops_, batch, stop, tap); });
  }

  const ModelPlan& plan_;
  const StateLayout layout_;
  const bool wide_cache_;
  const Weights weights_;
  ThreadPool pool_;
  CpuOps ops_;
  std::map<int, std::unique_ptr<Slot>> slots_;
  int next_slot_ = 0;
  bool tracing_ = false, stamping_ = true;
  std::vector<std::int64_t> stage_ns_;  // of the last decode step, sampling included
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(const ModelPlan& plan, const LoadOptions& options, const StopFlag& stop) {
  return std::make_unique<cpu::CpuBackend>(plan, options, stop);
}

}  // namespace nf
