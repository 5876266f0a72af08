// The threads that work together on one block of a step stage: a thread block of its own, or a part of a resident one.
#pragma once

#include "device_code.cuh"
#include "stages.h"

namespace nf::cuda {

constexpr int team_threads = 128, team_warps = team_threads / 32;
constexpr int resident_teams = 3;  // in a block of the resident kernel

/// A whole thread block of team_threads.
struct BlockTeam {
  static constexpr bool conv_is_four = false;  // Mamba2: whether the convolution is known to be 4 wide

  __device__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ void sync() const { __syncthreads(); }
  __device__ DeviceSlice slice(const Rows& rows, int index) const { return rows.slices[index]; }
  /// Writes element `column` of a result, where `valid`. Warp-collective: lanes STEP apart have columns next to each
  /// other, from a multiple of four on.
  template <int STEP>
  __device__ void put(float* y, int column, float value, bool valid) const {
    if (valid) y[column] = value;
  }
  /// Returns once everything that earlier stages wrote is visible.
  __device__ void wait_for_inputs() const {
    wait_for_earlier_kernels();
    let_next_kernel_start();
  }
};

/// Which block of a stage's grid a team works on.
struct Place {
  int x, y, z;
};
__device__ __forceinline__ Place place_of_block() {
  return {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)};
}

}  // namespace nf::cuda
