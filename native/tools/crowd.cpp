// nf_crowd --model SOURCE [--format bf16] [--threads N] [--cache DIR] [--tokens N] [--busy N] [--idle SECONDS]
// How the CPU engine gets on with others: decode speed alone and beside --busy threads that compute without end (4 per
// thread of the engine unless told), then the processor time that the loaded engine uses while nobody asks for
// anything.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <thread>
#include <vector>

#include "arguments.h"
#include "host.h"

namespace nf::tools {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Threads that do nothing but use processor time, from start() to stop(). Made before the engine asks the
/// system for short time slices, which they would inherit.
class Crowd {
 public:
  explicit Crowd(int n) {
    for (int i = 0; i < n; ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) {
        started_.wait(false);
        volatile unsigned x = 1;
        while (!stop.stop_requested()) {
          for (int k = 0; k < 1000; ++k) x = x * 1664525u + 1013904223u;
        }
      });
    }
  }

  ~Crowd() { stop(); }
  void start() {
    started_ = true;
    started_.notify_all();
  }
  void stop() {
    for (std::jthread& thread : threads_) thread.request_stop();
    start();
    threads_.clear();
  }

 private:
  std::atomic<bool> started_{false};
  std::vector<std::jthread> threads_;
};

double decode_speed(Session& session, int n_tokens) {
  const StopFlag never{false};
  Sampling sampling;
  sampling.temperature = 0;
  sampling.ignore_end = true;
  std::vector<Step> steps(static_cast<std::size_t>(n_tokens));
  const auto start = Clock::now();
  session.decode(sampling, steps, never);
  return n_tokens / seconds_since(start);
}

/// Processor time of this process per second of wall time.
double idle_use(int seconds) {
  const auto start = Clock::now();
  const std::clock_t used = std::clock();
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  return static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC / seconds_since(start);
}

int run(const Arguments& arguments) {
  LoadOptions options;
  options.source = arguments.text("--model", "synthetic:tiny");
  options.format = weight_format_of(arguments.text("--format", "bf16"));
  options.n_threads = arguments.number("--threads", 0);
  options.cache_dir = arguments.text("--cache", "");
  const int n_tokens = arguments.number("--tokens", 32);
  int n_busy = arguments.number("--busy", -1);
  const int idle_seconds = arguments.number("--idle", 0);
  arguments.check_all_known();
  if (n_tokens < 1) throw EngineError(ErrorCode::bad_argument, "--tokens needs at least 1");

  if (n_busy < 0) n_busy = 4 * (options.n_threads > 0 ? options.n_threads : n_physical_cores());
  Crowd crowd(n_busy);

  const StopFlag never{false};
  const auto model = Model::load(options, never);
  Session session(model, options.max_positions);
  session.prefill(std::vector<Token>(4, 3), never);
  decode_speed(session, 2);  // caches and pages
  const double alone = decode_speed(session, n_tokens);
  crowd.start();
  const double beside = decode_speed(session, n_tokens);
  crowd.stop();
  std::printf("%s, %s, %d threads: %.2f tokens/s alone, %.2f beside %d busy threads: %.2f times slower\n",
              options.source.c_str(), name_of(options.format), model->info().n_threads, alone, beside, n_busy,
              alone / beside);
  if (idle_seconds > 0) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    std::printf("idle: %.2f %% of a core over %d s\n", 100 * idle_use(idle_seconds), idle_seconds);
  }
  return 0;
}

}  // namespace
}  // namespace nf::tools

int main(int n_arguments, char** arguments) {
  return nf::tools::run_main([&] { return nf::tools::run(nf::tools::Arguments(n_arguments, arguments)); });
}
