// A session as the engine thread sees it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "nf/engine.h"

namespace nf::addon {

/// Shared by the JavaScript object and its jobs. `session` belongs to the engine thread; `position` is its shadow.
struct SessionSlot {
  std::optional<Session> session;
  std::atomic<int> position{0};
};

}  // namespace nf::addon
