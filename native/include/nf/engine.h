// The engine's only public header. Model is the weights, Session one sequence, Checkpoint a point to return to.
//
// The library never prints, exits or aborts and keeps no global state. Every failure is an EngineError.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace nf {

using Token = std::int32_t;
using StopFlag = std::atomic<bool>;  // set from any thread; looked at between and inside stages of work

enum class Device { cpu, cuda };

// f32 is the reference: weights widened, every activation float32. The others are for use.
enum class WeightFormat { f32, bf16, int8, mixed, int4 };

enum class ErrorCode {
  bad_model,     // the files are damaged, incomplete or contradict each other
  unsupported,   // a sound model or option that this engine does not implement
  bad_argument,  // the caller's mistake
  context_full,  // the sequence does not fit the session
  out_of_memory,
  cancelled,    // the stop flag was seen
  device_lost,  // the GPU is gone or poisoned; load the model again
  cuda_unavailable,
};

/// "bad_model" for ErrorCode::bad_model, and so on. Stable: part of the contract with main/contract/errors.ts.
const char* name_of(ErrorCode) noexcept;
const char* name_of(WeightFormat) noexcept;
const char* name_of(Device) noexcept;
/// Throws bad_argument for a name that is none.
WeightFormat weight_format_of(const std::string& name);
Device device_of(const std::string& name);

