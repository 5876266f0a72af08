// Several sequences in one pass over the weights.
#include <chrono>
#include <exception>
#include <mutex>
#include <vector>

#include "guard.h"
#include "sampler.h"
#include "session_impl.h"

namespace nf {
namespace {

const StopFlag never{false};

/// The work of one model's sequences.
void run_batch(Model::Impl& model, std::span<SequenceWork* const> work) {
  struct Part {
    SequenceWork* work;
    std::optional<Slice> slice;
  };
  const std::lock_guard lock(model.mutex);
  std::vector<Part> parts;
  std::vector<Slice> slices;
  for (SequenceWork* w : work) {
    try {
      parts.push_back({w, guarded([&] { return w->session->impl().begin_work(*w); })});
      if (parts.back().slice) slices.push_back(*parts.back().slice);
    } catch (const EngineError&) {
      w->error = std::current_exception();
    }
  }
  Backend& backend = *model.backend;
  const auto begun = std::chrono::steady_clock::now();
  if (!slices.empty()) {
    backend.trace_stages(false);
    backend.forward({slices}, never);
  }
  const auto forward_time = std::chrono::steady_clock::now() - begun;
  const auto forward_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(forward_time).count();
  for (Part& part : parts) {
    if (part.slice) part.work->session->impl().end_forward(*part.slice);
  }
  for (Part& part : parts) {
    if (!part.work->sampling) continue;
    try {
      guarded([&] { part.work->session->impl().write_one(*part.work); });
      part.work->step.forward_ns += forward_ns;
    } catch (const EngineError& error) {
      if (error.code() == ErrorCode::device_lost) throw;
      part.work->error = std::current_exception();
    }
  }
}

}  // namespace

std::optional<Slice> Session::Impl::begin_work(const SequenceWork& work) {
  check_usable();
  if (work.sampling) check_sampling(*work.sampling, model.info.n_vocab);
  std::span<const Token> tokens = work.tokens;
  LogitsWanted wanted = work.wants_logits || work.sampling ? LogitsWanted::last : LogitsWanted::none;
  if (tokens.empty()) {
    if (!work.sampling) return std::nullopt;
    if (pending < 0 && !has_logits) {
      throw EngineError(ErrorCode::bad_argument, "nothing to continue: read at least one token before writing");
    }
    // Right behind what was read the logits are there already; in a full context nothing can be consumed.
    if (pending < 0 || position == max_positions) return std::nullopt;
    tokens = {&pending, 1};
    wanted = LogitsWanted::last;
  } else {
    check_prompt(tokens);
  }
  history.reserve(history.size() + tokens.size());  // so that nothing can fail once the state has moved
  forget_rows_from(position);
  is_broken = true;  // until the batch is through
  return Slice{slot, position, tokens, wanted};
}

void Session::Impl::end_forward(const Slice& slice) {
  const bool is_prompt = slice.tokens.data() != &pending;
  history.insert(history.end(), slice.tokens.begin(), slice.tokens.end());
  position += static_cast<int>(slice.tokens.size());
  if (is_prompt) n_prompt = static_cast<int>(history.size());
  has_logits = slice.logits != LogitsWanted::none;
  pending = -1;
  is_broken = false;
}

void Session::Impl::write_one(SequenceWork& work) {
  if (pending >= 0) return;  // the context is full
  history.reserve(history.size() + 1);
  int n_consumed = 0;
  backend.stamp_classes(false);
  work.has_written =
      backend.decode(slot, position, -1, *work.sampling, {history, n_prompt}, {&work.step, 1}, never, n_consumed) == 1;
  if (work.has_written) pending = work.step.token;
}

void run_together(std::span<SequenceWork> work) {
  guarded([&] {
    std::vector<SequenceWork*> left;
    for (SequenceWork& w : work) left.push_back(&w);
    while (!left.empty()) {
      Model::Impl& model = left.front()->session->impl().model;
      std::vector<SequenceWork*> mine, others;
      for (SequenceWork* w : left) (&w->session->impl().model == &model ? mine : others).push_back(w);
      run_batch(model, mine);
      left = std::move(others);
    }
  });
}

}  // namespace nf
