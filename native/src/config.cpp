#include "config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "json.h"

namespace nf {
namespace {

constexpr const char* model_type_name = "nemotron_flash";
constexpr const char* architecture_name = "NemotronFlashForCausalLM";
// No dimension of a sound model comes near; keeps every product of two in range.
constexpr std::int64_t max_dimension = 1 << 24;

/// Typed access to the keys of one JSON object; null counts as missing.
class Keys {
 public:
  Keys(const Json& root, const std::string& where) : root_(root), where_(where) {}

  [[noreturn]] void bad(const std::string& what) const {
    throw EngineError(ErrorCode::bad_model, where_ + ": " + what);
  }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw EngineError(ErrorCode::unsupported, where_ + ": " + what);
  }

  const Json* find(const char* key) const {
    const Json* value = root_.find(key);
    return value && !value->is(Json::Kind::null) ? value : nullptr;
  }

  std::int64_t integer(const char* key, std::int64_t missing) const {
    const Json* value = find(key);
    if (!value) return missing;
    const bool whole = value->is(Json::Kind::number) && std::abs(value->number) <= static_cast<double>(1LL << 53) &&
                       value->number == std::floor(value->number);
    if (!whole) bad(std::string(key) + " must be a whole number");
    return static_cast<std::int64_t>(value->number);
  }

  int count(const char* key, std::int64_t missing, std::int64_t at_least) const {
    const std::int64_t value = integer(key, missing);
    if (value < at_least || value > max_dimension) {
      bad(std::string(key) + " = " + std::to_string(value) + " is out of range");
    }
    return static_cast<int>(value);
  }

  int required_count(const char* key, std::int64_t at_least = 1) const {
    if (!find(key)) bad(std::string(key) + " is missing");
    return count(key, 0, at_least);
  }

  double real(const char* key, double missing) const {
    const Json* value = find(key);
    if (!value) return missing;
    if (!value->is(Json::Kind::number) || !std::isfinite(value->number)) bad(std::string(key) + " must be a number");
    return value->number;
  }

  bool boolean(const char* key, bool missing) const {
    const Json* value = find(key);
    if (!value) return missing;
    if (!value->is(Json::Kind::boolean)) bad(std::string(key) + " must be true or false");
    return value->boolean;
  }

  std::string string(const char* key, const std::string& missing) const {
    const Json* value = find(key);
    if (!value) return missing;
    if (!value->is(Json::Kind::string)) bad(std::string(key) + " must be a string");
    return value->string;
  }

