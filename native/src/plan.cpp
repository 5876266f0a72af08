#include <cmath>
#include <cstdio>

#include "checksum.h"
#include "config.h"
#include "float_formats.h"
#include "mapped_file.h"
#include "model.h"
#include "parallel.h"
#include "safetensors.h"
#include "synthetic.h"
#include "tensor_list.h"

namespace nf {
namespace {

constexpr std::size_t max_config_bytes = 16'000'000;

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (const std::int64_t extent : shape) n *= extent;
  return n;
}

/// A depthwise convolution may be stored [channels, 1, width] or [channels, width]; the bytes are the same.
bool same_shape(const TensorSpec& spec, const std::vector<std::int64_t>& found, const Config& config) {
  if (found == spec.shape) return true;
  if (spec.kind == TensorKind::conv) return found == std::vector{spec.shape[0], spec.shape[2]};
  if (spec.name == head_name) return found == std::vector{spec.shape[0] + config.n_memory, spec.shape[1]};
  return false;
}

void check_tensors(const Config& config, const TensorSource& source, const std::string& where) {
  for (const TensorSpec& spec : tensor_list(config)) {
    if (!source.has(spec.name)) {
      throw EngineError(ErrorCode::bad_model, where + ": the checkpoint has no tensor " + spec.name);
    }
    const auto found = source.shape(spec.name);
    if (!same_shape(spec, found, config)) {
      throw EngineError(ErrorCode::bad_model, where + ": tensor " + spec.name + " has shape " + text_of(found) +
                                                  " but config.json asks for " + text_of(spec.shape));
    }
  }
}

/// Builds the layers from a source whose tensors have been checked.
class PlanBuilder {
 public:
  PlanBuilder(const Config& config, const TensorSource& source, const std::string& where)
      : c_(config), source_(source), where_(where) {}

  Layer layer(int index) const {
    const std::string& type = c_.layer_types[static_cast<std::size_t>(index)];
    const std::string prefix = layer_prefix(index);
    Layer layer;
    layer.index = index;
    if (type == "deltanet") deltanet(prefix + "gla.", layer);
    if (type == "m2" || type == "m") mamba2(prefix + "mamba.", layer);
    if (type == "a") attention(prefix + "self_attn.", layer);
    if (layer.kind != LayerKind::none) layer.norm = floats(prefix + "input_layernorm.weight");
    layer.has_ffn = type == "f" || c_.ffn_in_mixers;
    if (layer.has_ffn) layer.ffn = ffn(prefix);
    return layer;
  }

  /// A small tensor, which must be finite. Large ones are checked when they are loaded.
  std::vector<float> floats(const std::string& name) const {
    std::vector<float> out(static_cast<std::size_t>(count_of(source_.shape(name))));
    source_.read_floats(name, 0, static_cast<std::int64_t>(out.size()), out.data());
    for (const float value : out) {
      if (!std::isfinite(value)) {
        throw EngineError(ErrorCode::bad_model, where_ + ": tensor " + name + " holds a value that is not finite");
      }
    }
    return out;
  }

 private:
  void deltanet(const std::string& prefix, Layer& layer) const {
    layer.kind = LayerKind::deltanet;
    for (const char* part : {"q_proj", "k_proj", "v_proj"}) {
      layer.in.push_back({prefix + part + ".weight", 0, c_.hidden, c_.hidden, Role::mixer});
    }
    layer.in.push_back({prefix + "b_proj.weight", 0, c_.n_heads, c_.hidden, Role::kept});
    layer.out = {prefix + "o_proj.weight", 0, c_.hidden, c_.hidden, Role::mixer};
    layer.deltanet = {floats(prefix + "q_conv1d.weight"), floats(prefix + "k_conv1d.weight"),
                      floats(prefix + "v_conv1d.weight"), floats(prefix + "o_norm.weight")};
  }

