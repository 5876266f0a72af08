// Work on a libuv thread and not on the engine thread: drivers and disks may take their time, and so may a generation.
#pragma once

#include <napi.h>

#include <exception>
#include <functional>
#include <utility>

#include "convert.h"
#include "errors.h"

namespace nf::addon {

/// The promise of what `ask` gives, through to_js(env, Result). What `ask` throws rejects it with its code.
template <class Result>
class Inquiry : public Napi::AsyncWorker {
 public:
  static Napi::Value start(Napi::Env env, std::function<Result()> ask) {
    auto* worker = new Inquiry(env, std::move(ask));  // deletes itself, as AsyncWorker does
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      answer_ = ask_();
    } catch (...) {
      error_ = std::current_exception();
    }
    ask_ = nullptr;
  }
  void OnOK() override {
    if (error_) {
      deferred_.Reject(to_js(Env(), error_).Value());
    } else {
      deferred_.Resolve(to_js(Env(), answer_));
    }
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Inquiry(Napi::Env env, std::function<Result()> ask)
      : AsyncWorker(env), ask_(std::move(ask)), deferred_(Napi::Promise::Deferred::New(env)) {}

  std::function<Result()> ask_;
  Napi::Promise::Deferred deferred_;
  Result answer_{};
  std::exception_ptr error_;
};

}  // namespace nf::addon