 private:
  const Json& root_;
  const std::string& where_;
};

void check_architecture(const Keys& keys) {
  const std::string type = keys.string("model_type", "");
  std::string architecture;
  if (const Json* list = keys.find("architectures"); list && list->is(Json::Kind::array)) {
    for (const Json& item : list->items) {
      if (item.string == architecture_name) return;
      if (architecture.empty()) architecture = item.string;
    }
  }
  if (type == model_type_name) return;
  if (type.empty() && architecture.empty()) keys.bad("names no architecture (model_type or architectures)");
  keys.unsupported("this is a model of architecture " + (architecture.empty() ? type : architecture) +
                   "; Nemoflash runs " + architecture_name + " only");
}

void check_unsupported_options(const Keys& keys, const Config& config) {
  const std::int64_t attn_hidden = keys.integer("attn_hidden_size", -1);
  if (attn_hidden > 0 && attn_hidden != config.hidden) {
    keys.unsupported("attn_hidden_size = " + std::to_string(attn_hidden) + " other than hidden_size");
  }
  for (const char* key : {"mamba_proj_bias", "attention_bias", "mlp_bias"}) {
    if (keys.boolean(key, false)) keys.unsupported(std::string(key) + " = true: projections with a bias");
  }
  if (keys.find("quantization_config")) {
    keys.unsupported("quantization_config: the checkpoint is quantised already; load the original and choose a format");
  }
  // The released setting, fused attention, ignores the window; any other setting would need one (MODEL.md).
  const std::string attention = keys.string("attn_implementation_new", keys.string("attn_implementation", ""));
  if (keys.find("sliding_window") && attention != "fused_mha" && keys.integer("sliding_window", 0) > 0) {
    keys.unsupported("sliding_window = " + std::to_string(keys.integer("sliding_window", 0)) +
                     ": only full attention is implemented");
  }
}

std::vector<std::string> read_layer_types(const Keys& keys, int n_layers) {
  const Json* list = keys.find("layer_types");
  if (!list) {
    keys.bad("layer_types is missing; it lists the kind of every layer (the similar key layer_type cannot replace it)");
  }
  if (!list->is(Json::Kind::array)) keys.bad("layer_types must be a list");
  std::vector<std::string> types;
  for (const Json& item : list->items) {
    constexpr std::array known{"deltanet", "m2", "m", "a", "f"};
    if (std::find(known.begin(), known.end(), item.string) == known.end()) {
      keys.unsupported("layer_types holds \"" + item.string + "\"; known are deltanet, m2, m, a and f");
    }
    types.push_back(item.string);
  }
  if (types.size() != static_cast<std::size_t>(n_layers)) {
    keys.bad("layer_types has " + std::to_string(types.size()) +
             " entries for num_hidden_layers = " + std::to_string(n_layers));
  }
  return types;
}

bool has_layer(const Config& config, std::string_view type) {
  return std::find(config.layer_types.begin(), config.layer_types.end(), type) != config.layer_types.end();
}

void read_attention(const Keys& keys, Config& config) {
  config.n_heads = keys.required_count("num_attention_heads");
  config.n_kv_heads = keys.count("num_key_value_heads", config.n_heads, 1);
  if (config.n_heads % config.n_kv_heads != 0) keys.bad("num_key_value_heads must divide num_attention_heads");

  const bool whole_heads = config.hidden % config.n_heads == 0;
  const auto head_dim = [&](const char* key) {
    const std::int64_t value = keys.integer(key, -1);
    if (value > 0) return keys.count(key, -1, 1);
    if (!whole_heads)
      keys.bad("num_attention_heads must divide hidden_size when " + std::string(key) + " is not given");
    return config.hidden / config.n_heads;
  };
  if (has_layer(config, "a")) {
    config.qk_dim = head_dim("kq_head_dim");
    config.v_dim = head_dim("v_head_dim");
  }
  if (has_layer(config, "deltanet")) {
    if (!whole_heads) keys.bad("num_attention_heads must divide hidden_size in a model with deltanet layers");
    config.delta_dim = config.hidden / config.n_heads;
  }

  const std::string qk_norm = keys.string("kq_norm", "none");
  if (qk_norm != "none" && qk_norm != "rms") keys.unsupported("kq_norm = \"" + qk_norm + "\"");
  config.qk_norm = qk_norm == "rms";
}

void read_rope(const Keys& keys, Config& config) {
  config.rope = keys.boolean("rope", false);
  config.rope_base = keys.real("rope_theta", 10000.0);
  if (!config.rope || !has_layer(config, "a")) return;
  if (config.rope_base <= 0) keys.bad("rope_theta must be positive");
  if (config.qk_dim % 2 != 0) keys.bad("kq_head_dim must be even for rotary positions");
  const std::string type = keys.string("rope_type", "default");
  if (type == "default") return;
  if (type != "ntk") keys.unsupported("rope_type = \"" + type + "\"; default and ntk are implemented");
  if (config.qk_dim <= 2) keys.bad("kq_head_dim must be larger than 2 for rope_type ntk");
  const double longest = keys.required_count("max_position_embeddings");
  const double original = keys.required_count("orig_max_position_embeddings");
  const double stretch = 2 * longest / original - 1;
  if (stretch <= 0) keys.bad("max_position_embeddings is less than half of orig_max_position_embeddings");
  config.rope_base *= std::pow(stretch, static_cast<double>(config.qk_dim) / (config.qk_dim - 2));
}

void read_mamba(const Keys& keys, Config& config) {
  if (!has_layer(config, "m2") && !has_layer(config, "m")) return;
  config.mamba_state = keys.count("mamba_d_state", 16, 1);
  config.mamba_conv = keys.count("mamba_d_conv", 4, 1);
  config.mamba_head_dim = keys.count("mamba2_headdim", 64, 1);
  const double inner = keys.real("mamba_expand", 2) * config.hidden;
  if (inner < 1 || inner > max_dimension) keys.bad("mamba_expand is out of range");
  config.mamba_inner = static_cast<int>(inner);
  if (config.mamba_inner % config.mamba_head_dim != 0)
    keys.bad("mamba2_headdim must divide mamba_expand * hidden_size");
  config.mamba_heads = config.mamba_inner / config.mamba_head_dim;
}

void read_ffn(const Keys& keys, Config& config) {
  const int intermediate = keys.required_count("intermediate_size", 0);
  config.ffn_in_mixers = intermediate > 0;
  config.ffn_dim = intermediate;
  if (keys.find("ffn_expand_ratio")) {
    const double wide = keys.real("ffn_expand_ratio", 0) * config.hidden;
    if (wide < 0 || wide > max_dimension) keys.bad("ffn_expand_ratio is out of range");
    config.ffn_dim = static_cast<int>(wide) / 128 * 128;
  }
  if ((config.ffn_in_mixers || has_layer(config, "f")) && config.ffn_dim <= 0) {
    keys.bad(
        "the feed-forward has no width: ffn_expand_ratio * hidden_size is below 128, or both it and "
        "intermediate_size are missing");
  }
  const std::string act = keys.string("mlp_hidden_act", "silu");  // not hidden_act
  if (act != "silu" && act != "relu2")
    keys.unsupported("mlp_hidden_act = \"" + act + "\"; silu and relu2 are implemented");
  config.ffn_gated = act == "silu";
}

/// eos_token_id is a number or a list; generation_config.json, when it has the key, wins, as in Hugging Face's code.
bool read_end_tokens(const Keys& keys, Config& config) {
  const Json* value = keys.find("eos_token_id");
  if (!value) return false;
  const std::vector<Json> one{*value};
  for (const Json& item : value->is(Json::Kind::array) ? value->items : one) {
    if (!item.is_integer || item.integer < 0 || item.integer >= config.n_vocab) {
      keys.bad("eos_token_id must be a token of the vocabulary or a list of such");
    }
    config.end_tokens.push_back(static_cast<Token>(item.integer));
  }
  return true;
}

}  // namespace

