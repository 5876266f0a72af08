#include "thread_pool.h"

#include <chrono>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace nf::cpu {
namespace {

// Several times the longest gap between two stages of a forward pass, and short beside a time slice of the system.
// Whoever waits longer sleeps: on a crowded machine that lets the thread run that is waited for, and a sleeper is
// chosen before those that used up their time. Yielding instead would count as having used it.
constexpr auto longest_spin = std::chrono::microseconds(100);
constexpr int pauses_per_look = 16;
constexpr std::uint32_t open_gate = 1u << 31;
constexpr std::uint32_t beyond_all_tasks = 1u << 31;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
  asm volatile("yield");
#endif
}

/// False when it gave up.
template <class Ready>
bool spin_until(const Ready& ready) {
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < pauses_per_look; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() - start < longest_spin);
  return false;
}

/// Asks the system to let this thread run often and briefly instead of seldom and long, at the same share of a core. On
/// a crowded machine a thread is then stopped for a fraction of a millisecond at a time, and those that wait for its
/// task with it. A hint: Linux knows it from 6.12 on.
void run_often_and_briefly() {
#if defined(__linux__) && defined(SYS_sched_setattr)
  struct Attributes {  // sched_attr of linux/sched/types.h, as first published
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } attributes{};
  constexpr std::uint64_t slice_ns = 100'000;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.size = sizeof(attributes);
  attributes.runtime = slice_ns;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
#endif
}

}  // namespace

thread_local constinit ThreadPool::Place ThreadPool::place_{0, 0};

ThreadPool::ThreadPool(int n_threads) {
  for (int i = 1; i < n_threads; ++i) workers_.emplace_back([this, i] { worker(i); });
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  ++epoch_;
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::lead(Call call, const void* context) {
  static thread_local const bool is_brief = (run_often_and_briefly(), true);  // the caller, once
  (void)is_brief;
  call_ = call;
  context_ = context;
  n_taken_.store(0, std::memory_order_relaxed);
  n_done_.store(0, std::memory_order_relaxed);
  place_ = {0, 0};
  gate_.store(open_gate, std::memory_order_release);
  ++epoch_;
  if (n_idle_.load() > 0) epoch_.notify_all();
  struct Closing {
    ThreadPool& pool;
    bool is_whole = false;
    ~Closing() {
      if (!is_whole) pool.abandon();
      pool.close();
    }
  } closing{*this};
  call(context);
  closing.is_whole = true;
}

/// The caller has left in the middle: no task is left to take and nothing to wait for, so the others come out at once.
void ThreadPool::abandon() {
  n_taken_.store(beyond_all_tasks);
  n_done_.store(beyond_all_tasks);
  n_done_.notify_all();
}

/// Lets nobody in any more and waits until all workers are out.
void ThreadPool::close() {
  std::uint32_t inside = 0;
  gate_.fetch_and(~open_gate, std::memory_order_acq_rel);
  const auto all_out = [&] { return (inside = gate_.load(std::memory_order_acquire)) == 0; };
  while (!spin_until(all_out)) gate_.wait(inside, std::memory_order_acquire);
}

bool ThreadPool::enter() {
  std::uint32_t gate = gate_.load(std::memory_order_relaxed);
  while ((gate & open_gate) != 0) {
    if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void ThreadPool::leave() {
  if (gate_.fetch_sub(1, std::memory_order_acq_rel) == 1) gate_.notify_one();
}

void ThreadPool::worker(int thread) {
  run_often_and_briefly();
  std::uint32_t seen = 0;
  for (;;) {
    wait_for_pass(seen);
    seen = epoch_.load();
    if (stopping_.load(std::memory_order_relaxed)) return;
    if (!enter()) continue;
    place_ = {thread, 0};
    try {
      call_(context_);
    } catch (...) {
      // It holds no task, so nothing is lost: the caller meets the same stop, or goes on without this thread.
    }
    leave();
  }
}

/// Returns when epoch_ is no longer `seen`.
void ThreadPool::wait_for_pass(std::uint32_t seen) {
  if (spin_until([&] { return epoch_.load(std::memory_order_acquire) != seen; })) return;
  ++n_idle_;
  epoch_.wait(seen);
  --n_idle_;
}

/// Takes the next task before `end`, if any is left.
bool ThreadPool::take(std::uint32_t end, std::uint32_t& task) {
  task = n_taken_.load(std::memory_order_relaxed);
  while (task < end) {
    if (n_taken_.compare_exchange_weak(task, task + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

void ThreadPool::finish(std::uint32_t end) {
  if (n_done_.fetch_add(1) + 1 == end && n_waiting_.load() > 0) n_done_.notify_all();
}

void ThreadPool::wait_until_done(std::uint32_t end) {
  std::uint32_t done = 0;
  const auto all_done = [&] { return (done = n_done_.load(std::memory_order_acquire)) >= end; };
  while (!spin_until(all_done)) {
    ++n_waiting_;
    n_done_.wait(done);
    --n_waiting_;
  }
}

}  // namespace nf::cpu
