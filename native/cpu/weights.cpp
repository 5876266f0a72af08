#include "weights.h"

#include <cmath>
#include <cstring>
#include <map>
#include <thread>

#include "backend.h"
#include "checksum.h"
#include "float_formats.h"
#include "pack.h"
#include "parallel.h"
#include "quantise.h"
#include "random.h"
#include "weight_cache_writer.h"

namespace nf::cpu {
namespace {

constexpr std::int64_t matrix_alignment = 4096;

/// [channels, width] one behind the other as [width, all channels].
std::vector<float> taps_outside(const std::vector<const std::vector<float>*>& parts, int width) {
  std::size_t n = 0;
  for (const auto* part : parts) n += part->size() / static_cast<std::size_t>(width);
  std::vector<float> out(n * static_cast<std::size_t>(width));
  std::size_t first = 0;
  for (const auto* part : parts) {
    const std::size_t channels = part->size() / static_cast<std::size_t>(width);
    for (std::size_t c = 0; c < channels; ++c) {
      for (int j = 0; j < width; ++j) {
        out[static_cast<std::size_t>(j) * n + first + c] = (*part)[c * static_cast<std::size_t>(width) + j];
      }
    }
    first += channels;
  }
  return out;
}

}  // namespace

std::int64_t CpuMatrix::bytes() const {
  switch (format) {
    case MatrixFormat::f32: return std::int64_t{n_out} * n_in * 4;
    case MatrixFormat::bf16: return std::int64_t{n_out} * n_in * 2;
    default: return n_panels(n_out) * panel_bytes;
  }
}

/// Finds a place for every matrix, then fills the places that no mapped tensor fills.
class Weights::Loader {
 public:
  Loader(Weights& weights, const ModelPlan& plan, const LoadOptions& options, const StopFlag& stop)
      : weights_(weights), plan_(plan), options_(options), stop_(stop) {}

  CpuMatrix* place(const Matrix& source, CpuMatrix& target) {
    target.format = matrix_format(source.role, options_.format);
    target.n_out = source.n_out;
    target.n_in = source.n_in;
    if (source.n_out == 0) return &target;
    if (target.quantised()) target.panel_bytes = panel_shape(target.format, target.n_in).panel_bytes;
    weights_.n_bytes += target.bytes();
    if (options_.format == WeightFormat::bf16 && map(source, target)) return &target;
    jobs_.push_back({&source, &target, n_packed_});
    n_packed_ += (target.bytes() + matrix_alignment - 1) / matrix_alignment * matrix_alignment;
    return &target;
  }

  void fill() {
    if (find_all()) return;
    weights_.packed_ = Buffer<std::byte>(static_cast<std::size_t>(n_packed_));
    WeightCacheWriter* const cache = plan_.making.get();
    if (cache) cache->expect(static_cast<std::uint64_t>(n_packed_));
    for (const Job& job : jobs_) {
      std::byte* data = weights_.packed_.data() + job.offset;
      job.target->data = data;
      const CacheSection section{name_of(job), {data, static_cast<std::size_t>(job.target->bytes())}};
      if (cache && cache->take(section.name, {data, section.bytes.size()})) {
        n_done_ += std::int64_t{job.source->n_out} * job.source->n_in;
        check_stop();
      } else {
        fill_matrix(job, data);
        plan_.source->release(job.source->name);
        if (cache) cache->add(section);
      }
      weights_.made_.push_back(section);
    }
  }

 private:
  struct Job {
    const Matrix* source;
    CpuMatrix* target;
    std::int64_t offset;
  };

  static std::string name_of(const Job& job) { return job.source->name + "/" + std::to_string(job.source->first_row); }

  /// Takes every place from the cache of an earlier load; false, and nothing taken, when it lacks one.
  bool find_all() {
    const WeightCache* cache = plan_.cached.get();
    if (!cache) return false;
    std::vector<const std::byte*> found;
    for (const Job& job : jobs_) {
      found.push_back(cache->find(name_of(job), static_cast<std::size_t>(job.target->bytes())));
      if (!found.back()) return false;
    }
    for (std::size_t i = 0; i < jobs_.size(); ++i) jobs_[i].target->data = found[i];
    weights_.mapped_.push_back(plan_.cached);
    return true;
  }

  /// A bf16 tensor is used where it lies: in the page cache, for a file.
  bool map(const Matrix& source, CpuMatrix& target) {
    auto found = views_.find(source.name);
    if (found == views_.end()) {
      check_stop();
      found = views_.emplace(source.name, plan_.source->open(source.name)).first;
    }
    const TensorView& view = found->second;
    const std::byte* data = view.data + static_cast<std::int64_t>(source.first_row) * source.n_in * 2;
    if (view.dtype != DType::bf16 || reinterpret_cast<std::uintptr_t>(data) % alignof(Bf16) != 0) return false;
    weights_.mapped_.push_back(view.owner);
    target.data = data;
    return true;
  }

  void fill_matrix(const Job& job, std::byte* data) {
    const Matrix& source = *job.source;
    const std::int64_t n_rows = source.n_out;
    parallel_pieces(n_rows, panel_rows, [&](std::int64_t first, std::int64_t end) {
      check_stop();
      std::vector<float> rows(static_cast<std::size_t>((end - first) * source.n_in));
      plan_.read_rows(source, static_cast<int>(first), static_cast<int>(end - first), rows.data());
      write_rows(*job.target, static_cast<int>(first), static_cast<int>(end - first), rows.data(), source.name, data);
      n_done_ += (end - first) * source.n_in;
      report();
    });
  }

