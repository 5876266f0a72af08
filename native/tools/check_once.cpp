// Runs every kernel of a format on as little as shows it: for sanitizers, under which a whole check takes too long.
#include <algorithm>
#include <cmath>

#include "check.h"

namespace nf::check {
namespace {

const StopFlag never{false};

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

Step drawn(Session& session, float temperature) {
  Sampling sampling;
  sampling.temperature = temperature, sampling.top_k = 20, sampling.top_p = 0.9f, sampling.ignore_end = true;
  Step step;
  session.decode(sampling, {&step, 1}, never);
  return step;
}

}  // namespace

void check_once(const std::filesystem::path& dir, const Target& target, Report& report) {
  Session session(load(dir, target), 320);
  std::vector<Token> prompt;
  for (int i = 0; i < 100; ++i) prompt.push_back((i * 37 + 11) % session.impl().model.info.n_vocab);
  const std::string label = "once " + target.text();
  session.prefill(prompt, never);
  report.claim(all_finite(session.logits()), label + ": a prompt of 100 tokens");
  const Checkpoint saved = session.save();
  report.claim(std::isfinite(drawn(session, 0.7f).logprob), label + ": a draw");
  session.restore(saved);
  report.claim(std::isfinite(drawn(session, 0).logprob), label + ": a greedy choice");
  session.restore(saved);
  session.prefill(std::span(prompt).first(3), never);
  report.claim(all_finite(session.logits()), label + ": a prompt of 3 tokens");
}

void check_step(const std::filesystem::path& dir, const Target& target, Report& report) {
  Session session(load(dir, target), 320);
  session.prefill(std::vector<Token>{11}, never);
  report.claim(all_finite(session.logits()), "step " + target.text());
  report.claim(std::isfinite(drawn(session, 0.7f).logprob), "step and draw " + target.text());
}

}  // namespace nf::check
