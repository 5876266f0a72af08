// The CUDA engine against itself along its different paths. Without a GPU every test here is skipped by name.
#include <cmath>

#include "golden.h"
#include "nf/engine.h"
#include "support/check.h"
#include "support/paths.h"

namespace nf::test {
namespace {

const StopFlag never{false};

void need_gpu() {
  const DeviceReport report = list_devices();
  if (!report.cuda_reason.empty()) throw Skipped{report.cuda_reason};
}

std::shared_ptr<const Model> load(const char* fixture, WeightFormat format, bool use_graph) {
  LoadOptions options;
  options.source = (golden_dir() / fixture).string();
  options.device = Device::cuda;
  options.format = format;
  options.max_positions = 640;
  options.use_graph = use_graph;
  return Model::load(options, never);
}

std::vector<Token> prompt(int n, int n_vocab) {
  std::vector<Token> tokens;
  for (int i = 0; i < n; ++i) tokens.push_back((i * 37 + 11) % n_vocab);
  return tokens;
}

/// Greedy tokens and last logits; `on_host` asks for log-probabilities, which the host's sampler serves.
struct Run {
  std::vector<Token> tokens;
  std::vector<float> logprobs, logits;
};
Run decode(Session& session, int n_prompt, std::size_t n, bool on_host) {
  session.reset();
  session.prefill(prompt(n_prompt, 300), never);
  Sampling sampling;
  sampling.temperature = 0;
  sampling.ignore_end = true;
  sampling.n_logprobs = on_host ? 1 : 0;
  std::vector<Step> steps(n);
  steps.resize(session.decode(sampling, steps, never));
  Run run;
  for (const Step& step : steps) run.tokens.push_back(step.token), run.logprobs.push_back(step.logprob);
  const auto logits = session.logits();
  run.logits.assign(logits.begin(), logits.end());
  return run;
}

TEST("CUDA: the device's greedy choice is the host's") {
  need_gpu();
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8, WeightFormat::int4}) {
    const auto model = load("tiny", format, true);
    Session session(model, 640);
    const Run device = decode(session, 20, 40, false), host = decode(session, 20, 40, true);
    CHECK(device.tokens == host.tokens);
    CHECK(device.logits == host.logits);
    for (std::size_t i = 0; i < host.logprobs.size(); ++i) {
      CHECK(std::abs(device.logprobs[i] - host.logprobs[i]) < 1e-4f);
    }
  }
}

TEST("CUDA: with and without a graph, the same bits") {
  need_gpu();
  const auto with = load("real-heads", WeightFormat::bf16, true),
             without = load("real-heads", WeightFormat::bf16, false);
  Session a(with, 640), b(without, 640);
  const Run first = decode(a, 63, 50, false), second = decode(b, 63, 50, false);
  CHECK(first.tokens == second.tokens);
  CHECK(first.logits == second.logits);
}

TEST("CUDA: prefill of n tokens comes close to n steps") {
  need_gpu();
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8, WeightFormat::int4}) {
    const auto model = load("real-heads", format, true);
    Session whole(model, 640), steps(model, 640);
    for (const int n : {1, 9, 63, 64, 65, 100, 129, 200}) {
      const auto tokens = prompt(n, 300);
      whole.reset();
      steps.reset();
      whole.prefill(tokens, never);
      for (const Token token : tokens) steps.prefill({&token, 1}, never);
      const auto a = whole.logits(), b = steps.logits();
      double difference = 0, size = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
        size += double{b[i]} * b[i];
      }
      CHECK(std::sqrt(difference / size) < 0.02);  // bf16 activations in prefill: the golden limit (b)
    }
  }
}

}  // namespace
}  // namespace nf::test
