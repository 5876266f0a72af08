// A session as the engine thread sees it.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "job.h"
#include "nf/engine.h"

namespace nf::addon {

/// Shared by the JavaScript object and its jobs. All but `position`, a shadow, belongs to the engine thread. Jobs of a
/// session run one after another, also when one of them is done in parts.
struct SessionSlot {
  std::optional<Session> session;
  std::atomic<int> position{0};

  /// Now, or when the generation under way is over.
  void when_free(std::function<void()> task) {
    if (is_busy_) {
      waiting_.push_back(std::move(task));
    } else {
      task();
    }
  }
  void occupy() { is_busy_ = true; }
  void release() {
    is_busy_ = false;
    while (!is_busy_ && !waiting_.empty()) {
      const std::function<void()> task = std::move(waiting_.front());
      waiting_.pop_front();
      task();
    }
  }
  /// Drops what waits: it may own this very slot.
  void forget_waiting() { waiting_.clear(); }
  /// Throws when JavaScript has given the session back.
  Session& get() {
    if (!session) throw EngineError(ErrorCode::bad_argument, "The session was disposed.");
    return *session;
  }

 private:
  bool is_busy_ = false;
  std::deque<std::function<void()>> waiting_;
};

/// A job of one session, done in one go.
class SlotJob : public Job, public std::enable_shared_from_this<SlotJob> {
 public:
  SlotJob(std::shared_ptr<SessionSlot> slot, std::shared_ptr<StopFlag> stop)
      : Job(std::move(stop)), slot_(std::move(slot)) {}

  void start() override {
    slot_->when_free([self = shared_from_this()] { self->Job::start(); });
  }

 protected:
  const std::shared_ptr<SessionSlot> slot_;
};

}  // namespace nf::addon
