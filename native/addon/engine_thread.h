// One thread that does all the engine's work for one JavaScript environment, and the bounded queue in front of it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace nf::addon {

class EngineThread {
 public:
  explicit EngineThread(std::size_t max_waiting);
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  /// Queues `task`, from any thread. False when the queue is full or the thread was closed.
  bool try_post(std::function<void()> task);
  /// Queues what must not be refused: giving memory back. After close() it runs at once, on the caller's thread.
  void post(std::function<void()> task);
  /// On this thread itself: waits until so many tasks are queued, but not longer than this.
  void wait_for(std::size_t n_tasks, std::chrono::nanoseconds longest);
  /// Forgets what waits, lets the running task finish and joins. Idempotent.
  void close();

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  const std::size_t max_waiting_;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace nf::addon