/// The only exception that leaves the library.
class EngineError : public std::runtime_error {
 public:
  EngineError(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

struct DeviceInfo {
  Device kind = Device::cpu;
  int index = 0;
  std::string name;
  std::int64_t memory_total = 0;             // bytes
  std::int64_t memory_free = 0;              // bytes; what could be had now
  int compute_major = 0, compute_minor = 0;  // GPU only
  int n_threads = 0;                         // CPU only: physical cores this process may use
  std::string features;                      // CPU: instruction sets in use; GPU: driver version
  std::int64_t nominal_bandwidth = 0;        // GPU only: bytes per second of its memory by clock and width; 0: unknown
};

struct DeviceReport {
  std::vector<DeviceInfo> devices;  // the CPU first, then GPUs in driver order
  std::string cuda_reason;          // why there is no GPU in the list; empty when there is one
};

/// Never throws because a driver is missing or broken: that is what cuda_reason says. Creates no CUDA context.
DeviceReport list_devices();

enum class LoadPhase { reading, quantising, uploading, warming, saving };
struct LoadProgress {
  LoadPhase phase;
  std::int64_t done, total;  // bytes
};
const char* name_of(LoadPhase) noexcept;

struct LoadOptions {
  // A directory in Hugging Face layout, or synthetic:nemotron-flash-3b, synthetic:nemotron-flash-1b, synthetic:tiny,
  // each optionally followed by :SEED.
  std::string source;
  Device device = Device::cpu;
  int device_index = -1;  // -1: the GPU with the most free memory
  int n_threads = 0;      // 0: one per physical core
  WeightFormat format = WeightFormat::bf16;
  int max_positions = 4096;         // the context that memory is checked for; sessions may ask for less
  bool use_graph = true;            // CUDA: decode through a CUDA graph
  std::filesystem::path cache_dir;  // where what a load computes is kept for the next one; empty: nowhere
  bool keep_made_up = false;        // there, a synthetic model's too: for measuring
  std::function<void(const LoadProgress&)> on_progress;  // called on the loading thread, at most ~20 times a second
};

struct ModelInfo {
  std::string source;
  Device device = Device::cpu;
  int device_index = 0;
  std::string device_name;
  WeightFormat format = WeightFormat::bf16;
  int n_layers = 0, n_vocab = 0, n_hidden = 0;
  int n_meta_tokens = 0;      // positions every session starts with
  int max_positions = 0;      // what the model was trained for; 0 when the config does not say
  int context_positions = 0;  // LoadOptions::max_positions as granted
  int n_threads = 0;
  std::vector<Token> end_tokens;
  std::int64_t n_parameters = 0;
  std::int64_t weight_bytes = 0;  // resident, in the chosen format
  std::int64_t state_bytes = 0;   // recurrent state of one sequence
  std::int64_t kv_bytes_per_position = 0;
  bool from_cache = false;   // of an earlier load, in LoadOptions::cache_dir: nothing had to be quantised
  bool is_cached = false;    // the next load will find a cache
  std::string cache_notice;  // why the cache was not used or could not be kept, in a sentence; mostly empty
};

enum class StageClass { embed, deltanet, mamba2, attention, ffn, head, sampling };
inline constexpr int n_stage_classes = 7;
const char* name_of(StageClass) noexcept;

/// One stage of a decode step, as forward.h orders them.
struct StageInfo {
  std::string name;  // "norm_project", "deltanet", ...
  StageClass stage_class;
  int layer;  // -1 outside the layers
  std::int64_t weight_bytes;
  std::int64_t state_bytes;  // recurrent state and KV, read and written, at the context asked for
  std::int64_t flops;        // of the products with weight matrices, per token: two for each weight
};

/// Weights. Immutable after load; any thread may share it.
class Model {
 public:
  struct Impl;
  /// Throws bad_model, unsupported, out_of_memory, cancelled, cuda_unavailable, device_lost.
  static std::shared_ptr<const Model> load(const LoadOptions&, const StopFlag&);
  explicit Model(std::unique_ptr<Impl>);
  ~Model();
  const ModelInfo& info() const noexcept;
  /// The stages of one decode step with `context` positions in the cache: names and bytes for roofline and anatomy.
  std::vector<StageInfo> stages(int context) const;
  Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct Sampling {
  float temperature = 1.0f;         // 0: greedy
  int top_k = 0;                    // 0: off
  float top_p = 0.9f;               // 1: off
  float min_p = 0.0f;               // 0: off
  float repetition_penalty = 1.0f;  // over prompt and answer, as in CTRL (arXiv 1909.05858)
  float frequency_penalty = 0.0f;   // over the answer, per occurrence
  float presence_penalty = 0.0f;    // over the answer, once
  std::uint64_t seed = 0;
  int n_logprobs = 0;  // alternatives reported per token, 0 to max_logprobs
  bool ignore_end = false;
  std::vector<std::pair<Token, float>> logit_bias;  // added to the logits
  std::vector<std::uint32_t> allowed;               // bit t % 32 of word t / 32: token t may be taken; empty: all may
};

inline constexpr int max_logprobs = 20;

struct TokenLogprob {
  Token token;
  float logprob;
};

struct Step {
  Token token = 0;
  bool is_end = false;        // an end token, and ignore_end was not set
  float logprob = 0;          // natural log, of the untempered distribution
  std::int64_t stamp_ns = 0;  // steady clock, when the token was known
  std::int64_t forward_ns = 0, sample_ns = 0;
  // Where the two went, by StageClass; all 0 when the device cannot tell without being slowed.
  std::array<std::int64_t, n_stage_classes> class_ns{};
  int n_top = 0;
  std::array<TokenLogprob, max_logprobs> top{};
};

/// Recurrent state, position, and the attention rows that lead to it. Cheap to copy; shares rows with its ancestors.
class Checkpoint {
 public:
  struct Impl;
  Checkpoint() = default;
  explicit Checkpoint(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  explicit operator bool() const noexcept { return impl_ != nullptr; }
  int position() const noexcept;
  /// Bytes that go away with this checkpoint: its state and the rows it shares with no ancestor.
  std::int64_t bytes() const noexcept;
  const std::shared_ptr<const Impl>& impl() const noexcept { return impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

/// Writes a checkpoint to a file that appears whole or not at all. Returns why it could not (full disk, read-only), or
/// an empty string. Any thread. Throws bad_argument for a checkpoint of another model or of the start, cancelled.
std::string write_checkpoint(const Model&, const Checkpoint&, const std::filesystem::path&, const StopFlag&);
/// The checkpoint that such a file holds for these tokens. An empty one when there is no file, or when model, format,
/// arithmetic, layout, tokens or any bit differs: `why` then says it in a sentence. Any thread. Throws cancelled.
Checkpoint read_checkpoint(const Model&, const std::filesystem::path&, std::span<const Token> tokens, const StopFlag&,
                           std::string& why);

/// Watches a prefill, for tests, `nemoflash logits` and quality measurements. Called on the thread that prefills.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual bool wants_hidden() const { return false; }
  /// logits [n, n_vocab] of the tokens first_token .. first_token + n - 1 of this prefill.
  virtual void logits(int first_token, int n, std::span<const float> rows) = 0;
  /// Residual stream [n, n_hidden] after layer index - 1; index 0 is the embedding, n_layers + 1 the final norm.
  virtual void hidden(int /*index*/, int /*first_token*/, int /*n*/, std::span<const float> /*rows*/) {}
};

/// One sequence. Not thread-safe: one owner at a time. It starts behind the memory tokens.
class Session {
 public:
  struct Impl;
  /// Room for max_positions, memory tokens included. Throws out_of_memory, bad_argument.
  Session(std::shared_ptr<const Model>, int max_positions);
  ~Session();
  Session(Session&&) noexcept;

  /// Consumes tokens. `on_progress(done, total)` is called after each chunk. A prefill that throws (cancelled,
  /// context_full, ...) leaves the session at the last whole chunk; position() says where.
  void prefill(std::span<const Token>, const StopFlag&, const std::function<void(int, int)>& on_progress = {},
               Observer* = nullptr);
  /// Consumes one piece of a prompt, as long as next_piece() says, or throws and stays where it was. Without
  /// `wants_logits`, which saves the output head, another piece must follow before decode().
  void read(std::span<const Token>, bool wants_logits, const StopFlag&);
  /// The tokens of a prompt that a batch may hold when others wait.
  int piece_limit() const noexcept;
  /// How many of a prompt's last n_left tokens to read at once: in company one piece; alone, as prefill() does, several
  /// whole ones. A prompt is rounded the same either way; cut elsewhere, it would not be.
  int next_piece(int n_left, bool alone) const noexcept;
  /// The tokens that one batch may hold, of all its sequences together.
  int max_batch_rows() const noexcept;

  /// Samples up to out.size() tokens, fewer at an end token, a full context or a stop; returns how many. The last
  /// token returned is not consumed yet: the next decode() consumes it, prefill() and restore() forget it.
  /// Needs a prefill or a restored checkpoint before it. Randomness is a function of (seed, position).
  std::size_t decode(const Sampling&, std::span<Step> out, const StopFlag&);

  /// Logits [n_vocab] after the last consumed token, copied from the device when asked.
  std::span<const float> logits();
  int position() const noexcept;  // tokens consumed, memory tokens included
  int max_positions() const noexcept;

  Checkpoint save();
  /// Goes to a checkpoint of any session of the same model; copies only what this session does not hold already.
  void restore(const Checkpoint&);
  void reset();  // back behind the memory tokens

  /// Times every stage of the following decode steps (slower: each stage is awaited). stage_ns() is the last step's,
  /// in the order of Model::stages().
  void trace_stages(bool on);
  std::span<const std::int64_t> stage_ns() const noexcept;
  /// Fills Step::class_ns where that is nearly free, which is the default; off to measure what it costs.
  void stamp_classes(bool on);

  Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// What one sequence does in a batch: reads a piece of its prompt, writes a token, or both in this order.
struct SequenceWork {
  Session* session = nullptr;
  std::span<const Token> tokens;       // to read, as Session::read(); empty: none
  bool wants_logits = false;           // behind the last of them; implied by `sampling`
  const Sampling* sampling = nullptr;  // to write one token, as Session::decode(); null: none

  // What came of it.
  bool has_written = false;  // false when the context is full
  Step step;                 // forward_ns is the batch's; class_ns is left 0
  std::exception_ptr error;  // an EngineError of this sequence alone; its session is then as it was
};

/// Does the work of several sequences, each once, in one pass over the weights per model. What a sequence gets does
/// not depend on the others. Not to be stopped in the middle. Throws when the whole batch failed; the sessions that
/// took part must then be reset or restored.
void run_together(std::span<SequenceWork>);

}  // namespace nf
