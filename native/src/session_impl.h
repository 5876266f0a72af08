// What a session holds. Check and bench look inside for states.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "checkpoint.h"
#include "model_impl.h"

namespace nf {

struct Session::Impl {
  Impl(std::shared_ptr<const Model> shared_model, int max_positions);
  ~Impl();

  void prefill(std::span<const Token>, const StopFlag&, const std::function<void(int, int)>& on_progress, Observer*);
  int next_piece(int n_left, bool alone) const;
  /// Consumes one piece, or leaves the session where it was.
  void read(std::span<const Token>, bool wants_logits, const StopFlag&);
  std::size_t decode(const Sampling&, std::span<Step>, const StopFlag&);

  // The parts of run_together(), under the model's lock.
  /// Checks the work; gives what has to be forwarded, if anything.
  std::optional<Slice> begin_work(const SequenceWork&);
  /// After the forward pass of that slice.
  void end_forward(const Slice&);
  void write_one(SequenceWork&);
  std::span<const float> logits();
  Checkpoint save();
  void restore(const std::shared_ptr<const Checkpoint::Impl>&);

  const std::shared_ptr<const Model> model_owner;
  Model::Impl& model;
  Backend& backend;
  const int max_positions;
  int slot = -1;

  int position = 0;            // tokens consumed, memory tokens included
  Token pending = -1;          // returned by decode(), not consumed
  bool has_logits = false;     // the slot's last logits are those after `position`
  bool is_broken = false;      // a failure left the state unknown; restore() mends it
  std::vector<Token> history;  // text tokens consumed
  int n_prompt = 0;            // of these, before the answer began

  SegmentPtr tail;  // the chain of this history that checkpoints already hold
  SegmentPtr held;  // the chain whose rows the slot holds: tail, or a descendant not overwritten yet

  bool trace = false;
  bool stamp = true;
  std::vector<std::int64_t> stage_ns;
  std::vector<float> logits_copy;

 private:
  void check_usable() const;
  void check_prompt(std::span<const Token>) const;
  void run_chunk(std::span<const Token> tokens, LogitsWanted, const StopFlag&, int first_token, Observer*);
  void forget_rows_from(int first);
  SegmentPtr own_segment();
};

}  // namespace nf
