// What this machine can do at best: the yardsticks of decoding (bytes per second) and of reading (FLOP/s).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "host.h"
#include "model_impl.h"
#include "nf/bench.h"

namespace nf {
namespace {

constexpr std::int64_t stream_bytes = 1LL << 30;  // far beyond any cache
constexpr int n_stream_passes = 4;

}  // namespace

double host_read_bandwidth(int n_threads) {
  if (n_threads <= 0) n_threads = list_devices().devices.front().n_threads;
  const std::int64_t bytes = std::min(stream_bytes, std::max<std::int64_t>(host_memory().available / 4, 1 << 26));
  const std::int64_t n_per_thread = bytes / 8 / n_threads / 64 * 64;
  const auto buffer =
      std::make_unique_for_overwrite<std::uint64_t[]>(static_cast<std::size_t>(n_per_thread * n_threads));
  std::atomic<std::uint64_t> sink{0};
  const auto on_all_threads = [&](const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::jthread> threads;
    for (int t = 0; t < n_threads; ++t)
      threads.emplace_back([&work, part = buffer.get() + t * n_per_thread] { work(part); });
    threads.clear();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  // Each thread writes its part first, so that its pages exist and lie near it.
  on_all_threads([&](std::uint64_t* part) { std::fill(part, part + n_per_thread, 1); });
  double best = 0;
  for (int pass = 0; pass < n_stream_passes; ++pass) {
    const double seconds = on_all_threads([&](const std::uint64_t* part) {
      std::uint64_t sums[16] = {};
      for (std::int64_t i = 0; i < n_per_thread; i += 16) {
        for (int k = 0; k < 16; ++k) sums[k] += part[i + k];
      }
      std::uint64_t total = 0;
      for (const std::uint64_t sum : sums) total += sum;
      sink += total;
    });
    best = std::max(best, static_cast<double>(n_per_thread) * n_threads * 8 / seconds);
  }
  return best;
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
