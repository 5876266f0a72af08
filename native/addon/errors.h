// Every failure becomes a JavaScript Error with a stable `code`.
#pragma once

#include <napi.h>

#include <exception>
#include <string>

#include "nf/engine.h"

namespace nf::addon {

/// "BAD_MODEL" for bad_model.
std::string js_code(ErrorCode code);
/// All engine codes in order, for the test that compares them with main/contract/errors.ts.
Napi::Array js_codes(Napi::Env env);

Napi::Error make_error(Napi::Env env, const std::string& code, const std::string& message);
/// EngineError by its code, bad_alloc as OUT_OF_MEMORY, a JavaScript error as itself, anything else as INTERNAL.
Napi::Error to_js(Napi::Env env, std::exception_ptr error);

/// Runs `body` at the border, so that only JavaScript errors leave it.
template <class F>
auto guarded(Napi::Env env, F&& body) {
  try {
    return body();
  } catch (...) {
    throw to_js(env, std::current_exception());
  }
}

}  // namespace nf::addon