  void write_rows(const CpuMatrix& matrix, int first, int n, const float* rows, const std::string& name,
                  std::byte* data) const {
    const std::int64_t n_values = std::int64_t{n} * matrix.n_in;
    const std::int64_t start = std::int64_t{first} * matrix.n_in;
    if (matrix.format == MatrixFormat::f32) {
      std::memcpy(data + start * 4, rows, static_cast<std::size_t>(n_values) * 4);
      return;
    }
    if (matrix.format == MatrixFormat::bf16) {
      auto* out = reinterpret_cast<Bf16*>(data) + start;
      for (std::int64_t i = 0; i < n_values; ++i) out[i] = bf16_of_float(rows[i]);
      return;
    }
    const QuantSpec spec = quant_spec(matrix.format);
    std::vector<std::int8_t> codes(static_cast<std::size_t>(n_values));
    std::vector<float> scales(static_cast<std::size_t>(n * n_groups(spec, matrix.n_in)));
    if (!quantise_rows(rows, n, matrix.n_in, spec, codes.data(), scales.data())) {
      throw EngineError(ErrorCode::bad_model, plan_.where + ": tensor " + name +
                                                  " holds a value that is not finite, or too large to be quantised");
    }
    pack_panel(matrix.format, n, matrix.n_in, codes.data(), scales.data(),
               data + first / panel_rows * matrix.panel_bytes);
  }

  void check_stop() const {
    if (stop_.load(std::memory_order_relaxed)) throw EngineError(ErrorCode::cancelled, "loading was cancelled");
  }

  void report() {
    if (!options_.on_progress || std::this_thread::get_id() != loading_thread_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - reported_ < std::chrono::milliseconds(50)) return;
    reported_ = now;
    const bool quantises = options_.format != WeightFormat::f32 && options_.format != WeightFormat::bf16;
    options_.on_progress({quantises ? LoadPhase::quantising : LoadPhase::reading, n_done_ * 2, n_values() * 2});
  }

  std::int64_t n_values() const {
    std::int64_t n = 0;
    for (const Job& job : jobs_) n += std::int64_t{job.source->n_out} * job.source->n_in;
    return n;
  }

  Weights& weights_;
  const ModelPlan& plan_;
  const LoadOptions& options_;
  const StopFlag& stop_;
  std::map<std::string, TensorView> views_;
  std::vector<Job> jobs_;
  std::int64_t n_packed_ = 0;
  std::atomic<std::int64_t> n_done_{0};
  const std::thread::id loading_thread_ = std::this_thread::get_id();
  std::chrono::steady_clock::time_point reported_{};
};

Weights::Weights(const ModelPlan& plan, const LoadOptions& options, const StopFlag& stop) {
  layers.resize(plan.layers.size());
  Loader loader(*this, plan, options, stop);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = plan.layers[i];
    LayerWeights& target = layers[i];
    target.in.resize(layer.in.size());
    for (std::size_t j = 0; j < layer.in.size(); ++j) loader.place(layer.in[j], target.in[j]);
    if (layer.kind != LayerKind::none) loader.place(layer.out, target.out);
    if (layer.has_ffn) {
      loader.place(layer.ffn.gate, target.gate);
      loader.place(layer.ffn.up, target.up);
      loader.place(layer.ffn.down, target.down);
    }
    if (layer.kind == LayerKind::deltanet) {
      const DeltaNetSmall& small = layer.deltanet;
      target.conv = taps_outside({&small.conv_q, &small.conv_k, &small.conv_v}, delta_conv_width);
    } else if (layer.kind == LayerKind::mamba2) {
      target.conv = taps_outside({&layer.mamba2.conv}, plan.config.mamba_conv);
    }
  }
  loader.place(plan.head, head);
  loader.fill();
}

}  // namespace nf::cpu

namespace nf {

std::string cpu_weight_layout() {
  // What quantiser and packer make of a fixed matrix: no number to forget when either changes.
  constexpr int n_rows = 16, n_in = 320;
  std::vector<float> weights(std::size_t{n_rows} * n_in);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(static_cast<std::int64_t>(mix64(i) >> 32) - (std::int64_t{1} << 31)) * 0x1p-31f;
  }
  std::uint64_t sum = 0;
  for (const MatrixFormat format : {MatrixFormat::int8, MatrixFormat::int4}) {
    const QuantSpec spec = quant_spec(format);
    std::vector<std::int8_t> codes(weights.size());
    std::vector<float> scales(static_cast<std::size_t>(n_rows * n_groups(spec, n_in)));
    static_cast<void>(quantise_rows(weights.data(), n_rows, n_in, spec, codes.data(), scales.data()));
    std::vector<std::byte> panel(static_cast<std::size_t>(cpu::panel_shape(format, n_in).panel_bytes));
    cpu::pack_panel(format, n_rows, n_in, codes.data(), scales.data(), panel.data());
    sum = checksum(panel, sum);
  }
  return "panels-" + std::to_string(sum);
}

}  // namespace nf
