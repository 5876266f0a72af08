#include "model_object.h"

#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#ifdef __linux__
#include <malloc.h>
#endif

#include "convert.h"
#include "environment.h"
#include "errors.h"
#include "inquiry.h"
#include "nf/bench.h"
#include "session_object.h"
#include "stop_flag_object.h"

namespace nf::addon {
namespace {

// Between the small pieces that live on, glibc keeps what a model and its conversations had: tens of megabytes.
void give_memory_back() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

class LoadJob : public Job {
 public:
  LoadJob(LoadOptions options, std::shared_ptr<StopFlag> stop) : Job(std::move(stop)), options_(std::move(options)) {}

  void run() override {
    options_.on_progress = [this](const LoadProgress& progress) {
      {
        const std::lock_guard lock(mutex_);
        progress_ = progress;
      }
      wake();
    };
    model_ = Model::load(options_, stop_flag());
  }

  void deliver(Napi::Env env, const Napi::Function& callback) override {
    std::optional<LoadProgress> progress;
    {
      const std::lock_guard lock(mutex_);
      progress.swap(progress_);
    }
    if (progress) callback.Call({to_js(env, *progress)});
  }

  Napi::Value result(Napi::Env env) override {
    return Environment::of(env).model_class.New({Napi::External<std::shared_ptr<const Model>>::New(env, &model_)});
  }

 protected:
  std::shared_ptr<const Model> model_;

 private:
  LoadOptions options_;
  std::mutex mutex_;
  std::optional<LoadProgress> progress_;
};

/// Loads a model for what the load leaves in the cache, and forgets it.
class MakeCacheJob : public LoadJob {
 public:
  using LoadJob::LoadJob;
  void run() override {
    LoadJob::run();
    const ModelInfo& info = model_->info();
    is_kept_ = info.is_cached;
    notice_ = info.cache_notice;
    model_.reset();
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object out = Napi::Object::New(env);
    out.Set("kept", is_kept_);
    out.Set("notice", notice_);
    return out;
  }

 private:
  bool is_kept_ = false;
  std::string notice_;
};

class LimitsJob : public Job {
 public:
  explicit LimitsJob(std::shared_ptr<const Model> model)
      : Job(std::make_shared<StopFlag>(false)), model_(std::move(model)) {}
  void run() override {
    bytes_per_second_ = read_bandwidth(*model_);
    flops_per_second_ = product_rate(*model_);
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object out = Napi::Object::New(env);
    out.Set("bytesPerSecond", bytes_per_second_);
    out.Set("flopsPerSecond", flops_per_second_ > 0 ? Napi::Number::New(env, flops_per_second_) : env.Null());
    return out;
  }

 private:
  std::shared_ptr<const Model> model_;
  double bytes_per_second_ = 0, flops_per_second_ = 0;
};

struct FoundCheckpoint {
  Checkpoint checkpoint;
  std::string why;
};

Napi::Value to_js(Napi::Env env, FoundCheckpoint& found) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("checkpoint", found.checkpoint ? Environment::of(env).checkpoint_class.New(
                                               {Napi::External<Checkpoint>::New(env, &found.checkpoint)})
                                         : env.Null());
  out.Set("why", found.why);
  return out;
}

std::filesystem::path path_of(const Napi::Value& value) {
  if (!value.IsString()) throw EngineError(ErrorCode::bad_argument, "file: expected a path.");
  const std::string text = value.As<Napi::String>();
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

/// Nobody stops these: they take as long as the disk does.
const StopFlag never{false};

}  // namespace

Napi::Function ModelObject::define(Napi::Env env) {
  return DefineClass(env, "Model",
                     {
                         InstanceAccessor<&ModelObject::info>("info"),
                         InstanceMethod<&ModelObject::stages>("stages"),
                         InstanceMethod<&ModelObject::limits>("limits"),
                         InstanceMethod<&ModelObject::write_checkpoint>("writeCheckpoint"),
                         InstanceMethod<&ModelObject::read_checkpoint>("readCheckpoint"),
                         InstanceMethod<&ModelObject::create_session>("createSession"),
                         InstanceMethod<&ModelObject::dispose>("dispose"),
                     });
}

Napi::Value ModelObject::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Fields fields(info[0], "options");
    auto job = std::make_shared<LoadJob>(load_options(fields), StopFlagObject::of(env, fields.value("stop")));
    return Environment::of(env).submit(env, std::move(job), info[1]);
  });
}

Napi::Value ModelObject::make_cache(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Fields fields(info[0], "options");
    auto job = std::make_shared<MakeCacheJob>(load_options(fields), StopFlagObject::of(env, fields.value("stop")));
    return Environment::of(env).submit_aside(env, std::move(job), info[1]);
  });
}

ModelObject::ModelObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!info[0].IsExternal()) throw make_error(info.Env(), "BAD_ARGUMENT", "Use loadModel() to make a Model.");
  thread_ = Environment::of(info.Env()).thread();
  model_ = *info[0].As<Napi::External<std::shared_ptr<const Model>>>().Data();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), model_->info().weight_bytes);
}

ModelObject::~ModelObject() { release(Env()); }

void ModelObject::release(Napi::Env env) {
  if (!model_) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, -model_->info().weight_bytes);
  // On the engine thread, after what runs there now: giving gigabytes back takes a while.
  thread_->post([model = std::move(model_)]() mutable {
    model.reset();
    give_memory_back();
  });
}

const std::shared_ptr<const Model>& ModelObject::model() const {
  if (!model_) throw EngineError(ErrorCode::bad_argument, "The model was disposed.");
  return model_;
}

Napi::Value ModelObject::info(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return to_js(info.Env(), model()->info()); });
}

Napi::Value ModelObject::stages(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsNumber()) throw EngineError(ErrorCode::bad_argument, "stages(context): expected a number.");
    return to_js(info.Env(), model()->stages(info[0].As<Napi::Number>().Int32Value()));
  });
}

Napi::Value ModelObject::create_session(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return SessionObject::create(info, model()); });
}

Napi::Value ModelObject::limits(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    return Environment::of(env).submit(env, std::make_shared<LimitsJob>(model()), env.Undefined());
  });
}

Napi::Value ModelObject::write_checkpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    return Inquiry<std::string>::start(
        env, [model = model(), checkpoint = CheckpointObject::of(env, info[0]), file = path_of(info[1])] {
          return nf::write_checkpoint(*model, checkpoint, file, never);
        });
  });
}

Napi::Value ModelObject::read_checkpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
      throw EngineError(ErrorCode::bad_argument, "tokens: expected an Int32Array.");
    }
    const auto array = info[1].As<Napi::Int32Array>();
    std::vector<Token> tokens(array.Data(), array.Data() + array.ElementLength());
    return Inquiry<FoundCheckpoint>::start(env, [model = model(), file = path_of(info[0]), tokens = std::move(tokens)] {
      FoundCheckpoint found;
      found.checkpoint = nf::read_checkpoint(*model, file, tokens, never, found.why);
      return found;
    });
  });
}

Napi::Value ModelObject::dispose(const Napi::CallbackInfo& info) {
  release(info.Env());
  return info.Env().Undefined();
}

}  // namespace nf::addon
