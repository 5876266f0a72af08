// Reads tokens and hands over the logits of each, and the layers' outputs if wanted, a piece at a time.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "job.h"
#include "session_slot.h"

namespace nf::addon {

/// The engine waits for the listener to take each piece, so at most one piece exists besides the engine's own rows.
class EvaluationJob : public SlotJob, private Observer {
 public:
  EvaluationJob(std::shared_ptr<SessionSlot> slot, std::vector<Token> tokens, bool hidden,
                std::shared_ptr<StopFlag> stop)
      : SlotJob(std::move(slot), std::move(stop)), tokens_(std::move(tokens)), hidden_(hidden) {}

  void run() override;
  /// callback(layer, firstToken, nTokens, Float32Array): layer -1 for logits, else the index of Observer::hidden. The
  /// array is a copy, the listener's to keep.
  void deliver(Napi::Env env, const Napi::Function& callback) override;
  Napi::Value result(Napi::Env env) override;

 private:
  struct Piece {
    int layer, first_token, n_tokens;
    std::span<const float> rows;  // the engine's memory, valid until taken
  };

  bool wants_hidden() const override { return hidden_; }
  void logits(int first_token, int n, std::span<const float> rows) override { hand_over(-1, first_token, n, rows); }
  void hidden(int index, int first_token, int n, std::span<const float> rows) override {
    hand_over(index, first_token, n, rows);
  }
  void hand_over(int layer, int first_token, int n, std::span<const float> rows);
  void offer(const Piece& piece);

  std::vector<Token> tokens_;
  bool hidden_;
  std::mutex mutex_;
  std::condition_variable taken_;
  const Piece* piece_ = nullptr;
};

}  // namespace nf::addon
