// The sampler against a slow, obvious one, and against the distribution it claims to draw from.
#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <random>

#include "random.h"
#include "support/check.h"

namespace nf::test {
namespace {

std::vector<float> random_logits(int n, float deviation, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> logits(static_cast<std::size_t>(n));
  for (float& logit : logits) logit = normal(generator);
  return logits;
}

/// Every step spelled out in double precision with full sorts.
struct Reference {
  std::vector<double> adjusted, probability;  // probability is 0 for dropped tokens

  Reference(const std::vector<float>& logits, const Sampling& s, const std::vector<Token>& prompt,
            const std::vector<Token>& answer)
      : adjusted(logits.begin(), logits.end()), probability(logits.size(), 0) {
    for (const auto& [token, bias] : s.logit_bias) adjusted[static_cast<std::size_t>(token)] += bias;
    std::map<Token, int> in_answer;
    for (const Token t : prompt) in_answer.try_emplace(t, 0);
    for (const Token t : answer) ++in_answer[t];
    for (const auto& [token, n] : in_answer) {
      double& x = adjusted[static_cast<std::size_t>(token)];
      x = x > 0 ? x / s.repetition_penalty : x * s.repetition_penalty;
      x -= n * s.frequency_penalty + (n > 0 ? s.presence_penalty : 0);
    }
    std::vector<int> order(adjusted.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return at(a) > at(b); });
    if (s.temperature == 0) {
      probability[static_cast<std::size_t>(order[0])] = 1;
      return;
    }
    const double best = at(order[0]);
    if (s.top_k > 0 && static_cast<std::size_t>(s.top_k) < order.size())
      order.resize(static_cast<std::size_t>(s.top_k));
    const auto weight = [&](int i) { return std::exp((at(i) - best) / s.temperature); };
    double total = 0, sum = 0;
    for (const int i : order) total += weight(i);
    if (s.top_p < 1) {
      std::size_t n = 0;
      do sum += weight(order[n++]);
      while (n < order.size() && sum < s.top_p * total);
      order.resize(n);
    }
    while (weight(order.back()) < s.min_p) order.pop_back();
    total = 0;
    for (const int i : order) total += weight(i);
    for (const int i : order) probability[static_cast<std::size_t>(i)] = weight(i) / total;
  }

  Token draw(double u) const {
    Token last = -1;
    for (std::size_t i = 0; i < probability.size(); ++i) {
      if (probability[i] == 0) continue;
      last = static_cast<Token>(i);
      u -= probability[i];
      if (u < 0) break;
    }
    return last;
  }

