// Which tensors a configuration needs, and their shapes.
#pragma once

#include <string>
#include <vector>

#include "model.h"

namespace nf {

enum class TensorKind { matrix, norm, conv, conv_bias, dt_bias, a_log, skip };

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorKind kind;
};

/// Every tensor of native/MODEL.md's table that `config` asks for. An untied head is listed as [n_vocab, hidden]; one
/// with the memory rows appended is allowed too.
std::vector<TensorSpec> tensor_list(const Config&);

/// "model.layers.N."
std::string layer_prefix(int layer);

inline constexpr const char* embed_name = "model.embed_tokens.weight";
inline constexpr const char* memory_name = "model.memory_tokens";
inline constexpr const char* final_norm_name = "model.final_layernorm.weight";
inline constexpr const char* head_name = "lm_head.weight";

}  // namespace nf
