#include "convert.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nf::addon {
namespace {

constexpr double max_safe_integer = 9007199254740991.0;

Napi::Number number_of(Napi::Env env, std::int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

}  // namespace

Fields::Fields(const Napi::Value& value, const char* what) : what_(what) {
  if (!value.IsObject()) throw EngineError(ErrorCode::bad_argument, std::string(what) + ": expected an object.");
  object_ = value.As<Napi::Object>();
}

void Fields::fail(const char* name, const char* expected) const {
  throw EngineError(ErrorCode::bad_argument, std::string(what_) + "." + name + ": expected " + expected + ".");
}

bool Fields::has(const char* name) const {
  const Napi::Value value = object_.Get(name);
  return !value.IsUndefined() && !value.IsNull();
}

double Fields::number(const char* name) const {
  const Napi::Value value = object_.Get(name);
  if (!value.IsNumber()) fail(name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number)) fail(name, "a finite number");
  return number;
}

std::int64_t Fields::whole(const char* name, std::int64_t min, std::int64_t max) const {
  const double value = number(name);
  if (value != std::floor(value) || std::fabs(value) > max_safe_integer) fail(name, "a whole number");
  if (value < static_cast<double>(min) || value > static_cast<double>(max)) {
    const std::string range = "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
    fail(name, range.c_str());
  }
  return static_cast<std::int64_t>(value);
}

bool Fields::boolean(const char* name) const {
  const Napi::Value value = object_.Get(name);
  if (!value.IsBoolean()) fail(name, "true or false");
  return value.As<Napi::Boolean>().Value();
}