  void mamba2(const std::string& prefix, Layer& layer) const {
    layer.kind = LayerKind::mamba2;
    const int zxbc_rows = 2 * c_.mamba_inner + 2 * c_.mamba_state;
    const std::string in_name = prefix + "in_proj.weight";
    layer.in = {{in_name, 0, zxbc_rows, c_.hidden, Role::mixer},
                {in_name, zxbc_rows, c_.mamba_heads, c_.hidden, Role::kept}};
    layer.out = {prefix + "out_proj.weight", 0, c_.hidden, c_.mamba_inner, Role::mixer};
    Mamba2Small& small = layer.mamba2;
    small.conv = floats(prefix + "conv1d.weight");
    small.conv_bias = floats(prefix + "conv1d.bias");
    small.dt_bias = floats(prefix + "dt_bias");
    small.a = floats(prefix + "A_log");
    for (float& a : small.a) a = -std::exp(a);
    small.d = floats(prefix + "D");
    small.norm = floats(prefix + "norm.weight");
  }

  void attention(const std::string& prefix, Layer& layer) const {
    layer.kind = LayerKind::attention;
    layer.in = {{prefix + "q_proj.weight", 0, c_.n_heads * c_.qk_dim, c_.hidden, Role::mixer},
                {prefix + "k_proj.weight", 0, c_.n_kv_heads * c_.qk_dim, c_.hidden, Role::mixer},
                {prefix + "v_proj.weight", 0, c_.n_kv_heads * c_.v_dim, c_.hidden, Role::mixer}};
    layer.out = {prefix + "o_proj.weight", 0, c_.hidden, c_.n_heads * c_.v_dim, Role::mixer};
    if (c_.qk_norm) layer.attention = {floats(prefix + "q_norm.weight"), floats(prefix + "k_norm.weight")};
  }

  Ffn ffn(const std::string& prefix) const {
    Ffn ffn;
    ffn.norm = floats(prefix + "pre_ffn_layernorm.weight");
    if (c_.ffn_gated) ffn.gate = {prefix + "ffn.gate_proj.weight", 0, c_.ffn_dim, c_.hidden, Role::ffn};
    ffn.up = {prefix + "ffn.up_proj.weight", 0, c_.ffn_dim, c_.hidden, Role::ffn};
    ffn.down = {prefix + "ffn.down_proj.weight", 0, c_.hidden, c_.ffn_dim, Role::ffn};
    return ffn;
  }

  const Config& c_;
  const TensorSource& source_;
  const std::string& where_;
};

/// 128 bits in hexadecimal.
std::string fingerprint_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  char digits[33];
  std::snprintf(digits, sizeof(digits), "%016llx%016llx", static_cast<unsigned long long>(checksum(bytes, 1)),
                static_cast<unsigned long long>(checksum(bytes, 2)));
  return digits;
}

ModelPlan build(Config config, std::shared_ptr<const TensorSource> source, const std::string& where) {
  check_tensors(config, *source, where);
  ModelPlan plan;
  plan.config = std::move(config);
  plan.source = std::move(source);
  plan.where = where;
  const Config& c = plan.config;
  const PlanBuilder builder(c, *plan.source, where);
  plan.embed = {embed_name, 0, c.n_vocab, c.hidden, Role::head};
  plan.head = {c.tied_head ? embed_name : head_name, 0, c.n_vocab, c.hidden, Role::head};
  if (c.n_memory > 0) plan.memory = builder.floats(memory_name);
  plan.final_norm = builder.floats(final_norm_name);
  for (int i = 0; i < c.n_layers; ++i) {
    Layer layer = builder.layer(i);
    switch (layer.kind) {
      case LayerKind::deltanet: layer.mixer_index = plan.n_delta_layers++; break;
      case LayerKind::mamba2: layer.mixer_index = plan.n_mamba_layers++; break;
      case LayerKind::attention: layer.mixer_index = plan.n_attention_layers++; break;
      case LayerKind::none: break;
    }
    plan.layers.push_back(std::move(layer));
  }
  for (const TensorSpec& spec : tensor_list(c)) plan.n_parameters += count_of(spec.shape);
  return plan;
}

}  // namespace

