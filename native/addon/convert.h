// JavaScript values to plain structs and back. Wrong or missing fields are BAD_ARGUMENT errors that name the field.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nf/engine.h"
#include "nf/gpu_sensors.h"

namespace nf::addon {

/// Reads named fields of one object; the messages say which.
class Fields {
 public:
  Fields(const Napi::Value& value, const char* what);

  std::int64_t whole(const char* name, std::int64_t min, std::int64_t max) const;
  double number(const char* name) const;
  bool boolean(const char* name) const;
  std::string text(const char* name) const;
  /// An Int32Array, copied.
  std::vector<Token> tokens(const char* name) const;
  std::vector<int> wholes(const char* name) const;
  bool has(const char* name) const;
  Napi::Value value(const char* name) const { return object_.Get(name); }

 private:
  [[noreturn]] void fail(const char* name, const char* expected) const;

  Napi::Object object_;
  const char* what_;
};

LoadOptions load_options(const Fields&);
Sampling sampling(const Fields&);

inline Napi::Value to_js(Napi::Env env, double value) { return Napi::Number::New(env, value); }
inline Napi::Value to_js(Napi::Env env, const std::string& value) { return Napi::String::New(env, value); }
Napi::Object to_js(Napi::Env, const DeviceReport&);
Napi::Object to_js(Napi::Env, const ModelInfo&);
Napi::Array to_js(Napi::Env, const std::vector<StageInfo>&);
Napi::Object to_js(Napi::Env, const LoadProgress&);
Napi::Object to_js(Napi::Env, const Step&);
Napi::Object to_js(Napi::Env, const GpuReading&);

template <class Array, class T>
Array copy_to_js(Napi::Env env, const T* values, std::size_t n) {
  Array array = Array::New(env, n);
  std::copy(values, values + n, array.Data());
  return array;
}

}  // namespace nf::addon
