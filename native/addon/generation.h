// One run of a session: go to a starting point, read the prompt, write the answer. All of it on the engine thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "job.h"
#include "session_slot.h"

namespace nf::addon {

struct GenerationRequest {
  enum class Start { current, empty, checkpoint };
  Start start = Start::current;
  Checkpoint from;
  bool save_first = false;      // keep where the session stands before leaving it
  std::vector<Token> tokens;    // to read
  std::vector<int> save_after;  // counts of `tokens` after which to save, ascending
  Sampling sampling;
  int max_new_tokens = 0;  // 0: only read
  bool trace = false;      // time every stage of every token: slower, and said to be
};

class GenerationJob : public Job {
 public:
  GenerationJob(std::shared_ptr<SessionSlot> slot, GenerationRequest request, std::shared_ptr<StopFlag> stop)
      : Job(std::move(stop)), slot_(std::move(slot)), request_(std::move(request)) {}

  void run() override;
  /// callback({ prefilledTokens, elapsedNs, steps })
  void deliver(Napi::Env env, const Napi::Function& callback) override;
  Napi::Value result(Napi::Env env) override;

 private:
  enum class Finish { stop, length, context, cancelled };
  static const char* name_of(Finish finish);

  void go_to_start(Session& session);
  /// False when it was stopped.
  bool read_prompt(Session& session);
  bool read(Session& session, int first, int last);
  Finish write_answer(Session& session);
  void publish(std::span<const Step> steps, std::int64_t now_ns);
  void publish_prefill(int done, std::int64_t now_ns);
  void save(Session& session, int after);
  void note_stages(std::span<const std::int64_t> stage_ns);
  Napi::Value stages_to_js(Napi::Env env);

  std::shared_ptr<SessionSlot> slot_;
  GenerationRequest request_;

  // Written by run(), read by result().
  Finish finish_ = Finish::cancelled;
  std::int64_t started_ns_ = 0, prefilled_ns_ = 0, finished_ns_ = 0;
  Checkpoint before_;
  std::vector<std::pair<int, Checkpoint>> saved_;
  std::vector<std::vector<std::int64_t>> stage_ns_;  // by stage, one entry per traced token

  // Between the threads.
  std::mutex mutex_;
  int prefilled_tokens_ = 0;
  std::int64_t elapsed_ns_ = 0;
  bool prefill_news_ = false;
  std::vector<Step> steps_;
  std::int64_t woken_ns_ = 0;  // engine thread only
};

/// Nanoseconds of the clock that stamps steps.
std::int64_t steady_ns();

}  // namespace nf::addon