 private:
  double at(int i) const { return adjusted[static_cast<std::size_t>(i)]; }
};

Step sample_one(Sampler& sampler, const std::vector<float>& logits, int position) {
  Step step;
  sampler.sample(logits, position, step);
  return step;
}

struct Setting {
  const char* name;
  Sampling sampling;
};

std::vector<Setting> settings() {
  const auto make = [](const char* name, auto change) {
    Sampling s;
    s.top_p = 1;
    change(s);
    return Setting{name, s};
  };
  return {
      make("greedy", [](Sampling& s) { s.temperature = 0; }),
      make("plain", [](Sampling&) {}),
      make("cold", [](Sampling& s) { s.temperature = 0.3f; }),
      make("hot", [](Sampling& s) { s.temperature = 3; }),
      make("top_k 1", [](Sampling& s) { s.top_k = 1; }),
      make("top_k 5", [](Sampling& s) { s.top_k = 5; }),
      make("top_k beyond the vocabulary", [](Sampling& s) { s.top_k = 1 << 20; }),
      make("top_p 0", [](Sampling& s) { s.top_p = 0; }),
      make("top_p 0.5", [](Sampling& s) { s.top_p = 0.5f; }),
      make("top_p 0.999", [](Sampling& s) { s.top_p = 0.999f; }),
      make("min_p 0.1", [](Sampling& s) { s.min_p = 0.1f; }),
      make("top_k and top_p", [](Sampling& s) { s.top_k = 40, s.top_p = 0.8f; }),
      make("all filters", [](Sampling& s) { s.temperature = 0.8f, s.top_k = 60, s.top_p = 0.95f, s.min_p = 0.05f; }),
      make("repetition", [](Sampling& s) { s.repetition_penalty = 1.4f; }),
      make("repetition reversed", [](Sampling& s) { s.repetition_penalty = 0.7f; }),
      make("frequency and presence", [](Sampling& s) { s.frequency_penalty = 0.6f, s.presence_penalty = 0.4f; }),
      make("bias",
           [](Sampling& s) {
             s.logit_bias = {{3, 5.0f}, {7, -INFINITY}, {11, -2.0f}};
           }),
      make("everything",
           [](Sampling& s) {
             s = {0.9f, 50, 0.9f, 0.01f, 1.2f, 0.2f, 0.3f, 17, 5, false, {{1, 2.0f}, {2, -INFINITY}}, {}};
           }),
  };
}

TEST("the sampler draws what a slow reference draws") {
  const std::vector<Token> prompt{1, 3, 3, 9, 12}, answer{3, 5, 5, 5, 11};
  std::vector<Token> consumed = prompt;
  consumed.insert(consumed.end(), answer.begin(), answer.end());
  int n_draws = 0;
  for (const int n_vocab : {1, 13, 255, 256, 257, 3000}) {
    for (const float deviation : {0.1f, 1.5f, 6.0f}) {
      const std::vector<float> logits = random_logits(n_vocab, deviation, 42);
      for (Setting setting : settings()) {
        const bool small = n_vocab < 13;
        if (small) setting.sampling.logit_bias.clear();
        const auto few = small ? std::vector<Token>{} : consumed;
        const int n_prompt = small ? 0 : static_cast<int>(prompt.size());
        Sampler sampler(n_vocab, {2});
        sampler.begin(setting.sampling, {few, n_prompt});
        const Reference reference(logits, setting.sampling, small ? few : prompt, small ? few : answer);
        for (int position = 0; position < 40; ++position) {
          const Token expected =
              reference.draw(uniform_at(setting.sampling.seed, static_cast<std::uint64_t>(position)));
          const Token got = sample_one(sampler, logits, position).token;
          if (got != expected) {
            report(__FILE__, __LINE__,
                   std::string(setting.name) + ", vocabulary " + std::to_string(n_vocab) + ", deviation " +
                       std::to_string(deviation) + ", position " + std::to_string(position) + ": " +
                       show_pair(got, expected));
          }
          ++n_draws;
        }
      }
    }
  }
  CHECK_EQ(n_draws, 6 * 3 * 18 * 40);
}

TEST("draws follow the distribution") {
  constexpr std::uint64_t seed = 20240607;
  constexpr int n_draws = 200000;
  const std::vector<float> logits = random_logits(40, 1.0f, seed);
  Sampling sampling;
  sampling.temperature = 0.7f;
  sampling.top_p = 0.95f;
  sampling.seed = seed;
  const Reference reference(logits, sampling, {}, {});
  Sampler sampler(40, {});
  sampler.begin(sampling, {});
  std::vector<int> counts(40, 0);
  for (int position = 0; position < n_draws; ++position) {
    ++counts[static_cast<std::size_t>(sample_one(sampler, logits, position).token)];
  }
  double chi_square = 0;
  int n_kept = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = reference.probability[i] * n_draws;
    if (expected == 0) {
      CHECK_EQ(counts[i], 0);
      continue;
    }
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    ++n_kept;
  }
  std::printf("draws follow the distribution: seed %llu, chi square %.1f at %d degrees of freedom\n",
              static_cast<unsigned long long>(seed), chi_square, n_kept - 1);
  const double freedom = n_kept - 1;
  CHECK_AT_MOST(chi_square, freedom + 4 * std::sqrt(2 * freedom));
}

TEST("a draw is a function of seed and position") {
  const std::vector<float> logits = random_logits(1000, 1.0f, 5);
  Sampling sampling;
  sampling.seed = 99;
  Sampler a(1000, {}), b(1000, {});
  a.begin(sampling, {});
  b.begin(sampling, {});
  std::vector<Token> forwards, backwards;
  for (int p = 0; p < 50; ++p) forwards.push_back(sample_one(a, logits, p).token);
  for (int p = 49; p >= 0; --p) backwards.insert(backwards.begin(), sample_one(b, logits, p).token);
  CHECK(forwards == backwards);
  sampling.seed = 100;
  b.begin(sampling, {});
  std::vector<Token> other;
  for (int p = 0; p < 50; ++p) other.push_back(sample_one(b, logits, p).token);
  CHECK(forwards != other);
}

TEST("log-probabilities are those of the model, whatever the settings") {
  const std::vector<float> logits = random_logits(5000, 2.0f, 8);
  double largest = *std::max_element(logits.begin(), logits.end()), total = 0;
  for (const float x : logits) total += std::exp(x - largest);
  for (Setting setting : settings()) {
    setting.sampling.n_logprobs = max_logprobs;
    Sampler sampler(5000, {2});
    sampler.begin(setting.sampling, {});
    const Step step = sample_one(sampler, logits, 3);
    CHECK_NEAR(step.logprob, logits[static_cast<std::size_t>(step.token)] - largest - std::log(total), 2e-5);
    CHECK_EQ(step.n_top, max_logprobs);
    std::vector<float> sorted = logits;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (std::size_t i = 0; i < max_logprobs; ++i) {
      CHECK_NEAR(step.top[i].logprob, sorted[i] - largest - std::log(total), 2e-5);
      CHECK_EQ(logits[static_cast<std::size_t>(step.top[i].token)], sorted[i]);
    }
  }
}

