// Writes small checkpoints with random weights, in the layout of a released one.
#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "config.h"
#include "float_formats.h"
#include "synthetic.h"
#include "tensor_list.h"

namespace nf::test {

struct StoredTensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// One safetensors file, as bytes.
inline std::string safetensors_text(const std::map<std::string, StoredTensor>& tensors) {
  std::string header = "{", data;
  for (const auto& [name, tensor] : tensors) {
    header += (header.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) header += (i ? "," : "") + std::to_string(tensor.shape[i]);
    header += "],\"data_offsets\":[" + std::to_string(data.size()) + ",";
    data.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    header += std::to_string(data.size()) + "]}";
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return length + header + data;
}

inline StoredTensor stored(const std::vector<float>& values, std::vector<std::int64_t> shape, DType dtype) {
  StoredTensor tensor{dtype == DType::f32 ? "F32" : dtype == DType::f16 ? "F16" : "BF16", std::move(shape), {}};
  tensor.bytes.resize(values.size() * static_cast<std::size_t>(size_of(dtype)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::f32) {
      std::memcpy(tensor.bytes.data() + 4 * i, &values[i], 4);
    } else {
      const std::uint16_t bits = dtype == DType::f16 ? f16_of_float(values[i]) : bf16_of_float(values[i]);
      std::memcpy(tensor.bytes.data() + 2 * i, &bits, 2);
    }
  }
  return tensor;
}

struct CheckpointStyle {
  DType matrix_dtype = DType::bf16;
  DType small_dtype = DType::bf16;   // of A_log, D and dt_bias
  bool memory_rows_in_head = false;  // an untied head of [n_vocab + n_memory, hidden]
};

/// The tensors that a config asks for, random by seed.
inline std::map<std::string, StoredTensor> random_tensors(const Config& config, std::uint64_t seed,
                                                          const CheckpointStyle& style = {}) {
  const auto source = make_synthetic_source(config, "written", seed);
  std::map<std::string, StoredTensor> tensors;
  for (const TensorSpec& spec : tensor_list(config)) {
    std::int64_t n = 1;
    for (const std::int64_t extent : spec.shape) n *= extent;
    std::vector<float> values(static_cast<std::size_t>(n));
    source->read_floats(spec.name, 0, n, values.data());
    std::vector<std::int64_t> shape = spec.shape;
    if (spec.name == head_name && style.memory_rows_in_head) {
      shape[0] += config.n_memory;
      values.resize(static_cast<std::size_t>(shape[0] * shape[1]), 100.0f);  // would be seen at once if used
    }
    const bool is_small =
        spec.kind == TensorKind::a_log || spec.kind == TensorKind::skip || spec.kind == TensorKind::dt_bias;
    tensors[spec.name] = stored(values, std::move(shape), is_small ? style.small_dtype : style.matrix_dtype);
  }
  return tensors;
}

/// Writes config.json and model.safetensors into `dir`.
inline void write_checkpoint(const std::filesystem::path& dir, const std::string& config_json, std::uint64_t seed,
                             const CheckpointStyle& style = {}) {
  std::filesystem::create_directories(dir);
  const Config config = parse_config(config_json, "", "config.json");
  write_text(dir / "config.json", config_json);
  write_text(dir / "model.safetensors", safetensors_text(random_tensors(config, seed, style)));
}

/// config.json of a small model: the keys given, on top of sizes that every kind of layer can have.
inline std::string small_config(const std::map<std::string, std::string>& changes = {}) {
  std::map<std::string, std::string> keys{{"model_type", "\"nemotron_flash\""},
                                          {"vocab_size", "96"},
                                          {"hidden_size", "64"},
                                          {"num_hidden_layers", "6"},
                                          {"layer_types", R"(["deltanet","f","m2","f","a","f"])"},
                                          {"num_attention_heads", "4"},
                                          {"num_key_value_heads", "2"},
                                          {"mamba_d_state", "16"},
                                          {"mamba2_headdim", "16"},
                                          {"ffn_expand_ratio", "2"},
                                          {"intermediate_size", "0"},
                                          {"num_memory_tokens", "5"},
                                          {"rope", "true"},
                                          {"rope_type", "\"ntk\""},
                                          {"max_position_embeddings", "512"},
                                          {"orig_max_position_embeddings", "128"},
                                          {"tie_word_embeddings", "true"},
                                          {"eos_token_id", "2"}};
  for (const auto& [key, value] : changes) keys[key] = value;
  std::string text = "{";
  for (const auto& [key, value] : keys) {
    if (value.empty()) continue;  // an empty value takes the key away
    text += (text.size() > 1 ? ",\n\"" : "\"") + key + "\":" + value;
  }
  return text + "}";
}

}  // namespace nf::test
