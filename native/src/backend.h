// What a device must offer. Four kinds of call, each once per batch and never once per op: run, sample, move state,
// slots.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model.h"
#include "nf/engine.h"
#include "weight_cache.h"

namespace nf {

enum class LogitsWanted { none, last, all };

/// A run of consecutive tokens of one sequence. Ids n_vocab .. n_vocab + n_memory - 1 are the memory tokens.
struct Slice {
  int slot;
  int first_position;
  std::span<const Token> tokens;
  LogitsWanted logits;
};

/// The unit of work. Results of a slice do not depend on what else is in the batch: slices of one token run the
/// same arithmetic as a lone decode step.
struct Batch {
  std::span<const Slice> slices;
  int n_rows() const {
    int n = 0;
    for (const Slice& s : slices) n += static_cast<int>(s.tokens.size());
    return n;
  }
};

/// Sees the residual stream between layers.
class Tap {
 public:
  virtual ~Tap() = default;
  virtual void rows(int index, std::span<const float> rows) = 0;  // [n_rows, hidden], index as in Observer::hidden
};

/// What the sampler must know of a sequence besides its logits.
struct History {
  std::span<const Token> consumed;  // prompt and answer, without memory tokens
  int n_prompt;                     // of these, before the answer began
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// A slot for one sequence with room for max_positions. The state is undefined until load_state().
  virtual int add_slot(int max_positions) = 0;
  virtual void remove_slot(int slot) noexcept = 0;
  virtual int max_rows() const = 0;  // tokens one batch may hold
  /// Tokens of one prompt that are read at once, alone and in company: others wait for no longer than that takes.
  virtual int prompt_piece() const { return max_rows(); }

  /// Runs the batch; logits() then holds the wanted rows, in order of slices. Throws cancelled with the slots' states
  /// undefined (the session puts the kept state back).
  virtual void forward(const Batch&, const StopFlag&, Tap* = nullptr) = 0;
  virtual std::span<const float> logits() = 0;  // [n wanted, n_vocab], on the host

  /// Samples from the last logits of `slot`, then alternates forward and sample; fills out as Session::decode says.
  /// `pending` is consumed first unless it is -1; then logits must be current. `position` is of the next consumed
  /// token. `n_consumed` receives how many tokens were consumed.
  virtual std::size_t decode(int slot, int position, Token pending, const Sampling&, const History&,
                             std::span<Step> out, const StopFlag&, int& n_consumed) = 0;
  /// Puts logits [n_vocab] back as the last ones of a slot, after a restore.
  virtual void set_logits(int slot, std::span<const float>) = 0;
  /// Copies the last logits [n_vocab] of a slot: of its last forward that wanted any, of decode() or set_logits().
  virtual void read_logits(int slot, std::span<float>) = 0;

  /// The recurrent state as StateLayout's blob.
  virtual void save_state(int slot, std::span<float>) = 0;
  virtual void load_state(int slot, std::span<const float>) = 0;
  /// A copy of the recurrent state kept inside the backend, one per slot: undo for a batch that is cut short.
  virtual void keep_state(int slot) = 0;
  virtual void undo_state(int slot) = 0;
  /// Attention rows of positions first .. first + n - 1: per attention layer, per position, keys then values.
  virtual std::int64_t kv_bytes_per_position() const = 0;
  virtual DType kv_dtype() const { return DType::bf16; }
  virtual void read_kv(int slot, int first, int n, std::span<std::byte>) = 0;
  virtual void write_kv(int slot, int first, int n, std::span<const std::byte>) = 0;

  virtual void trace_stages(bool on) = 0;
  virtual std::span<const std::int64_t> stage_ns() const = 0;
  /// Fill Step::class_ns. A backend whose stages run apart from the host leaves them 0 and ignores this.
  virtual void stamp_classes(bool /*on*/) {}
  virtual std::int64_t weight_bytes() const = 0;
  /// What had to be made from the checkpoint and is worth keeping for the next load. Valid while the backend lives.
  virtual std::vector<CacheSection> made_weights() const { return {}; }
  /// Names the arithmetic: states computed under different names differ by rounding.
  virtual std::string arithmetic() const { return device_name(); }
  virtual std::string device_name() const = 0;
  virtual int device_index() const = 0;
  virtual int n_threads() const = 0;
  /// Bytes per second at which this device reads its memory, measured now with a buffer far larger than its caches;
  /// 0 when the weights lie in host memory, which the caller can measure itself.
  virtual double measure_read_bandwidth() { return 0; }
  /// FLOP/s of the products that read a prompt, measured now at the shape that suits them best: all rows of a batch
  /// by the up matrix of `layer`, over and over; 0 where there is no such product. Between batches only.
  virtual double measure_product_rate(const Layer& /*layer*/) { return 0; }
};

/// `options.on_progress` is called while weights move. The plan outlives the backend.
std::unique_ptr<Backend> make_cpu_backend(const ModelPlan&, const LoadOptions&, const StopFlag&);
/// Throws cuda_unavailable in a build without CUDA (native/src/no_cuda.cpp).
std::unique_ptr<Backend> make_cuda_backend(const ModelPlan&, const LoadOptions&, const StopFlag&);
/// Identifies how the CPU backend stores quantised weights: changes with the quantiser and with the layout.
std::string cpu_weight_layout();
/// Appends GPUs, or says in `cuda_reason` why there are none.
void list_cuda_devices(DeviceReport&);

}  // namespace nf
