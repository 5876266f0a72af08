#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <limits>

#include "cuda_backend.h"
#include "devices.h"
#include "read_bandwidth.h"

namespace nf::cuda {
namespace {

constexpr std::int64_t reserve_bytes = 384LL << 20;  // context, graphs, fragmentation, the desktop
constexpr int logits_rows = 32;                      // rows of logits that are computed at a time when all are wanted

int rows_for(const DeviceFacts& device, bool f32) {
  std::size_t free = 0, total = 0;
  CUDA_CHECK(cudaSetDevice(device.index));
  CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return f32 ? 256 : total >= (60ULL << 30) ? 4096 : total >= (20ULL << 30) ? 2048 : 512;
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string mebibytes(std::int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

/// Vectors are read four elements at a time.
void check_sizes(const ModelPlan& plan) {
  const auto need = [](int value, int multiple, const char* what) {
    if (value % multiple == 0) return;
    throw EngineError(ErrorCode::unsupported, std::string(what) + " is " + std::to_string(value) +
                                                  "; the CUDA engine needs a multiple of " + std::to_string(multiple) +
                                                  "; choose the CPU");
  };
  const Config& c = plan.config;
  need(c.hidden, 4, "hidden_size");
  if (c.ffn_dim > 0) need(c.ffn_dim, 8, "the feed-forward width");
  if (plan.n_mamba_layers > 0) need(c.mamba_inner, 4, "the Mamba2 inner width");
  if (plan.n_attention_layers > 0) need(c.n_heads * c.v_dim, 4, "the attention output width");
}

/// Sends the stages to the resident kernel while it lives.
class ResidentScope {
 public:
  ResidentScope(CudaOps& ops, Resident* resident) : ops_(ops) { ops_.set_resident(resident); }
  ~ResidentScope() { ops_.set_resident(nullptr); }
  ResidentScope(const ResidentScope&) = delete;
  ResidentScope& operator=(const ResidentScope&) = delete;

 private:
  CudaOps& ops_;
};

}  // namespace

template <class Work>
auto CudaBackend::guarded(const Work& work) -> decltype(work()) {
  try {
    if (lost_) {
      throw EngineError(ErrorCode::device_lost,
                        "the GPU was lost; load the model again, and start Nemoflash again if that fails");
    }
    enter();
    return work();
  } catch (const EngineError& error) {
    if (error.code() == ErrorCode::device_lost) lost_ = true;
    throw;
  }
}

CudaBackend::CudaBackend(const ModelPlan& plan, const LoadOptions& options, const DeviceFacts& device,
                         const StopFlag& stop)
    : plan_(plan),
      device_(device),
      use_graph_(options.use_graph),
      f32_(options.format == WeightFormat::f32),
      max_rows_(rows_for(device, f32_)),
      sampler_(plan.config.n_vocab, plan.config.end_tokens) {
  cudaDeviceProp properties{};
  CUDA_CHECK(cudaGetDeviceProperties(&properties, device.index));
  name_ = properties.name;
  check_sizes(plan);
  check_memory(plan, options);
  stream_ = std::make_unique<Stream>();
  weights_ = std::make_unique<Weights>(plan, options, stop);
  ops_ = std::make_unique<CudaOps>(plan, *weights_, device_, *stream_, f32_, max_rows_);
  ops_->head_of_batch = [this] { head_of_batch(); };
  if (Resident::serves(plan.config, device_, f32_)) {
    resident_ = std::make_unique<Resident>(plan.config, device_, options.format, *stream_);
  }
  slots_ = std::make_unique<Slots>(plan, ops_->states(), f32_, *stream_);
  slices_ = DeviceBuffer<DeviceSlice>(max_rows_);
  row_slices_ = DeviceBuffer<DeviceSlice>(logits_rows);
  tokens_ = DeviceBuffer<int>(max_rows_);
  host_slices_ = PinnedBuffer<DeviceSlice>(max_rows_ + logits_rows);
  host_tokens_ = PinnedBuffer<int>(max_rows_);
  host_row_ = PinnedBuffer<float>(plan.config.n_vocab);
  greedy_partials_ = DeviceBuffer<float>(greedy_scratch);
  choice_counters_ = DeviceBuffer<int>::zeros(2);
  choices_ = PinnedBuffer<Choice>(choice_places);
}

CudaBackend::~CudaBackend() {
  (void)cudaSetDevice(device_.index);
  if (stream_) (void)cudaStreamSynchronize(*stream_);
}

void CudaBackend::check_memory(const ModelPlan& plan, const LoadOptions& options) const {
  std::size_t free = 0, total = 0;
  CUDA_CHECK(cudaMemGetInfo(&free, &total));
  const StateMap states(plan);
  const Config& c = plan.config;
  const std::int64_t weights = Weights::bytes_needed(plan, options.format);
  const std::int64_t state = 3 * states.n_floats * 4;  // in use, kept for undo, in transit
  const std::int64_t kv = std::int64_t{plan.n_attention_layers} * c.n_kv_heads * (c.qk_dim + c.v_dim) * (f32_ ? 4 : 2) *
                          options.max_positions;
  const std::int64_t scratch = CudaOps::scratch_bytes(plan, device_, max_rows_, f32_) + (128LL << 20);  // and staging
  const std::int64_t needed = weights + state + kv + scratch + reserve_bytes;
  if (needed <= static_cast<std::int64_t>(free)) return;
  throw EngineError(ErrorCode::out_of_memory,
                    name_ + " has " + mebibytes(static_cast<std::int64_t>(free)) + " free, but " + mebibytes(needed) +
                        " are needed: weights (" + name_of(options.format) + ") " + mebibytes(weights) + ", states " +
                        mebibytes(state) + ", attention cache for " + std::to_string(options.max_positions) +
                        " positions " + mebibytes(kv) + ", working space " + mebibytes(scratch) + ", reserve " +
                        mebibytes(reserve_bytes) + "; choose a smaller weight format or context, or the CPU");
}

int CudaBackend::add_slot(int max_positions) {
  return guarded([&] { return slots_->add(max_positions); });
}

void CudaBackend::remove_slot(int slot) noexcept {
  (void)cudaSetDevice(device_.index);
  (void)cudaStreamSynchronize(*stream_);
  slots_->remove(slot);
}

/// Orders the rows (one-token slices first) and sends descriptors and tokens to the device.
void CudaBackend::place(const Batch& b) {
  DeviceBatch& batch = ops_->batch;
  batch = DeviceBatch{slices_.data(), tokens_.data(), 0, {}, 0};
  ops_->tap_order.assign(static_cast<std::size_t>(b.n_rows()), 0);
  if (b.n_rows() > max_rows_) throw EngineError(ErrorCode::bad_argument, "a batch of more rows than the backend takes");
  wanted_.clear();
  wanted_.resize(b.slices.size());
  int n_slices = 0;
  for (const bool singles : {true, false}) {
    int row_in = 0;
    for (std::size_t i = 0; i < b.slices.size(); ++i) {
      const Slice& slice = b.slices[i];
      const int n = static_cast<int>(slice.tokens.size());
      if ((n == 1) == singles && n > 0) {
        host_slices_.data()[n_slices] = slots_->slice(slice.slot, slice.first_position, batch.n_rows, n);
        for (int j = 0; j < n; ++j) {
          host_tokens_.data()[batch.n_rows + j] = slice.tokens[static_cast<std::size_t>(j)];
          ops_->tap_order[static_cast<std::size_t>(row_in + j)] = batch.n_rows + j;
        }
        wanted_[i] = {slice.slot, slice.logits, singles ? batch.n_rows : -1, batch.n_rows, n, {}};
        if (singles) {
          ++batch.n_single;
        } else {
          batch.longer.push_back({n_slices, batch.n_rows, n});
        }
        batch.n_rows += n;
        ++n_slices;
      }
      row_in += n;
    }
  }
  CUDA_CHECK(cudaMemcpyAsync(slices_.data(), host_slices_.data(),
                             static_cast<std::size_t>(n_slices) * sizeof(DeviceSlice), cudaMemcpyHostToDevice,
                             *stream_));
  CUDA_CHECK(cudaMemcpyAsync(tokens_.data(), host_tokens_.data(), static_cast<std::size_t>(batch.n_rows) * 4,
                             cudaMemcpyHostToDevice, *stream_));
}

void CudaBackend::head_of_batch() {
  const DeviceBatch& batch = ops_->batch;
  const bool singles = std::any_of(wanted_.begin(), wanted_.end(),
                                   [](const Wanted& w) { return w.single_row >= 0 && w.wanted != LogitsWanted::none; });
  if (singles && batch.n_single > 0) ops_->logits_of(batch.slices, 0, batch.n_single);
  const auto n_vocab = static_cast<std::size_t>(plan_.config.n_vocab);
  int slice = batch.n_single;
  for (Wanted& w : wanted_) {
    if (w.single_row >= 0 || w.n_tokens == 0) continue;
    const int index = slice++;
    if (w.wanted == LogitsWanted::none) continue;
    if (w.wanted == LogitsWanted::last) {
      ops_->logits_of(batch.slices + index, w.long_first_row + w.n_tokens - 1, 1);
      continue;
    }
    if (many_logits_.size() == 0) many_logits_ = DeviceBuffer<float>(logits_rows * static_cast<std::int64_t>(n_vocab));
    w.rows.resize(static_cast<std::size_t>(w.n_tokens) * n_vocab);
    for (int first = 0; first < w.n_tokens; first += logits_rows) {
      const int n = std::min(logits_rows, w.n_tokens - first);
      DeviceSlice* rows = host_slices_.data() + max_rows_;
      CUDA_CHECK(cudaStreamSynchronize(*stream_));  // the host's copy of the rows is free again
      for (int i = 0; i < n; ++i) {
        rows[i] = DeviceSlice{};
        rows[i].logits = many_logits_.data() + i * static_cast<std::int64_t>(n_vocab);
      }
      CUDA_CHECK(cudaMemcpyAsync(row_slices_.data(), rows, static_cast<std::size_t>(n) * sizeof(DeviceSlice),
                                 cudaMemcpyHostToDevice, *stream_));
      ops_->logits_of(row_slices_.data(), w.long_first_row + first, n);
      CUDA_CHECK(cudaMemcpyAsync(w.rows.data() + static_cast<std::size_t>(first) * n_vocab, many_logits_.data(),
                                 static_cast<std::size_t>(n) * n_vocab * 4, cudaMemcpyDeviceToHost, *stream_));
      if (first + n == w.n_tokens) {
        CUDA_CHECK(cudaMemcpyAsync((*slots_)[w.slot].logits.data(),
                                   many_logits_.data() + (n - 1) * static_cast<std::int64_t>(n_vocab), n_vocab * 4,
                                   cudaMemcpyDeviceToDevice, *stream_));
      }
    }
  }
}

/// One part of a batch, all of whose rows run the arithmetic that they run alone.
void CudaBackend::run(const Batch& b, const StopFlag& stop, Tap* tap) {
  place(b);
  const bool is_step = ops_->batch.n_rows == 1 && ops_->batch.n_single == 1;  // the same arithmetic as in decode()
  try {
    if (is_step && resident_ && !tap && !ops_->tracing && wanted_.front().wanted == LogitsWanted::last) {
      launch_step();
    } else {
      const ResidentScope scope(*ops_, is_step ? resident_.get() : nullptr);
      if (ops_->tracing) ops_->begin_trace();
      nf::forward(plan_, *ops_, b, stop, tap);
    }
  } catch (...) {
    (void)cudaStreamSynchronize(*stream_);
    throw;
  }
  CUDA_CHECK(cudaGetLastError());
  stream_->wait();
  if (ops_->tracing) ops_->end_trace();
  for (const Slice& slice : b.slices) (*slots_)[slice.slot].ring += static_cast<int>(slice.tokens.size());
}

/// Slices of several tokens run one after another, since how a product is cut depends on its rows; so do those of one
/// token where a lone step has a kernel of its own.
void CudaBackend::forward(const Batch& b, const StopFlag& stop, Tap* tap) {
  guarded([&] {
    if (b.slices.size() == 1) return run(b, stop, tap);
    if (tap) throw EngineError(ErrorCode::bad_argument, "only a batch of one slice can be watched");
    if (b.n_rows() > max_rows_) {
      throw EngineError(ErrorCode::bad_argument, "a batch of more rows than the backend takes");
    }
    std::vector<Wanted> wanted(b.slices.size());
    std::vector<Slice> together;
    std::vector<std::size_t> places;  // of those in the batch
    for (std::size_t i = 0; i < b.slices.size(); ++i) {
      const Slice& slice = b.slices[i];
      if (slice.tokens.empty()) continue;
      if (slice.tokens.size() == 1 && !resident_) {
        together.push_back(slice);
        places.push_back(i);
        continue;
      }
      run({{&slice, 1}}, stop, nullptr);
      wanted[i] = std::move(wanted_.front());
    }
    if (!together.empty()) {
      run({together}, stop, nullptr);
      for (std::size_t i = 0; i < places.size(); ++i) wanted[places[i]] = std::move(wanted_[i]);
    }
    wanted_ = std::move(wanted);
  });
}

std::span<const float> CudaBackend::logits() {
  return guarded([&]() -> std::span<const float> {
    const auto n_vocab = static_cast<std::size_t>(plan_.config.n_vocab);
    logits_.clear();
    for (const Wanted& w : wanted_) {
      if (w.wanted == LogitsWanted::none || w.n_tokens == 0) continue;
      if (!w.rows.empty()) {
        logits_.insert(logits_.end(), w.rows.begin(), w.rows.end());
        continue;
      }
      CUDA_CHECK(cudaMemcpyAsync(host_row_.data(), (*slots_)[w.slot].logits.data(), n_vocab * 4, cudaMemcpyDeviceToHost,
                                 *stream_));
      stream_->wait();
      logits_.insert(logits_.end(), host_row_.data(), host_row_.data() + n_vocab);
    }
    return logits_;
  });
}

/// The stages of a step, to wherever they go.
void CudaBackend::put_step() {
  nf::forward(plan_, *ops_, Batch{}, never_);
  if (choosing_) choose(true);
}

const Program& CudaBackend::step_program() {
  Program& program = choosing_ ? greedy_step_program_ : step_program_;
  if (program.n_stages > 0) return program;
  const ResidentScope scope(*ops_, resident_.get());
  resident_->begin_list();
  put_step();
  program = resident_->end_list();
  return program;
}

/// Records one decode step of slot slices_[0] as a graph. Everything that changes between steps is in device memory.
void CudaBackend::capture() {
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaStreamBeginCapture(*stream_, cudaStreamCaptureModeThreadLocal));
  try {
    put_step();
  } catch (...) {
    (void)cudaStreamEndCapture(*stream_, &graph);
    if (graph) (void)cudaGraphDestroy(graph);
    throw;
  }
  CUDA_CHECK(cudaStreamEndCapture(*stream_, &graph));
  cudaGraphExec_t executable = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
  (void)cudaGraphDestroy(graph);
  CUDA_CHECK(error);
  (choosing_ ? greedy_step_graph_ : step_graph_) = GraphExec(executable);
}

/// One token through the model; the slot's logits are then on their way.
void CudaBackend::step(int slot, int position, Token token) {
  const Slice slice{slot, position, std::span<const Token>(&token, 1), LogitsWanted::last};
  place(Batch{std::span<const Slice>(&slice, 1)});
  launch_step();
  ++(*slots_)[slot].ring;
}

/// Launches the step that slices_[0] and tokens_[0] describe, with the choice behind it when choosing_.
void CudaBackend::launch_step() {
  const bool at_once = use_graph_ && !ops_->tracing;
  if (at_once && resident_) return resident_->run(step_program(), 1);
  if (at_once) {
    GraphExec& graph = choosing_ ? greedy_step_graph_ : step_graph_;
    if (!graph) capture();
    CUDA_CHECK(cudaGraphLaunch(graph, *stream_));
    return;
  }
  const ResidentScope scope(*ops_, resident_.get());
  if (ops_->tracing) ops_->begin_trace();
  nf::forward(plan_, *ops_, Batch{}, never_);
  if (ops_->tracing) ops_->end_trace();
  if (choosing_) choose(true);
}

void CudaBackend::choose(bool advance) {
  choose_greedy(ops_->context(), {slices_.data(), tokens_.data(), plan_.config.n_vocab, advance,
                                  greedy_partials_.data(), choice_counters_.data(), choices_.device()});
}

void CudaBackend::draw(const Sampling& sampling, bool advance) {
  draw_token(ops_->context(), {slices_.data(), tokens_.data(), plan_.config.n_vocab, advance,
                               DrawSettings::of(sampling), choice_counters_.data() + 1, choices_.device()});
}

/// What needs the history, a mask or alternatives is for the host.
bool CudaBackend::chooses_on_device(const Sampling& s) const {
  return s.repetition_penalty == 1 && s.frequency_penalty == 0 && s.presence_penalty == 0 && s.n_logprobs == 0 &&
         s.logit_bias.empty() && s.allowed.empty() && !ops_->tracing &&
         (s.temperature == 0 || draw_serves(plan_.config.n_vocab));
}

/// Waits for a choice in mapped memory; the stream is asked now and then whether it has failed.
Choice CudaBackend::await_choice(int number) {
  const volatile Choice& place = choices_.data()[number % choice_places];
  for (int polls = 1; place.number != number; ++polls) {
    if (polls % 4096 != 0) continue;
    const cudaError_t state = cudaStreamQuery(*stream_);
    if (state != cudaSuccess && state != cudaErrorNotReady) CUDA_CHECK(state);
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  const Choice choice{place.token, place.logprob, number};
  if (choice.token < 0) {
    throw EngineError(ErrorCode::bad_model, "the model's output is not a number; its files may be damaged");
  }
  return choice;
}

/// Decoding without a copy of the logits. When end tokens are ignored, steps are launched ahead of their tokens;
/// otherwise each waits for the token before it, since a recurrent state cannot go back behind the end.
std::size_t CudaBackend::decode_on_device(int slot, int position, Token pending, const Sampling& sampling,
                                          std::span<Step> out, const StopFlag& stop, int& n_consumed) {
  constexpr std::size_t n_ahead = 4;
  static_assert(n_ahead < choice_places);
  const auto& end_tokens = plan_.config.end_tokens;
  const std::size_t depth = sampling.ignore_end || end_tokens.empty() ? n_ahead : 1;
  const bool is_greedy = sampling.temperature == 0;
  const bool has_pending = pending >= 0;
  const Token first = has_pending ? pending : 0;
  const Slice slice{slot, position, std::span<const Token>(&first, 1), LogitsWanted::last};
  CUDA_CHECK(cudaMemsetAsync(choice_counters_.data(), 0, 2 * sizeof(int), *stream_));
  for (int i = 0; i < choice_places; ++i) choices_.data()[i].number = 0;
  if (has_pending || out.size() > 1) {
    place(Batch{std::span<const Slice>(&slice, 1)});
  } else {  // only the logits are read, and the slot may have no room for another position
    host_slices_.data()[0] = slots_->slice(slot, position, 0, 0);
    CUDA_CHECK(
        cudaMemcpyAsync(slices_.data(), host_slices_.data(), sizeof(DeviceSlice), cudaMemcpyHostToDevice, *stream_));
  }
  std::size_t n_launched = 0, n = 0;
  std::int64_t begun = now_ns();
  choosing_ = is_greedy;
  const auto not_choosing = std::unique_ptr<bool, void (*)(bool*)>(&choosing_, [](bool* flag) { *flag = false; });
  while (n < out.size()) {
    for (; n_launched < out.size() && n_launched < n + depth && !stop; ++n_launched) {
      const bool steps = n_launched > 0 || has_pending;
      if (steps) {
        launch_step();
        ++(*slots_)[slot].ring;
        ++n_consumed;
      }
      if (!is_greedy) {
        draw(sampling, steps);
      } else if (!steps) {
        choose(false);
      }
    }
    if (n == n_launched) break;  // stopped
    const Choice choice = await_choice(static_cast<int>(n) + 1);
    Step& step = out[n++];
    step = Step{};
    step.token = choice.token;
    step.logprob = choice.logprob;
    step.is_end =
        !sampling.ignore_end && std::find(end_tokens.begin(), end_tokens.end(), choice.token) != end_tokens.end();
    step.stamp_ns = now_ns();
    step.forward_ns = step.stamp_ns - begun;  // the choice is part of it
    begun = step.stamp_ns;
    if (step.is_end) break;
  }
  stream_->wait();
  return n;
}

std::size_t CudaBackend::decode(int slot, int position, Token pending, const Sampling& sampling, const History& history,
                                std::span<Step> out, const StopFlag& stop, int& n_consumed) {
  return guarded([&] {
    n_consumed = 0;
    if (chooses_on_device(sampling)) {
      return decode_on_device(slot, position, pending, sampling, out, stop, n_consumed);
    }
    sampler_.begin(sampling, history);
    std::size_t n = 0;
    for (; n < out.size() && !stop; ++n) {
      const std::int64_t begun = now_ns();
      if (pending >= 0) {
        step(slot, position++, pending);
        sampler_.accept(pending);
        ++n_consumed;
      }
      CUDA_CHECK(cudaMemcpyAsync(host_row_.data(), (*slots_)[slot].logits.data(),
                                 static_cast<std::size_t>(plan_.config.n_vocab) * 4, cudaMemcpyDeviceToHost, *stream_));
      stream_->wait();
      const std::int64_t forwarded = now_ns();
      Step& step = out[n];
      step = Step{};
      sampler_.sample({host_row_.data(), static_cast<std::size_t>(plan_.config.n_vocab)}, position, step);
      step.stamp_ns = now_ns();
      step.forward_ns = forwarded - begun;
      step.sample_ns = step.stamp_ns - forwarded;
      if (ops_->tracing) ops_->stage_ns.push_back(step.sample_ns);
      pending = step.token;
      if (step.is_end) return n + 1;
    }
    return n;
  });
}

double CudaBackend::measure_read_bandwidth() {
  return guarded([&] { return read_bandwidth(device_); });
}

double CudaBackend::measure_product_rate(const Layer& layer) {
  if (f32_) return 0;  // those are multiplied row by row
  constexpr int n_passes = 20;
  return guarded([&] {
    // What the stage reads need not mean anything, but zeros would flatter: they cost less power than numbers.
    CUDA_CHECK(cudaMemsetAsync(ops_->residual(), 0x3c, ops_->residual_bytes(), *stream_));
    ops_->batch = DeviceBatch{slices_.data(), tokens_.data(), 0, {}, max_rows_};
    const Event begin, end;
    float best_ms = std::numeric_limits<float>::max();
    for (int pass = 0; pass < n_passes; ++pass) {
      CUDA_CHECK(cudaEventRecord(begin, *stream_));
      ops_->ffn_up(layer, Batch{});
      CUDA_CHECK(cudaEventRecord(end, *stream_));
      CUDA_CHECK(cudaEventSynchronize(end));
      float ms = 0;
      CUDA_CHECK(cudaEventElapsedTime(&ms, begin, end));
      best_ms = std::min(best_ms, ms);
    }
    const double weights = static_cast<double>(layer.ffn.up.n_out + layer.ffn.gate.n_out) * layer.ffn.up.n_in;
    return 2 * weights * max_rows_ / (1e-3 * best_ms);
  });
}

void CudaBackend::set_logits(int slot, std::span<const float> logits) {
  guarded([&] {
    CUDA_CHECK(cudaMemcpyAsync((*slots_)[slot].logits.data(), logits.data(), logits.size_bytes(),
                               cudaMemcpyHostToDevice, *stream_));
    stream_->wait();
  });
}

void CudaBackend::read_logits(int slot, std::span<float> out) {
  guarded([&] {
    CUDA_CHECK(cudaMemcpyAsync(host_row_.data(), (*slots_)[slot].logits.data(), out.size_bytes(),
                               cudaMemcpyDeviceToHost, *stream_));
    stream_->wait();
    std::copy(host_row_.data(), host_row_.data() + out.size(), out.begin());
  });
}

void CudaBackend::save_state(int slot, std::span<float> out) {
  guarded([&] { slots_->save_state(slot, out); });
}
void CudaBackend::load_state(int slot, std::span<const float> in) {
  guarded([&] { slots_->load_state(slot, in); });
}
void CudaBackend::keep_state(int slot) {
  guarded([&] { slots_->keep_state(slot); });
}
void CudaBackend::undo_state(int slot) {
  guarded([&] { slots_->undo_state(slot); });
}
void CudaBackend::read_kv(int slot, int first, int n, std::span<std::byte> out) {
  guarded([&] { slots_->read_kv(slot, first, n, out); });
}
void CudaBackend::write_kv(int slot, int first, int n, std::span<const std::byte> in) {
  guarded([&] { slots_->write_kv(slot, first, n, in); });
}

}  // namespace nf::cuda

namespace nf {

std::unique_ptr<Backend> make_cuda_backend(const ModelPlan& plan, const LoadOptions& options, const StopFlag& stop) {
  const cuda::DeviceFacts device = cuda::choose_device(options.device_index);
  CUDA_CHECK(cudaSetDevice(device.index));
  return std::make_unique<cuda::CudaBackend>(plan, options, device, stop);
}

}  // namespace nf
