#include "synthetic.h"

#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <vector>

#include "config.h"
#include "float_formats.h"
#include "parallel.h"
#include "random.h"
#include "tensor_list.h"

namespace nf {
namespace {

constexpr std::string_view prefix = "synthetic:";
constexpr std::int64_t piece_elements = 1 << 16;

std::uint64_t hash_of(const std::string& name, std::uint64_t seed) {
  std::uint64_t hash = mix64(seed + weyl_step);
  for (const char c : name) hash = mix64(hash ^ static_cast<unsigned char>(c)) + weyl_step;
  return hash;
}

/// Element i of a tensor is a function of (key, i). One hash serves two elements: the sum of four bytes each is close
/// to normal, and cheap enough that a 3B model is made about as fast as it could be read from a disk.
struct Normal {
  std::uint64_t key;
  float mean, deviation;

  std::array<float, 2> pair(std::int64_t pair_index) const {
    const std::uint64_t bits = mix64(key + static_cast<std::uint64_t>(pair_index) * weyl_step);
    constexpr std::uint64_t low_bytes = 0x00FF00FF00FF00FFu;
    const std::uint64_t halves = (bits & low_bytes) + (bits >> 8 & low_bytes);
    const std::uint64_t sums = halves + (halves >> 16);
    return {value(static_cast<int>(sums & 0xFFFF)), value(static_cast<int>(sums >> 32 & 0xFFFF))};
  }

 private:
  float value(int byte_sum) const {
    constexpr float byte_deviation = 147.8f;  // of a sum of four uniform bytes
    return mean + deviation / byte_deviation * static_cast<float>(byte_sum - 510);
  }
};

float uniform(std::uint64_t key, std::int64_t i) {
  return static_cast<float>(mix64(key + static_cast<std::uint64_t>(i) * weyl_step) >> 40) * 0x1p-24f;
}

/// The bias whose softplus is a step size spread evenly in logarithm over [0.001, 0.1], as Mamba2 is initialised.
float dt_bias_of(float u) {
  const float dt = std::exp(std::log(0.001f) + u * std::log(100.0f));
  return dt + std::log(-std::expm1(-dt));
}

class SyntheticSource : public TensorSource {
 public:
  SyntheticSource(const Config& config, const std::string& family, std::uint64_t seed)
      : seed_(seed), fingerprint_("synthetic 1 " + family + " " + std::to_string(seed)) {
    for (TensorSpec& spec : tensor_list(config)) {
      std::string name = spec.name;
      specs_.emplace(std::move(name), std::move(spec));
    }
  }

  bool has(const std::string& name) const override { return specs_.count(name) != 0; }
  std::vector<std::int64_t> shape(const std::string& name) const override { return find(name).shape; }
  std::string fingerprint() const override { return fingerprint_; }

  TensorView open(const std::string& name) const override {
    const TensorSpec& spec = find(name);
    std::int64_t n = 1;
    for (const std::int64_t extent : spec.shape) n *= extent;
    const std::shared_ptr<std::uint16_t[]> data =
        std::make_unique_for_overwrite<std::uint16_t[]>(static_cast<std::size_t>(n));
    parallel_pieces(n, piece_elements, [&](std::int64_t begin, std::int64_t end) {
      generate(spec, begin, end, [&](std::int64_t i, float value) { data[i] = bf16_of_float(value); });
    });
    return {reinterpret_cast<const std::byte*>(data.get()), DType::bf16, spec.shape, data};
  }

  void read_floats(const std::string& name, std::int64_t first, std::int64_t n, float* out) const override {
    generate(find(name), first, first + n,
             [&](std::int64_t i, float value) { out[i - first] = float_of_bf16(bf16_of_float(value)); });
  }

 private:
  const TensorSpec& find(const std::string& name) const {
    const auto found = specs_.find(name);
    if (found == specs_.end()) throw EngineError(ErrorCode::bad_model, "the synthetic model has no tensor " + name);
    return found->second;
  }

  template <class Put>
  void generate(const TensorSpec& spec, std::int64_t begin, std::int64_t end, const Put& put) const {
    const std::uint64_t key = hash_of(spec.name, seed_);
    switch (spec.kind) {
      case TensorKind::dt_bias:
        for (std::int64_t i = begin; i < end; ++i) put(i, dt_bias_of(uniform(key, i)));
        return;
      case TensorKind::a_log:
        for (std::int64_t i = begin; i < end; ++i) put(i, std::log(1 + 15 * uniform(key, i)));
        return;
      case TensorKind::norm:
      case TensorKind::skip: generate_normal({key, 1.0f, 0.1f}, begin, end, put); return;
      case TensorKind::conv_bias: generate_normal({key, 0.0f, 0.1f}, begin, end, put); return;
      case TensorKind::conv:
      case TensorKind::matrix: {
        const auto n_in = static_cast<float>(spec.shape.back());
        generate_normal({key, 0.0f, 1 / std::sqrt(n_in)}, begin, end, put);
        return;
      }
    }
  }

