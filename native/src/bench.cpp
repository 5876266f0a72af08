#include "nf/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <thread>

#include "guard.h"
#include "host.h"
#include "model_impl.h"
#include "random.h"
#include "synthetic.h"

namespace nf {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int n_cold_tokens = 16, n_chat_tokens = 20;
constexpr int n_anatomy_steps = 9;
constexpr double long_prefill_s = 5;  // beyond this a prefill is measured once

template <class T>
T quantile(std::vector<T> values, double q) {
  if (values.empty()) return T{};
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(std::lround(q * static_cast<double>(values.size() - 1)))];
}

Spread spread_of(const std::vector<double>& values) {
  return {quantile(values, 0.5), quantile(values, 0.0), quantile(values, 1.0)};
}

std::vector<Token> random_tokens(int n, int n_vocab) {
  std::vector<Token> tokens(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    tokens[static_cast<std::size_t>(i)] = static_cast<Token>(uniform_at(1, static_cast<std::uint64_t>(i)) * n_vocab);
  }
  return tokens;
}

class Bench {
 public:
  Bench(const BenchOptions& options, const StopFlag& stop) : options_(options), stop_(stop) {}

  std::vector<BenchRow> run() {
    if (options_.contexts.empty() || options_.n_tokens < 2 || options_.n_repeats < 1) {
      throw EngineError(ErrorCode::bad_argument, "a measurement needs a context, at least 2 tokens and 1 repeat");
    }
    load();
    std::vector<BenchRow> rows;
    for (const int context : options_.contexts) rows.push_back(measure(context));
    // Before the buffer of the bandwidth measurement, which is not the model's.
    const double peak_mb = static_cast<double>(peak_resident_bytes()) / 1e6;
    say("what the machine can do at best");
    const double bandwidth = read_bandwidth(*model_), product = product_rate(*model_);
    for (BenchRow& row : rows) {
      row.peak_rss_mb = peak_mb;
      row.read_bandwidth_gb_per_s = 1e-9 * bandwidth;
      row.bandwidth_share = row.bandwidth_gb_per_s / row.read_bandwidth_gb_per_s;
      row.product_tflop_per_s = 1e-12 * product;
      row.product_share = product > 0 ? row.prefill_tflop_per_s / row.product_tflop_per_s : 0;
    }
    return rows;
  }

 private:
  void say(const std::string& what) const {
    if (options_.on_progress) options_.on_progress(what);
  }

  /// Loads once, and if that leaves a cache, from it as often as everything is repeated.
  void load() {
    LoadOptions load_options = options_.load;
    load_options.keep_made_up = true;
    const int longest = *std::max_element(options_.contexts.begin(), options_.contexts.end());
    // The cold start and the anatomy need a few positions of their own.
    load_options.max_positions = std::max(
        load_options.max_positions, longest + std::max({options_.n_tokens, n_anatomy_steps, n_chat_tokens + 1}) + 1);
    max_positions_ = load_options.max_positions;
    load_ms_ = load_once(load_options);
    // bf16 is used where the checkpoint lies; without a checkpoint there is no file to load from.
    const bool is_made_up = is_synthetic(load_options.source) && load_options.format == WeightFormat::bf16;
    if (!model_->info().is_cached || is_made_up) {
      cold_first_token_ms_ = time_new_chat(n_cold_tokens);
      return;
    }
    std::vector<double> loads, first_tokens;
    model_.reset();
    forget_peak_resident();
    for (int repeat = 0; repeat < options_.n_repeats; ++repeat) {
      model_.reset();
      loads.push_back(load_once(load_options));
      cold_first_token_ms_ = time_new_chat(n_cold_tokens);
      first_tokens.push_back(loads.back() + cold_first_token_ms_);
    }
    cached_load_ms_ = spread_of(loads);
    cached_first_token_ms_ = spread_of(first_tokens);
  }

  double load_once(const LoadOptions& load_options) {
    say("load");
    const auto start = Clock::now();
    model_ = Model::load(load_options, stop_);
    return 1e3 * seconds_since(start);
  }

  /// Milliseconds from a new session to the first token after a prompt of so many.
  double time_new_chat(int n_prompt) {
    const auto tokens = random_tokens(n_prompt, model_->info().n_vocab);
    Step step;
    const auto start = Clock::now();
    Session session(model_, max_positions_);
    session.prefill(tokens, stop_);
    session.decode(options_.sampling, {&step, 1}, stop_);
    return 1e3 * seconds_since(start);
  }

