// nf::run_bench in JavaScript.
#pragma once

#include <napi.h>

namespace nf::addon {

/// bench(options, onProgress?) -> Promise<string[]>: one JSON object per context, as nf::json_of writes it.
Napi::Value bench(const Napi::CallbackInfo& info);

}  // namespace nf::addon
