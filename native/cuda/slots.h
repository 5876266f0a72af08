// The sequences on a device: recurrent state, attention cache and last logits of each, and their way to and from the
// host.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "memory.h"
#include "stages.h"
#include "state_map.h"

namespace nf::cuda {

struct Slot {
  int capacity = 0;  // positions
  int ring = 0;      // tokens consumed since the state was loaded
  int kept_ring = 0;
  DeviceBuffer<float> state, kept, logits;
  DeviceBuffer<std::byte> kv;
};

class Slots {
 public:
  Slots(const ModelPlan&, const StateMap&, bool kv_is_f32, cudaStream_t);

  int add(int max_positions);
  void remove(int slot) noexcept;
  Slot& operator[](int slot);
  DeviceSlice slice(int slot, int first_position, int first_row, int n_tokens);

  void save_state(int slot, std::span<float> out);
  void load_state(int slot, std::span<const float> in);
  void keep_state(int slot);
  void undo_state(int slot);
  std::int64_t kv_bytes_per_position() const { return kv_row_bytes_ * plan_.n_attention_layers; }
  void read_kv(int slot, int first, int n, std::span<std::byte> out);
  void write_kv(int slot, int first, int n, std::span<const std::byte> in);

  std::int64_t slot_bytes(int max_positions) const;

 private:
  void check_rows(const Slot&, int first, int n, std::size_t n_bytes) const;

  const ModelPlan& plan_;
  const StateMap& map_;
  StateLayout layout_;
  std::int64_t kv_row_bytes_;  // of one attention layer
  cudaStream_t stream_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::unique_ptr<Slot> spare_;  // the one removed last, for the next of its size: allocating takes milliseconds
  DeviceBuffer<float> blob_;     // StateLayout's form, on its way
  PinnedBuffer<float> host_blob_;
};

}  // namespace nf::cuda
