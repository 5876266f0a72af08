// One kernel that stays on the GPU for whole decode steps of one sequence: it works through a list of stages, with a
// barrier across the grid between them, while weights stream into shared memory across stage borders.
#pragma once

#include <cstring>
#include <vector>

#include "memory.h"
#include "stages.h"

namespace nf::cuda {

struct MatvecArguments;
struct SplitArguments;

enum class StageKind : int { embed, deltanet, mamba2, attention, greedy, matvec };

/// A stage as the kernel reads it: its grid of blocks, and the arguments of its kind.
struct alignas(16) StageRecord {
  StageKind kind;
  bool waits;    // for all blocks to finish the stage before
  int n_x, n_y;  // blocks
  std::byte arguments[256];

  template <class T>
  __host__ __device__ const T& as() const {
    static_assert(sizeof(T) <= sizeof arguments && alignof(T) <= 8);
    return *reinterpret_cast<const T*>(arguments);
  }
};

/// A list of stages in device memory.
struct Program {
  DeviceBuffer<StageRecord> records;
  int n_stages = 0, n_waits = 0;
};

class Resident {
 public:
  /// Whether the model's stages of a single row can run here: sm_90 or newer, integer or bf16 weights, heads and
  /// states of at most 128.
  static bool serves(const Config&, const DeviceFacts&, bool f32);

  Resident(const Config&, const DeviceFacts&, WeightFormat, cudaStream_t);

  // Launchers of stages hand their arguments over here: each is launched at once, alone, or joins the list.
  void take(const EmbedCall&);
  void take(const DeltaNetCall&);
  void take(const Mamba2Call&);
  void take(const SplitArguments&);
  void take(const GreedyCall&);
  void take(const MatvecArguments&);

  void begin_list();
  Program end_list();
  /// Works through the list n_steps times in one launch. Throws device_lost.
  void run(const Program&, int n_steps);

 private:
  template <class T>
  void take_as(StageKind, int n_x, int n_y, const T& arguments);
  void launch_records(const StageRecord* records, const StageRecord& single, int n_stages, int n_total,
                      unsigned n_barriers);

  const DeviceFacts& device_;
  cudaStream_t stream_;
  int work_bytes_, slot_bytes_, n_slots_;  // of shared memory
  int n_in_flight_;
  const DeviceSlice* slice_ = nullptr;  // of the stages taken
  bool listing_ = false;
  std::vector<StageRecord> list_;
  int word_places_;
  DeviceBuffer<uint4> words_;        // see words.cuh
  unsigned n_launched_ = 0;          // stages since the start, modulo 2^32
  DeviceBuffer<unsigned> arrivals_;  // at the barrier, since the start, modulo 2^32
  unsigned n_arrivals_ = 0;
};

}  // namespace nf::cuda
