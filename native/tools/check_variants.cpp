// Shapes and options that the golden data does not cover, against the oracle on small random checkpoints.
#include <map>

#include "check.h"
#include "checkpoint_writer.h"
#include "oracle.h"
#include "support/paths.h"

namespace nf::check {
namespace {

using Changes = std::map<std::string, std::string>;

struct Variant {
  const char* name;
  Changes config;
  test::CheckpointStyle style{};
};

std::vector<Variant> variants() {
  using test::CheckpointStyle;
  const CheckpointStyle f16{DType::f16, DType::f16, false}, f32_small{DType::bf16, DType::f32, false};
  return {
      {"plain", {}},
      {"q and k norms", {{"kq_norm", "\"rms\""}}},
      {"default rope", {{"rope_type", "null"}, {"rope_theta", "500"}}},
      {"rope off", {{"rope", "false"}}},
      {"untied head", {{"tie_word_embeddings", "false"}}},
      {"untied head with memory rows", {{"tie_word_embeddings", "false"}}, {DType::bf16, DType::f32, true}},
      {"head not divided", {{"lm_head_row_norm", "false"}}},
      {"relu2", {{"mlp_hidden_act", "\"relu2\""}}},
      {"relu2 in mixer layers",
       {{"mlp_hidden_act", "\"relu2\""}, {"ffn_expand_ratio", "null"}, {"intermediate_size", "96"}}},
      {"head sizes of their own", {{"kq_head_dim", "24"}, {"v_head_dim", "40"}}},
      {"narrow keys, wide values", {{"kq_head_dim", "8"}, {"v_head_dim", "32"}, {"num_key_value_heads", "1"}}},
      {"feed-forward in mixer layers", {{"intermediate_size", "64"}}},
      {"one tap", {{"mamba_d_conv", "1"}}},
      {"two taps", {{"mamba_d_conv", "2"}}},
      {"three taps", {{"mamba_d_conv", "3"}}},
      {"seven taps", {{"mamba_d_conv", "7"}}},
      {"no memory tokens", {{"num_memory_tokens", "0"}}},
      {"one memory token", {{"num_memory_tokens", "1"}}},
      {"many memory tokens", {{"num_memory_tokens", "70"}}},
      {"a cache head per query head", {{"num_key_value_heads", "4"}}},
      {"one cache head", {{"num_key_value_heads", "1"}}},
      {"three query heads per cache head",
       {{"hidden_size", "96"}, {"num_attention_heads", "6"}, {"num_key_value_heads", "2"}}},
      {"one head", {{"num_attention_heads", "1"}, {"num_key_value_heads", "1"}}},
      {"wide state", {{"mamba_d_state", "48"}, {"mamba2_headdim", "32"}}},
      {"narrow state", {{"mamba_d_state", "4"}, {"mamba2_headdim", "8"}}},
      {"expand 3", {{"mamba_expand", "3"}, {"mamba2_headdim", "64"}}},
      {"larger eps", {{"rms_norm_eps", "0.01"}}},
      {"odd vocabulary", {{"vocab_size", "101"}}},
      {"m for m2, other order", {{"layer_types", R"(["a","m","deltanet","a","f","m"])"}}},
      {"no attention", {{"layer_types", R"(["deltanet","f","m2","f","m2","deltanet"])"}}},
      {"attention only", {{"layer_types", R"(["a","f","a","f","a","a"])"}}},
      {"feed-forward only", {{"layer_types", R"(["f","f","f","f","f","f"])"}}},
      {"float16 weights", {}, f16},
      {"float32 A_log, D, dt_bias", {}, f32_small},
  };
}

struct Limits {
  double logits, states;
};

/// float32 is held to rounding; the other formats to what catches a gross error, as in the golden table.
Limits limits_of(WeightFormat format) {
  switch (format) {
    case WeightFormat::f32: return {2e-5, 5e-5};
    case WeightFormat::bf16: return {0.04, 0.08};
    case WeightFormat::int8: return {0.08, 0.12};
    default: return {0.95, 1.0};  // 4 bits of random weights: unrelated vectors would give 1.4
  }
}

std::vector<Token> some_tokens(std::size_t n, int n_vocab) {
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < n; ++i)
    tokens.push_back(static_cast<Token>((i * i * 7 + i * 13 + 5) % static_cast<std::size_t>(n_vocab)));
  return tokens;
}

void check_variant(const Variant& variant, const Target& target, Report& report) {
  const test::ScratchDir scratch;
  test::write_checkpoint(scratch.path(), test::small_config(variant.config), 1, variant.style);
  const auto model = load(scratch.path(), target);
  const ModelPlan& plan = model->impl().plan;
  const test::Oracle oracle(plan);
  const Limits limits = limits_of(target.format);
  const std::vector<Token> tokens = some_tokens(37, plan.config.n_vocab);
  std::vector<float> expected;             // [37, n_vocab]
  std::vector<std::vector<float>> states;  // after every token
  test::OracleState state = oracle.fresh();
  for (const Token token : tokens) {
    const auto row = oracle.step(state, token);
    expected.insert(expected.end(), row.logits.begin(), row.logits.end());
    states.push_back(test::blob_of(state));
  }
  double worst_logits = 0, worst_states = 0;
  const std::string label = std::string("variant ") + variant.name + ", " + target.text();
  // Prompts shorter than a window are among them.
  for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{37}}) {
    for (const std::vector<int>& sizes : {std::vector<int>{37}, {1}, {7}, {2, 1, 11}}) {
      Session session(model, model->info().context_positions);
      Recording recording;
      prefill_in_pieces(session, std::span(tokens).first(n), sizes, &recording);
      const auto wanted = std::span(expected).first(n * static_cast<std::size_t>(plan.config.n_vocab));
      const std::string what = label + ", " + std::to_string(n) + " tokens by " + std::to_string(sizes[0]);
      const double logits = test::relative_rms(recording.rows, wanted);
      const double state_rms = test::relative_rms(state_of(session), states[n - 1]);
      report.at_most(logits, limits.logits, what + ": logits rel. RMS");
      report.at_most(state_rms, limits.states, what + ": states rel. RMS");
      worst_logits = std::max(worst_logits, logits);
      worst_states = std::max(worst_states, state_rms);
    }
  }
  std::printf("variant     %-10s %-34s %9.2e %9.2e\n", target.text().c_str(), variant.name, worst_logits, worst_states);
}

}  // namespace

void check_variants(const Target& target, Report& report) {
  for (const Variant& variant : variants()) {
    try {
      check_variant(variant, target, report);
    } catch (const EngineError& error) {
      report.claim(false, std::string("variant ") + variant.name + ", " + target.text() + ": " + error.what());
    }
  }
}

}  // namespace nf::check
