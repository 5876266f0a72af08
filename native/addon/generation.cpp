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

void GenerationJob::run() {
  if (!slot_->session) throw EngineError(ErrorCode::bad_argument, "The session was disposed.");
  Session& session = *slot_->session;
  started_ns_ = prefilled_ns_ = steady_ns();
  // Whatever happens, JavaScript learns where the session stands.
  struct Shadow {
    SessionSlot& slot;
    ~Shadow() { slot.position.store(slot.session->position()); }
  } shadow{*slot_};
  if (stop_flag()) return;
  go_to_start(session);
  const bool read = read_prompt(session);
  prefilled_ns_ = steady_ns();
  if (read) finish_ = write_answer(session);
  finished_ns_ = steady_ns();
}

void GenerationJob::go_to_start(Session& session) {
  if (request_.save_first) before_ = session.save();
  switch (request_.start) {
    case GenerationRequest::Start::current: break;
    case GenerationRequest::Start::empty: session.reset(); break;
    case GenerationRequest::Start::checkpoint: session.restore(request_.from); break;
  }
}

bool GenerationJob::read_prompt(Session& session) {
  const int n_tokens = static_cast<int>(request_.tokens.size());
  int done = 0;
  for (const int count : request_.save_after) {
    if (count >= n_tokens) break;  // the last one waits for the first token, see write_answer()
    if (!read(session, done, count)) return false;
    save(session, count);
    done = count;
  }
  return read(session, done, n_tokens);
}

bool GenerationJob::read(Session& session, int first, int last) {
  if (first == last) return true;
  const std::span<const Token> tokens(request_.tokens.data() + first, static_cast<std::size_t>(last - first));
  try {
    session.prefill(tokens, stop_flag(), [&](int done, int) { publish_prefill(first + done, steady_ns()); });
    return true;
  } catch (const EngineError& error) {
    if (error.code() != ErrorCode::cancelled) throw;
    return false;
  }
}

GenerationJob::Finish GenerationJob::write_answer(Session& session) {
  std::array<Step, max_steps_per_decode> out;
  const int n_prompt = static_cast<int>(request_.tokens.size());
  const bool save_prompt = !request_.save_after.empty() && request_.save_after.back() == n_prompt;
  if (request_.max_new_tokens == 0) {
    if (save_prompt) save(session, n_prompt);
    return Finish::length;
  }
  session.trace_stages(request_.trace);
  int n_done = 0, n_wanted = 1;
  while (n_done < request_.max_new_tokens) {
    n_wanted = std::min(n_wanted, request_.max_new_tokens - n_done);
    const std::int64_t before_ns = steady_ns();
    const std::size_t n =
        session.decode(request_.sampling, std::span(out.data(), static_cast<std::size_t>(n_wanted)), stop_flag());
    const std::int64_t after_ns = steady_ns();
    // The first token only samples; from the second on a step is whole.
    if (request_.trace && n_done > 0) note_stages(session.stage_ns());
    publish(std::span<const Step>(out.data(), n), after_ns);
    // The first token consumes nothing, so the prompt's end can be kept after it: it need not wait.
    if (n_done == 0 && save_prompt) save(session, n_prompt);
    n_done += static_cast<int>(n);
    if (n > 0 && out[n - 1].is_end) return Finish::stop;
    if (n < static_cast<std::size_t>(n_wanted)) return stop_flag() ? Finish::cancelled : Finish::context;
    n_wanted =
        n_done == 1 || request_.trace ? 1 : steps_per_decode((after_ns - before_ns) / static_cast<std::int64_t>(n));
  }
  return Finish::length;
}

void GenerationJob::save(Session& session, int after) { saved_.emplace_back(after, session.save()); }

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

void GenerationJob::publish_prefill(int done, std::int64_t now_ns) {
  {
    const std::lock_guard lock(mutex_);
    prefilled_tokens_ = done;
    elapsed_ns_ = now_ns - started_ns_;
    prefill_news_ = true;
  }
  if (now_ns - woken_ns_ < frame_ns && done < static_cast<int>(request_.tokens.size())) return;
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
    entry.Set("after", saved_[i].first);
    entry.Set("checkpoint", wrap(saved_[i].second));
    saved.Set(i, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("finish", name_of(finish_));
  out.Set("position", slot_->position.load());
  out.Set("startedNs", static_cast<double>(started_ns_));
  out.Set("prefilledNs", static_cast<double>(prefilled_ns_));
  out.Set("finishedNs", static_cast<double>(finished_ns_));
  out.Set("before", before_ ? Napi::Value(wrap(before_)) : env.Null());
  out.Set("saved", saved);
  out.Set("stageNs", stage_ns_.empty() ? env.Null() : stages_to_js(env));
  return out;
}

}  // namespace nf::addon
