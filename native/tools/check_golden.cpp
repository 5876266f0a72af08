// Golden data: logits, residual streams, states and greedy tokens, for every way of feeding the prompt.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "check.h"
#include "support/paths.h"

namespace nf::check {
namespace {

using test::compare_logits;
using test::Demand;
using test::Golden;
using test::LogitsReport;
using test::no_demand;
using test::relative_rms;

constexpr int n_tail = 4;

// test/golden/README.md, "What to demand". A cosine of -1 is no demand.
constexpr Demand tiny_demands[] = {{"f32", 2e-4, 1e-5, 1e-9, 1e-3, -1, 1e-5, 3e-5},
                                   {"bf16", 0.6, 0.03, 0.003, 0.3, -1, 0.03, 0.05},
                                   {"int8", 1.3, 0.06, 0.01, 0.5, -1, 0.06, 0.08},
                                   {"int4", 14, 0.65, 1.5, no_demand, 0.6, 0.65, 0.9}};
constexpr Demand real_heads_demands[] = {{"f32", 2e-4, 1e-5, 1e-9, 1e-3, -1, 1e-5, 3e-5},
                                         {"bf16", 0.4, 0.02, 0.001, 0.25, -1, 0.02, 0.03},
                                         {"int8", 0.8, 0.045, 0.004, 0.4, -1, 0.045, 0.06},
                                         {"int4", 9, 0.45, 0.7, no_demand, 0.8, 0.5, 0.9}};

/// mixed has int4 in it and is held to int4's demands, in the symmetric form that quantise.h defines.
const Demand& demand_of(const std::string& fixture, WeightFormat format) {
  const auto& table = fixture == "tiny" ? tiny_demands : real_heads_demands;
  switch (format) {
    case WeightFormat::f32: return table[0];
    case WeightFormat::bf16: return table[1];
    case WeightFormat::int8: return table[2];
    default: return table[3];
  }
}

/// How far two ways of computing the same thing in one format may lie apart.
const Demand& self_demand_of(const std::string& fixture, WeightFormat format) {
  return demand_of(fixture, format == WeightFormat::f32 ? WeightFormat::f32 : WeightFormat::bf16);
}

std::vector<float> transposed(const std::vector<float>& x, std::size_t n_channels) {
  const std::size_t width = x.size() / n_channels;
  std::vector<float> out(x.size());
  for (std::size_t c = 0; c < n_channels; ++c) {
    for (std::size_t j = 0; j < width; ++j) out[j * n_channels + c] = x[c * width + j];
  }
  return out;
}

void check_logits(std::span<const float> got, std::span<const float> expected, std::size_t n_vocab,
                  const Demand& demand, const std::string& what, Report& report) {
  report.claim(got.size() == expected.size(), what + ": as many logits as expected");
  if (got.size() != expected.size()) return;
  const LogitsReport r = compare_logits(got, expected, n_vocab);
  report.at_most(r.max_abs, demand.logits_max_abs, what + ": logits max abs");
  report.at_most(r.rms, demand.logits_rms, what + ": logits rel. RMS");
  report.at_most(r.mean_kl, demand.mean_kl, what + ": mean KL");
  report.at_most(r.largest_margin_flipped, demand.top1_margin, what + ": margin of a changed best token");
  report.at_most(-r.min_cosine, -demand.min_cosine, what + ": minus the smallest cosine");
}

double check_hidden(const Recording& recording, const Golden& golden, const Config& config, const Demand& demand,
                    const std::string& what, Report& report) {
  const std::size_t n = static_cast<std::size_t>(n_tail) * static_cast<std::size_t>(config.hidden);
  const std::vector<float> hidden = golden.floats("hidden"), final_rows = golden.floats("final");
  const auto n_streams = static_cast<std::size_t>(config.n_layers) + 2;
  report.claim(recording.streams.size() == n_streams, what + ": a residual stream for every layer");
  if (recording.streams.size() != n_streams) return HUGE_VAL;
  double worst = 0;
  for (std::size_t i = 0; i < n_streams; ++i) {
    const bool is_final = i + 1 == n_streams;
    const auto got = std::span(recording.streams[i]).last(n);
    const double rms = relative_rms(got, std::span(is_final ? final_rows.data() : hidden.data() + i * n, n));
    const std::string name = is_final ? "final" : "hidden[" + std::to_string(i) + "]";
    report.at_most(rms, demand.hidden_rms, what + ": " + name + " rel. RMS");
    worst = std::max(worst, rms);
  }
  return worst;
}

/// The last rows of every attention layer, keys and values apart, as float32.
struct Cache {
  std::vector<std::vector<float>> k, v;
};

Cache cache_tail(Session& session) {
  Session::Impl& s = session.impl();
  const Config& c = s.model.plan.config;
  const std::int64_t n_values = std::int64_t{c.n_kv_heads} * (c.qk_dim + c.v_dim);
  const std::int64_t n_layers = s.model.plan.n_attention_layers;
  std::vector<std::byte> raw(static_cast<std::size_t>(n_tail * s.backend.kv_bytes_per_position()));
  s.backend.read_kv(s.slot, s.position - n_tail, n_tail, raw);
  const DType dtype = s.backend.kv_bytes_per_position() == n_layers * n_values * 4 ? DType::f32 : s.backend.kv_dtype();
  std::vector<float> all(static_cast<std::size_t>(n_layers * n_tail * n_values));
  widen({raw.data(), dtype, {}, nullptr}, 0, static_cast<std::int64_t>(all.size()), all.data());
  Cache cache;
  auto at = all.begin();
  const int n_keys = c.n_kv_heads * c.qk_dim, n_vals = c.n_kv_heads * c.v_dim;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    cache.k.emplace_back();
    cache.v.emplace_back();
    for (int t = 0; t < n_tail; ++t) {
      cache.k.back().insert(cache.k.back().end(), at, at + n_keys);
      cache.v.back().insert(cache.v.back().end(), at + n_keys, at + n_keys + n_vals);
      at += n_keys + n_vals;
    }
  }
  return cache;
}

double check_states(Session& session, const Golden& golden, const Demand& demand, const std::string& what,
                    Report& report) {
  const Model::Impl& model = session.impl().model;
  const Config& c = model.plan.config;
  const std::vector<float> blob = state_of(session);
  const Cache cache = cache_tail(session);
  double worst = 0;
  const auto compare = [&](std::span<const float> got, const std::string& name, const std::vector<float>& expected) {
    const double rms = got.size() == expected.size() ? relative_rms(got, expected) : HUGE_VAL;
    report.at_most(rms, demand.states_rms, what + ": " + name + " rel. RMS");
    worst = std::max(worst, rms);
  };
  for (const StateLayout::Entry& entry : model.layout.entries) {
    const std::string name = "state." + std::to_string(entry.layer) + ".";
    const auto part = [&](std::int64_t first, std::int64_t n) {
      return std::span(blob).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n));
    };
    if (model.plan.layers[static_cast<std::size_t>(entry.layer)].kind == LayerKind::deltanet) {
      compare(part(entry.matrix, entry.n_matrix), name + "delta", golden.floats(name + "delta"));
      std::int64_t first = entry.window;
      for (const char* window : {"conv_q", "conv_k", "conv_v"}) {
        compare(part(first, entry.n_window / 3), name + window,
                transposed(golden.floats(name + window), static_cast<std::size_t>(c.hidden)));
        first += entry.n_window / 3;
      }
    } else {
      compare(part(entry.matrix, entry.n_matrix), name + "ssm", golden.floats(name + "ssm"));
      compare(part(entry.window, entry.n_window), name + "conv",
              transposed(golden.floats(name + "conv"), static_cast<std::size_t>(c.mamba_inner + 2 * c.mamba_state)));
    }
  }
  for (const Layer& layer : model.plan.layers) {
    if (layer.kind != LayerKind::attention) continue;
    const std::string name = "state." + std::to_string(layer.index) + ".";
    const auto i = static_cast<std::size_t>(layer.mixer_index);
    compare(cache.k[i], name + "k_tail", golden.floats(name + "k_tail"));
    compare(cache.v[i], name + "v_tail", golden.floats(name + "v_tail"));
  }
  return worst;
}

