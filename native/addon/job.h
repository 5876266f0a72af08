// A request on its way through the engine thread and back: plain data in, plain data out, JavaScript only at the ends.
#pragma once

#include <napi.h>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "nf/engine.h"

namespace nf::addon {

/// Lives on both threads, so it holds no JavaScript value: its last owner may be either.
class Job {
 public:
  explicit Job(std::shared_ptr<StopFlag> stop) : stop_(std::move(stop)) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// Engine thread. Ends with complete(): at once, unless the work goes on in parts.
  virtual void start() {
    try {
      run();
      complete(nullptr);
    } catch (...) {
      complete(std::current_exception());
    }
  }
  /// The work of a job that is done in one go. What it throws rejects the promise.
  virtual void run() {}
  /// JavaScript thread, after run() returned: the promise's value.
  virtual Napi::Value result(Napi::Env env) = 0;
  /// JavaScript thread, between: passes on what run() has so far. Called once more before result().
  virtual void deliver(Napi::Env, const Napi::Function& /*callback*/) {}

  const StopFlag& stop_flag() const { return *stop_; }
  void stop() { stop_->store(true); }

 protected:
  /// Engine thread, once: the promise settles. An error rejects it.
  void complete(std::exception_ptr error) {
    error_ = std::move(error);
    finished_.store(true);
    wake();
  }
  /// Engine thread: asks for a deliver() soon. Never waits; calls between two deliveries become one.
  void wake() const {
    if (on_wake_) on_wake_();
  }

 private:
  friend class Environment;
  std::shared_ptr<StopFlag> stop_;
  std::function<void()> on_wake_;
  std::exception_ptr error_;  // set by the engine thread before finished_
  std::atomic<bool> finished_{false};
};

}  // namespace nf::addon