void TensorSource::read_floats(const std::string& name, std::int64_t first, std::int64_t n, float* out) const {
  widen(open(name), first, n, out);
}

void ModelPlan::read_rows(const Matrix& matrix, int first_row, int n_rows, float* out) const {
  const std::int64_t first = static_cast<std::int64_t>(matrix.first_row + first_row) * matrix.n_in;
  source->read_floats(matrix.name, first, static_cast<std::int64_t>(n_rows) * matrix.n_in, out);
}

/// A row of zeros (a padded vocabulary) keeps its logit of 0.
std::vector<float> head_scale_of(const ModelPlan& plan) {
  if (!plan.config.head_row_norm) return {};
  const std::int64_t n_in = plan.head.n_in;
  std::vector<float> scale(static_cast<std::size_t>(plan.head.n_out));
  parallel_pieces(plan.head.n_out, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> row(static_cast<std::size_t>(n_in));
    for (std::int64_t r = begin; r < end; ++r) {
      plan.read_rows(plan.head, static_cast<int>(r), 1, row.data());
      // Eight double sums: no dependence on one adder's latency, and exact enough for any row length.
      double sums[8] = {};
      std::int64_t i = 0;
      for (; i + 8 <= n_in; i += 8) {
        for (int k = 0; k < 8; ++k) sums[k] += static_cast<double>(row[i + k]) * row[i + k];
      }
      for (; i < n_in; ++i) sums[0] += static_cast<double>(row[i]) * row[i];
      double sum = 0;
      for (const double part : sums) sum += part;
      scale[static_cast<std::size_t>(r)] = sum > 0 ? static_cast<float>(1 / std::sqrt(sum)) : 1.0f;
    }
  });
  return scale;
}

StateLayout::StateLayout(const ModelPlan& plan) {
  const Config& c = plan.config;
  for (const Layer& layer : plan.layers) {
    Entry entry{layer.index, 0, 0, 0, 0};
    if (layer.kind == LayerKind::deltanet) {
      entry.n_matrix = static_cast<std::int64_t>(c.n_heads) * c.delta_dim * c.delta_dim;
      entry.n_window = 3LL * (delta_conv_width - 1) * c.hidden;
    } else if (layer.kind == LayerKind::mamba2) {
      entry.n_matrix = static_cast<std::int64_t>(c.mamba_inner) * c.mamba_state;
      entry.n_window = static_cast<std::int64_t>(c.mamba_conv - 1) * (c.mamba_inner + 2 * c.mamba_state);
    } else {
      continue;
    }
    entry.matrix = n_floats;
    entry.window = entry.matrix + entry.n_matrix;
    n_floats = entry.window + entry.n_window;
    entries.push_back(entry);
  }
}

ModelPlan make_plan(const std::string& source_name) {
  ModelPlan plan = read_plan(source_name);
  plan.head_scale = head_scale_of(plan);
  return plan;
}

ModelPlan read_plan(const std::string& source_name) {
  if (is_synthetic(source_name)) {
    SyntheticModel model = make_synthetic(source_name);
    ModelPlan plan = build(std::move(model.config), std::move(model.source), source_name);
    plan.fingerprint = fingerprint_of(plan.source->fingerprint());
    return plan;
  }
  const std::filesystem::path dir = path_of_utf8(source_name);
  const std::filesystem::path generation = dir / "generation_config.json";
  std::error_code error;
  const std::string config_text = read_text_file(dir / "config.json", max_config_bytes);
  Config config = parse_config(
      config_text,
      std::filesystem::exists(generation, error) ? read_text_file(generation, max_config_bytes) : std::string(),
      utf8_of_path(dir / "config.json"));
  ModelPlan plan = build(std::move(config), open_checkpoint(dir), utf8_of_path(dir));
  plan.fingerprint = fingerprint_of(config_text + '\0' + plan.source->fingerprint());
  return plan;
}

}  // namespace nf