  BenchRow measure(int context) {
    const ModelInfo& info = model_->info();
    const int n_prefill = context - info.n_meta_tokens;
    if (n_prefill < 1) {
      throw EngineError(ErrorCode::bad_argument, "a context of " + std::to_string(context) +
                                                     " leaves nothing to prefill behind the model's " +
                                                     std::to_string(info.n_meta_tokens) + " memory tokens");
    }
    const auto tokens = random_tokens(n_prefill, info.n_vocab);
    Session session(model_, max_positions_);
    std::vector<double> prefill, decode, new_chat;
    std::vector<std::int64_t> gaps_ns;
    bool repeat_prefill = true;
    Checkpoint filled;
    for (int repeat = 0; repeat < options_.n_repeats; ++repeat) {
      say("context " + std::to_string(context) + ", repeat " + std::to_string(repeat + 1));
      if (repeat_prefill) {
        session.reset();
        const auto start = Clock::now();
        session.prefill(tokens, stop_);
        const double seconds = seconds_since(start);
        prefill.push_back(n_prefill / seconds);
        repeat_prefill = seconds < long_prefill_s;
        filled = session.save();
      } else {
        session.restore(filled);
      }
      decode.push_back(time_decode(session, gaps_ns));
      new_chat.push_back(time_new_chat(n_chat_tokens));
    }

    BenchRow row;
    row.source = info.source;
    row.device = info.device_name;
    row.format = name_of(info.format);
    row.n_threads = info.n_threads;
    row.context = context;
    row.n_prefill = n_prefill;
    row.n_decode = options_.n_tokens;
    row.n_repeats = options_.n_repeats;
    row.load_ms = load_ms_;
    row.cached_load_ms = cached_load_ms_;
    row.cold_first_token_ms = cold_first_token_ms_;
    row.cached_first_token_ms = cached_first_token_ms_;
    row.new_chat_ms = spread_of(new_chat);
    row.prefill_tokens_per_s = spread_of(prefill);
    row.decode_tokens_per_s = spread_of(decode);
    row.itl_p50_ms = 1e-6 * static_cast<double>(quantile(gaps_ns, 0.5));
    row.itl_p99_ms = 1e-6 * static_cast<double>(quantile(gaps_ns, 0.99));
    row.weight_bytes = info.weight_bytes;
    double flops = 0;  // to read a token: the head runs for the last one alone
    for (const StageInfo& stage : model_->stages(context + options_.n_tokens / 2)) {
      row.bytes_per_token += stage.weight_bytes + stage.state_bytes;
      if (stage.stage_class != StageClass::head) flops += static_cast<double>(stage.flops);
    }
    row.prefill_tflop_per_s = 1e-12 * flops * row.prefill_tokens_per_s.median;
    row.bandwidth_gb_per_s = 1e-9 * static_cast<double>(row.bytes_per_token) * row.decode_tokens_per_s.median;
    if (options_.anatomy) {
      session.restore(filled);
      row.anatomy = time_stages(session, context);
      say("overhead of stamps and of stage times at context " + std::to_string(context));
      row.stamp_overhead = overhead(session, filled, [&](bool on) { session.stamp_classes(on); });
      session.stamp_classes(true);
      row.trace_overhead = overhead(session, filled, [&](bool on) { session.trace_stages(on); });
      session.trace_stages(false);
    }
    return row;
  }

  /// Decodes once; returns tokens per second between the first token and the last, and appends the gaps.
  double time_decode(Session& session, std::vector<std::int64_t>& gaps_ns) {
    std::vector<Step> steps(static_cast<std::size_t>(options_.n_tokens));
    const std::size_t n = session.decode(options_.sampling, steps, stop_);
    if (n < 2 || (n < steps.size() && !steps[n - 1].is_end))
      throw EngineError(ErrorCode::cancelled, "the measurement was cancelled");
    for (std::size_t i = 1; i < n; ++i) gaps_ns.push_back(steps[i].stamp_ns - steps[i - 1].stamp_ns);
    return 1e9 * static_cast<double>(n - 1) / static_cast<double>(steps[n - 1].stamp_ns - steps[0].stamp_ns);
  }

  /// Runs off, on, on, off, so that a drift of the clocks falls on both; returns on / off - 1 of neighbouring runs.
  template <class Switch>
  Spread overhead(Session& session, const Checkpoint& filled, const Switch& turn) {
    const auto median_gap = [&](bool on) {
      turn(on);
      session.restore(filled);
      std::vector<std::int64_t> gaps_ns;
      time_decode(session, gaps_ns);
      return static_cast<double>(quantile(gaps_ns, 0.5));
    };
    std::vector<double> shares;
    for (int repeat = 0; repeat < options_.n_repeats; ++repeat) {
      const double off_first = median_gap(false), on_first = median_gap(true);
      const double on_last = median_gap(true), off_last = median_gap(false);
      shares.push_back(on_first / off_first - 1);
      shares.push_back(on_last / off_last - 1);
    }
    return spread_of(shares);
  }

