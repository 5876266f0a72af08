// What require() of the .node gives. The types are in main/engine/addon.ts.
#include <napi.h>

#include "bench_job.h"
#include "convert.h"
#include "environment.h"
#include "errors.h"
#include "generation.h"
#include "inquiry.h"
#include "model_object.h"
#include "nf/bench.h"
#include "session_object.h"
#include "stop_flag_object.h"

namespace nf::addon {
namespace {

Napi::Value devices(const Napi::CallbackInfo& info) { return Inquiry<DeviceReport>::start(info.Env(), list_devices); }

Napi::Value read_memory_bandwidth(const Napi::CallbackInfo& info) {
  return Inquiry<double>::start(info.Env(), [] { return host_read_bandwidth(); });
}

Napi::Value sample_gpu(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) throw make_error(info.Env(), "BAD_ARGUMENT", "sampleGpu(deviceIndex): expected a number.");
  return Inquiry<GpuReading>::start(info.Env(),
                                    [index = info[0].As<Napi::Number>().Int32Value()] { return read_gpu(index); });
}

Napi::Value now_ns(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(steady_ns()));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);  // owns it from here
  const auto define = [&](const char* name, Napi::FunctionReference& reference, const Napi::Function& type) {
    reference = Napi::Persistent(type);
    exports.Set(name, type);
  };
  define("Model", environment->model_class, ModelObject::define(env));
  define("Session", environment->session_class, SessionObject::define(env));
  define("Checkpoint", environment->checkpoint_class, CheckpointObject::define(env));
  define("StopFlag", environment->stop_flag_class, StopFlagObject::define(env));
  exports.Set("devices", Napi::Function::New<devices>(env, "devices"));
  exports.Set("readBandwidth", Napi::Function::New<read_memory_bandwidth>(env, "readBandwidth"));
  exports.Set("loadModel", Napi::Function::New<ModelObject::load>(env, "loadModel"));
  exports.Set("makeCache", Napi::Function::New<ModelObject::make_cache>(env, "makeCache"));
  exports.Set("bench", Napi::Function::New<bench>(env, "bench"));
  exports.Set("sampleGpu", Napi::Function::New<sample_gpu>(env, "sampleGpu"));
  exports.Set("nowNs", Napi::Function::New<now_ns>(env, "nowNs"));
  exports.Set("errorCodes", js_codes(env));
  return exports;
}

}  // namespace
}  // namespace nf::addon

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return nf::addon::init(env, exports); }
NODE_API_MODULE(nemoflash, init_addon)
