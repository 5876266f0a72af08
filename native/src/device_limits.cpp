// What this machine can do at best: the yardsticks of decoding (bytes per second) and of reading (FLOP/s).
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "host.h"
#include "model_impl.h"
#include "nf/bench.h"

namespace nf {
namespace {

constexpr std::int64_t stream_bytes = 1LL << 30;  // far beyond any cache
constexpr std::int64_t line_words = 8, piece_words = 512;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr int n_passes = 3;

/// A way to read memory from end to end. Which one is fastest differs between machines, and so the limit is the best.
struct Way {
  int n_streams;                 // places a thread reads from in turn, a line each
  std::int64_t words_ahead;      // what is asked for early; 0 leaves that to the processor
  bool keeps_out_of_far_caches;  // the non-temporal hint
};

constexpr Way ways[] = {{1, 0, false}, {1, 512, false}, {1, 512, true}, {4, 0, false}, {4, 256, false}, {4, 256, true}};

template <bool hint>
void ask_for(const std::uint64_t* place) {
  __builtin_prefetch(place, 0, hint ? 0 : 3);
}

template <bool hint>
std::uint64_t read_all(const std::uint64_t* words, std::int64_t n, int n_streams, std::int64_t words_ahead) {
  std::uint64_t sums[line_words] = {};
  const std::int64_t n_each = n / n_streams / line_words * line_words;
  for (std::int64_t first = 0; first < n_each; first += line_words) {
    for (int stream = 0; stream < n_streams; ++stream) {
      const std::uint64_t* line = words + stream * n_each + first;
      if (words_ahead > 0) ask_for<hint>(line + words_ahead);
      for (std::int64_t k = 0; k < line_words; ++k) sums[k] += line[k];
    }
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

/// In huge pages where the system gives them, as the engine's own buffers.
struct FreeAligned {
  void operator()(std::uint64_t* words) const { ::operator delete (words, std::align_val_t{huge_page}); }
};

std::unique_ptr<std::uint64_t, FreeAligned> allocate(std::int64_t n_words) {
  const std::size_t n_bytes = static_cast<std::size_t>(n_words) * sizeof(std::uint64_t);
  void* memory = ::operator new (n_bytes, std::align_val_t{huge_page});
#ifdef __linux__
  madvise(memory, n_bytes, MADV_HUGEPAGE);
#endif
  return std::unique_ptr<std::uint64_t, FreeAligned>(static_cast<std::uint64_t*>(memory));
}

}  // namespace

double host_read_bandwidth(int n_threads) {
  if (n_threads <= 0) n_threads = list_devices().devices.front().n_threads;
  const std::int64_t bytes = std::min(stream_bytes, std::max<std::int64_t>(host_memory().available / 4, 1 << 26));
  const std::int64_t n_per_thread = bytes / 8 / n_threads / piece_words * piece_words;
  const auto buffer = allocate(n_per_thread * n_threads);
  std::atomic<std::uint64_t> sink{0};
  double best_seconds = 1e30;
  std::barrier<> together(n_threads);
  const auto read = [&](int thread) {
    std::uint64_t* part = buffer.get() + thread * n_per_thread;
    // Each thread writes its part first, so that its pages exist and lie near it.
    std::fill(part, part + n_per_thread, 1);
    for (int pass = 0; pass < n_passes; ++pass) {
      for (const Way& way : ways) {
        together.arrive_and_wait();
        const auto start = std::chrono::steady_clock::now();
        sink += way.keeps_out_of_far_caches ? read_all<true>(part, n_per_thread, way.n_streams, way.words_ahead)
                                            : read_all<false>(part, n_per_thread, way.n_streams, way.words_ahead);
        together.arrive_and_wait();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        if (thread == 0) best_seconds = std::min(best_seconds, taken.count());
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 1; t < n_threads; ++t) threads.emplace_back(read, t);
    read(0);
  }
  return static_cast<double>(n_per_thread) * n_threads * sizeof(std::uint64_t) / best_seconds;
}

double read_bandwidth(const Model& model) {
  Model::Impl& impl = model.impl();
  const std::lock_guard lock(impl.mutex);
  const double device = impl.backend->measure_read_bandwidth();
  return device > 0 ? device : host_read_bandwidth(model.info().n_threads);
}

double product_rate(const Model& model) {
  Model::Impl& impl = model.impl();
  const std::lock_guard lock(impl.mutex);
  const Layer* widest = nullptr;
  for (const Layer& layer : impl.plan.layers) {
    if (layer.has_ffn && (widest == nullptr || layer.ffn.up.n_out > widest->ffn.up.n_out)) widest = &layer;
  }
  return widest == nullptr ? 0 : impl.backend->measure_product_rate(*widest);
}

}  // namespace nf