/// A token may differ only where the best two were nearer than the format can tell apart; behind it the sequences have
/// parted and nothing is compared.
bool agree_until_near_tie(const std::vector<Token>& got, const std::vector<Token>& wanted,
                          const std::vector<float>& margins, double near) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i >= got.size()) return false;
    if (got[i] != wanted[i]) return margins[i] <= near;
  }
  return true;
}

/// Feeds the golden greedy tokens one by one and compares the logits that each was picked from.
void check_greedy_logits(Session& session, const Golden& golden, const Demand& demand, const std::string& what,
                         Report& report) {
  const StopFlag never{false};
  std::vector<float> rows;
  for (const Token token : golden.tokens("greedy_ids")) {
    const auto logits = session.logits();
    rows.insert(rows.end(), logits.begin(), logits.end());
    session.prefill({&token, 1}, never);
  }
  const auto n_vocab = static_cast<std::size_t>(session.impl().model.info.n_vocab);
  check_logits(rows, golden.floats("greedy_logits"), n_vocab, demand, what + ": greedy tokens fed", report);
}

/// A copy of the checkpoint whose config asks for division by the row norms.
void write_divided(const std::filesystem::path& dir, const std::filesystem::path& copy) {
  std::filesystem::copy(dir, copy);
  std::ifstream in(dir / "config.json", std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  std::string config = text.str();
  const std::string key = "\"lm_head_row_norm\": false";
  const auto at = config.find(key);
  if (at != std::string::npos) config.replace(at, key.size(), "\"lm_head_row_norm\": true");
  std::filesystem::remove(copy / "config.json");
  std::ofstream(copy / "config.json", std::ios::binary) << config;
}

void check_row_norm(const std::filesystem::path& dir, const Target& target, const Golden& golden, const Demand& demand,
                    const std::string& what, Report& report) {
  const test::ScratchDir scratch;
  const std::filesystem::path copy = scratch.path() / "divided";
  write_divided(dir, copy);
  const auto model = load(copy, target);
  const std::vector<float> norms = golden.floats("lm_head_row_norm");
  std::vector<float> norms_got = model->impl().plan.head_scale;
  for (float& norm : norms_got) norm = 1 / norm;
  report.claim(norms_got.size() == norms.size(), what + ": row norms are computed");
  if (norms_got.size() != norms.size()) return;
  report.at_most(relative_rms(norms_got, norms), 1e-6, what + ": row norms rel. RMS");
  Session session(model, model->info().context_positions);
  Recording recording;
  const StopFlag never{false};
  session.prefill(golden.tokens("input_ids"), never, {}, &recording);
  std::vector<float> expected = golden.floats("logits");
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] /= norms[i % norms.size()];
  Demand scaled = demand;  // row norms are 2.5 and more: divided logits and their errors are at least that much smaller
  scaled.mean_kl = no_demand;
  scaled.min_cosine = -1;
  check_logits(recording.rows, expected, norms.size(), scaled, what, report);
  if (target.format == WeightFormat::f32 || target.format == WeightFormat::bf16) {
    const std::vector<Token> ids = golden.tokens("greedy_ids_rownorm");
    report.claim(agree_until_near_tie(decode_greedy(session, ids.size()), ids, golden.floats("greedy_margin_rownorm"),
                                      demand.top1_margin),
                 what + ": greedy tokens");
  }
}

}  // namespace

