// Chooses tokens from logits on the host. Order of the filters: logit bias, repetition, frequency and presence
// penalties, the mask of allowed tokens, temperature, top-k, top-p (of what top-k left), min-p (relative to the best).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "backend.h"
#include "nf/engine.h"

namespace nf {

/// Throws bad_argument naming the setting when one is out of range. Backends with a sampler of their own call it too.
void check_sampling(const Sampling&, int n_vocab);

/// Sampler of one sequence. Not thread-safe. No allocation in sample() after the first calls.
class Sampler {
 public:
  Sampler(int n_vocab, std::vector<Token> end_tokens);

  /// Starts a run: checks the settings and counts the tokens of the history for the penalties.
  void begin(const Sampling&, const History&);
  /// Tells of a token of the answer that has been consumed since begin().
  void accept(Token);

  /// Fills token, is_end, logprob, n_top and top of `step` from logits [n_vocab]. `position` is the one the token will
  /// take; the random number is uniform_at(seed, position). Log-probabilities are those of the model: of `logits` as
  /// given, before bias, penalties and temperature. Ties go to the lower token. Throws bad_model when a logit is NaN,
  /// bad_argument when mask and bias forbid every token.
  void sample(std::span<const float> logits, int position, Step& step);

 private:
  struct Candidate {
    float weight;
    Token token;
  };
  struct Cut {  // keeps weights above `weight`, and of equal ones the tokens up to `token`; never a weight of 0
    float weight = 0;
    Token token = 0;
    bool keeps(float w, Token t) const { return w > 0 && (w > weight || (w == weight && t <= token)); }
  };

  using Candidates = std::vector<Candidate>;

  bool adjusts() const;
  void adjust(std::span<const float> logits);
  Token best_of(const float* values) const;
  Token draw(const float* values, float largest, int position);
  std::pair<Token, Token> block_range(std::size_t block) const;  // [first, end)
  double kept_sum(std::size_t block, const Cut&) const;
  double gather(float at_least);
  Cut find_cut(double total);
  static Candidates::iterator nucleus(Candidates::iterator first, Candidates::iterator last, double wanted);
  void report_logprobs(const float* logits, Step& step);

  int n_vocab_;
  std::vector<Token> end_tokens_;
  Sampling sampling_;
  std::vector<std::int32_t> n_in_answer_;                   // [n_vocab]
  std::vector<std::uint8_t> seen_;                          // [n_vocab], in prompt or answer
  std::vector<Token> touched_;                              // tokens with seen_ set
  std::vector<float> adjusted_;                             // [n_vocab]
  std::vector<float> weights_;                              // [n_vocab]
  std::vector<float> maxima_, raw_maxima_, weight_maxima_;  // one per block
  std::vector<double> block_sums_;
  Candidates candidates_;
};

}  // namespace nf
