// The oracle against the golden data: row (a) of test/golden/README.md.
#include "oracle.h"

#include <algorithm>

#include "golden.h"
#include "support/check.h"
#include "support/paths.h"

namespace nf::test {
namespace {

constexpr double max_abs = 2e-4, rms = 1e-5, kl = 1e-9, margin = 1e-3, states_rms = 3e-5;
constexpr int n_tail = 4;  // positions that the golden hidden rows and cache rows cover

/// [width, channels] as the oracle has it, from the golden [channels, width].
std::vector<float> transposed(const std::vector<float>& x, std::size_t n_channels) {
  const std::size_t width = x.size() / n_channels;
  std::vector<float> out(x.size());
  for (std::size_t c = 0; c < n_channels; ++c) {
    for (std::size_t j = 0; j < width; ++j) out[j * n_channels + c] = x[c * width + j];
  }
  return out;
}

Vec tail_of(const std::vector<Vec>& rows) {
  Vec out;
  for (std::size_t t = rows.size() - n_tail; t < rows.size(); ++t)
    out.insert(out.end(), rows[t].begin(), rows[t].end());
  return out;
}

void check_states(const OracleState& state, const Golden& golden, const Config& config) {
  int n_checked = 0;
  for (int i = 0; i < config.n_layers; ++i) {
    const std::string name = "state." + std::to_string(i) + ".";
    const OracleLayerState& layer = state.layers[static_cast<std::size_t>(i)];
    const auto check = [&](const Vec& got, const std::vector<float>& expected) {
      REQUIRE(got.size() == expected.size());
      CHECK_AT_MOST(relative_rms(got, expected), states_rms);
      ++n_checked;
    };
    if (golden.has(name + "delta")) {
      check(layer.matrix, golden.floats(name + "delta"));
      const char* parts[] = {"conv_q", "conv_k", "conv_v"};
      for (std::size_t p = 0; p < 3; ++p) {
        check(layer.windows[p], transposed(golden.floats(name + parts[p]), static_cast<std::size_t>(config.hidden)));
      }
    }
    if (golden.has(name + "ssm")) {
      check(layer.matrix, golden.floats(name + "ssm"));
      const auto channels = static_cast<std::size_t>(config.mamba_inner + 2 * config.mamba_state);
      check(layer.windows[0], transposed(golden.floats(name + "conv"), channels));
    }
    if (golden.has(name + "k_tail")) {
      check(tail_of(layer.k), golden.floats(name + "k_tail"));
      check(tail_of(layer.v), golden.floats(name + "v_tail"));
    }
  }
  CHECK(n_checked >= 8);
}

void check_hidden(const std::vector<OracleRow>& rows, const Golden& golden, const Config& config) {
  const std::vector<float> hidden = golden.floats("hidden"), final_rows = golden.floats("final");
  const auto n = static_cast<std::size_t>(n_tail) * static_cast<std::size_t>(config.hidden);
  for (std::size_t index = 0; index < rows[0].hidden.size(); ++index) {
    std::vector<Vec> tail;
    for (const OracleRow& row : rows) tail.push_back(row.hidden[index]);
    const bool is_final = index + 1 == rows[0].hidden.size();
    const float* expected = is_final ? final_rows.data() : hidden.data() + index * n;
    CHECK_AT_MOST(relative_rms(tail_of(tail), std::span(expected, n)), index == 0 ? 0.0 : rms);
  }
}

std::vector<Token> greedy(const Oracle& oracle, OracleState state, Vec logits, std::size_t n, Token end) {
  std::vector<Token> ids;
  while (ids.size() < n) {
    logits[static_cast<std::size_t>(end)] = -HUGE_VAL;  // the golden run never picks it
    ids.push_back(static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (ids.size() < n) logits = oracle.step(state, ids.back()).logits;
  }
  return ids;
}

void check_fixture(const char* fixture) {
  const std::filesystem::path dir = golden_dir() / fixture;
  const Golden golden(dir);
  const ModelPlan plan = make_plan(dir.string());
  const Config& config = plan.config;
  const Oracle oracle(plan);
  OracleState state = oracle.fresh();
  std::vector<OracleRow> rows;
  Vec logits;
  for (const Token token : golden.tokens("input_ids")) {
    rows.push_back(oracle.step(state, token));
    logits.insert(logits.end(), rows.back().logits.begin(), rows.back().logits.end());
  }
  const std::vector<float> expected = golden.floats("logits");
  REQUIRE(logits.size() == expected.size());
  const LogitsReport report = compare_logits(logits, expected, static_cast<std::size_t>(config.n_vocab));
  CHECK_AT_MOST(report.max_abs, max_abs);
  CHECK_AT_MOST(report.rms, rms);
  CHECK_AT_MOST(report.mean_kl, kl);
  CHECK_AT_MOST(report.largest_margin_flipped, margin);
  check_hidden(rows, golden, config);
  check_states(state, golden, config);

  const std::vector<Token> ids = golden.tokens("greedy_ids");
  CHECK(greedy(oracle, state, rows.back().logits, ids.size(), config.end_tokens[0]) == ids);

  Config divided = config;
  divided.head_row_norm = true;
  const Oracle with_norms(divided, plan.source);
  const std::vector<float> norms = golden.floats("lm_head_row_norm");
  Vec last = rows.back().logits;
  for (std::size_t i = 0; i < last.size(); ++i) last[i] /= norms[i];
  const std::vector<Token> ids_divided = golden.tokens("greedy_ids_rownorm");
  CHECK(greedy(with_norms, state, last, ids_divided.size(), config.end_tokens[0]) == ids_divided);
}

TEST("the oracle reproduces golden tiny in f32") { check_fixture("tiny"); }
TEST("the oracle reproduces golden real-heads in f32") { check_fixture("real-heads"); }

}  // namespace
}  // namespace nf::test
