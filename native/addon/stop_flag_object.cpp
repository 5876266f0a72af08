#include "stop_flag_object.h"

#include "environment.h"

namespace nf::addon {

Napi::Function StopFlagObject::define(Napi::Env env) {
  return DefineClass(env, "StopFlag", {InstanceMethod<&StopFlagObject::set>("set")});
}

std::shared_ptr<StopFlag> StopFlagObject::of(Napi::Env env, const Napi::Value& value) {
  if (value.IsUndefined() || value.IsNull()) return std::make_shared<StopFlag>(false);
  const Napi::FunctionReference& type = Environment::of(env).stop_flag_class;
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(type.Value())) {
    throw EngineError(ErrorCode::bad_argument, "stop: expected a StopFlag.");
  }
  return Unwrap(value.As<Napi::Object>())->flag_;
}

Napi::Value StopFlagObject::set(const Napi::CallbackInfo& info) {
  flag_->store(true);
  return info.Env().Undefined();
}

}  // namespace nf::addon
