// A checkpoint in a file, so that a conversation goes on after a restart without being read again. The container is
// weight_cache.h's; its sections are "tokens" (i32), "n_prompt" (i32), "state" and "logits" (f32), and "kv", the
// attention rows behind the memory tokens.
#pragma once

#include "nf/engine.h"

namespace nf {

/// To be raised when the layout of a section changes, or the model's arithmetic by more than rounding.
inline constexpr const char* saved_state_layout = "state-1/";

}  // namespace nf
