#include <algorithm>

#include "check.h"

namespace nf::check {

std::shared_ptr<const Model> load(const std::filesystem::path& dir, const Target& target) {
  LoadOptions options;
  options.source = dir.string();
  options.device = target.device;
  options.format = target.format;
  options.max_positions = 640;
  const StopFlag never{false};
  return Model::load(options, never);
}

void Recording::logits(int, int, std::span<const float> values) {
  rows.insert(rows.end(), values.begin(), values.end());
}

void Recording::hidden(int index, int, int, std::span<const float> values) {
  if (streams.size() <= static_cast<std::size_t>(index)) streams.resize(static_cast<std::size_t>(index) + 1);
  auto& stream = streams[static_cast<std::size_t>(index)];
  stream.insert(stream.end(), values.begin(), values.end());
}

void prefill_in_pieces(Session& session, std::span<const Token> tokens, std::span<const int> sizes,
                       Observer* observer) {
  const StopFlag never{false};
  for (std::size_t i = 0; !tokens.empty(); ++i) {
    const std::size_t n = std::min(tokens.size(), static_cast<std::size_t>(sizes[i % sizes.size()]));
    session.prefill(tokens.first(n), never, {}, observer);
    tokens = tokens.subspan(n);
  }
}

std::vector<Token> decode(Session& session, std::size_t n, const Sampling& sampling) {
  const StopFlag never{false};
  std::vector<Step> steps(n);
  steps.resize(session.decode(sampling, steps, never));
  std::vector<Token> tokens;
  for (const Step& step : steps) tokens.push_back(step.token);
  return tokens;
}

std::vector<Token> decode_greedy(Session& session, std::size_t n) {
  Sampling sampling;
  sampling.temperature = 0;
  for (const Token end : session.impl().model.info.end_tokens) sampling.logit_bias.emplace_back(end, -HUGE_VALF);
  return decode(session, n, sampling);
}

std::vector<float> state_of(Session& session) {
  Session::Impl& s = session.impl();
  std::vector<float> blob(static_cast<std::size_t>(s.model.layout.n_floats));
  s.backend.save_state(s.slot, blob);
  return blob;
}

}  // namespace nf::check
