// Sampling on the device: see draw.h for what is drawn and how.
#include <cooperative_groups.h>

#include "device_code.cuh"
#include "draw.h"
#include "stages.h"

namespace nf::cuda {
namespace {

constexpr int draw_bits = 10, draw_threads = 1 << draw_bits, draw_warps = draw_threads / 32;
constexpr int cluster_blocks = 8;  // what every device with clusters can run at once

/// Draw's group: the blocks of a cluster, which read each other's shared memory.
class ClusterGroup {
 public:
  static constexpr int bits = draw_bits;
  struct Scratch {
    Amount sums[draw_warps];
    std::uint32_t largest[draw_warps];
  };

  __device__ explicit ClusterGroup(Scratch& scratch) : scratch_(scratch) {}
  __device__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ int block() const { return static_cast<int>(blockIdx.x); }
  __device__ int n_blocks() const { return static_cast<int>(gridDim.x); }
  __device__ void sync() const { __syncthreads(); }
  __device__ void sync_all() const {
#if __CUDA_ARCH__ >= 900
    cooperative_groups::this_cluster().sync();
#else
    __syncthreads();
#endif
  }
  template <class Shared>
  __device__ const Shared& of(Shared& mine, [[maybe_unused]] int block) const {
#if __CUDA_ARCH__ >= 900
    return *cooperative_groups::this_cluster().map_shared_rank(&mine, static_cast<unsigned>(block));
#else
    return mine;
#endif
  }
  __device__ std::uint32_t add(std::uint32_t& to, std::uint32_t value) const { return atomicAdd(&to, value); }

  __device__ std::uint32_t largest(std::uint32_t value) const {
    value = __reduce_max_sync(full_warp, value);
    if (lane() == 0) scratch_.largest[warp()] = value;
    __syncthreads();
    return __reduce_max_sync(full_warp, scratch_.largest[lane()]);
  }

  __device__ Amount before(Amount mine, Amount& total) const {
    const Amount in_warp = up_to_lane(mine);
    __syncthreads();  // slower threads may still read the sums of the call before
    if (lane() == 31) scratch_.sums[warp()] = in_warp;
    __syncthreads();
    const Amount warps = up_to_lane(scratch_.sums[lane()]);
    total = of_lane(warps, 31);
    const Amount here = of_lane(warps, warp());
    const Amount own = scratch_.sums[warp()];
    return {here.count - own.count + in_warp.count - mine.count, here.mass - own.mass + in_warp.mass - mine.mass};
  }

 private:
  static_assert(draw_warps == 32);  // a lane reads one warp's value
  __device__ int lane() const { return static_cast<int>(threadIdx.x) % 32; }
  __device__ int warp() const { return static_cast<int>(threadIdx.x) / 32; }

  __device__ static Amount of_lane(const Amount& amount, int from) {
    return {__shfl_sync(full_warp, amount.count, from), __shfl_sync(full_warp, amount.mass, from)};
  }
  /// Sum over the lanes up to this one.
  __device__ Amount up_to_lane(Amount sum) const {
#pragma unroll
    for (int offset = 1; offset < 32; offset <<= 1) {
      const Amount lower{__shfl_up_sync(full_warp, sum.count, offset), __shfl_up_sync(full_warp, sum.mass, offset)};
      if (lane() >= offset) sum += lower;
    }
    return sum;
  }

  Scratch& scratch_;
};

/// Draws a token and readies the next step. Grid: one cluster, or one block where there are no clusters. Shared memory:
/// 25 KiB. Bytes moved: the logits up to seven times, from L2.
__global__ void __launch_bounds__(draw_threads) draw_kernel(const DrawCall c) {
  __shared__ DrawShared<draw_bits> shared;
  __shared__ ClusterGroup::Scratch scratch;
  const ClusterGroup group(scratch);
  const int position = c.slice->first_position + (c.advance ? 1 : 0);
  const Drawn drawn =
      Draw(group, shared, c.slice->logits, c.n_vocab, c.settings).run(static_cast<std::uint64_t>(position));
  // One thread has a token; when drawing failed, the first reports it. All have read the slice long before.
  if (drawn.token < 0 && !(drawn.failed && group.block() == 0 && group.thread() == 0)) return;
  *c.token = drawn.failed ? 0 : drawn.token;
  if (c.advance) ++c.slice->first_position, ++c.slice->ring;
  const int number = ++*c.n_chosen;
  volatile Choice* place = c.places + number % choice_places;
  place->token = drawn.token;
  place->logprob = drawn.logprob;
  __threadfence_system();
  place->number = number;
}

}  // namespace

bool draw_serves(int n_vocab) { return n_vocab <= max_draw_vocab; }

void draw_token(const LaunchContext& context, const DrawCall& call) {
  const bool has_clusters = context.device->compute_major >= 9;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(has_clusters ? cluster_blocks : 1);
  config.blockDim = dim3(draw_threads);
  config.stream = context.stream;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = config.gridDim.x;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  config.attrs = &attribute;
  config.numAttrs = has_clusters ? 1 : 0;
  CUDA_CHECK(cudaLaunchKernelEx(&config, draw_kernel, call));
}

}  // namespace nf::cuda
