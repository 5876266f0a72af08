#include "environment.h"

#include <algorithm>
#include <utility>

#include "errors.h"

namespace nf::addon {
namespace {

// Generations leave this queue as soon as they have begun; the engine service bounds how many do.
constexpr std::size_t max_waiting_jobs = 128;

}  // namespace

Environment::Environment(Napi::Env env)
    : thread_(std::make_shared<EngineThread>(max_waiting_jobs)), batcher_(*thread_) {
  // A queue of two is enough: a wake carries no data, and one that waits serves all.
  wake_function_ = WakeFunction::New(env, "nemoflash", 2, 1, this);
  wake_function_.Unref(env);
  // Hooks run last in, first out: the engine thread has ended before the function it wakes goes away.
  env.AddCleanupHook([](Environment* self) { self->close(); }, this);
}

Environment::~Environment() { close(); }

void Environment::close() {
  {
    const std::lock_guard lock(outbox_.mutex);
    outbox_.closed = true;
  }
  for (auto& [job, pending] : pending_) job->stop();
  thread_->close();
  if (aside_) aside_->close();
  batcher_.forget();
}

Napi::Promise Environment::submit(Napi::Env env, std::shared_ptr<Job> job, const Napi::Value& callback) {
  return submit_to(*thread_, env, std::move(job), callback);
}

Napi::Promise Environment::submit_aside(Napi::Env env, std::shared_ptr<Job> job, const Napi::Value& callback) {
  if (!aside_) aside_ = std::make_unique<EngineThread>(max_waiting_jobs);
  return submit_to(*aside_, env, std::move(job), callback);
}

Napi::Promise Environment::submit_to(EngineThread& thread, Napi::Env env, std::shared_ptr<Job> job,
                                     const Napi::Value& callback) {
  Job* const key = job.get();
  job->on_wake_ = [this, key] { wake(key); };
  const bool queued = thread.try_post([job] { job->start(); });
  if (!queued) throw make_error(env, "BUSY", "The engine has too many requests waiting. Try again when some are done.");

  Pending pending{std::move(job), Napi::Promise::Deferred::New(env), {}, false};
  if (callback.IsFunction()) pending.callback = Napi::Persistent(callback.As<Napi::Function>());
  const Napi::Promise promise = pending.deferred.Promise();
  if (pending_.empty()) wake_function_.Ref(env);
  pending_.emplace(key, std::move(pending));
  return promise;
}

void Environment::wake(Job* job) {
  {
    const std::lock_guard lock(outbox_.mutex);
    if (outbox_.closed) return;
    if (std::find(outbox_.woken.begin(), outbox_.woken.end(), job) == outbox_.woken.end()) {
      outbox_.woken.push_back(job);
    }
  }
  // Full means that a wake is already on its way; closing, that nobody listens any more. Both are fine.
  wake_function_.NonBlockingCall();
}

void Environment::drain(Napi::Env env, Napi::Function, Environment* self, void*) {
  if (env == nullptr) return;
  try {
    self->drain_outbox(env);
  } catch (const Napi::Error&) {
    // Only an environment that is being torn down refuses to settle a promise, and then nobody waits for it.
  }
}

void Environment::drain_outbox(Napi::Env env) {
  std::vector<Job*> woken;
  {
    const std::lock_guard lock(outbox_.mutex);
    if (outbox_.closed) return;
    woken.swap(outbox_.woken);
  }
  for (Job* job : woken) {
    const Napi::HandleScope scope(env);
    const auto found = pending_.find(job);
    if (found == pending_.end()) continue;        // settled by an earlier wake
    const bool finished = job->finished_.load();  // read first: what run() left behind is then complete
    pass_on(env, found->second);
    if (finished) settle(env, job);
  }
}

void Environment::pass_on(Napi::Env env, Pending& pending) {
  if (pending.callback.IsEmpty()) return;
  const std::shared_ptr<Job> job = pending.job;
  const Napi::Function callback = pending.callback.Value();
  try {
    job->deliver(env, callback);
  } catch (...) {
    // The listener threw. Its error is the outcome; the run ends.
    const Napi::Error error = to_js(env, std::current_exception());
    pending.deferred.Reject(error.Value());
    pending.rejected = true;
    pending.callback.Reset();
    job->stop();
  }
}

void Environment::settle(Napi::Env env, Job* job) {
  auto node = pending_.extract(job);
  if (pending_.empty()) wake_function_.Unref(env);
  Pending& pending = node.mapped();
  if (pending.rejected) return;
  try {
    if (job->error_) std::rethrow_exception(job->error_);
    pending.deferred.Resolve(job->result(env));
  } catch (...) {
    pending.deferred.Reject(to_js(env, std::current_exception()).Value());
  }
}

}  // namespace nf::addon