std::string Fields::text(const char* name) const {
  const Napi::Value value = object_.Get(name);
  if (!value.IsString()) fail(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::vector<Token> Fields::tokens(const char* name) const {
  const Napi::Value value = object_.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    fail(name, "an Int32Array");
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<int> Fields::wholes(const char* name) const {
  const Napi::Value value = object_.Get(name);
  if (!value.IsArray()) fail(name, "an array of whole numbers");
  const auto array = value.As<Napi::Array>();
  std::vector<int> out(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsNumber()) fail(name, "an array of whole numbers");
    out[i] = item.As<Napi::Number>().Int32Value();
  }
  return out;
}

LoadOptions load_options(const Fields& fields) {
  constexpr auto max_int = std::numeric_limits<int>::max();
  LoadOptions options;
  options.source = fields.text("source");
  options.device = device_of(fields.text("device"));
  options.device_index = static_cast<int>(fields.whole("deviceIndex", -1, 1023));
  options.n_threads = static_cast<int>(fields.whole("threads", 0, 4096));
  options.format = weight_format_of(fields.text("format"));
  options.max_positions = static_cast<int>(fields.whole("contextPositions", 1, max_int));
  if (fields.has("useGraph")) options.use_graph = fields.boolean("useGraph");
  options.cache_dir = std::filesystem::u8path(fields.text("cacheDir"));
  return options;
}

Sampling sampling(const Fields& fields) {
  Sampling out;
  out.temperature = static_cast<float>(fields.number("temperature"));
  out.top_k = static_cast<int>(fields.whole("topK", 0, std::numeric_limits<int>::max()));
  out.top_p = static_cast<float>(fields.number("topP"));
  out.min_p = static_cast<float>(fields.number("minP"));
  out.repetition_penalty = static_cast<float>(fields.number("repetitionPenalty"));
  out.frequency_penalty = static_cast<float>(fields.number("frequencyPenalty"));
  out.presence_penalty = static_cast<float>(fields.number("presencePenalty"));
  out.seed = static_cast<std::uint64_t>(fields.whole("seed", 0, static_cast<std::int64_t>(max_safe_integer)));
  out.n_logprobs = static_cast<int>(fields.whole("logprobs", 0, max_logprobs));
  out.ignore_end = fields.boolean("ignoreEnd");
  if (fields.has("allowed")) {
    const std::vector<Token> words = fields.tokens("allowed");
    out.allowed.assign(words.begin(), words.end());
  }
  const Napi::Value bias = fields.value("logitBias");
  if (!bias.IsArray()) return out;
  const auto pairs = bias.As<Napi::Array>();
  for (std::uint32_t i = 0; i < pairs.Length(); ++i) {
    const Napi::Value pair = pairs.Get(i);
    if (!pair.IsArray() || !pair.As<Napi::Array>().Get(0u).IsNumber() || !pair.As<Napi::Array>().Get(1u).IsNumber()) {
      throw EngineError(ErrorCode::bad_argument, "logitBias: expected pairs of a token and a number.");
    }
    const auto entry = pair.As<Napi::Array>();
    out.logit_bias.emplace_back(entry.Get(0u).As<Napi::Number>().Int32Value(),
                                entry.Get(1u).As<Napi::Number>().FloatValue());
  }
  return out;
}

Napi::Object to_js(Napi::Env env, const DeviceReport& report) {
  Napi::Array devices = Napi::Array::New(env, report.devices.size());
  for (std::uint32_t i = 0; i < report.devices.size(); ++i) {
    const DeviceInfo& device = report.devices[i];
    const bool is_gpu = device.kind == Device::cuda;
    Napi::Object out = Napi::Object::New(env);
    out.Set("kind", name_of(device.kind));
    out.Set("index", device.index);
    out.Set("name", device.name);
    out.Set("memoryTotalBytes", number_of(env, device.memory_total));
    out.Set("memoryFreeBytes", number_of(env, device.memory_free));
    out.Set("computeCapability", is_gpu
                                     ? Napi::Value(Napi::String::New(env, std::to_string(device.compute_major) + "." +
                                                                              std::to_string(device.compute_minor)))
                                     : env.Null());
    out.Set("threads", is_gpu ? env.Null() : Napi::Value(Napi::Number::New(env, device.n_threads)));
    out.Set("features", device.features);
    out.Set("nominalBytesPerSecond",
            device.nominal_bandwidth > 0 ? number_of(env, device.nominal_bandwidth) : env.Null());
    devices.Set(i, out);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("devices", devices);
  out.Set("cudaReason",
          report.cuda_reason.empty() ? env.Null() : Napi::Value(Napi::String::New(env, report.cuda_reason)));
  return out;
}

Napi::Object to_js(Napi::Env env, const ModelInfo& info) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("source", info.source);
  out.Set("device", name_of(info.device));
  out.Set("deviceIndex", info.device_index);
  out.Set("deviceName", info.device_name);
  out.Set("format", name_of(info.format));
  out.Set("layers", info.n_layers);
  out.Set("vocab", info.n_vocab);
  out.Set("hidden", info.n_hidden);
  out.Set("metaTokens", info.n_meta_tokens);
  out.Set("trainedPositions", info.max_positions);
  out.Set("contextPositions", info.context_positions);
  out.Set("threads", info.n_threads);
  Napi::Array end_tokens = Napi::Array::New(env, info.end_tokens.size());
  for (std::uint32_t i = 0; i < info.end_tokens.size(); ++i) end_tokens.Set(i, info.end_tokens[i]);
  out.Set("endTokens", end_tokens);
  out.Set("parameters", number_of(env, info.n_parameters));
  out.Set("weightBytes", number_of(env, info.weight_bytes));
  out.Set("stateBytes", number_of(env, info.state_bytes));
  out.Set("kvBytesPerPosition", number_of(env, info.kv_bytes_per_position));
  out.Set("weightsFrom", info.from_cache ? "cache" : "source");
  out.Set("cacheNotice", info.cache_notice);
  return out;
}

Napi::Array to_js(Napi::Env env, const std::vector<StageInfo>& stages) {
  Napi::Array out = Napi::Array::New(env, stages.size());
  for (std::uint32_t i = 0; i < stages.size(); ++i) {
    Napi::Object stage = Napi::Object::New(env);
    stage.Set("name", stages[i].name);
    stage.Set("stageClass", name_of(stages[i].stage_class));
    stage.Set("layer", stages[i].layer);
    stage.Set("weightBytes", number_of(env, stages[i].weight_bytes));
    stage.Set("stateBytes", number_of(env, stages[i].state_bytes));
    stage.Set("flops", number_of(env, stages[i].flops));
    out.Set(i, stage);
  }
  return out;
}

Napi::Object to_js(Napi::Env env, const LoadProgress& progress) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("phase", name_of(progress.phase));
  out.Set("doneBytes", number_of(env, progress.done));
  out.Set("totalBytes", number_of(env, progress.total));
  return out;
}

Napi::Object to_js(Napi::Env env, const Step& step) {
  Napi::Array top = Napi::Array::New(env, static_cast<std::size_t>(step.n_top));
  for (int i = 0; i < step.n_top; ++i) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("token", step.top[static_cast<std::size_t>(i)].token);
    entry.Set("logprob", step.top[static_cast<std::size_t>(i)].logprob);
    top.Set(static_cast<std::uint32_t>(i), entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("token", step.token);
  out.Set("isEnd", step.is_end);
  out.Set("logprob", step.logprob);
  out.Set("stampNs", number_of(env, step.stamp_ns));
  out.Set("forwardNs", number_of(env, step.forward_ns));
  out.Set("sampleNs", number_of(env, step.sample_ns));
  out.Set("top", top);
  if (std::any_of(step.class_ns.begin(), step.class_ns.end(), [](std::int64_t ns) { return ns > 0; })) {
    Napi::Array class_ns = Napi::Array::New(env, step.class_ns.size());
    for (std::uint32_t i = 0; i < step.class_ns.size(); ++i) class_ns.Set(i, number_of(env, step.class_ns[i]));
    out.Set("classNs", class_ns);
  }
  return out;
}

Napi::Object to_js(Napi::Env env, const GpuReading& reading) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("reason", reading.sample ? env.Null() : Napi::String::New(env, reading.reason));
  out.Set("sample", env.Null());
  if (!reading.sample) return out;
  const GpuSample& sample = *reading.sample;
  Napi::Object js = Napi::Object::New(env);
  const auto set = [&](const char* name, const auto& value) {
    js.Set(name, value ? Napi::Value(Napi::Number::New(env, static_cast<double>(*value))) : env.Null());
  };
  js.Set("name", sample.name);
  set("memoryUsedBytes", sample.memory_used);
  set("memoryTotalBytes", sample.memory_total);
  set("smClockMhz", sample.sm_clock_mhz);
  set("memoryClockMhz", sample.memory_clock_mhz);
  set("temperatureC", sample.temperature_c);
  set("powerW", sample.power_w);
  set("powerLimitW", sample.power_limit_w);
  set("utilisationPercent", sample.utilisation_percent);
  js.Set("throttle", env.Null());
  if (sample.throttle) {
    Napi::Array reasons = Napi::Array::New(env, sample.throttle->size());
    for (std::uint32_t i = 0; i < sample.throttle->size(); ++i) reasons.Set(i, (*sample.throttle)[i]);
    js.Set("throttle", reasons);
  }
  out.Set("sample", js);
  return out;
}

}  // namespace nf::addon