Config parse_config(std::string_view config_json, std::string_view generation_json, const std::string& where) {
  const Json root = parse_json(config_json, where);
  const Keys keys(root, where);
  if (!root.is(Json::Kind::object)) keys.bad("is no JSON object");
  check_architecture(keys);

  Config config;
  config.n_vocab = keys.required_count("vocab_size");
  config.hidden = keys.required_count("hidden_size");
  config.n_layers = keys.required_count("num_hidden_layers");
  config.layer_types = read_layer_types(keys, config.n_layers);
  read_attention(keys, config);
  read_rope(keys, config);
  read_mamba(keys, config);
  read_ffn(keys, config);
  config.n_memory = keys.count("num_memory_tokens", 0, 0);
  config.norm_eps = static_cast<float>(keys.real("rms_norm_eps", 1e-6));
  if (!(config.norm_eps >= 0)) keys.bad("rms_norm_eps must not be negative");
  config.tied_head = keys.boolean("tie_word_embeddings", false);
  config.head_row_norm = keys.boolean("lm_head_row_norm", true);
  config.max_positions = keys.count("max_position_embeddings", 0, 0);
  check_unsupported_options(keys, config);

  bool known = false;
  if (!generation_json.empty()) {
    const std::string generation_where = where + " (generation_config.json)";
    const Json generation = parse_json(generation_json, generation_where);
    known = read_end_tokens(Keys(generation, generation_where), config);
  }
  if (!known && !read_end_tokens(keys, config) && config.n_vocab > 2) config.end_tokens = {2};
  return config;
}

}  // namespace nf
