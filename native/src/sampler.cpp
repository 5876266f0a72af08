#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "random.h"
#include "vector_math.h"

namespace nf {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Heavier first; of equal weights the lower token.
constexpr auto heavier = [](const auto& a, const auto& b) {
  return a.weight > b.weight || (a.weight == b.weight && a.token < b.token);
};

}  // namespace

void check_sampling(const Sampling& s, int n_vocab) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw EngineError(ErrorCode::bad_argument, what);
  };
  require(std::isfinite(s.temperature) && s.temperature >= 0, "temperature must be 0 or more");
  require(s.top_k >= 0, "top_k must be 0 (off) or more");
  require(s.top_p >= 0 && s.top_p <= 1, "top_p must be between 0 and 1");
  require(s.min_p >= 0 && s.min_p <= 1, "min_p must be between 0 and 1");
  require(std::isfinite(s.repetition_penalty) && s.repetition_penalty > 0, "repetition_penalty must be above 0");
  require(std::isfinite(s.frequency_penalty), "frequency_penalty must be a finite number");
  require(std::isfinite(s.presence_penalty), "presence_penalty must be a finite number");
  require(s.n_logprobs >= 0 && s.n_logprobs <= max_logprobs, "n_logprobs must be between 0 and 20");
  require(s.allowed.empty() || s.allowed.size() == static_cast<std::size_t>((n_vocab + 31) / 32),
          "allowed must hold one bit per token of the vocabulary");
  for (const auto& [token, bias] : s.logit_bias) {
    require(token >= 0 && token < n_vocab, "logit_bias names a token outside the vocabulary");
    require(bias < infinity, "logit_bias must be a number; minus infinity forbids a token");
  }
}

Sampler::Sampler(int n_vocab, std::vector<Token> end_tokens) : n_vocab_(n_vocab), end_tokens_(std::move(end_tokens)) {
  const auto n = static_cast<std::size_t>(n_vocab);
  n_in_answer_.assign(n, 0);
  seen_.assign(n, 0);
  weights_.resize(n);
  const auto n_blocks = static_cast<std::size_t>(n_math_blocks(n_vocab));
  for (auto* maxima : {&maxima_, &raw_maxima_, &weight_maxima_}) maxima->resize(n_blocks);
  block_sums_.resize(n_blocks);
}

void Sampler::begin(const Sampling& sampling, const History& history) {
  check_sampling(sampling, n_vocab_);
  sampling_ = sampling;
  for (const Token token : touched_) {
    n_in_answer_[static_cast<std::size_t>(token)] = 0;
    seen_[static_cast<std::size_t>(token)] = 0;
  }
  touched_.clear();
  const auto n_prompt = static_cast<std::size_t>(history.n_prompt);
  for (std::size_t i = 0; i < history.consumed.size(); ++i) {
    const Token token = history.consumed[i];
    accept(token);
    if (i < n_prompt) --n_in_answer_[static_cast<std::size_t>(token)];
  }
}

void Sampler::accept(Token token) {
  const auto t = static_cast<std::size_t>(token);
  if (!seen_[t]) touched_.push_back(token);
  seen_[t] = 1;
  ++n_in_answer_[t];
}

bool Sampler::adjusts() const {
  return !sampling_.allowed.empty() || !sampling_.logit_bias.empty() || sampling_.repetition_penalty != 1.0f ||
         sampling_.frequency_penalty != 0.0f || sampling_.presence_penalty != 0.0f;
}

void Sampler::adjust(std::span<const float> logits) {
  adjusted_.assign(logits.begin(), logits.end());
  for (const auto& [token, bias] : sampling_.logit_bias) adjusted_[static_cast<std::size_t>(token)] += bias;
  for (const Token token : touched_) {
    float& logit = adjusted_[static_cast<std::size_t>(token)];
    logit = logit > 0 ? logit / sampling_.repetition_penalty : logit * sampling_.repetition_penalty;
    const auto n = static_cast<float>(n_in_answer_[static_cast<std::size_t>(token)]);
    if (n > 0) logit -= n * sampling_.frequency_penalty + sampling_.presence_penalty;
  }
  if (sampling_.allowed.empty()) return;
  for (std::size_t word = 0; word < sampling_.allowed.size(); ++word) {
    const std::uint32_t bits = sampling_.allowed[word];
    if (bits == ~std::uint32_t{0}) continue;
    float* values = adjusted_.data() + 32 * word;
    const int n = std::min(32, n_vocab_ - static_cast<Token>(32 * word));
    // A grammar allows few tokens, or all but few.
    if (bits == 0) {
      std::fill_n(values, n, -infinity);
    } else {
      for (int i = 0; i < n; ++i) {
        if (!(bits >> i & 1)) values[i] = -infinity;
      }
    }
  }
}

