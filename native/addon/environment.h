// What the addon keeps per JavaScript environment: the engine thread, the way back from it, and the classes.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "batcher.h"
#include "engine_thread.h"
#include "job.h"

namespace nf::addon {

class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  /// Queues the job; the promise settles on the JavaScript thread. `callback` may be undefined. While jobs are under
  /// way they keep the process alive. Throws BUSY when the queue is full.
  Napi::Promise submit(Napi::Env env, std::shared_ptr<Job> job, const Napi::Value& callback);
  /// The same for a long job that must not keep answers waiting: on a thread of its own, one after another.
  Napi::Promise submit_aside(Napi::Env env, std::shared_ptr<Job> job, const Napi::Value& callback);

  /// Shared with the wrapped objects, which may outlive this in any order.
  const std::shared_ptr<EngineThread>& thread() const { return thread_; }
  Batcher& batcher() { return batcher_; }
  /// Stops every job and joins the engine thread.
  void close();

  Napi::FunctionReference model_class, session_class, checkpoint_class, stop_flag_class;

 private:
  struct Pending {
    std::shared_ptr<Job> job;
    Napi::Promise::Deferred deferred;
    Napi::FunctionReference callback;
    bool rejected = false;  // by its own listener
  };
  /// Jobs that have something to say. Shared with the jobs' wake functions.
  struct Outbox {
    std::mutex mutex;
    std::vector<Job*> woken;
    bool closed = false;
  };

  Napi::Promise submit_to(EngineThread& thread, Napi::Env env, std::shared_ptr<Job> job, const Napi::Value& callback);
  static void drain(Napi::Env env, Napi::Function, Environment* self, void*);
  using WakeFunction = Napi::TypedThreadSafeFunction<Environment, void, drain>;
  void wake(Job* job);
  void drain_outbox(Napi::Env env);
  void pass_on(Napi::Env env, Pending& pending);
  void settle(Napi::Env env, Job* job);

  WakeFunction wake_function_;
  Outbox outbox_;
  std::shared_ptr<EngineThread> thread_;
  Batcher batcher_;
  std::unique_ptr<EngineThread> aside_;        // once it was needed
  std::unordered_map<Job*, Pending> pending_;  // JavaScript thread only
};

}  // namespace nf::addon
