// Threads for the forward pass: one per core, the caller among them.
//
// All of them walk through the pass together, and whoever comes to a stage first takes its tasks. So nobody leads: on a
// crowded machine, where the system stops each of them for milliseconds at a time, the others go on for as long as no
// task in hand is missing, and who comes late finds the stages done and catches up.
//
// Waiting threads spin for some tens of microseconds, then sleep, so an idle engine uses no processor.
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

  /// Calls pass() on every thread that is free and on this one; returns when all have left it. Every thread must come
  /// to the same calls of run() in the same order. Outside their tasks it may read only what nobody writes during the
  /// pass: it can be many stages behind. What pass() throws here ends the pass for all and goes on to the caller;
  /// another thread that throws leaves its share to the rest. One caller at a time.
  template <class Pass>
  void together(const Pass& pass) {
    lead([](const void* context) { (*static_cast<const Pass*>(context))(); }, &pass);
  }

  /// Inside together() only: work(task, thread) once for every task in [0, n_tasks), by whoever gets there first;
  /// returns when all are done. `work` must not throw.
  template <class Work>
  void run(int n_tasks, const Work& work) {
    Place& place = place_;
    const std::uint32_t first = place.end;
    const std::uint32_t end = place.end = first + static_cast<std::uint32_t>(n_tasks);
    for (std::uint32_t task = 0; take(end, task);) {
      work(static_cast<int>(task - first), place.thread);
      finish(end);
    }
    wait_until_done(end);
  }

  /// Inside together() only: work() on the thread that called it, while the others wait. It may throw.
  template <class Work>
  void run_on_caller(const Work& work) {
    const std::uint32_t end = ++place_.end;
    if (is_caller()) {
      struct Finishing {  // also when work() throws: the others must not wait for ever
        ThreadPool& pool;
        std::uint32_t end;
        ~Finishing() {
          std::uint32_t task = 0;
          pool.take(end, task);
          pool.finish(end);
        }
      } const finishing{*this, end};
      work();
    }
    wait_until_done(end);
  }

  /// Inside together() only: whether this is the thread that called it.
  static bool is_caller() noexcept { return place_.thread == 0; }

 private:
  using Call = void (*)(const void* context);
  struct Place {
    int thread;
    std::uint32_t end;  // tasks of the pass up to here are those of the runs that this thread has come to
  };

  void lead(Call, const void* context);
  void abandon();
  void close();
  void worker(int thread);
  bool enter();
  void leave();
  void wait_for_pass(std::uint32_t seen);
  bool take(std::uint32_t end, std::uint32_t& task);
  void finish(std::uint32_t end);
  void wait_until_done(std::uint32_t end);

  static thread_local constinit Place place_;

  Call call_ = nullptr;
  const void* context_ = nullptr;
  // Tasks are numbered through the whole pass. A thread takes one of a run only after it saw all before the run done.
  alignas(64) std::atomic<std::uint32_t> n_taken_{0};
  alignas(64) std::atomic<std::uint32_t> n_done_{0};
  std::atomic<int> n_waiting_{0};                    // asleep for n_done_
  alignas(64) std::atomic<std::uint32_t> gate_{0};   // workers inside the pass, and a bit while it may be entered
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // goes up with every pass; what idle workers wait on
  std::atomic<int> n_idle_{0};                       // asleep for epoch_
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace nf::cpu
