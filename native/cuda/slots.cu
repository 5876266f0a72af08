#include <cstring>

#include "parallel.h"
#include "slots.h"

namespace nf::cuda {
namespace {

/// One window between its two forms. blob: n_parts x [width - 1][channels / n_parts], oldest first; ring: see
/// DeviceSlice::ring. Thread: one element of the blob.
__global__ void __launch_bounds__(256)
    move_window_kernel(float* state, float* blob, int width, int channels, int n_parts, int ring, bool to_blob) {
  const int index = static_cast<int>(blockIdx.x * 256 + threadIdx.x);
  if (index >= (width - 1) * channels) return;
  const int part_channels = channels / n_parts;
  const int part = index / ((width - 1) * part_channels), inside = index % ((width - 1) * part_channels);
  const int age = inside / part_channels, channel = part * part_channels + inside % part_channels;
  float& kept = state[(ring + age) % width * std::int64_t{channels} + channel];
  if (to_blob) {
    blob[index] = kept;
  } else {
    kept = blob[index];
  }
}

}  // namespace

Slots::Slots(const ModelPlan& plan, const StateMap& map, bool kv_is_f32, cudaStream_t stream)
    : plan_(plan),
      map_(map),
      layout_(plan),
      kv_row_bytes_(std::int64_t{plan.config.n_kv_heads} * (plan.config.qk_dim + plan.config.v_dim) *
                    (kv_is_f32 ? 4 : 2)),
      stream_(stream),
      blob_(layout_.n_floats),
      host_blob_(std::max<std::int64_t>(layout_.n_floats, 1)) {}

std::int64_t Slots::slot_bytes(int max_positions) const {
  return (2 * map_.n_floats + plan_.config.n_vocab) * 4 + kv_bytes_per_position() * max_positions;
}

int Slots::add(int max_positions) {
  if (spare_ && spare_->capacity != max_positions) spare_.reset();
  auto slot = std::move(spare_);
  if (!slot) {
    slot = std::make_unique<Slot>();
    slot->capacity = max_positions;
    slot->state = DeviceBuffer<float>(map_.n_floats);
    slot->kept = DeviceBuffer<float>(map_.n_floats);
    slot->logits = DeviceBuffer<float>(plan_.config.n_vocab);
    slot->kv = DeviceBuffer<std::byte>(kv_bytes_per_position() * max_positions);
  }
  slot->ring = slot->kept_ring = 0;
  for (const DeviceBuffer<float>* buffer : {&slot->state, &slot->logits}) {
    if (buffer->size() == 0) continue;
    CUDA_CHECK(cudaMemsetAsync(buffer->data(), 0, static_cast<std::size_t>(buffer->bytes()), stream_));
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i]) {
      slots_[i] = std::move(slot);
      return static_cast<int>(i);
    }
  }
  slots_.push_back(std::move(slot));
  return static_cast<int>(slots_.size()) - 1;
}

void Slots::remove(int slot) noexcept {
  if (slot >= 0 && slot < static_cast<int>(slots_.size())) spare_ = std::move(slots_[static_cast<std::size_t>(slot)]);
}

Slot& Slots::operator[](int slot) {
  if (slot < 0 || slot >= static_cast<int>(slots_.size()) || !slots_[static_cast<std::size_t>(slot)]) {
    throw EngineError(ErrorCode::bad_argument, "there is no sequence slot " + std::to_string(slot));
  }
  return *slots_[static_cast<std::size_t>(slot)];
}

DeviceSlice Slots::slice(int slot, int first_position, int first_row, int n_tokens) {
  Slot& s = (*this)[slot];
  if (first_position + n_tokens > s.capacity) {
    throw EngineError(ErrorCode::context_full,
                      "the sequence does not fit its " + std::to_string(s.capacity) + " positions");
  }
  return {s.state.data(), s.kv.data(), s.logits.data(), s.capacity, first_position, s.ring, first_row, n_tokens};
}

void Slots::save_state(int slot, std::span<float> out) {
  Slot& s = (*this)[slot];
  for (const StateLayout::Entry& entry : layout_.entries) {
    const StateMap::Entry& from = map_.layers[static_cast<std::size_t>(entry.layer)];
    CUDA_CHECK(cudaMemcpyAsync(blob_.data() + entry.matrix, s.state.data() + from.matrix,
                               static_cast<std::size_t>(entry.n_matrix) * 4, cudaMemcpyDeviceToDevice, stream_));
    if (entry.n_window == 0) continue;
    move_window_kernel<<<static_cast<unsigned>((entry.n_window + 255) / 256), 256, 0, stream_>>>(
        s.state.data() + from.window, blob_.data() + entry.window, from.width, from.channels, from.n_parts, s.ring,
        true);
  }
  CUDA_CHECK(cudaGetLastError());
  CUDA_CHECK(cudaMemcpyAsync(host_blob_.data(), blob_.data(), out.size_bytes(), cudaMemcpyDeviceToHost, stream_));
  CUDA_CHECK(cudaStreamSynchronize(stream_));
  parallel_pieces(static_cast<std::int64_t>(out.size()), 1 << 20, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(out.data() + begin, host_blob_.data() + begin, static_cast<std::size_t>(end - begin) * 4);
  });
}