TEST("end tokens are marked unless told to ignore them") {
  std::vector<float> logits(10, 0.0f);
  logits[4] = 50;
  Sampling sampling;
  Sampler sampler(10, {2, 4});
  sampler.begin(sampling, {});
  CHECK(sample_one(sampler, logits, 0).is_end);
  sampling.ignore_end = true;
  sampler.begin(sampling, {});
  const Step step = sample_one(sampler, logits, 0);
  CHECK(!step.is_end);
  CHECK_EQ(step.token, 4);
}

TEST("equal logits go to the lower token") {
  const std::vector<float> logits(700, 1.5f);
  Sampling sampling;
  sampling.temperature = 0;
  sampling.n_logprobs = 3;
  Sampler sampler(700, {});
  sampler.begin(sampling, {});
  const Step step = sample_one(sampler, logits, 0);
  CHECK_EQ(step.token, 0);
  CHECK_EQ(step.top[2].token, 2);
  sampling.temperature = 1;
  sampling.top_k = 2;
  sampler.begin(sampling, {});
  for (int p = 0; p < 50; ++p) CHECK(sample_one(sampler, logits, p).token < 2);
}

TEST("logits that are no numbers are a clear error") {
  for (const int at : {0, 5, 255, 256, 299}) {
    std::vector<float> logits(300, 0.5f);
    Sampler sampler(300, {});
    sampler.begin({}, {});
    logits[static_cast<std::size_t>(at)] = NAN;
    CHECK_THROWS(sample_one(sampler, logits, 0), ErrorCode::bad_model, "not a number");
    logits[static_cast<std::size_t>(at)] = INFINITY;
    CHECK_THROWS(sample_one(sampler, logits, 0), ErrorCode::bad_model, "infinite");
  }
  Sampling sampling;
  sampling.logit_bias = {{0, -INFINITY}, {1, -INFINITY}};
  Sampler sampler(2, {});
  sampler.begin(sampling, {});
  CHECK_THROWS(sample_one(sampler, {1.0f, 2.0f}, 0), ErrorCode::bad_argument, "forbid every token");
}

TEST("a mask leaves the allowed tokens only") {
  const std::vector<float> logits = random_logits(100, 1.0f, 3);
  Sampling sampling;
  sampling.top_p = 1;
  sampling.allowed.assign(4, 0);
  for (const Token t : {5, 32, 99}) sampling.allowed[static_cast<std::size_t>(t / 32)] |= 1u << (t % 32);
  Sampler sampler(100, {});
  sampler.begin(sampling, {});
  std::map<Token, int> counts;
  for (int p = 0; p < 300; ++p) ++counts[sample_one(sampler, logits, p).token];
  CHECK_EQ(counts.size(), std::size_t{3});
  CHECK(counts[5] > 0 && counts[32] > 0 && counts[99] > 0);
  sampling.allowed.assign(3, ~0u);
  CHECK_THROWS(sampler.begin(sampling, {}), ErrorCode::bad_argument, "allowed");
}

TEST("settings out of range are refused by name") {
  const auto refused = [](auto change, const char* name) {
    Sampling sampling;
    change(sampling);
    CHECK_THROWS(check_sampling(sampling, 100), ErrorCode::bad_argument, name);
  };
  refused([](Sampling& s) { s.temperature = -1; }, "temperature");
  refused([](Sampling& s) { s.temperature = NAN; }, "temperature");
  refused([](Sampling& s) { s.top_k = -1; }, "top_k");
  refused([](Sampling& s) { s.top_p = 1.1f; }, "top_p");
  refused([](Sampling& s) { s.min_p = NAN; }, "min_p");
  refused([](Sampling& s) { s.repetition_penalty = 0; }, "repetition_penalty");
  refused([](Sampling& s) { s.frequency_penalty = INFINITY; }, "frequency_penalty");
  refused([](Sampling& s) { s.n_logprobs = 21; }, "n_logprobs");
  refused([](Sampling& s) { s.logit_bias = {{100, 0.0f}}; }, "logit_bias");
  refused([](Sampling& s) { s.logit_bias = {{-1, 0.0f}}; }, "logit_bias");
}

}  // namespace
}  // namespace nf::test
