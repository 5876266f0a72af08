#include "generation.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "convert.h"
#include "environment.h"

namespace nf::addon {
namespace {

// One frame of a 60 Hz screen: news is passed on at most this often.
constexpr std::int64_t frame_ns = 16'000'000;
constexpr int max_steps_per_decode = 16;
constexpr std::size_t max_traced_tokens = 1024;

/// How many tokens to ask for at once, so that one call takes about a frame.
int steps_per_decode(std::int64_t ns_per_step) {
  if (ns_per_step <= 0) return 1;
  return static_cast<int>(std::clamp<std::int64_t>(frame_ns / ns_per_step, 1, max_steps_per_decode));
}

}  // namespace

std::int64_t steady_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

const char* GenerationJob::name_of(Finish finish) {
  switch (finish) {
    case Finish::stop: return "stop";
    case Finish::length: return "length";
    case Finish::context: return "context";
    case Finish::cancelled: return "cancelled";
  }
  return "cancelled";
}

void GenerationJob::start() {
  slot_->when_free([self = shared_from_this()] { self->begin(); });
}

void GenerationJob::begin() {
  slot_->occupy();
  started_ns_ = prefilled_ns_ = steady_ns();
  try {
    Session& session = slot_->get();
    if (stop_flag()) {
      finish(Finish::cancelled);
    } else {
      if (request_.save_first) before_ = session.save();
      switch (request_.start) {
        case GenerationRequest::Start::current: break;
        case GenerationRequest::Start::empty: session.reset(); break;
        case GenerationRequest::Start::checkpoint: session.restore(request_.from); break;
      }
      if (!reads() && request_.max_new_tokens == 0) took_piece(0, started_ns_);
    }
  } catch (...) {
    fail(std::current_exception());
  }
  if (is_over_) {
    end();
  } else {
    batcher_.add(shared_from_this());
  }
}

void GenerationJob::finish(Finish finish) {
  finish_ = finish;
  finished_ns_ = steady_ns();
  is_over_ = true;
}

void GenerationJob::fail(std::exception_ptr error) {
  failure_ = std::move(error);
  is_over_ = true;
}

void GenerationJob::end() {
  // Whatever happened, JavaScript learns where the session stands.
  if (slot_->session) slot_->position.store(position_ = slot_->session->position());
  complete(failure_);
  slot_->release();
}

void GenerationJob::look_at_stop() {
  if (stop_flag()) finish(Finish::cancelled);
}

int GenerationJob::next_piece(bool alone) const {
  const std::size_t end =
      n_saved_ < request_.save_after.size() ? static_cast<std::size_t>(request_.save_after[n_saved_]) : 0;
  const std::size_t n = (end > n_read_ ? end : request_.tokens.size()) - n_read_;
  return slot_->session->next_piece(static_cast<int>(n), alone);
}

SequenceWork GenerationJob::next_work(bool alone) {
  SequenceWork work;
  work.session = &*slot_->session;
  n_at_once_ = 1;
  if (reads()) {
    const auto n = static_cast<std::size_t>(next_piece(alone));
    const std::size_t end = n_read_ + n;
    work.tokens = std::span(request_.tokens).subspan(n_read_, n);
    // A checkpoint is good for an answer only with the logits behind it.
    work.wants_logits = end == request_.tokens.size() ||
                        std::find(request_.save_after.begin(), request_.save_after.end(), static_cast<int>(end)) !=
                            request_.save_after.end();
    if (end < request_.tokens.size() || request_.max_new_tokens == 0) return work;
  }
  work.sampling = &request_.sampling;
  return work;
}

void GenerationJob::take(const SequenceWork& work) {
  try {
    if (work.error) std::rethrow_exception(work.error);
    const std::int64_t now_ns = steady_ns();
    if (!work.tokens.empty()) {
      took_piece(static_cast<int>(work.tokens.size()),
                 work.has_written ? work.step.stamp_ns - work.step.sample_ns : now_ns);
    }
    if (work.sampling) took_steps({&work.step, work.has_written ? 1u : 0u}, 1, now_ns);
  } catch (...) {
    fail(std::current_exception());
  }
}

void GenerationJob::advance_alone() {
  try {
    Session& session = *slot_->session;
    if (reads()) {
      const SequenceWork work = next_work(true);
      session.read(work.tokens, work.wants_logits, stop_flag());
      took_piece(static_cast<int>(work.tokens.size()), steady_ns());
      return;
    }
    session.trace_stages(request_.trace);
    std::array<Step, max_steps_per_decode> out;
    const auto n_wanted = static_cast<std::size_t>(std::min(n_at_once_, request_.max_new_tokens - n_written_));
    const std::int64_t before_ns = steady_ns();
    const std::size_t n = session.decode(request_.sampling, std::span(out.data(), n_wanted), stop_flag());
    const std::int64_t after_ns = steady_ns();
    const bool is_first = n_written_ == 0;
    // The first token only samples; from the second on a step is whole.
    if (request_.trace && !is_first) note_stages(session.stage_ns());
    n_at_once_ = is_first || request_.trace || n == 0
                     ? 1
                     : steps_per_decode((after_ns - before_ns) / static_cast<std::int64_t>(n));
    took_steps({out.data(), n}, n_wanted, after_ns);
  } catch (const EngineError& error) {
    if (error.code() != ErrorCode::cancelled) return fail(std::current_exception());
    finish(Finish::cancelled);
  } catch (...) {
    fail(std::current_exception());
  }
}

bool GenerationJob::saves_prompt() const {
  return !request_.save_after.empty() && request_.save_after.back() == static_cast<int>(request_.tokens.size());
}

void GenerationJob::took_piece(int n, std::int64_t now_ns) {
  n_read_ += static_cast<std::size_t>(n);
  if (n > 0) publish_prefill(now_ns);
  if (reads()) {
    while (n_saved_ < request_.save_after.size() &&
           static_cast<std::size_t>(request_.save_after[n_saved_]) <= n_read_) {
      if (static_cast<std::size_t>(request_.save_after[n_saved_++]) == n_read_) save(n_read_);
    }
    return;
  }
  prefilled_ns_ = now_ns;
  if (request_.max_new_tokens > 0) return;  // the prompt's end is kept behind the first token, which need not wait
  if (saves_prompt()) save(n_read_);
  finish(Finish::length);
}

void GenerationJob::took_steps(std::span<const Step> steps, std::size_t n_wanted, std::int64_t now_ns) {
  publish(steps, now_ns);
  // The first token consumes nothing, so where the session stands is still the prompt's end.
  if (n_written_ == 0 && saves_prompt()) save(n_read_);
  n_written_ += static_cast<int>(steps.size());
  if (!steps.empty() && steps.back().is_end) return finish(Finish::stop);
  if (steps.size() < n_wanted) return finish(stop_flag() ? Finish::cancelled : Finish::context);
  if (n_written_ == request_.max_new_tokens) finish(Finish::length);
}

void GenerationJob::save(std::size_t after) { saved_.emplace_back(after, slot_->session->save()); }

void GenerationJob::note_stages(std::span<const std::int64_t> stage_ns) {
  stage_ns_.resize(stage_ns.size());
  for (std::size_t s = 0; s < stage_ns.size(); ++s) {
    if (stage_ns_[s].size() < max_traced_tokens) stage_ns_[s].push_back(stage_ns[s]);
  }
}

/// The median of each stage.
Napi::Value GenerationJob::stages_to_js(Napi::Env env) {
  Napi::Array out = Napi::Array::New(env, stage_ns_.size());
  for (std::uint32_t s = 0; s < stage_ns_.size(); ++s) {
    auto middle = stage_ns_[s].begin() + static_cast<std::ptrdiff_t>(stage_ns_[s].size() / 2);
    std::nth_element(stage_ns_[s].begin(), middle, stage_ns_[s].end());
    out.Set(s, static_cast<double>(*middle));
  }
  return out;
}

void GenerationJob::publish_prefill(std::int64_t now_ns) {
  {
    const std::lock_guard lock(mutex_);
    prefilled_tokens_ = static_cast<int>(n_read_);
    elapsed_ns_ = now_ns - started_ns_;
    prefill_news_ = true;
  }
  if (now_ns - woken_ns_ < frame_ns && reads()) return;
  woken_ns_ = now_ns;
  wake();
}

void GenerationJob::publish(std::span<const Step> steps, std::int64_t now_ns) {
  if (steps.empty()) return;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = steps_.empty() && woken_ns_ <= prefilled_ns_;
    steps_.insert(steps_.end(), steps.begin(), steps.end());
  }
  // Between two frames tokens gather; the first one never waits, the last ones leave with the result.
  if (!is_first && now_ns - woken_ns_ < frame_ns) return;
  woken_ns_ = now_ns;
  wake();
}