  std::vector<StageTime> time_stages(Session& session, int context) {
    say("anatomy at context " + std::to_string(context));
    session.trace_stages(true);
    std::vector<std::vector<std::int64_t>> times;
    Step step;
    session.decode(options_.sampling, {&step, 1}, stop_);  // only samples; from the next on a step is whole
    for (int i = 0; i < n_anatomy_steps; ++i) {
      session.decode(options_.sampling, {&step, 1}, stop_);
      const auto ns = session.stage_ns();
      times.resize(ns.size());
      for (std::size_t s = 0; s < ns.size(); ++s) times[s].push_back(ns[s]);
    }
    session.trace_stages(false);
    std::vector<StageTime> anatomy;
    const auto stages = model_->stages(context);
    for (std::size_t s = 0; s < std::min(stages.size(), times.size()); ++s) {
      anatomy.push_back({stages[s], quantile(times[s], 0.5)});
    }
    return anatomy;
  }

  const BenchOptions& options_;
  const StopFlag& stop_;
  std::shared_ptr<const Model> model_;
  int max_positions_ = 0;
  double load_ms_ = 0, cold_first_token_ms_ = 0;
  Spread cached_load_ms_, cached_first_token_ms_;
};

/// Writes "key":value pairs of one object.
class JsonLine {
 public:
  void add(const char* key, const std::string& raw) {
    text_ += (text_.size() > 1 ? ",\"" : "\"") + std::string(key) + "\":" + raw;
  }
  void add_text(const char* key, const std::string& value) {
    std::string quoted = "\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') quoted += '\\';
      if (static_cast<unsigned char>(c) >= 0x20) quoted += c;
    }
    add(key, quoted + "\"");
  }
  void add_number(const char* key, double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.6g", value);
    add(key, std::isfinite(value) ? digits : "null");
  }
  void add_integer(const char* key, std::int64_t value) { add(key, std::to_string(value)); }
  void add_spread(const char* key, const Spread& spread) {
    JsonLine inner;
    inner.add_number("median", spread.median);
    inner.add_number("low", spread.low);
    inner.add_number("high", spread.high);
    add(key, inner.text());
  }
  std::string text() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

std::string json_of_anatomy(const std::vector<StageTime>& anatomy) {
  std::string text = "[";
  for (const StageTime& time : anatomy) {
    JsonLine line;
    line.add_text("name", time.stage.name);
    line.add_text("class", name_of(time.stage.stage_class));
    line.add_integer("layer", time.stage.layer);
    line.add_integer("weight_bytes", time.stage.weight_bytes);
    line.add_integer("state_bytes", time.stage.state_bytes);
    line.add_integer("median_ns", time.median_ns);
    text += (text.size() > 1 ? "," : "") + line.text();
  }
  return text + "]";
}

}  // namespace

std::vector<BenchRow> run_bench(const BenchOptions& options, const StopFlag& stop) {
  return guarded([&] { return Bench(options, stop).run(); });
}

std::string json_of(const BenchRow& row) {
  JsonLine line;
  line.add_text("source", row.source);
  line.add_text("device", row.device);
  line.add_text("format", row.format);
  line.add_integer("n_threads", row.n_threads);
  line.add_integer("context", row.context);
  line.add_integer("n_prefill", row.n_prefill);
  line.add_integer("n_decode", row.n_decode);
  line.add_integer("n_repeats", row.n_repeats);
  line.add_number("load_ms", row.load_ms);
  line.add_number("cold_first_token_ms", row.cold_first_token_ms);
  if (row.cached_load_ms.median > 0) {
    line.add_spread("cached_load_ms", row.cached_load_ms);
    line.add_spread("cached_first_token_ms", row.cached_first_token_ms);
  }
  line.add_spread("prefill_tokens_per_s", row.prefill_tokens_per_s);
  line.add_spread("decode_tokens_per_s", row.decode_tokens_per_s);
  line.add_spread("new_chat_ms", row.new_chat_ms);
  line.add_number("itl_p50_ms", row.itl_p50_ms);
  line.add_number("itl_p99_ms", row.itl_p99_ms);
  line.add_integer("weight_bytes", row.weight_bytes);
  line.add_integer("bytes_per_token", row.bytes_per_token);
  line.add_number("bandwidth_gb_per_s", row.bandwidth_gb_per_s);
  line.add_number("read_bandwidth_gb_per_s", row.read_bandwidth_gb_per_s);
  line.add_number("bandwidth_share", row.bandwidth_share);
  line.add_number("prefill_tflop_per_s", row.prefill_tflop_per_s);
  if (row.product_tflop_per_s > 0) {
    line.add_number("product_tflop_per_s", row.product_tflop_per_s);
    line.add_number("product_share", row.product_share);
  }
  line.add_number("peak_rss_mb", row.peak_rss_mb);
  line.add_number("peak_beyond_weights_mb", row.peak_rss_mb - 1e-6 * static_cast<double>(row.weight_bytes));
  if (!row.anatomy.empty()) {
    line.add("anatomy", json_of_anatomy(row.anatomy));
    line.add_spread("stamp_overhead", row.stamp_overhead);
    line.add_spread("trace_overhead", row.trace_overhead);
  }
  return line.text();
}

}  // namespace nf
