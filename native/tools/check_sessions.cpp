// What a session promises, bit by bit: checkpoints, branches, cancellation, seeds, several sequences.
#include <array>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>
#include <utility>

#include "check.h"

namespace nf::check {
namespace {

const StopFlag never{false};

std::vector<float> logits_of(Session& session) {
  const auto logits = session.logits();
  return {logits.begin(), logits.end()};
}

Sampling seeded(std::uint64_t seed) {
  Sampling sampling;
  sampling.seed = seed;
  sampling.ignore_end = true;
  return sampling;
}

class SessionChecks {
 public:
  SessionChecks(std::shared_ptr<const Model> model, std::vector<Token> prompt, std::string label, Report& report)
      : model_(std::move(model)), prompt_(std::move(prompt)), label_(std::move(label)), report_(report) {}

  void same_seed_same_bits() {
    Session a = started(), b = started();
    claim(decode(a, 24, seeded(7)) == decode(b, 24, seeded(7)), "the same seed draws the same tokens");
    claim(logits_of(a) == logits_of(b), "the same seed leaves the same bits");
    b.reset();
    b.prefill(prompt_, never);
    a.reset();
    a.prefill(prompt_, never);
    claim(decode(a, 24, seeded(7)) != decode(b, 24, seeded(8)), "another seed draws other tokens");
  }

  /// A device may draw by itself only while nobody asks for alternatives, and in a row only within one call.
  void who_draws_makes_no_difference() {
    const auto make = [](float temperature, int top_k, float top_p, float min_p) {
      Sampling sampling = seeded(17);
      sampling.temperature = temperature, sampling.top_k = top_k, sampling.top_p = top_p, sampling.min_p = min_p;
      return sampling;
    };
    for (const Sampling& sampling : {make(1, 0, 1, 0), make(0.7f, 0, 0.95f, 0), make(0.7f, 40, 1, 0),
                                     make(1, 20, 0.9f, 0), make(1, 0, 1, 0.1f), make(0, 0, 1, 0)}) {
      Sampling reported = sampling;
      reported.n_logprobs = 1;
      Session row = started(), single = started(), reporting = started();
      std::array<Step, 24> in_a_row, one_by_one, with_alternatives;
      row.decode(sampling, in_a_row, never);
      for (Step& step : one_by_one) single.decode(sampling, {&step, 1}, never);
      reporting.decode(reported, with_alternatives, never);
      bool same = true, same_logprobs = true;
      for (std::size_t i = 0; i < in_a_row.size(); ++i) {
        same = same && in_a_row[i].token == one_by_one[i].token && in_a_row[i].token == with_alternatives[i].token;
        same_logprobs = same_logprobs && std::abs(in_a_row[i].logprob - with_alternatives[i].logprob) < 1e-4f;
      }
      const std::string what = ": temperature " + std::to_string(sampling.temperature) + ", top_k " +
                               std::to_string(sampling.top_k) + ", top_p " + std::to_string(sampling.top_p);
      claim(same, "the same tokens in a row, one by one, and with alternatives" + what);
      claim(same_logprobs, "the same log-probabilities with and without alternatives" + what);
      claim(logits_of(row) == logits_of(single), "the same bits in a row and one by one" + what);
    }
  }

  void saved_is_as_good_as_uninterrupted() {
    Session plain = started(), saved = started(), other = fresh();
    const std::size_t half = prompt_.size() / 2;
    const auto first = std::span(prompt_).first(half), second = std::span(prompt_).subspan(half);
    plain.reset();
    plain.prefill(first, never);
    plain.prefill(second, never);
    const auto expected = decode(plain, 10, seeded(1));

    saved.reset();
    saved.prefill(first, never);
    const Checkpoint middle = saved.save();
    decode(saved, 5, seeded(3));
    saved.prefill(first, never);
    saved.restore(middle);
    saved.prefill(second, never);
    const Checkpoint end = saved.save();
    claim(decode(saved, 10, seeded(1)) == expected, "restored in the middle: same tokens");
    claim(logits_of(saved) == logits_of(plain), "restored in the middle: same bits");

    other.restore(end);
    claim(decode(other, 10, seeded(1)) == expected, "restored in another session: same tokens");
    claim(logits_of(other) == logits_of(plain), "restored in another session: same bits");
    claim(state_of(other) == state_of(plain), "restored in another session: same state");
  }

  void branches_do_not_disturb_each_other() {
    Session session = started();
    const Checkpoint fork = session.save();
    const auto left = decode(session, 12, seeded(11));
    const Checkpoint left_end = session.save();
    session.restore(fork);
    decode(session, 15, seeded(12));
    session.restore(left_end);
    const auto left_bits = logits_of(session);
    session.restore(fork);
    claim(decode(session, 12, seeded(11)) == left, "a branch repeats");
    claim(logits_of(session) == left_bits, "a branch repeats bit by bit");
  }

