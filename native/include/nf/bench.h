// Measures a model on this machine: load, prefill and decode, against the bandwidth of its memory. The tool nf_bench
// and the addon report the same rows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nf/engine.h"

namespace nf {

struct BenchOptions {
  static Sampling greedy() {
    Sampling sampling;
    sampling.temperature = 0;
    sampling.ignore_end = true;
    return sampling;
  }
  LoadOptions load;                // max_positions is raised to what the contexts need; a synthetic model is cached too
  std::vector<int> contexts{512};  // positions in the cache when decoding starts, memory tokens included
  int n_tokens = 64;               // decoded per measurement
  int n_repeats = 3;
  Sampling sampling = greedy();                         // of everything decoded; an end token ends a measurement early
  bool anatomy = false;                                 // also time every stage
  std::function<void(const std::string&)> on_progress;  // what is being measured, for people
};

struct Spread {
  double median = 0, low = 0, high = 0;  // over the repeats
};

struct StageTime {
  StageInfo stage;
  std::int64_t median_ns;
};

/// One row per context. Times around the work alone: restoring a checkpoint is never inside a clock.
struct BenchRow {
  std::string source, device, format;
  int n_threads = 0;
  int context = 0, n_prefill = 0, n_decode = 0, n_repeats = 0;
  double load_ms = 0;              // the first load: from the cache if it has the weights, else with making them
  Spread cached_load_ms;           // loads from the cache; 0 without one
  double cold_first_token_ms = 0;  // right after the last load: new session, 16 tokens prefilled, one token decoded
  Spread cached_first_token_ms;    // from the start of a cached load to the first token of that; 0 without a cache
  Spread prefill_tokens_per_s, decode_tokens_per_s;
  Spread new_chat_ms;                     // from a fresh session to the first token after a prompt of 20
  double itl_p50_ms = 0, itl_p99_ms = 0;  // inter-token latency, over all repeats
  std::int64_t weight_bytes = 0;          // resident
  std::int64_t bytes_per_token = 0;       // that a step must move, from Model::stages() in the middle of the decode
  double bandwidth_gb_per_s = 0;          // bytes_per_token at the median speed
  double read_bandwidth_gb_per_s = 0;     // of the machine, measured in the same run
  double bandwidth_share = 0;             // the first divided by the second
  double prefill_tflop_per_s = 0;         // products with weights while the prompt is read, at the median speed
  double product_tflop_per_s = 0;         // product_rate() in the same run; 0: there is no such product
  double product_share = 0;               // the first divided by the second
  double peak_rss_mb = 0;  // of the cached loads and what follows, where the system can tell; else of all
  std::vector<StageTime> anatomy;
  // With anatomy: the share by which a median ITL grows with class stamps, and with every stage timed; over ABBA pairs.
  Spread stamp_overhead, trace_overhead;
};

/// Loads, measures, and unloads. Throws what Model::load and Session throw, and bad_argument for a context that leaves
/// nothing to prefill.
std::vector<BenchRow> run_bench(const BenchOptions&, const StopFlag&);

/// Bytes per second that so many threads (0: one per physical core) read from this computer's memory together: the
/// fastest of a few passes over one large buffer. Takes about half a second and, for that time, 1 GiB.
double host_read_bandwidth(int n_threads = 0);

/// The same for the memory that holds the model's weights, through the device it is on.
double read_bandwidth(const Model&);

/// FLOP/s of the product that reads prompts, on the model's device and in its format, at the shape that suits it best;
/// 0 where no such product is used. Takes about a third of a second.
double product_rate(const Model&);

/// One row as a JSON object on one line; field names as above, a Spread as { median, low, high }.
std::string json_of(const BenchRow&);

}  // namespace nf
