// Generations that are under way at the same time share every pass over the weights.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine_thread.h"

namespace nf::addon {

class GenerationJob;

/// Steps the generations under way: one alone in its own fastest way, several as one batch per step. Those that write
/// are in every batch, those that read their prompts take turns in the room that is left. Engine thread only.
class Batcher {
 public:
  explicit Batcher(EngineThread& thread) : thread_(thread) {}

  /// Takes a generation that has begun.
  void add(std::shared_ptr<GenerationJob> job);
  /// Once the thread has ended: lets go of everything.
  void forget();

 private:
  struct Running {
    std::shared_ptr<GenerationJob> job;
    std::uint64_t read_at;  // when it last read, by number of step
  };

  void schedule();
  void step();
  /// Lets go of what is over; how many of those come back at once.
  std::size_t retire();
  void step_together();
  std::vector<GenerationJob*> choose();

  EngineThread& thread_;
  std::vector<Running> running_;
  std::uint64_t n_steps_ = 0;
  bool is_scheduled_ = false;
  bool writers_went_ = false;  // without a reader that would not fit beside them
};

}  // namespace nf::addon
