// Session and Checkpoint in JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "engine_thread.h"
#include "nf/engine.h"
#include "session_slot.h"

namespace nf::addon {

class SessionObject : public Napi::ObjectWrap<SessionObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// createSession({ maxPositions }) -> Promise<Session>
  static Napi::Value create(const Napi::CallbackInfo& info, std::shared_ptr<const Model> model);

  explicit SessionObject(const Napi::CallbackInfo& info);
  ~SessionObject() override;

 private:
  const std::shared_ptr<SessionSlot>& slot() const;  // throws once disposed
  void release(Napi::Env env);

  Napi::Value position(const Napi::CallbackInfo& info);
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value restore(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<EngineThread> thread_;
  std::shared_ptr<SessionSlot> slot_;
  std::int64_t reported_bytes_ = 0;
};

class CheckpointObject : public Napi::ObjectWrap<CheckpointObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Checkpoint of(Napi::Env env, const Napi::Value& value);

  explicit CheckpointObject(const Napi::CallbackInfo& info);
  ~CheckpointObject() override;

 private:
  void release(Napi::Env env);

  Napi::Value position(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  Checkpoint checkpoint_;
  std::int64_t reported_bytes_ = 0;
};

}  // namespace nf::addon