  void cancelled_is_as_if_never_asked() {
    Session plain = started();
    const auto expected = logits_of(plain);
    const int start = model_->info().n_meta_tokens;
    const int chunk = fresh().piece_limit();
    int n_cancelled = 0;
    for (int delay_us = 0; delay_us < 3000; delay_us += 150) {
      Session session = fresh();
      StopFlag stop{false};
      {
        const std::jthread stopper([&] {
          std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
          stop = true;
        });
        try {
          session.prefill(prompt_, stop);
        } catch (const EngineError& error) {
          claim(error.code() == ErrorCode::cancelled, std::string("cancelled says so, not ") + error.what());
          ++n_cancelled;
        }
      }
      const int done = session.position() - start;
      claim(done % chunk == 0 || done == static_cast<int>(prompt_.size()), "cancelled at a whole chunk");
      session.prefill(std::span(prompt_).subspan(static_cast<std::size_t>(done)), never);
      if (done != static_cast<int>(prompt_.size())) {
        claim(logits_of(session) == expected, "cancelled, then finished: same bits");
      }
    }
    const StopFlag stopped{true};
    Session session = fresh();
    bool threw = false;
    try {
      session.prefill(prompt_, stopped);
    } catch (const EngineError& error) {
      threw = error.code() == ErrorCode::cancelled;
    }
    claim(threw && session.position() == start, "a stop set before the start is seen");
    Session stopped_decode = started();
    std::vector<Step> steps(4);
    claim(stopped_decode.decode(seeded(1), steps, stopped) < steps.size(), "decode sees the stop");
    claim(decode(stopped_decode, 12, seeded(5)) == decode(plain, 12, seeded(5)), "decode goes on after a stop");
    std::printf("            (%d of 20 prefills of %s were caught under way)\n", n_cancelled, label_.c_str());
  }

  void sequences_do_not_see_each_other() {
    Session alone_a = started(), alone_b = fresh(), a = fresh(), b = fresh();
    const auto half = std::span(prompt_).first(prompt_.size() / 2);
    alone_b.prefill(half, never);
    std::vector<Token> expected_a, expected_b, got_a, got_b;
    const auto append = [](std::vector<Token>& to, const std::vector<Token>& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    a.prefill(prompt_, never);
    b.prefill(half, never);
    for (int i = 0; i < 6; ++i) {
      append(expected_a, decode(alone_a, 3, seeded(21)));
      append(got_a, decode(a, 3, seeded(21)));
      append(got_b, decode(b, 2, seeded(22)));
    }
    for (int i = 0; i < 6; ++i) append(expected_b, decode(alone_b, 2, seeded(22)));
    claim(got_a == expected_a && got_b == expected_b, "interleaved sequences draw what they draw alone");
    claim(logits_of(a) == logits_of(alone_a) && logits_of(b) == logits_of(alone_b), "interleaved sequences: same bits");
  }

  /// Two sequences write while a third reads, in one batch; then all three write.
  void company_changes_nothing() {
    struct Sequence {
      Session session;
      Sampling sampling;
      std::vector<Token> expected = {}, got = {};
    };
    std::vector<Sequence> writers;
    for (const std::uint64_t seed : {21u, 22u}) writers.push_back({started(), seeded(seed)});
    Sampling greedy = seeded(0);
    greedy.temperature = 0;
    writers.push_back({fresh(), greedy});
    constexpr std::size_t n_tokens = 8;
    std::vector<std::vector<float>> expected_bits;
    for (Sequence& sequence : writers) {
      Session alone = started();
      sequence.expected = decode(alone, n_tokens, sequence.sampling);
      expected_bits.push_back(logits_of(alone));
    }
    Sequence& reader = writers.back();
    const auto piece = static_cast<std::size_t>(reader.session.piece_limit());
    std::size_t n_read = 0;
    while (reader.got.size() < n_tokens) {
      std::vector<SequenceWork> work;
      for (Sequence& sequence : writers) {
        if (sequence.got.size() == n_tokens) continue;
        SequenceWork& w = work.emplace_back();
        w.session = &sequence.session;
        w.sampling = &sequence.sampling;
        if (&sequence != &reader || n_read == prompt_.size()) continue;
        const bool fits = static_cast<int>(piece) + 2 <= reader.session.max_batch_rows();
        const std::size_t n = std::min({piece, prompt_.size() - n_read, fits ? piece : piece - 2});
        w.tokens = std::span(prompt_).subspan(n_read, n);
        n_read += n;
        if (n_read < prompt_.size()) w.sampling = nullptr;
      }
      run_together(work);
      auto w = work.begin();
      for (Sequence& sequence : writers) {
        if (sequence.got.size() == n_tokens) continue;
        if (w->error) std::rethrow_exception(w->error);
        if (w->has_written) sequence.got.push_back(w->step.token);
        ++w;
      }
    }
    for (std::size_t i = 0; i < writers.size(); ++i) {
      const std::string who = i + 1 == writers.size() ? "the one that read" : "one that wrote";
      claim(writers[i].got == writers[i].expected, who + " in company gets the tokens it gets alone");
      claim(logits_of(writers[i].session) == expected_bits[i], who + " in company gets the same bits");
    }
  }

  /// Alone, several pieces of a prompt go at once.
  void pieces_read_like_the_whole() {
    Session whole = fresh(), cut = fresh();
    const int piece = cut.piece_limit(), room = whole.max_positions() - whole.position();
    std::vector<Token> tokens;
    while (static_cast<int>(tokens.size()) < std::min(room, 5 * piece / 2 + 20)) {
      tokens.push_back(prompt_[tokens.size() % prompt_.size()]);
    }
    whole.prefill(tokens, never);
    for (std::span<const Token> left = tokens; !left.empty();) {
      const auto n = static_cast<std::size_t>(cut.next_piece(static_cast<int>(left.size()), false));
      cut.read(left.first(n), n == left.size(), never);
      left = left.subspan(n);
    }
    claim(logits_of(cut) == logits_of(whole), "a prompt read in pieces leaves the bits of the whole one");
    claim(state_of(cut) == state_of(whole), "a prompt read in pieces leaves the state of the whole one");
  }

  /// Prefill of one token and a decode step consume it by the same arithmetic.
  void a_step_is_a_step() {
    Session decoded = started(), fed = started();
    const auto tokens = decode(decoded, 9, seeded(31));
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) fed.prefill({&tokens[i], 1}, never);
    claim(decoded.position() == fed.position(), "decode counts positions");
    claim(logits_of(decoded) == logits_of(fed), "a decode step is a prefill of one token, bit by bit");
  }

