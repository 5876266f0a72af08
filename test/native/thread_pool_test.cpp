// The pool of the forward pass: every task once and in order, whoever is stopped, late or has thrown.
#include "cpu/thread_pool.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "nf/engine.h"
#include "support/check.h"

namespace nf::test {
namespace {

using cpu::ThreadPool;

constexpr int n_threads = 6;  // more than small machines have, so that some are stopped in the middle

}  // namespace

TEST("every task of a pass runs once, after all of the stages before it") {
  ThreadPool pool(n_threads);
  constexpr int n_passes = 50, n_stages = 40, n_tasks = 9;
  for (int pass = 0; pass < n_passes; ++pass) {
    std::vector<std::vector<int>> values(n_stages, std::vector<int>(n_tasks, 0));
    pool.together([&] {
      for (std::size_t stage = 0; stage < n_stages; ++stage) {
        pool.run(n_tasks, [&](int task, int) {
          int sum = 1;  // of what the stage before left: complete, and not touched since
          for (const int value : values[stage == 0 ? 0 : stage - 1]) sum += stage == 0 ? 0 : value % 7;
          values[stage][static_cast<std::size_t>(task)] += sum;
        });
      }
    });
    int expected = 1;
    for (const auto& stage : values) {
      for (const int value : stage) REQUIRE(value == expected);
      expected = 1 + n_tasks * (expected % 7);
    }
  }
}

TEST("a thread that comes late, the caller too, finds the stages done by the others") {
  for (const bool caller_is_late : {true, false}) {
    ThreadPool pool(2);
    std::atomic<int> n_run{0};
    pool.together([&] {
      while (ThreadPool::is_caller() == caller_is_late && n_run.load() < 30) std::this_thread::yield();
      for (int stage = 0; stage < 10; ++stage) pool.run(3, [&](int, int) { ++n_run; });
    });
    CHECK_EQ(n_run.load(), 30);
  }
}

TEST("what a pass throws on the caller reaches the caller, and the pool goes on") {
  ThreadPool pool(n_threads);
  for (int i = 0; i < 20; ++i) {
    int n_after = 0;
    CHECK_THROWS(pool.together([&] {
      pool.run(4, [](int, int) {});
      pool.run_on_caller([] { throw EngineError(ErrorCode::cancelled, "no more"); });
      pool.run(1, [&](int, int) { ++n_after; });  // by those that go on
    }),
                 ErrorCode::cancelled, "no more");
    CHECK(n_after <= 1);
    std::atomic<int> n_run{0};
    pool.together([&] { pool.run(5, [&](int, int) { ++n_run; }); });
    CHECK_EQ(n_run.load(), 5);
  }
}

TEST("a caller that throws keeps nobody waiting for what only it would have done") {
  ThreadPool pool(2);
  std::atomic<bool> has_passed{false};
  CHECK_THROWS(pool.together([&] {
    if (ThreadPool::is_caller()) {
      while (!has_passed) std::this_thread::yield();
      throw EngineError(ErrorCode::cancelled, "stopped");
    }
    has_passed = true;
    pool.run_on_caller([] {});
    pool.run(1, [](int, int) {});
  }),
               ErrorCode::cancelled, "stopped");
}

TEST("threads that throw leave their tasks to the caller") {
  ThreadPool pool(n_threads);
  std::atomic<int> n_run{0};
  pool.together([&] {
    for (int stage = 0; stage < 10; ++stage) {
      if (stage == 5 && !ThreadPool::is_caller()) throw std::runtime_error("stopped");
      pool.run(7, [&](int, int) { ++n_run; });
    }
  });
  CHECK_EQ(n_run.load(), 70);
}

}  // namespace nf::test
