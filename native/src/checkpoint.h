// What a checkpoint holds. Attention rows hang in a chain of segments that checkpoints of one history share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "nf/engine.h"

namespace nf {

/// Rows first .. first + n_rows - 1 of the attention cache, in Backend::read_kv's layout, and the text tokens that
/// made them (none for the memory tokens). Immutable once made.
struct Segment {
  std::shared_ptr<const Segment> parent;  // ends where this one begins; null at position 0
  int first = 0, n_rows = 0;
  int depth = 0;  // number of ancestors
  std::vector<std::byte> rows;
  std::vector<Token> tokens;

  int end() const noexcept { return first + n_rows; }
  Segment() = default;
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment();  // a long chain falls link by link, not by recursion
};

using SegmentPtr = std::shared_ptr<const Segment>;

/// The deepest segment that both chains contain; null when they share none.
const Segment* common_ancestor(const Segment* a, const Segment* b) noexcept;

struct Checkpoint::Impl {
  std::shared_ptr<const void> model;  // identity of the model it belongs to; keeps no weights alive
  int position = 0;
  int n_prompt = 0;           // text tokens before the answer, as History counts them
  SegmentPtr tail;            // ends at `position`; null at position 0
  std::vector<float> state;   // StateLayout's blob
  std::vector<float> logits;  // [n_vocab], empty behind the memory tokens only
  std::int64_t own_row_bytes = 0;
};

}  // namespace nf
