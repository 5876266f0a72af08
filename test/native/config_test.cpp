#include "config.h"

#include <cmath>

#include "checkpoint_writer.h"
#include "support/check.h"

namespace nf::test {
namespace {

Config parse(const std::map<std::string, std::string>& changes, const std::string& generation = "") {
  return parse_config(small_config(changes), generation, "config.json");
}

TEST("defaults are those of the released code") {
  const Config c = parse_config(
      R"({"model_type":"nemotron_flash","vocab_size":32,"hidden_size":128,"num_hidden_layers":2,
          "layer_types":["m2","a"],"num_attention_heads":4,"intermediate_size":0})",
      "", "config.json");
  CHECK_EQ(c.n_kv_heads, 4);
  CHECK_EQ(c.qk_dim, 32);
  CHECK_EQ(c.v_dim, 32);
  CHECK(!c.qk_norm && !c.rope && !c.tied_head && c.head_row_norm && c.ffn_gated && !c.ffn_in_mixers);
  CHECK_EQ(c.mamba_state, 16);
  CHECK_EQ(c.mamba_conv, 4);
  CHECK_EQ(c.mamba_inner, 256);
  CHECK_EQ(c.mamba_heads, 4);
  CHECK_EQ(c.n_memory, 0);
  CHECK_EQ(c.norm_eps, 1e-6f);
  CHECK(c.end_tokens == std::vector<Token>{2});
}

TEST("keys that only look alike are not read") {
  const Config c =
      parse({{"hidden_act", "\"relu2\""}, {"d_conv", "9"}, {"layer_type", R"(["a","a","a","a","a","a"])"}});
  CHECK(c.ffn_gated);
  CHECK_EQ(c.mamba_conv, 4);
  CHECK_EQ(c.layer_types[0], std::string("deltanet"));
  CHECK_THROWS(parse({{"layer_types", ""}, {"layer_type", R"(["m","a","m","a","a","a"])"}}), ErrorCode::bad_model,
               "layer_types is missing");
}

TEST("the feed-forward width is cut to a multiple of 128") {
  CHECK_EQ(parse({{"hidden_size", "64"}, {"ffn_expand_ratio", "6.1"}}).ffn_dim, 384);
  CHECK_EQ(parse({{"ffn_expand_ratio", "null"}, {"intermediate_size", "100"}}).ffn_dim, 100);
  CHECK_THROWS(parse({{"ffn_expand_ratio", "1"}}), ErrorCode::bad_model, "no width");
  CHECK_THROWS(parse({{"intermediate_size", ""}}), ErrorCode::bad_model, "intermediate_size is missing");
}

TEST("the NTK base follows the formula") {
  const Config c = parse({{"rope_theta", "10000"}});
  CHECK_NEAR(c.rope_base, 10000 * std::pow(2.0 * 512 / 128 - 1, 16.0 / 14), 1e-6);
  CHECK_EQ(parse({{"rope_type", "null"}, {"rope_theta", "77"}}).rope_base, 77.0);
  CHECK_THROWS(parse({{"orig_max_position_embeddings", ""}}), ErrorCode::bad_model, "orig_max_position_embeddings");
}

TEST("end tokens come from generation_config.json first") {
  CHECK(parse({}, R"({"eos_token_id":[7,9]})").end_tokens == (std::vector<Token>{7, 9}));
  CHECK(parse({{"eos_token_id", "[3,4]"}}, "{}").end_tokens == (std::vector<Token>{3, 4}));
  CHECK_THROWS(parse({{"eos_token_id", "96"}}), ErrorCode::bad_model, "eos_token_id");
}

TEST("Python's Infinity elsewhere in the file does no harm") {
  CHECK_EQ(parse({{"time_step_limit", "[0.0, Infinity]"}}).hidden, 64);
}

TEST("what the engine does not run is refused by name") {
  const auto refused = [](const std::map<std::string, std::string>& changes, const char* part) {
    CHECK_THROWS(parse(changes), ErrorCode::unsupported, part);
  };
  refused({{"model_type", "\"llama\""}}, "architecture llama");
  refused({{"model_type", "\"mamba\""}, {"architectures", R"(["MambaForCausalLM"])"}}, "MambaForCausalLM");
  refused({{"layer_types", R"(["deltanet","f","m2","f","a","moe"])"}}, "moe");
  refused({{"attn_hidden_size", "32"}}, "attn_hidden_size");
  refused({{"kq_norm", "\"layer\""}}, "kq_norm");
  refused({{"rope_type", "\"dynamic_ntk\""}}, "dynamic_ntk");
  refused({{"mlp_hidden_act", "\"gelu\""}}, "mlp_hidden_act");
  refused({{"sliding_window", "1024"}}, "sliding_window");
  refused({{"mamba_proj_bias", "true"}}, "mamba_proj_bias");
  refused({{"quantization_config", "{}"}}, "quantization_config");
  CHECK_EQ(parse({{"sliding_window", "1024"}, {"attn_implementation_new", "\"fused_mha\""}}).hidden, 64);
  CHECK_EQ(parse({{"model_type", "\"other\""}, {"architectures", R"(["NemotronFlashForCausalLM"])"}}).hidden, 64);
}

TEST("what contradicts itself is refused by name") {
  const auto refused = [](const std::map<std::string, std::string>& changes, const char* part) {
    CHECK_THROWS(parse(changes), ErrorCode::bad_model, part);
  };
  refused({{"model_type", ""}}, "no architecture");
  refused({{"vocab_size", ""}}, "vocab_size is missing");
  refused({{"vocab_size", "0"}}, "vocab_size = 0");
  refused({{"vocab_size", "\"many\""}}, "vocab_size");
  refused({{"vocab_size", "1e300"}}, "vocab_size");
  refused({{"hidden_size", "64.5"}}, "hidden_size");
  refused({{"hidden_size", "99999999999"}}, "hidden_size");
  refused({{"num_hidden_layers", "5"}}, "6 entries");
  refused({{"layer_types", "\"f\""}}, "layer_types must be a list");
  refused({{"num_attention_heads", "5"}}, "must divide");
  refused({{"num_key_value_heads", "3"}}, "num_key_value_heads");
  refused({{"kq_head_dim", "7"}}, "even");
  refused({{"kq_head_dim", "2"}}, "larger than 2");
  refused({{"mamba2_headdim", "48"}}, "mamba2_headdim");
  refused({{"mamba_expand", "0"}}, "mamba_expand");
  refused({{"rope", "1"}}, "rope must be true or false");
  refused({{"rope_theta", "-1"}}, "rope_theta");
  refused({{"rms_norm_eps", "NaN"}}, "rms_norm_eps");
  refused({{"num_memory_tokens", "-1"}}, "num_memory_tokens");
  refused({{"ffn_expand_ratio", "1e30"}}, "ffn_expand_ratio");
  CHECK_THROWS(parse_config("[]", "", "config.json"), ErrorCode::bad_model, "no JSON object");
  CHECK_THROWS(parse_config("{", "", "config.json"), ErrorCode::bad_model, "config.json");
}

}  // namespace
}  // namespace nf::test