void Sampler::sample(std::span<const float> logits, int position, Step& step) {
  if (!block_maxima(logits.data(), n_vocab_, raw_maxima_.data())) {
    throw EngineError(ErrorCode::bad_model,
                      "the model computed a logit that is not a number; its weights are damaged or overflow");
  }
  const float* values = logits.data();
  maxima_ = raw_maxima_;
  if (adjusts()) {
    adjust(logits);
    values = adjusted_.data();
    block_maxima(values, n_vocab_, maxima_.data());
  }
  const float largest = *std::max_element(maxima_.begin(), maxima_.end());
  if (largest == -infinity)
    throw EngineError(ErrorCode::bad_argument, "allowed and logit_bias together forbid every token");
  if (largest == infinity) {
    throw EngineError(ErrorCode::bad_model,
                      "the model computed an infinite logit; its weights are damaged or overflow");
  }
  step.token = sampling_.temperature == 0 ? best_of(values) : draw(values, largest, position);
  step.is_end =
      !sampling_.ignore_end && std::find(end_tokens_.begin(), end_tokens_.end(), step.token) != end_tokens_.end();
  report_logprobs(logits.data(), step);
}

/// The lowest token with the largest value.
Token Sampler::best_of(const float* values) const {
  const auto block = std::max_element(maxima_.begin(), maxima_.end());
  auto token = static_cast<Token>(block - maxima_.begin()) * math_block;
  while (values[token] != *block) ++token;
  return token;
}

Token Sampler::draw(const float* values, float largest, int position) {
  // A temperature so low that 1 / T overflows is greedy in effect; the bound keeps 0 * scale a number.
  const float scale = std::min(1 / sampling_.temperature, 1e30f);
  exp_weights(values, n_vocab_, largest, scale, weights_.data(), block_sums_.data(), weight_maxima_.data());
  double total = 0;
  for (const double sum : block_sums_) total += sum;
  const double u = uniform_at(sampling_.seed, static_cast<std::uint64_t>(position));
  const bool filters = sampling_.top_k > 0 || sampling_.top_p < 1 || sampling_.min_p > 0;
  const Cut cut = filters ? find_cut(total) : Cut{0, -1};

  // Inverse of the distribution function over the kept tokens in order of their numbers: no sorting. The second walk
  // adds in the same order as the first, so it always arrives.
  if (filters) {
    total = 0;
    for (std::size_t b = 0; b < block_sums_.size(); ++b) total += block_sums_[b] = kept_sum(b, cut);
  }
  double left = u * total;
  std::size_t b = 0;
  while (b + 1 < block_sums_.size() && left >= block_sums_[b]) left -= block_sums_[b++];
  Token chosen = -1;
  // Rounding may leave a remainder behind the last kept token of the block: then that one it is.
  for (; chosen < 0; --b) {
    const auto [first, end] = block_range(b);
    for (Token t = first; t < end; ++t) {
      if (!cut.keeps(weights_[static_cast<std::size_t>(t)], t)) continue;
      chosen = t;
      left -= weights_[static_cast<std::size_t>(t)];
      if (left < 0) break;
    }
  }
  return chosen;
}

std::pair<Token, Token> Sampler::block_range(std::size_t block) const {
  const Token first = static_cast<Token>(block) * math_block;
  return {first, std::min(first + math_block, n_vocab_)};
}

double Sampler::kept_sum(std::size_t block, const Cut& cut) const {
  if (weight_maxima_[block] < cut.weight) return 0;
  double sum = 0;
  const auto [first, end] = block_range(block);
  for (Token t = first; t < end; ++t) {
    const float weight = weights_[static_cast<std::size_t>(t)];
    if (cut.keeps(weight, t)) sum += weight;
  }
  return sum;
}

