// The warps of a resident block: three teams that compute, as one for products and each for itself otherwise, and two
// single threads, of which one fetches weights and one watches the barrier across the grid.
#pragma once

#include "team.cuh"
#include "words.cuh"

namespace nf::cuda {

constexpr int n_teams = resident_teams;
constexpr int n_consumers = n_teams * team_threads, n_consumer_warps = n_consumers / 32;
constexpr int n_resident_threads = n_consumers + team_threads;  // whole groups of four warps share out registers

template <int N>
__device__ __forceinline__ void sync_named(int barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(N) : "memory");
}
__device__ __forceinline__ void sync_consumers() { sync_named<n_consumers>(1); }

/// Registers go from the warps that hardly need any to those that compute: what these kept in local memory would come
/// from L2 each time, since hardly anything stays in L1. Each is for all warps of a group of four, at the top of its
/// role.
[[maybe_unused]] __device__ __forceinline__ void take_registers() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.inc.sync.aligned.u32 152;");
#endif
}
[[maybe_unused]] __device__ __forceinline__ void give_registers() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.dec.sync.aligned.u32 56;");
#endif
}

/// A third of the block's consumers.
struct ResidentTeam {
  static constexpr bool conv_is_four = true;  // Mamba2: whether the convolution is known to be 4 wide
  int index;
  const DeviceSlice* step_slice;
  Word* words;          // what the stage writes
  std::uint32_t stage;  // its number
  bool waits;           // for all blocks to finish the stage before:
  std::uint32_t ready;  // barrier whose phase ends when they have
  std::uint32_t parity;

  __device__ int thread() const { return static_cast<int>(threadIdx.x) % team_threads; }
  __device__ void sync() const { sync_named<team_threads>(2 + index); }
  __device__ DeviceSlice slice(const Rows&, int) const { return *step_slice; }
  __device__ void wait_for_inputs() const {
    if (waits) barrier_wait(ready, parity);
  }
  /// The plain numbers are written too, since the sums that go on top of them, and whoever watches a run, read those.
  template <int STEP>
  __device__ void put(float* y, int column, float value, bool valid) const {
    if (valid) y[column] = value;
    put_word<STEP>(words, column / 4, value, valid && column % 4 == 0, stage);
  }
};

}  // namespace nf::cuda
