// Threads for the forward pass: one per core, the caller among them.
//
// Between two stages, a few microseconds apart, workers spin; after some tens of microseconds they sleep, so an idle
// engine uses no CPU and a crowded machine is not made worse by spinning.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace nf::cpu {

class ThreadPool {
 public:
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int n_threads() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(task, thread) for every task in [0, n_tasks) and returns when all are done. Threads take the next task
  /// when they finish one, so a thread that the system stops delays one task only. `work` must not throw. One caller
  /// at a time.
  template <class Work>
  void run(int n_tasks, const Work& work) {
    if (n_tasks <= 1 || workers_.empty()) {
      for (int i = 0; i < n_tasks; ++i) work(i, 0);
      return;
    }
    start([](const void* context, int task, int thread) { (*static_cast<const Work*>(context))(task, thread); }, &work,
          n_tasks);
  }

 private:
  using Call = void (*)(const void* context, int task, int thread);

  void start(Call, const void* context, int n_tasks);
  void worker(int thread);
  bool take_one(int thread);
  void wait_for_work(std::uint32_t seen);

  Call call_ = nullptr;
  const void* context_ = nullptr;
  int n_tasks_ = 0;
  // Tasks nobody has taken yet. Only a thread that takes one may look at the fields above: the caller cannot have
  // returned, and so cannot have changed them, before that task is done.
  alignas(64) std::atomic<int> n_left_{0};
  alignas(64) std::atomic<int> n_done_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // goes up with every start(); what sleepers wait on
  std::atomic<int> n_sleeping_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace nf::cpu
