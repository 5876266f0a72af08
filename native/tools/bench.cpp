// nf_bench --model SOURCE [--device cpu|cuda] [--format bf16,int8,...] [--context 512,4096] [--tokens N] [--repeats N]
//          [--threads N] [--cache DIR] [--anatomy] [--json] [--temperature T] [--top-k K] [--top-p P] [--min-p P]
//          [--host-sampling] [--end-tokens]
// Greedy unless a temperature is given. --host-sampling has the host draw (it reports an alternative, which only the
// host does); with --end-tokens an end token ends a measurement, so that each step waits for the token before it.
// Refuses to report when this build does not meet the golden data in the format asked for.
#include "nf/bench.h"

#include <charconv>
#include <map>

#include "arguments.h"
#include "check.h"

namespace nf::tools {
namespace {

void require_correct(const check::Target& target) {
  check::Report report;
  check::check_fixture(std::filesystem::path(NF_GOLDEN_DIR) / "tiny", target, report, check::Output::failures);
  if (report.n_failed == 0) return;
  throw EngineError(ErrorCode::bad_argument,
                    "this build computes wrong numbers in format " + std::string(name_of(target.format)) + " (" +
                        std::to_string(report.n_failed) + " of " + std::to_string(report.n_failed + report.n_passed) +
                        " checks failed): no speed without correctness");
}

void print(const BenchRow& row) {
  std::printf("%s, %s, %d threads, %s, context %d\n", row.source.c_str(), row.device.c_str(), row.n_threads,
              row.format.c_str(), row.context);
  std::printf("  load                 %10.0f ms\n", row.load_ms);
  std::printf("  cold first token     %10.1f ms\n", row.cold_first_token_ms);
  const auto spread = [](const char* name, const Spread& s, const char* unit) {
    std::printf("  %-20s %10.2f %s  (%.2f to %.2f)\n", name, s.median, unit, s.low, s.high);
  };
  if (row.cached_load_ms.median > 0) {
    spread("cached load", row.cached_load_ms, "ms");
    spread("cached first token", row.cached_first_token_ms, "ms");
  }
  spread("new chat of 20", row.new_chat_ms, "ms");
  spread("prefill", row.prefill_tokens_per_s, "tokens/s");
  spread("decode", row.decode_tokens_per_s, "tokens/s");
  std::printf("  inter-token latency  %10.2f ms median, %.2f ms p99\n", row.itl_p50_ms, row.itl_p99_ms);
  std::printf("  bytes per token      %10.1f MB\n", 1e-6 * static_cast<double>(row.bytes_per_token));
  std::printf("  bandwidth            %10.2f GB/s, %.0f %% of the %.2f GB/s measured\n", row.bandwidth_gb_per_s,
              100 * row.bandwidth_share, row.read_bandwidth_gb_per_s);
  if (row.product_tflop_per_s > 0) {
    std::printf("  prefill products     %10.3f TFLOP/s, %.0f %% of the %.3f TFLOP/s measured\n",
                row.prefill_tflop_per_s, 100 * row.product_share, row.product_tflop_per_s);
  }
  std::printf("  peak resident size   %10.0f MB, %.0f beyond the weights\n", row.peak_rss_mb,
              row.peak_rss_mb - 1e-6 * static_cast<double>(row.weight_bytes));
  if (row.anatomy.empty()) return;

  struct Sum {
    int n = 0;
    std::int64_t ns = 0, bytes = 0;
  };
  std::map<std::pair<std::string, std::string>, Sum> sums;
  std::int64_t total_ns = 0;
  for (const StageTime& time : row.anatomy) {
    Sum& sum = sums[{name_of(time.stage.stage_class), time.stage.name}];
    ++sum.n;
    sum.ns += time.median_ns;
    sum.bytes += time.stage.weight_bytes + time.stage.state_bytes;
    total_ns += time.median_ns;
  }
  std::printf("  %-10s %-14s %5s %12s %7s %10s\n", "class", "stage", "times", "ns", "share", "GB/s");
  for (const auto& [key, sum] : sums) {
    std::printf("  %-10s %-14s %5d %12lld %6.1f%% %10.2f\n", key.first.c_str(), key.second.c_str(), sum.n,
                static_cast<long long>(sum.ns), 100.0 * static_cast<double>(sum.ns) / static_cast<double>(total_ns),
                static_cast<double>(sum.bytes) / static_cast<double>(std::max<std::int64_t>(sum.ns, 1)));
  }
}

int run(const Arguments& arguments) {
  BenchOptions options;
  options.load.source = arguments.text("--model", "synthetic:tiny");
  options.load.device = device_of(arguments.text("--device", "cpu"));
  options.load.n_threads = arguments.number("--threads", 0);
  options.load.cache_dir = arguments.text("--cache", "");
  const std::string formats = arguments.text("--format", "bf16");
  const std::string contexts = arguments.text("--context", "512");
  options.n_tokens = arguments.number("--tokens", 64);
  options.n_repeats = arguments.number("--repeats", 3);
  options.anatomy = arguments.flag("--anatomy");
  Sampling& sampling = options.sampling;
  sampling.temperature = arguments.number<float>("--temperature", 0);
  sampling.top_k = arguments.number("--top-k", 0);
  sampling.top_p = arguments.number<float>("--top-p", 1);
  sampling.min_p = arguments.number<float>("--min-p", 0);
  sampling.n_logprobs = arguments.flag("--host-sampling") ? 1 : 0;
  sampling.ignore_end = !arguments.flag("--end-tokens");
  const bool json = arguments.flag("--json");
  arguments.check_all_known();
  options.contexts.clear();
  for (const std::string& text : split(contexts, ',')) {
    int context = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), context);
    if (error != std::errc{} || end != text.data() + text.size()) {
      throw EngineError(ErrorCode::bad_argument, "--context needs whole numbers");
    }
    options.contexts.push_back(context);
  }
  options.load.max_positions = 1;  // raised to what the contexts need
  options.on_progress = [](const std::string& what) { std::fprintf(stderr, "%s\n", what.c_str()); };

  const StopFlag never{false};
  for (const std::string& name : split(formats, ',')) {
    options.load.format = weight_format_of(name);
    require_correct({options.load.device, options.load.format});
    for (const BenchRow& row : run_bench(options, never)) {
      if (json)
        std::printf("%s\n", json_of(row).c_str());
      else
        print(row);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace nf::tools

int main(int n_arguments, char** arguments) {
  return nf::tools::run_main([&] { return nf::tools::run(nf::tools::Arguments(n_arguments, arguments)); });
}
