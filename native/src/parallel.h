// Splits loading-time work over threads. The forward pass has its own pool.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace nf {

/// Calls work(begin, end) over [0, n) in pieces of at most `piece`, on all hardware threads. The first exception is
/// rethrown here after every thread has stopped.
template <class Work>
void parallel_pieces(std::int64_t n, std::int64_t piece, const Work& work) {
  const std::int64_t n_pieces = (n + piece - 1) / piece;
  const auto n_threads = std::min<std::int64_t>(std::max(1u, std::thread::hardware_concurrency()), n_pieces);
  if (n_threads <= 1) {
    if (n > 0) work(std::int64_t{0}, n);
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto run = [&] {
    try {
      for (std::int64_t i = next++; i < n_pieces; i = next++) work(i * piece, std::min(n, (i + 1) * piece));
    } catch (...) {
      next = n_pieces;
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
    }
  };
  std::vector<std::jthread> threads;
  for (std::int64_t i = 1; i < n_threads; ++i) threads.emplace_back(run);
  run();
  threads.clear();
  if (error) std::rethrow_exception(error);
}

}  // namespace nf
