#include "checkpoint.h"

#include <utility>

namespace nf {

Segment::~Segment() {
  std::shared_ptr<const Segment> next = std::move(parent);
  while (next && next.use_count() == 1) {
    // Sole owner: taking the grandparent out first leaves nothing for the parent's own destructor to walk.
    next = std::exchange(const_cast<Segment&>(*next).parent, nullptr);
  }
}

const Segment* common_ancestor(const Segment* a, const Segment* b) noexcept {
  while (a != b) {
    if (!a || !b) return nullptr;
    if (a->depth >= b->depth) {
      const bool both = a->depth == b->depth;
      a = a->parent.get();
      if (both) b = b->parent.get();
    } else {
      b = b->parent.get();
    }
  }
  return a;
}

int Checkpoint::position() const noexcept { return impl_ ? impl_->position : 0; }

std::int64_t Checkpoint::bytes() const noexcept {
  if (!impl_) return 0;
  const auto n_floats = static_cast<std::int64_t>(impl_->state.size() + impl_->logits.size());
  return n_floats * static_cast<std::int64_t>(sizeof(float)) + impl_->own_row_bytes;
}

}  // namespace nf