/// Collects the tokens of at least this weight, in order of their numbers; returns their weight together.
double Sampler::gather(float at_least) {
  candidates_.clear();
  double sum = 0;
  for (std::size_t b = 0; b < weight_maxima_.size(); ++b) {
    if (weight_maxima_[b] < at_least) continue;
    const auto [first, end] = block_range(b);
    for (Token t = first; t < end; ++t) {
      const float weight = weights_[static_cast<std::size_t>(t)];
      if (weight < at_least) continue;
      candidates_.push_back({weight, t});
      sum += weight;
    }
  }
  return sum;
}

/// The last token that the filters keep. All three keep a prefix of the tokens in order of weight, so only as many
/// tokens are looked at as that prefix may need: first those near the best (weight 1), then more.
Sampler::Cut Sampler::find_cut(double total) {
  const Cut by_min_p{sampling_.min_p, n_vocab_};
  const auto k = static_cast<std::size_t>(sampling_.top_k);
  if (k == 0 && sampling_.top_p >= 1) return by_min_p;
  for (const float at_least : {2e-2f, 1e-3f, 1e-5f, 0.0f}) {
    const double sum = gather(at_least);
    if (k > 0 ? candidates_.size() >= k : sum >= sampling_.top_p * total) break;
  }
  auto end = candidates_.end();
  if (k > 0 && candidates_.size() > k) {
    end = candidates_.begin() + sampling_.top_k;
    std::nth_element(candidates_.begin(), end - 1, candidates_.end(), heavier);
  }
  if (sampling_.top_p < 1) {
    if (k > 0) {
      total = 0;
      for (auto c = candidates_.begin(); c != end; ++c) total += c->weight;
    }
    end = nucleus(candidates_.begin(), end, sampling_.top_p * total);
  }
  const auto last = std::max_element(candidates_.begin(), end, heavier);  // the lightest kept
  return last->weight < by_min_p.weight ? by_min_p : Cut{last->weight, last->token};
}

/// Moves the heaviest candidates whose weights reach `wanted` to the front, as few as suffice, at least one; returns
/// their end. Quickselect by weight: linear on average, so a flat distribution over a large vocabulary is not sorted.
Sampler::Candidates::iterator Sampler::nucleus(Candidates::iterator first, Candidates::iterator last, double wanted) {
  constexpr std::ptrdiff_t small = 32;
  double before = 0;
  while (last - first > small) {
    auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, heavier);
    double half = 0;
    for (auto c = first; c != middle; ++c) half += c->weight;
    if (before + half >= wanted) {
      last = middle;
    } else {
      before += half;
      first = middle;
    }
  }
  std::sort(first, last, heavier);
  while (first != last) {
    before += first->weight;
    ++first;
    if (before >= wanted) break;
  }
  return first;
}

void Sampler::report_logprobs(const float* logits, Step& step) {
  const float largest = *std::max_element(raw_maxima_.begin(), raw_maxima_.end());
  const double log_total = std::log(exp_sum(logits, n_vocab_, largest)) + largest;
  const auto logprob = [&](Token token) { return static_cast<float>(logits[token] - log_total); };
  step.logprob = logprob(step.token);
  step.n_top = std::min(sampling_.n_logprobs, n_vocab_);
  if (step.n_top == 0) return;

  // A sorted list of the best so far; blocks that cannot enter it are skipped.
  auto& best = candidates_;
  best.clear();
  const auto n_wanted = static_cast<std::size_t>(step.n_top);
  for (std::size_t b = 0; b < raw_maxima_.size(); ++b) {
    if (best.size() == n_wanted && raw_maxima_[b] <= best.back().weight) continue;
    const auto [first, end] = block_range(b);
    for (Token t = first; t < end; ++t) {
      if (best.size() == n_wanted) {
        if (logits[t] <= best.back().weight) continue;
        best.pop_back();
      }
      const Candidate fresh{logits[t], t};
      best.insert(std::upper_bound(best.begin(), best.end(), fresh, heavier), fresh);
    }
  }
  for (std::size_t i = 0; i < n_wanted; ++i) step.top[i] = {best[i].token, logprob(best[i].token)};
}

}  // namespace nf
