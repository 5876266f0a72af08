// Draws from given logits over a vocabulary of the released size, against a draw by sorting.
#include <cmath>
#include <random>

#include "check.h"
#include "checkpoint_writer.h"
#include "draw_reference.h"
#include "support/paths.h"

namespace nf::check {
namespace {

constexpr int n_vocab = 131072 - 3;  // the last vector and the last thread of a device have less to do
const StopFlag never{false};

struct Logits {
  const char* name;
  std::vector<float> values;
};

std::vector<Logits> distributions() {
  const auto make = [](const char* name, float deviation) {
    std::mt19937_64 generator(3);
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(n_vocab);
    for (float& value : values) value = normal(generator);
    return Logits{name, values};
  };
  std::vector<Logits> all{make("flat", 1), make("as of a model", 3), make("few values", 2), make("equal", 0),
                          make("few finite", 2)};
  for (float& value : all[2].values) value = std::round(2 * value);
  for (std::size_t i = 0; i < all[4].values.size(); ++i) {
    if (i % 4001 != 17) all[4].values[i] = -INFINITY;
  }
  return all;
}

struct Setting {
  const char* name;
  Sampling sampling;
};

std::vector<Setting> settings() {
  const auto make = [](const char* name, float temperature, int top_k, float top_p, float min_p) {
    Sampling s;
    s.temperature = temperature, s.top_k = top_k, s.top_p = top_p, s.min_p = min_p, s.seed = 5;
    return Setting{name, s};
  };
  return {make("plain", 1, 0, 1, 0),
          make("top_p 0.9", 1, 0, 0.9f, 0),
          make("0.7, top_p 0.95", 0.7f, 0, 0.95f, 0),
          make("2, top_p 0.999", 2, 0, 0.999f, 0),
          make("top_k 40", 0.7f, 40, 1, 0),
          make("top_k 1000, top_p 0.9", 1, 1000, 0.9f, 0),
          make("min_p 0.05", 1, 0, 1, 0.05f),
          make("all", 0.7f, 40, 0.95f, 0.02f)};
}

class DrawChecks {
 public:
  DrawChecks(Session::Impl& session, std::string label, Report& report)
      : session_(session), label_(std::move(label)), report_(report) {}

  void against_sorting() {
    int n_draws = 0, n_differ = 0;
    for (const Logits& logits : distributions()) {
      session_.backend.set_logits(session_.slot, logits.values);
      for (const Setting& setting : settings()) {
        for (const int position : {6, 601}) {
          const Token expected =
              test::reference_draw(logits.values, setting.sampling, static_cast<std::uint64_t>(position));
          Sampling reported = setting.sampling;
          reported.n_logprobs = 1;  // drawn on the host
          ++n_draws;
          if (draw(reported, position).token != expected) ++n_differ;
          if (!on_device()) continue;
          const Token got = draw(setting.sampling, position).token;
          report_.claim(got == expected, label_ + ", " + logits.name + ", " + setting.name + ", position " +
                                             std::to_string(position) + ": drew " + std::to_string(got) + ", not " +
                                             std::to_string(expected));
        }
      }
    }
    // Weights are rounded otherwise, so that in a flat distribution a border may fall elsewhere.
    report_.at_most(n_differ, n_draws / 16, label_ + ": draws that differ between sampler and sorting");
  }

  void bad_logits_are_an_error() {
    for (const float bad : {NAN, INFINITY, -NAN}) {
      std::vector<float> logits(n_vocab, 0.5f);
      logits[n_vocab - 2] = bad;
      session_.backend.set_logits(session_.slot, logits);
      bool refused = false;
      try {
        draw(settings()[1].sampling, 6);
      } catch (const EngineError& error) {
        refused = error.code() == ErrorCode::bad_model;
      }
      report_.claim(refused, label_ + ": a logit of " + std::to_string(bad) + " is a damaged model");
    }
  }

 private:
  bool on_device() const { return session_.model.info.device == Device::cuda; }
  Step draw(const Sampling& sampling, int position) {
    Step step;
    int n_consumed = 0;
    session_.backend.decode(session_.slot, position, -1, sampling, {}, {&step, 1}, never, n_consumed);
    return step;
  }

  Session::Impl& session_;
  std::string label_;
  Report& report_;
};

}  // namespace

void check_draws(const Target& target, Report& report) {
  const test::ScratchDir scratch;
  const std::string config =
      test::small_config({{"vocab_size", std::to_string(n_vocab)}, {"layer_types", R"(["f","f","f","f","f","f"])"}});
  test::write_checkpoint(scratch.path(), config, 1);
  Session session(load(scratch.path(), target), 620);
  DrawChecks checks(session.impl(), "draws " + target.text(), report);
  checks.against_sorting();
  checks.bad_logits_are_an_error();
}

}  // namespace nf::check
