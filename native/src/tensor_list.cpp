#include "tensor_list.h"

namespace nf {
namespace {

void list_deltanet(const Config& c, const std::string& prefix, std::vector<TensorSpec>& out) {
  const std::int64_t h = c.hidden;
  for (const char* part : {"q", "k", "v"}) {
    out.push_back({prefix + "gla." + part + "_proj.weight", {h, h}, TensorKind::matrix});
    out.push_back({prefix + "gla." + part + "_conv1d.weight", {h, 1, delta_conv_width}, TensorKind::conv});
  }
  out.push_back({prefix + "gla.b_proj.weight", {c.n_heads, h}, TensorKind::matrix});
  out.push_back({prefix + "gla.o_norm.weight", {c.delta_dim}, TensorKind::norm});
  out.push_back({prefix + "gla.o_proj.weight", {h, h}, TensorKind::matrix});
}

void list_mamba2(const Config& c, const std::string& prefix, std::vector<TensorSpec>& out) {
  const std::int64_t channels = c.mamba_inner + 2 * std::int64_t{c.mamba_state};
  const std::int64_t rows = c.mamba_inner + channels + c.mamba_heads;
  out.push_back({prefix + "mamba.in_proj.weight", {rows, c.hidden}, TensorKind::matrix});
  out.push_back({prefix + "mamba.conv1d.weight", {channels, 1, c.mamba_conv}, TensorKind::conv});
  out.push_back({prefix + "mamba.conv1d.bias", {channels}, TensorKind::conv_bias});
  out.push_back({prefix + "mamba.dt_bias", {c.mamba_heads}, TensorKind::dt_bias});
  out.push_back({prefix + "mamba.A_log", {c.mamba_heads}, TensorKind::a_log});
  out.push_back({prefix + "mamba.D", {c.mamba_heads}, TensorKind::skip});
  out.push_back({prefix + "mamba.norm.weight", {c.mamba_inner}, TensorKind::norm});
  out.push_back({prefix + "mamba.out_proj.weight", {c.hidden, c.mamba_inner}, TensorKind::matrix});
}

void list_attention(const Config& c, const std::string& prefix, std::vector<TensorSpec>& out) {
  const std::int64_t h = c.hidden, qk = c.qk_dim, v = c.v_dim;
  out.push_back({prefix + "self_attn.q_proj.weight", {c.n_heads * qk, h}, TensorKind::matrix});
  out.push_back({prefix + "self_attn.k_proj.weight", {c.n_kv_heads * qk, h}, TensorKind::matrix});
  out.push_back({prefix + "self_attn.v_proj.weight", {c.n_kv_heads * v, h}, TensorKind::matrix});
  out.push_back({prefix + "self_attn.o_proj.weight", {h, c.n_heads * v}, TensorKind::matrix});
  if (c.qk_norm) {
    out.push_back({prefix + "self_attn.q_norm.weight", {qk}, TensorKind::norm});
    out.push_back({prefix + "self_attn.k_norm.weight", {qk}, TensorKind::norm});
  }
}

void list_ffn(const Config& c, const std::string& prefix, std::vector<TensorSpec>& out) {
  out.push_back({prefix + "pre_ffn_layernorm.weight", {c.hidden}, TensorKind::norm});
  if (c.ffn_gated) out.push_back({prefix + "ffn.gate_proj.weight", {c.ffn_dim, c.hidden}, TensorKind::matrix});
  out.push_back({prefix + "ffn.up_proj.weight", {c.ffn_dim, c.hidden}, TensorKind::matrix});
  out.push_back({prefix + "ffn.down_proj.weight", {c.hidden, c.ffn_dim}, TensorKind::matrix});
}

}  // namespace

std::string layer_prefix(int layer) { return "model.layers." + std::to_string(layer) + "."; }

std::vector<TensorSpec> tensor_list(const Config& c) {
  std::vector<TensorSpec> out;
  out.push_back({embed_name, {c.n_vocab, c.hidden}, TensorKind::matrix});
  if (c.n_memory > 0) out.push_back({memory_name, {c.n_memory, c.hidden}, TensorKind::matrix});
  for (int i = 0; i < c.n_layers; ++i) {
    const std::string& type = c.layer_types[static_cast<std::size_t>(i)];
    const std::string prefix = layer_prefix(i);
    if (type != "f") out.push_back({prefix + "input_layernorm.weight", {c.hidden}, TensorKind::norm});
    if (type == "deltanet") list_deltanet(c, prefix, out);
    if (type == "m2" || type == "m") list_mamba2(c, prefix, out);
    if (type == "a") list_attention(c, prefix, out);
    if (type == "f" || c.ffn_in_mixers) list_ffn(c, prefix, out);
  }
  out.push_back({final_norm_name, {c.hidden}, TensorKind::norm});
  if (!c.tied_head) out.push_back({head_name, {c.n_vocab, c.hidden}, TensorKind::matrix});
  return out;
}

}  // namespace nf
