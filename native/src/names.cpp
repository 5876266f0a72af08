#include "nf/engine.h"

namespace nf {

const char* name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::bad_model: return "bad_model";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::bad_argument: return "bad_argument";
    case ErrorCode::context_full: return "context_full";
    case ErrorCode::out_of_memory: return "out_of_memory";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::device_lost: return "device_lost";
    case ErrorCode::cuda_unavailable: return "cuda_unavailable";
  }
  return "";
}

const char* name_of(WeightFormat format) noexcept {
  switch (format) {
    case WeightFormat::f32: return "f32";
    case WeightFormat::bf16: return "bf16";
    case WeightFormat::int8: return "int8";
    case WeightFormat::mixed: return "mixed";
    case WeightFormat::int4: return "int4";
  }
  return "";
}

const char* name_of(Device device) noexcept { return device == Device::cpu ? "cpu" : "cuda"; }

const char* name_of(LoadPhase phase) noexcept {
  switch (phase) {
    case LoadPhase::reading: return "reading";
    case LoadPhase::quantising: return "quantising";
    case LoadPhase::uploading: return "uploading";
    case LoadPhase::warming: return "warming";
    case LoadPhase::saving: return "saving";
  }
  return "";
}

const char* name_of(StageClass stage_class) noexcept {
  switch (stage_class) {
    case StageClass::embed: return "embed";
    case StageClass::deltanet: return "deltanet";
    case StageClass::mamba2: return "mamba2";
    case StageClass::attention: return "attention";
    case StageClass::ffn: return "ffn";
    case StageClass::head: return "head";
    case StageClass::sampling: return "sampling";
  }
  return "";
}

WeightFormat weight_format_of(const std::string& name) {
  for (const WeightFormat format :
       {WeightFormat::f32, WeightFormat::bf16, WeightFormat::int8, WeightFormat::mixed, WeightFormat::int4}) {
    if (name == name_of(format)) return format;
  }
  throw EngineError(ErrorCode::bad_argument,
                    "unknown weight format \"" + name + "\"; known are f32, bf16, int8, mixed and int4");
}

Device device_of(const std::string& name) {
  for (const Device device : {Device::cpu, Device::cuda}) {
    if (name == name_of(device)) return device;
  }
  throw EngineError(ErrorCode::bad_argument, "unknown device \"" + name + "\"; known are cpu and cuda");
}

}  // namespace nf
