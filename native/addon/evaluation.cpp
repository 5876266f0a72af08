#include "evaluation.h"

#include <algorithm>
#include <chrono>

#include "convert.h"

namespace nf::addon {
namespace {

constexpr std::size_t max_piece_floats = 4 << 20;  // 16 MiB: a few rows of the full vocabulary
constexpr std::chrono::milliseconds stop_check_interval(10);

}  // namespace

void EvaluationJob::run() {
  Session& session = slot_->get();
  struct Shadow {
    SessionSlot& slot;
    ~Shadow() { slot.position.store(slot.session->position()); }
  } shadow{*slot_};
  session.prefill(tokens_, stop_flag(), {}, this);
}

void EvaluationJob::hand_over(int layer, int first_token, int n, std::span<const float> rows) {
  const std::size_t width = rows.size() / static_cast<std::size_t>(n);
  const int n_at_once = static_cast<int>(std::max<std::size_t>(1, max_piece_floats / width));
  for (int i = 0; i < n; i += n_at_once) {
    const int n_rows = std::min(n_at_once, n - i);
    offer({layer, first_token + i, n_rows,
           rows.subspan(static_cast<std::size_t>(i) * width, static_cast<std::size_t>(n_rows) * width)});
  }
}

void EvaluationJob::offer(const Piece& piece) {
  std::unique_lock lock(mutex_);
  piece_ = &piece;
  wake();
  // A stop only sets the flag, so it is looked for; JavaScript never waits for this thread while it holds a piece.
  while (piece_ != nullptr && !stop_flag()) taken_.wait_for(lock, stop_check_interval);
  piece_ = nullptr;
  if (stop_flag()) throw EngineError(ErrorCode::cancelled, "Stopped.");
}

void EvaluationJob::deliver(Napi::Env env, const Napi::Function& callback) {
  Napi::Float32Array rows;
  Piece piece{};
  {
    const std::lock_guard lock(mutex_);
    if (piece_ == nullptr) return;
    piece = *piece_;
    rows = copy_to_js<Napi::Float32Array>(env, piece.rows.data(), piece.rows.size());
    piece_ = nullptr;
  }
  // The engine goes on while the listener works; the next piece waits for this call to end.
  taken_.notify_one();
  callback.Call({Napi::Number::New(env, piece.layer), Napi::Number::New(env, piece.first_token),
                 Napi::Number::New(env, piece.n_tokens), rows});
}

Napi::Value EvaluationJob::result(Napi::Env env) { return Napi::Number::New(env, slot_->position.load()); }

}  // namespace nf::addon
