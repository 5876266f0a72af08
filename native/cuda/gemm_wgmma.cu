// Y = X W^T for slices of several tokens on Hopper: bf16 weights, wgmma.
#include <algorithm>

#include "device_code.cuh"
#include "epilogue.cuh"
#include "gemm.h"
#include "tensor_map.h"
#include "wgmma.cuh"

namespace nf::cuda {
namespace {

constexpr int n_groups = 2;                                 // warpgroups that multiply
constexpr int block_tiles = 8 * n_groups;                   // of W: 64 rows per group
constexpr int n_threads = n_groups * 128 + 32;              // and a warp that fetches
constexpr int stage_columns = 64;                           // half a unit
constexpr int piece_bytes = tile_rows * stage_columns * 2;  // of one tile
constexpr int max_stages = 8;

template <int N>
constexpr int stage_bytes() {
  return (block_tiles + N / tile_rows) * piece_bytes;
}
template <int N>
constexpr int n_stages() {
  return std::min(max_stages, 196608 / stage_bytes<N>());
}

/// Half units `half` of the map's box of tiles from `tile` on to shared memory; zeros for tiles that do not exist.
[[maybe_unused]] __device__ __forceinline__ void copy_box(std::uint32_t to, const CUtensorMap& map, int half, int tile,
                                                          std::uint32_t barrier) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::
          "r"(to),
      "l"(&map), "r"(0), "r"(half), "r"(tile), "r"(barrier)
      : "memory");
#endif
}

struct Barriers {
  std::uint64_t full[max_stages], empty[max_stages];
};

/// Y[tokens, rows of W] = epilogue(X W^T), or with several parts of k the sums of part blockIdx.z, see GemmArguments.
/// Block: N tokens by 128 rows of W, which are the 64-row operand of two warpgroups. The last warp copies half units of
/// both, as boxes of tiles, into a ring of n_stages in shared memory. Sums in float32. Bytes moved per block: its rows
/// of x and of W once. Blocks of the same rows of W are neighbours in launch order, so W comes from L2.
template <int N>
__global__ void __launch_bounds__(n_threads, 1)
    wgmma_gemm_kernel(const __grid_constant__ GemmArguments a, const __grid_constant__ CUtensorMap x_map,
                      const __grid_constant__ CUtensorMap w_map) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ __align__(1024) std::byte memory[];
  Barriers& barriers = *reinterpret_cast<Barriers*>(memory + n_stages<N>() * stage_bytes<N>());
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const std::uint32_t full = shared_address(barriers.full), empty = shared_address(barriers.empty);
  if (threadIdx.x == 0) {
    for (int i = 0; i < n_stages<N>(); ++i) {
      barrier_init(full + i * 8, 1);
      barrier_init(empty + i * 8, n_groups * 4);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  }
  __syncthreads();
  const int units = n_units(a.k), n_parts = static_cast<int>(gridDim.z), part = static_cast<int>(blockIdx.z);
  const int first_half = 2 * units * part / n_parts, end_half = 2 * units * (part + 1) / n_parts;
  const int first_tile = static_cast<int>(blockIdx.y) * block_tiles, first_row = static_cast<int>(blockIdx.x) * N;
  const std::uint32_t stages = shared_address(memory);

  if (warp == n_groups * 4) {
    wait_for_earlier_kernels();
    let_next_kernel_start();
    if (lane != 0) return;
    int slot = 0;
    std::uint32_t parity = 0;
    for (int half = first_half; half < end_half; ++half) {
      const std::uint32_t to = stages + slot * stage_bytes<N>();
      barrier_wait(empty + slot * 8, parity ^ 1);
      barrier_expect(full + slot * 8, stage_bytes<N>());
      copy_box(to, w_map, half, first_tile, full + slot * 8);
      copy_box(to + block_tiles * piece_bytes, x_map, half, first_row / tile_rows, full + slot * 8);
      if (++slot == n_stages<N>()) slot = 0, parity ^= 1;
    }
    return;
  }

  const int group = warp / 4;
  float sums[N / 2];
#pragma unroll
  for (float& sum : sums) sum = 0;
  int slot = 0, before = -1;
  std::uint32_t parity = 0;
  for (int half = first_half; half < end_half; ++half) {
    barrier_wait(full + slot * 8, parity);
    const std::uint32_t ws = stages + slot * stage_bytes<N>() + group * 8 * piece_bytes;
    const std::uint32_t xs = stages + slot * stage_bytes<N>() + block_tiles * piece_bytes;
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < stage_columns / 16; ++step) {
      const int offset = step / 2 * 512 + step % 2 * 32;  // an atom holds 32 columns
      wgmma<N>(sums, operand_descriptor(ws + offset, piece_bytes), operand_descriptor(xs + offset, piece_bytes));
    }
    wgmma_commit();
    wgmma_wait<1>();
    if (before >= 0 && lane == 0) barrier_arrive(empty + before * 8);
    before = slot;
    if (++slot == n_stages<N>()) slot = 0, parity ^= 1;
  }
  wgmma_wait<0>();
  wait_for_earlier_kernels();  // what is written below may still be read by them

  const int g = lane / 4, t = lane % 4, tile = first_tile + group * 8 + warp % 4 * 2;
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = first_row + j * 8 + 2 * t + i;
      if (row < a.n_rows) finish_pair(a, part, row, tile, g, sums[4 * j + i], sums[4 * j + 2 + i]);
    }
  }
#endif
}

template <int N>
void launch_wgmma(const LaunchContext& context, const GemmArguments& a, int n_parts) {
  const dim3 grid(static_cast<unsigned>((a.n_rows + N - 1) / N),
                  static_cast<unsigned>((a.n_tiles + block_tiles - 1) / block_tiles), static_cast<unsigned>(n_parts));
  const int n_halves = 2 * n_units(a.k);
  const CUtensorMap x_map =
      map_of_tiles(a.x, n_halves, piece_bytes, (a.n_rows + tile_rows - 1) / tile_rows, N / tile_rows);
  const CUtensorMap w_map = map_of_tiles(a.w, n_halves, piece_bytes, a.n_tiles, block_tiles);
  launch(context, wgmma_gemm_kernel<N>, grid, n_threads,
         n_stages<N>() * stage_bytes<N>() + static_cast<int>(sizeof(Barriers)), a, x_map, w_map);
}

}  // namespace

bool wgmma_gemm_serves(const LaunchContext& context, MatrixFormat format) {
  return context.device->compute_major == 9 && format == MatrixFormat::bf16;
}

void wgmma_gemm(const LaunchContext& context, const GemmArguments& a) {
  const int block_rows = a.n_rows <= 32 ? 32 : a.n_rows <= 128 ? 128 : 256;
  const int n_parts = gemm_parts(context, a, block_rows, block_tiles, stage_columns);
  GemmArguments here = a;
  if (n_parts == 1) here.partials = nullptr;
  switch (block_rows) {
    case 32: launch_wgmma<32>(context, here, n_parts); break;
    case 128: launch_wgmma<128>(context, here, n_parts); break;
    default: launch_wgmma<256>(context, here, n_parts); break;
  }
  if (n_parts > 1) join_parts(context, a, n_parts);
}

void prepare_wgmma_gemm(const DeviceFacts& device) {
  if (device.compute_major != 9) return;
  allow_shared_bytes(wgmma_gemm_kernel<32>, device.shared_bytes_per_block);
  allow_shared_bytes(wgmma_gemm_kernel<128>, device.shared_bytes_per_block);
  allow_shared_bytes(wgmma_gemm_kernel<256>, device.shared_bytes_per_block);
}

}  // namespace nf::cuda