void Slots::load_state(int slot, std::span<const float> in) {
  Slot& s = (*this)[slot];
  CUDA_CHECK(cudaStreamSynchronize(stream_));
  // Pieces go out while the next are copied to page-locked memory, by several threads: one would take milliseconds.
  constexpr std::int64_t piece = 4 << 20, share = 1 << 18;
  for (std::int64_t first = 0; first < static_cast<std::int64_t>(in.size()); first += piece) {
    const std::int64_t n = std::min<std::int64_t>(piece, static_cast<std::int64_t>(in.size()) - first);
    parallel_pieces(n, share, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(host_blob_.data() + first + begin, in.data() + first + begin,
                  static_cast<std::size_t>(end - begin) * 4);
    });
    CUDA_CHECK(cudaMemcpyAsync(blob_.data() + first, host_blob_.data() + first, static_cast<std::size_t>(n) * 4,
                               cudaMemcpyHostToDevice, stream_));
  }
  s.ring = 0;
  for (const StateLayout::Entry& entry : layout_.entries) {
    const StateMap::Entry& to = map_.layers[static_cast<std::size_t>(entry.layer)];
    CUDA_CHECK(cudaMemcpyAsync(s.state.data() + to.matrix, blob_.data() + entry.matrix,
                               static_cast<std::size_t>(entry.n_matrix) * 4, cudaMemcpyDeviceToDevice, stream_));
    if (entry.n_window == 0) continue;
    move_window_kernel<<<static_cast<unsigned>((entry.n_window + 255) / 256), 256, 0, stream_>>>(
        s.state.data() + to.window, blob_.data() + entry.window, to.width, to.channels, to.n_parts, s.ring, false);
  }
  CUDA_CHECK(cudaGetLastError());
  CUDA_CHECK(cudaStreamSynchronize(stream_));
}

void Slots::keep_state(int slot) {
  Slot& s = (*this)[slot];
  CUDA_CHECK(cudaMemcpyAsync(s.kept.data(), s.state.data(), static_cast<std::size_t>(s.state.bytes()),
                             cudaMemcpyDeviceToDevice, stream_));
  s.kept_ring = s.ring;
}

void Slots::undo_state(int slot) {
  Slot& s = (*this)[slot];
  CUDA_CHECK(cudaMemcpyAsync(s.state.data(), s.kept.data(), static_cast<std::size_t>(s.state.bytes()),
                             cudaMemcpyDeviceToDevice, stream_));
  s.ring = s.kept_ring;
}

void Slots::check_rows(const Slot& s, int first, int n, std::size_t n_bytes) const {
  if (first < 0 || n < 0 || first + n > s.capacity ||
      static_cast<std::int64_t>(n_bytes) != n * kv_bytes_per_position()) {
    throw EngineError(ErrorCode::bad_argument, "attention rows outside the sequence");
  }
}

void Slots::read_kv(int slot, int first, int n, std::span<std::byte> out) {
  const Slot& s = (*this)[slot];
  check_rows(s, first, n, out.size());
  const std::int64_t bytes = n * kv_row_bytes_;
  for (int layer = 0; layer < plan_.n_attention_layers; ++layer) {
    CUDA_CHECK(cudaMemcpyAsync(out.data() + layer * bytes,
                               s.kv.data() + (std::int64_t{layer} * s.capacity + first) * kv_row_bytes_,
                               static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, stream_));
  }
  CUDA_CHECK(cudaStreamSynchronize(stream_));
}

void Slots::write_kv(int slot, int first, int n, std::span<const std::byte> in) {
  Slot& s = (*this)[slot];
  check_rows(s, first, n, in.size());
  const std::int64_t bytes = n * kv_row_bytes_;
  for (int layer = 0; layer < plan_.n_attention_layers; ++layer) {
    CUDA_CHECK(cudaMemcpyAsync(s.kv.data() + (std::int64_t{layer} * s.capacity + first) * kv_row_bytes_,
                               in.data() + layer * bytes, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice,
                               stream_));
  }
  CUDA_CHECK(cudaStreamSynchronize(stream_));
}

}  // namespace nf::cuda
