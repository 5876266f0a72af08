// Model::load: plan, backend, and the state behind the memory tokens, computed once.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "guard.h"
#include "host.h"
#include "model_impl.h"
#include "parallel.h"
#include "synthetic.h"
#include "weight_cache_writer.h"

namespace nf {
namespace {

void check_stop(const StopFlag& stop) {
  if (stop.load(std::memory_order_relaxed)) throw EngineError(ErrorCode::cancelled, "loading was cancelled");
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

std::string mebibytes(std::int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

void check_options(const LoadOptions& options, const Config& config) {
  if (options.max_positions <= config.n_memory) {
    throw EngineError(ErrorCode::bad_argument, "a context of " + std::to_string(options.max_positions) +
                                                   " positions leaves no room: the model's " +
                                                   std::to_string(config.n_memory) + " memory tokens take part of it");
  }
  if (options.n_threads < 0) throw EngineError(ErrorCode::bad_argument, "n_threads must be 0 (automatic) or more");
}

/// Refuses early what would only end in swapping. The CUDA backend checks its own memory.
void check_host_memory(const Model::Impl& model) {
  const std::int64_t available = host_memory().available;
  const std::int64_t weights = planned_weight_bytes(model.plan, model.options.format);
  const std::int64_t state = model.layout.n_floats * static_cast<std::int64_t>(sizeof(float));
  const Config& c = model.plan.config;
  const std::int64_t cache = std::int64_t{model.options.max_positions} * model.plan.n_attention_layers * c.n_kv_heads *
                             (c.qk_dim + c.v_dim) * 2;  // two bytes each at the least
  if (available > 0 && weights + state + cache > available) {
    throw EngineError(ErrorCode::out_of_memory,
                      "the model needs about " + mebibytes(weights + state + cache) + " in format " +
                          name_of(model.options.format) + " with a context of " +
                          std::to_string(model.options.max_positions) + " positions, but only " + mebibytes(available) +
                          " of memory are free; choose a smaller format or context");
  }
}

/// To be raised when the model's arithmetic changes by more than rounding: older states are then not found.
constexpr const char* start_version = "start-1/";

std::string start_name(const Backend& backend, const char* part) {
  return start_version + backend.arithmetic() + "/" + part;
}

/// The state behind the memory tokens as an earlier load computed it; false when there is none.
bool find_start(const Model::Impl& model, Checkpoint::Impl& start, Segment& segment) {
  const WeightCache* cache = model.plan.cached.get();
  if (!cache) return false;
  const std::size_t state_bytes = start.state.size() * sizeof(float);
  const std::byte* state = cache->find(start_name(*model.backend, "state"), state_bytes);
  const std::byte* rows = cache->find(start_name(*model.backend, "kv"), segment.rows.size());
  if (!state || !rows) return false;
  std::memcpy(start.state.data(), state, state_bytes);
  std::copy_n(rows, segment.rows.size(), segment.rows.begin());
  return true;
}

/// Throws when a weight of the matrix is not finite.
void check_finite(const ModelPlan& plan, const Matrix& matrix, const StopFlag& stop) {
  parallel_pieces(matrix.n_out, 64, [&](std::int64_t first, std::int64_t end) {
    check_stop(stop);
    std::vector<float> rows(static_cast<std::size_t>((end - first) * matrix.n_in));
    plan.read_rows(matrix, static_cast<int>(first), static_cast<int>(end - first), rows.data());
    if (all_finite(rows)) return;
    throw EngineError(ErrorCode::bad_model, plan.where + ": tensor " + matrix.name +
                                                " holds a value that is not finite; download the model again");
  });
}

/// Reads all large tensors; the plan has checked the small ones.
void check_finite(const ModelPlan& plan, const StopFlag& stop) {
  for (const Layer& layer : plan.layers) {
    for (const Matrix& matrix : layer.in) check_finite(plan, matrix, stop);
    for (const Matrix* matrix : {&layer.out, &layer.ffn.gate, &layer.ffn.up, &layer.ffn.down}) {
      check_finite(plan, *matrix, stop);
    }
  }
  check_finite(plan, plan.head, stop);
}

/// Reads the matrices in which a value that is not finite could pass unseen: infinity inside a sigmoid, or a row of the
/// embedding that no logit shows.
void check_unseen(const ModelPlan& plan, const StopFlag& stop) {
  if (!plan.config.tied_head) check_finite(plan, plan.embed, stop);
  for (const Layer& layer : plan.layers) {
    for (const Matrix& matrix : layer.in) {
      if (matrix.role == Role::kept) check_finite(plan, matrix, stop);
    }
  }
}

/// Runs the memory tokens. Every weight takes part in the logits behind them, so that one that is not finite shows
/// there: the weights need no pass of their own for that.
void compute_start(Model::Impl& model, Checkpoint::Impl& start, Segment& segment, const StopFlag& stop) {
  Backend& backend = *model.backend;
  const Config& config = model.plan.config;
  struct Slot {
    Backend& backend;
    int index;
    ~Slot() { backend.remove_slot(index); }
  } slot{backend, backend.add_slot(config.n_memory)};
  backend.load_state(slot.index, start.state);
  std::vector<Token> ids(static_cast<std::size_t>(config.n_memory));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = config.n_vocab + static_cast<Token>(i);
  const std::size_t chunk = static_cast<std::size_t>(backend.max_rows());
  for (std::size_t first = 0; first < ids.size(); first += chunk) {
    const std::size_t n = std::min(chunk, ids.size() - first);
    const LogitsWanted wanted = first + n == ids.size() ? LogitsWanted::last : LogitsWanted::none;
    const Slice slice{slot.index, static_cast<int>(first), std::span(ids).subspan(first, n), wanted};
    backend.forward({{&slice, 1}}, stop);
    check_stop(stop);
    if (model.options.on_progress) {
      model.options.on_progress({LoadPhase::warming, static_cast<std::int64_t>(first + n), config.n_memory});
    }
  }
  if (!all_finite(backend.logits())) check_finite(model.plan, stop);
  backend.save_state(slot.index, start.state);
  backend.read_kv(slot.index, 0, config.n_memory, segment.rows);
}

/// Where every session begins: behind the memory tokens.
std::shared_ptr<const Checkpoint::Impl> make_start(Model::Impl& model, const StopFlag& stop) {
  const int n_memory = model.plan.config.n_memory;
  auto start = std::make_shared<Checkpoint::Impl>();
  start->model = model.identity;
  start->position = n_memory;
  start->state.assign(static_cast<std::size_t>(model.layout.n_floats), 0.0f);
  if (n_memory == 0) {
    if (!model.plan.cached) check_finite(model.plan, stop);
    return start;
  }
  auto segment = std::make_shared<Segment>();
  segment->n_rows = n_memory;
  segment->rows.resize(static_cast<std::size_t>(n_memory * model.backend->kv_bytes_per_position()));
  if (!find_start(model, *start, *segment)) compute_start(model, *start, *segment, stop);
  start->tail = std::move(segment);
  return start;
}

constexpr const char* head_scale_name = "head_scale";

CacheKey cache_key(const ModelPlan& plan, WeightFormat format) {
  return {plan.fingerprint, name_of(format), cpu_weight_layout()};
}

/// Made-up weights are worth no room on a disk, but for a measurement of the cache; float32 is for measuring too.
bool is_cacheable(const LoadOptions& options) {
  const bool is_kept = options.keep_made_up || !is_synthetic(options.source);
  return !options.cache_dir.empty() && is_kept && options.format != WeightFormat::f32;
}

CacheProgress progress_of(const LoadOptions& options, LoadPhase phase) {
  if (!options.on_progress) return {};
  return
      [&options, phase, last = std::chrono::steady_clock::time_point{}](std::int64_t done, std::int64_t total) mutable {
        const auto now = std::chrono::steady_clock::now();
        if (now - last < std::chrono::milliseconds(50)) return;
        last = now;
        options.on_progress({phase, done, total});
      };
}

std::shared_ptr<WeightCacheWriter> start_cache(const ModelPlan& plan, const LoadOptions& options) {
  return std::make_shared<WeightCacheWriter>(weight_cache_file(options.cache_dir, options.format),
                                             cache_key(plan, options.format));
}

/// The plan with what a cache of an earlier load has of it, or with what takes its place.
ModelPlan open_plan(const LoadOptions& options, const StopFlag& stop, std::string& notice) {
  ModelPlan plan = read_plan(options.source);
  check_options(options, plan.config);
  check_stop(stop);
  if (is_cacheable(options)) {
    plan.cached =
        WeightCache::open(weight_cache_file(options.cache_dir, options.format), cache_key(plan, options.format), stop,
                          progress_of(options, LoadPhase::reading), notice);
    if (!notice.empty()) notice += "; it is made anew";
  }
  if (!plan.cached) check_unseen(plan, stop);
  if (!plan.cached && options.device == Device::cpu && is_cacheable(options)) {
    plan.making = start_cache(plan, options);
  }
  const std::size_t n = plan.config.head_row_norm ? static_cast<std::size_t>(plan.head.n_out) : 0;
  const std::byte* kept = plan.cached ? plan.cached->find(head_scale_name, n * sizeof(float)) : nullptr;
  if (kept) {
    plan.head_scale.resize(n);
    std::memcpy(plan.head_scale.data(), kept, n * sizeof(float));
  } else {
    plan.head_scale = head_scale_of(plan);
    plan.source->release(plan.head.name);
  }
  return plan;
}

/// Keeps what this load computed. Returns why it could not, if so.
std::string keep(Model::Impl& model, const StopFlag& stop) {
  std::shared_ptr<WeightCacheWriter> cache = std::move(model.plan.making);  // has the weights
  if (!cache) {
    cache = start_cache(model.plan, model.options);
    for (const CacheSection& section : model.backend->made_weights()) cache->add(section);
  }
  const auto add = [&](const std::string& name, const auto& values) {
    cache->add({name, std::as_bytes(std::span(values.data(), values.size()))});
  };
  add(head_scale_name, model.plan.head_scale);
  add(start_name(*model.backend, "state"), model.start->state);
  if (model.start->tail) add(start_name(*model.backend, "kv"), model.start->tail->rows);
  if (model.options.on_progress) model.options.on_progress({LoadPhase::saving, 0, model.info.weight_bytes});
  check_stop(stop);
  return cache->finish();
}

ModelInfo make_info(const Model::Impl& model) {
  const Config& config = model.plan.config;
  const Backend& backend = *model.backend;
  ModelInfo info;
  info.source = model.options.source;
  info.device = model.options.device;
  info.device_index = backend.device_index();
  info.device_name = backend.device_name();
  info.format = model.options.format;
  info.n_layers = config.n_layers;
  info.n_vocab = config.n_vocab;
  info.n_hidden = config.hidden;
  info.n_meta_tokens = config.n_memory;
  info.max_positions = config.max_positions;
  info.context_positions = model.options.max_positions;
  info.n_threads = backend.n_threads();
  info.end_tokens = config.end_tokens;
  info.n_parameters = model.plan.n_parameters;
  info.weight_bytes = backend.weight_bytes();
  info.state_bytes = model.layout.n_floats * static_cast<std::int64_t>(sizeof(float));
  info.kv_bytes_per_position = backend.kv_bytes_per_position();
  info.from_cache = model.plan.cached != nullptr && backend.made_weights().empty();
  return info;
}

}  // namespace

std::shared_ptr<const Model> Model::load(const LoadOptions& options, const StopFlag& stop) {
  return guarded([&] {
    check_stop(stop);
    std::string notice;
    ModelPlan plan = open_plan(options, stop, notice);
    auto impl = std::make_unique<Impl>(options, std::move(plan));
    check_stop(stop);
    if (options.device == Device::cpu) check_host_memory(*impl);
    auto backend = options.device == Device::cpu ? make_cpu_backend(impl->plan, impl->options, stop)
                                                 : make_cuda_backend(impl->plan, impl->options, stop);
    check_stop(stop);
    auto model = assemble_model(std::move(impl), std::move(backend), stop);
    Impl& loaded = model->impl();
    loaded.info.is_cached = loaded.info.from_cache;
    if (options.device == Device::cpu && !loaded.info.from_cache && is_cacheable(options)) {
      const std::string problem = keep(loaded, stop);
      loaded.info.is_cached = problem.empty();
      if (!problem.empty()) notice = problem + "; the next start converts the weights again";
    }
    loaded.info.cache_notice = std::move(notice);
    return model;
  });
}

std::shared_ptr<const Model> assemble_model(std::unique_ptr<Model::Impl> impl, std::unique_ptr<Backend> backend,
                                            const StopFlag& stop) {
  impl->backend = std::move(backend);
  impl->start = make_start(*impl, stop);
  impl->info = make_info(*impl);
  return std::make_shared<const Model>(std::move(impl));
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;
const ModelInfo& Model::info() const noexcept { return impl_->info; }

std::vector<StageInfo> Model::stages(int context) const {
  return guarded([&] {
    return list_stages(impl_->plan, impl_->options.format, impl_->backend->kv_bytes_per_position(), context);
  });
}

}  // namespace nf
