// Model in JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "engine_thread.h"
#include "nf/engine.h"

namespace nf::addon {

class ModelObject : public Napi::ObjectWrap<ModelObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// loadModel(options, onProgress?) -> Promise<Model>
  static Napi::Value load(const Napi::CallbackInfo& info);
  /// makeCache(options, onProgress?) -> Promise<{ kept, notice }>
  static Napi::Value make_cache(const Napi::CallbackInfo& info);

  explicit ModelObject(const Napi::CallbackInfo& info);
  ~ModelObject() override;

 private:
  const std::shared_ptr<const Model>& model() const;  // throws once disposed
  void release(Napi::Env env);

  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value stages(const Napi::CallbackInfo& info);
  Napi::Value limits(const Napi::CallbackInfo& info);
  /// writeCheckpoint(checkpoint, file) -> Promise<string>
  Napi::Value write_checkpoint(const Napi::CallbackInfo& info);
  /// readCheckpoint(file, tokens) -> Promise<{ checkpoint, why }>
  Napi::Value read_checkpoint(const Napi::CallbackInfo& info);
  Napi::Value create_session(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<EngineThread> thread_;
  std::shared_ptr<const Model> model_;
};

}  // namespace nf::addon
