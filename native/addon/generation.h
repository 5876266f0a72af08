// One run of a session: go to a starting point, read the prompt, write the answer. All of it on the engine thread, in
// parts, so that several runs can share the engine.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "batcher.h"
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
  bool continues = false;  // JavaScript asks for the next token as soon as it has this one
};

class GenerationJob : public Job, public std::enable_shared_from_this<GenerationJob> {
 public:
  GenerationJob(Batcher& batcher, std::shared_ptr<SessionSlot> slot, GenerationRequest request,
                std::shared_ptr<StopFlag> stop)
      : Job(std::move(stop)), batcher_(batcher), slot_(std::move(slot)), request_(std::move(request)) {}

  void start() override;
  /// callback({ prefilledTokens, elapsedNs, steps })
  void deliver(Napi::Env env, const Napi::Function& callback) override;
  Napi::Value result(Napi::Env env) override;

  // For the batcher, on the engine thread.
  bool is_over() const { return is_over_; }
  /// Whether its session's next request is on its way.
  bool comes_back() const { return request_.continues && !failure_ && finish_ == Finish::length; }
  /// Settles what is over, and gives the session free.
  void end();
  void look_at_stop();
  void forget_waiting() { slot_->forget_waiting(); }
  /// Reads a piece of the prompt, or writes tokens for about a frame.
  void advance_alone();
  bool reads() const { return n_read_ < request_.tokens.size(); }
  /// How many tokens of the prompt it reads next; the cuts depend on the request alone.
  int next_piece(bool alone) const;
  int piece_limit() const { return slot_->session->piece_limit(); }
  int max_batch_rows() const { return slot_->session->max_batch_rows(); }
  SequenceWork next_work(bool alone);
  void take(const SequenceWork& work);
  void fail(std::exception_ptr error);

 private:
  enum class Finish { stop, length, context, cancelled };
  static const char* name_of(Finish finish);

  void begin();
  void finish(Finish finish);
  bool saves_prompt() const;
  void took_piece(int n, std::int64_t now_ns);
  void took_steps(std::span<const Step> steps, std::size_t n_wanted, std::int64_t now_ns);
  void publish(std::span<const Step> steps, std::int64_t now_ns);
  void publish_prefill(std::int64_t now_ns);
  void save(std::size_t after);
  void note_stages(std::span<const std::int64_t> stage_ns);
  Napi::Value stages_to_js(Napi::Env env);

  Batcher& batcher_;
  std::shared_ptr<SessionSlot> slot_;
  GenerationRequest request_;

  // Engine thread.
  bool is_over_ = false;
  std::exception_ptr failure_;
  std::size_t n_read_ = 0;   // of request_.tokens
  std::size_t n_saved_ = 0;  // of request_.save_after
  int n_written_ = 0;
  int n_at_once_ = 1;  // tokens that one decode() is asked for
  std::int64_t woken_ns_ = 0;

  // Written until the end, read by result().
  Finish finish_ = Finish::cancelled;
  int position_ = 0;
  std::int64_t started_ns_ = 0, prefilled_ns_ = 0, finished_ns_ = 0;
  Checkpoint before_;
  std::vector<std::pair<std::size_t, Checkpoint>> saved_;
  std::vector<std::vector<std::int64_t>> stage_ns_;  // by stage, one entry per traced token

  // Between the threads.
  std::mutex mutex_;
  int prefilled_tokens_ = 0;
  std::int64_t elapsed_ns_ = 0;
  bool prefill_news_ = false;
  std::vector<Step> steps_;
};

/// Nanoseconds of the clock that stamps steps.
std::int64_t steady_ns();

}  // namespace nf::addon