  void stage_times_match_the_list() {
    Session session = started();
    session.trace_stages(true);
    decode(session, 4, seeded(1));
    const auto ns = session.stage_ns();
    claim(ns.size() == model_->stages(100).size(), "as many stage times as stages");
    bool sane = !ns.empty();
    for (const std::int64_t time : ns) sane = sane && time >= 0 && time < 10'000'000'000;
    claim(sane, "stage times are times");
    session.trace_stages(false);
    Session plain = started();
    decode(plain, 4, seeded(1));
    claim(logits_of(plain) == logits_of(session), "tracing changes no bit");
  }

  void class_times_are_parts_of_the_step() {
    const auto stamped = [&](bool on) {
      Session session = started();
      session.stamp_classes(on);
      std::array<Step, 4> steps;
      session.decode(seeded(1), steps, never);
      const Step& step = steps.back();
      return std::pair(step, std::accumulate(step.class_ns.begin(), step.class_ns.end(), std::int64_t{0}));
    };
    const auto [step, sum] = stamped(true);
    claim(sum <= step.forward_ns + step.sample_ns, "class times add up to no more than the step took");
    claim(stamped(false).second == 0, "no class times without stamps");
    if (model_->info().device == Device::cpu) claim(sum > 0, "the CPU stamps its classes");
  }

 private:
  void claim(bool holds, const std::string& what) { report_.claim(holds, label_ + ": " + what); }
  Session fresh() const { return Session(model_, model_->info().context_positions); }
  Session started() const {
    Session session = fresh();
    session.prefill(prompt_, never);
    return session;
  }

  std::shared_ptr<const Model> model_;
  std::vector<Token> prompt_;
  std::string label_;
  Report& report_;
};

}  // namespace

void check_sessions(const std::filesystem::path& dir, const Target& target, Report& report) {
  const test::Golden golden(dir);
  SessionChecks checks(load(dir, target), golden.tokens("input_ids"), dir.filename().string() + " " + target.text(),
                       report);
  checks.same_seed_same_bits();
  checks.who_draws_makes_no_difference();
  checks.saved_is_as_good_as_uninterrupted();
  checks.branches_do_not_disturb_each_other();
  checks.cancelled_is_as_if_never_asked();
  checks.sequences_do_not_see_each_other();
  checks.company_changes_nothing();
  checks.pieces_read_like_the_whole();
  checks.a_step_is_a_step();
  checks.stage_times_match_the_list();
  checks.class_times_are_parts_of_the_step();
}

}  // namespace nf::check
