// StopFlag in JavaScript: one flag may stop several jobs, queued or running.
#pragma once

#include <napi.h>

#include <memory>

#include "nf/engine.h"

namespace nf::addon {

class StopFlagObject : public Napi::ObjectWrap<StopFlagObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit StopFlagObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}
  /// The flag inside `value`; a fresh one when it is undefined.
  static std::shared_ptr<StopFlag> of(Napi::Env env, const Napi::Value& value);

 private:
  Napi::Value set(const Napi::CallbackInfo& info);

  std::shared_ptr<StopFlag> flag_ = std::make_shared<StopFlag>(false);
};

}  // namespace nf::addon