void GenerationJob::deliver(Napi::Env env, const Napi::Function& callback) {
  std::vector<Step> steps;
  int prefilled_tokens = 0;
  std::int64_t elapsed_ns = 0;
  {
    const std::lock_guard lock(mutex_);
    if (steps_.empty() && !prefill_news_) return;
    steps.swap(steps_);
    prefill_news_ = false;
    prefilled_tokens = prefilled_tokens_;
    elapsed_ns = elapsed_ns_;
  }
  Napi::Array js_steps = Napi::Array::New(env, steps.size());
  for (std::uint32_t i = 0; i < steps.size(); ++i) js_steps.Set(i, to_js(env, steps[i]));
  Napi::Object frame = Napi::Object::New(env);
  frame.Set("prefilledTokens", prefilled_tokens);
  frame.Set("elapsedNs", static_cast<double>(elapsed_ns));
  frame.Set("steps", js_steps);
  callback.Call({frame});
}

Napi::Value GenerationJob::result(Napi::Env env) {
  const auto wrap = [env](Checkpoint& checkpoint) {
    return Environment::of(env).checkpoint_class.New({Napi::External<Checkpoint>::New(env, &checkpoint)});
  };
  Napi::Array saved = Napi::Array::New(env, saved_.size());
  for (std::uint32_t i = 0; i < saved_.size(); ++i) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("after", static_cast<double>(saved_[i].first));
    entry.Set("checkpoint", wrap(saved_[i].second));
    saved.Set(i, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("finish", name_of(finish_));
  out.Set("position", position_);
  out.Set("startedNs", static_cast<double>(started_ns_));
  out.Set("prefilledNs", static_cast<double>(prefilled_ns_));
  out.Set("finishedNs", static_cast<double>(finished_ns_));
  out.Set("before", before_ ? Napi::Value(wrap(before_)) : env.Null());
  out.Set("saved", saved);
  out.Set("stageNs", stage_ns_.empty() ? env.Null() : stages_to_js(env));
  return out;
}

}  // namespace nf::addon
