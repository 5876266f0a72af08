#include "engine_thread.h"

#include <utility>

namespace nf::addon {

EngineThread::EngineThread(std::size_t max_waiting) : max_waiting_(max_waiting), thread_([this] { loop(); }) {}

EngineThread::~EngineThread() { close(); }

bool EngineThread::try_post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || waiting_.size() >= max_waiting_) return false;
    waiting_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void EngineThread::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      waiting_.push_back(std::move(task));
      task = nullptr;
    }
  }
  if (task) task();
  wake_.notify_one();
}

void EngineThread::wait_for(std::size_t n_tasks, std::chrono::nanoseconds longest) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, longest, [&] { return closed_ || waiting_.size() >= n_tasks; });
}

void EngineThread::close() {
  std::deque<std::function<void()>> forgotten;  // destroyed outside the lock: a task may own a session
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    forgotten.swap(waiting_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void EngineThread::loop() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
      if (closed_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

}  // namespace nf::addon
