#include "errors.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <new>

namespace nf::addon {
namespace {

constexpr std::array all_codes = {
    ErrorCode::bad_model,     ErrorCode::unsupported, ErrorCode::bad_argument, ErrorCode::context_full,
    ErrorCode::out_of_memory, ErrorCode::cancelled,   ErrorCode::device_lost,  ErrorCode::cuda_unavailable,
};

}  // namespace

std::string js_code(ErrorCode code) {
  std::string name = name_of(code);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

Napi::Array js_codes(Napi::Env env) {
  Napi::Array codes = Napi::Array::New(env, all_codes.size());
  for (std::uint32_t i = 0; i < all_codes.size(); ++i) codes.Set(i, js_code(all_codes[i]));
  return codes;
}

Napi::Error make_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

Napi::Error to_js(Napi::Env env, std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const Napi::Error& e) {
    return e;
  } catch (const EngineError& e) {
    return make_error(env, js_code(e.code()), e.what());
  } catch (const std::bad_alloc&) {
    return make_error(env, js_code(ErrorCode::out_of_memory),
                      "There is not enough memory. Close other programs, or choose a smaller format or context.");
  } catch (const std::exception& e) {
    return make_error(env, "INTERNAL", e.what());
  } catch (...) {
    return make_error(env, "INTERNAL", "The engine failed in a way it does not know.");
  }
}

}  // namespace nf::addon