void check_fixture(const std::filesystem::path& dir, const Target& target, Report& report, Output output) {
  const std::string fixture = dir.filename().string();
  const Golden golden(dir);
  const auto model = load(dir, target);
  const Config& config = model->impl().plan.config;
  const auto n_vocab = static_cast<std::size_t>(config.n_vocab);
  const Demand& demand = demand_of(fixture, target.format);
  const Demand& self_demand = self_demand_of(fixture, target.format);
  const std::vector<Token> prompt = golden.tokens("input_ids");
  const std::vector<float> expected = golden.floats("logits");
  const std::string label = fixture + " " + target.text();

  std::vector<float> whole_logits, whole_state;
  struct Cut {
    const char* name;
    std::vector<int> sizes;
  };
  const Cut cuts[] = {{"whole", {static_cast<int>(prompt.size())}},
                      {"one by one", {1}},
                      {"by 7", {7}},
                      {"by 32", {32}},
                      {"by 64", {64}},
                      {"by 128", {128}},
                      {"ragged", {1, 3, 17, 2, 33, 1, 1, 29}}};
  for (const Cut& cut : cuts) {
    const std::string what = label + ", prompt " + cut.name;
    Session session(model, model->info().context_positions);
    Recording recording;
    prefill_in_pieces(session, prompt, cut.sizes, &recording);
    check_logits(recording.rows, expected, n_vocab, demand, what, report);
    const double hidden = check_hidden(recording, golden, config, demand, what, report);
    const double states = check_states(session, golden, demand, what, report);
    const LogitsReport r = compare_logits(recording.rows, expected, n_vocab);
    if (output == Output::table) {
      std::printf("%-11s %-10s %-11s %9.2e %9.2e %9.2e %9.2e %8.5f %9.2e %9.2e\n", fixture.c_str(),
                  target.text().c_str(), cut.name, r.max_abs, r.rms, r.mean_kl, r.largest_margin_flipped, r.min_cosine,
                  hidden, states);
    }
    std::vector<float> state = state_of(session);
    if (whole_logits.empty()) {
      whole_logits = recording.rows;
      whole_state = state;
    }
    report.at_most(relative_rms(recording.rows, whole_logits), self_demand.logits_rms,
                   what + ": logits as of the whole");
    report.at_most(relative_rms(state, whole_state), self_demand.states_rms, what + ": states as of the whole");
  }

  Session session(model, model->info().context_positions);
  const StopFlag never{false};
  session.prefill(prompt, never);
  const Checkpoint at_prompt = session.save();
  check_greedy_logits(session, golden, demand, label, report);
  session.restore(at_prompt);
  if (target.format != WeightFormat::int4 && target.format != WeightFormat::mixed) {
    const std::vector<Token> ids = golden.tokens("greedy_ids");
    report.claim(agree_until_near_tie(decode_greedy(session, ids.size()), ids, golden.floats("greedy_margin"),
                                      demand.top1_margin),
                 label + ": greedy tokens");
  }
  check_row_norm(dir, target, golden, demand, label + ", row norms divided", report);
}

}  // namespace nf::check