  template <class Put>
  static void generate_normal(const Normal& normal, std::int64_t begin, std::int64_t end, const Put& put) {
    std::int64_t i = begin;
    if (i < end && i % 2 != 0) put(i, normal.pair(i / 2)[1]), ++i;
    for (; i + 1 < end; i += 2) {
      const auto pair = normal.pair(i / 2);
      put(i, pair[0]);
      put(i + 1, pair[1]);
    }
    if (i < end) put(i, normal.pair(i / 2)[0]);
  }

  std::map<std::string, TensorSpec> specs_;
  std::uint64_t seed_;
  std::string fingerprint_;
};

struct Family {
  std::string_view name;
  int n_vocab, hidden, n_heads, n_kv_heads, mamba_head_dim, mamba_state, n_memory, ffn_ratio;
  int n_attention_blocks, n_plain_blocks;  // of "deltanet f m2 f a f m2 f" and of "deltanet f m2 f"
};

// The published layer orders and sizes (MODEL.md); tiny has the proportions of the test fixture of that name.
constexpr std::array<Family, 3> families{{{"nemotron-flash-3b", 131072, 3072, 24, 6, 64, 128, 256, 3, 3, 3},
                                          {"nemotron-flash-1b", 131072, 2048, 16, 4, 64, 128, 256, 3, 2, 2},
                                          {"tiny", 512, 128, 4, 2, 16, 16, 8, 3, 1, 1}}};

std::string config_text(const Family& family) {
  std::string types;
  int n_layers = 0;
  const auto add = [&](const char* type) {
    types += std::string(types.empty() ? "" : ",") + '"' + type + "\",\"f\"";
    n_layers += 2;
  };
  for (int i = 0; i < family.n_attention_blocks; ++i) add("deltanet"), add("m2"), add("a"), add("m2");
  for (int i = 0; i < family.n_plain_blocks; ++i) add("deltanet"), add("m2");
  const auto number = [](const char* key, int value) {
    return ",\"" + std::string(key) + "\":" + std::to_string(value);
  };
  return "{\"model_type\":\"nemotron_flash\",\"layer_types\":[" + types + "]" + number("num_hidden_layers", n_layers) +
         number("vocab_size", family.n_vocab) + number("hidden_size", family.hidden) +
         number("num_attention_heads", family.n_heads) + number("num_key_value_heads", family.n_kv_heads) +
         number("mamba2_headdim", family.mamba_head_dim) + number("mamba_d_state", family.mamba_state) +
         number("num_memory_tokens", family.n_memory) + number("ffn_expand_ratio", family.ffn_ratio) +
         ",\"intermediate_size\":0,\"rope\":true,\"rope_type\":\"ntk\",\"max_position_embeddings\":29000,"
         "\"orig_max_position_embeddings\":4096,\"tie_word_embeddings\":true,\"eos_token_id\":2}";
}

}  // namespace

bool is_synthetic(const std::string& source_name) { return source_name.starts_with(prefix); }

SyntheticModel make_synthetic(const std::string& source_name) {
  const std::string_view rest = std::string_view(source_name).substr(prefix.size());
  const std::string_view name = rest.substr(0, rest.find(':'));
  std::uint64_t seed = 0;
  if (name.size() < rest.size()) {
    const std::string_view digits = rest.substr(name.size() + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      throw EngineError(ErrorCode::bad_argument, source_name + ": the seed must be a whole number");
    }
  }
  for (const Family& family : families) {
    if (family.name != name) continue;
    Config config = parse_config(config_text(family), "", source_name);
    auto source = make_synthetic_source(config, std::string(name), seed);
    return {std::move(config), std::move(source)};
  }
  throw EngineError(ErrorCode::bad_argument,
                    source_name + ": unknown synthetic model; known are nemotron-flash-3b, nemotron-flash-1b and tiny");
}

std::shared_ptr<const TensorSource> make_synthetic_source(const Config& config, const std::string& family,
                                                          std::uint64_t seed) {
  return std::make_shared<SyntheticSource>(config, family, seed);
}

}  // namespace nf
