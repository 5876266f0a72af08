// Y = X W^T for slices of several tokens, with mma.sync: runs on sm_80 and everything newer.
#include <algorithm>

#include "codes.cuh"
#include "device_code.cuh"
#include "epilogue.cuh"
#include "gemm.h"

namespace nf::cuda {
namespace {

constexpr int n_threads = 256;
constexpr int block_rows = 128, block_tiles = 16;  // 128 tokens by 128 rows of W
constexpr int warp_rows = 64, warp_tiles = 4;      // 2 x 4 warps of 64 tokens by 32 rows of W
constexpr int x_stage_bytes = block_rows * unit_columns * 2;

/// Where column i of a row lies in the units of layout.h.
__device__ __forceinline__ __nv_bfloat16* place_of(__nv_bfloat16* units, int row, int width, int i) {
  const int g = row % tile_rows, t = i % 32 / 8;
  return units +
         (std::int64_t{row / tile_rows} * (width / unit_columns) + i / unit_columns) * (tile_rows * unit_columns) +
         i % unit_columns / 32 * 256 + g * 32 + ((t ^ (g >> 1 & 3)) << 3) + i % 8;
}

/// Columns i .. i + 7 of a row of k.
struct Eight {
  float at[8];
};
__device__ __forceinline__ Eight eight_of(const float* row, int i, int k) {
  if (k % 8 == 0) {
    const float4 a = *reinterpret_cast<const float4*>(row + i), b = *reinterpret_cast<const float4*>(row + i + 4);
    return {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
  }
  Eight v;
#pragma unroll
  for (int j = 0; j < 8; ++j) v.at[j] = i + j < k ? row[i + j] : 0.0f;
  return v;
}

/// One row: out = prologue(x) in bf16, zeros behind column k. Block: one row. Sums in float32.
__global__ void __launch_bounds__(n_threads)
    prepare_rows_kernel(const float* x, int k, Prologue prologue, const float* norm, float eps, int head_dim,
                        __nv_bfloat16* out) {
  __shared__ float squares[n_threads / 32];
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const float* row = x + std::int64_t{blockIdx.x} * k;
  const int width = padded(k, unit_columns);
  const auto to = [&](int i) { return place_of(out, static_cast<int>(blockIdx.x), width, i); };
  const int first = static_cast<int>(threadIdx.x) * 8;
  float scale = 1;
  if (prologue == Prologue::rms) {
    float sum = 0;
    for (int i = first; i < k; i += n_threads * 8) {
      const Eight v = eight_of(row, i, k);
#pragma unroll
      for (const float value : v.at) sum += value * value;
    }
    sum = warp_sum(sum);
    if (lane == 0) squares[warp] = sum;
    __syncthreads();
    sum = 0;
    for (const float s : squares) sum += s;
    scale = rsqrtf(sum / static_cast<float>(k) + eps);
  }
  if (prologue == Prologue::head_rms) {
    for (int head = warp * head_dim; head < k; head += n_threads / 32 * head_dim) {
      float sum = 0;
      for (int i = lane; i < head_dim; i += 32) sum += row[head + i] * row[head + i];
      scale = rsqrtf(warp_sum(sum) / static_cast<float>(head_dim) + eps);
      for (int i = lane; i < head_dim; i += 32) *to(head + i) = __float2bfloat16_rn(row[head + i] * scale * norm[i]);
    }
  } else {
    for (int i = first; i < k; i += n_threads * 8) {
      Eight v = eight_of(row, i, k);
      if (prologue == Prologue::rms) {
        const Eight w = eight_of(norm, i, k);
#pragma unroll
        for (int j = 0; j < 8; ++j) v.at[j] = v.at[j] * scale * w.at[j];
      }
      const auto pair = [&](int j) { return pack_bf16(v.at[j], v.at[j + 1]); };
      *reinterpret_cast<uint4*>(to(i)) = make_uint4(pair(0), pair(2), pair(4), pair(6));
    }
  }
  for (int i = k + static_cast<int>(threadIdx.x); i < width; i += n_threads) *to(i) = __float2bfloat16_rn(0.0f);
}

/// Where lane (g, t) finds its 16 bytes in an 8 x 32 atom of bf16: see layout.h.
__device__ __forceinline__ int atom_offset(int g, int t) { return g * 64 + ((t ^ (g >> 1 & 3)) << 4); }

/// Asks for one unit of columns: 16 tiles of x and 16 of W, as they lie.
template <MatrixFormat F>
__device__ void fetch(const GemmArguments& a, int unit, std::byte* stage) {
  const int first_row = static_cast<int>(blockIdx.x) * block_rows,
            first_tile = static_cast<int>(blockIdx.y) * block_tiles;
  const int units = n_units(a.k);
  const std::uint32_t xs = shared_address(stage), ws = xs + x_stage_bytes;
#pragma unroll
  for (int j = 0; j < block_rows * 16 / n_threads; ++j) {
    const int piece = j * n_threads + static_cast<int>(threadIdx.x), row = piece / 128 * tile_rows;
    const bool valid = first_row + row < a.n_rows;
    const __nv_bfloat16* from =
        a.x + (std::int64_t{valid ? (first_row + row) / tile_rows : 0} * units + unit) * (tile_rows * unit_columns) +
        piece % 128 * 8;
    cp_async_16_or_zero(xs + piece * 16, from, valid);
  }
  constexpr int tile_pieces = unit_bytes(F) / 16;
  for (int piece = threadIdx.x; piece < block_tiles * tile_pieces; piece += n_threads) {
    const int tile = piece / tile_pieces;
    const bool valid = first_tile + tile < a.n_tiles;
    const std::byte* from =
        a.w + (std::int64_t{valid ? first_tile + tile : 0} * units + unit) * unit_bytes(F) + piece % tile_pieces * 16;
    cp_async_16_or_zero(ws + piece * 16, from, valid);
  }
}

/// This lane's share of one 32-column granule of a tile: two B fragments; and the scales of rows 2 t, 2 t + 1.
template <MatrixFormat F>
__device__ __forceinline__ float2 fragments(const std::byte* unit, int granule, int lane, std::uint32_t (&b)[4]) {
  if constexpr (F == MatrixFormat::bf16) {
    const uint4 w = *reinterpret_cast<const uint4*>(unit + granule * 512 + atom_offset(lane / 4, lane % 4));
    b[0] = w.x, b[1] = w.y, b[2] = w.z, b[3] = w.w;
    return make_float2(1, 1);
  } else if constexpr (F == MatrixFormat::int8) {
    const uint2 w = *reinterpret_cast<const uint2*>(unit + granule / 2 * 512 + lane * 16 + granule % 2 * 8);
    int8_codes(w.x, b[0], b[1]);
    int8_codes(w.y, b[2], b[3]);
    return __half22float2(*reinterpret_cast<const __half2*>(unit + 1024 + lane % 4 * 4));
  } else {
    int4_codes(*reinterpret_cast<const std::uint32_t*>(unit + lane * 16 + granule * 4), b);
    return __half22float2(*reinterpret_cast<const __half2*>(unit + 512 + granule * 16 + lane % 4 * 4));
  }
}

/// Y[tokens, rows of W] = epilogue(X W^T), or the sums over part blockIdx.z of k: X and W in units of layout.h, sums in
/// float32.
/// Block: 128 tokens by 16 tiles of W. Warp: 64 tokens by 4 tiles; integer weights are multiplied as exact bf16
/// integers and each group's sum by its scale. Shared memory: n_stages x (32 KiB of x + 16 units). Bytes moved per
/// block: its rows of x and of W once. Blocks of the same rows of W are neighbours in launch order, so W comes from L2.
template <MatrixFormat F>
__global__ void __launch_bounds__(n_threads) gemm_kernel(GemmArguments a, int n_stages) {
  extern __shared__ __align__(128) std::byte memory[];
  constexpr int stage_bytes = x_stage_bytes + block_tiles * unit_bytes(F);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int warp_row = warp / 4 * warp_rows, warp_tile = warp % 4 * warp_tiles;
  const int part = static_cast<int>(blockIdx.z), n_parts = static_cast<int>(gridDim.z);
  const int first_unit = n_units(a.k) * part / n_parts, units = n_units(a.k) * (part + 1) / n_parts - first_unit;
  wait_for_earlier_kernels();
  let_next_kernel_start();
  float sums[4][warp_tiles][4] = {};
  for (int i = 0; i < n_stages - 1; ++i) {
    if (i < units) fetch<F>(a, first_unit + i, memory + i * stage_bytes);
    cp_async_commit();
  }
  for (int unit = 0; unit < units; ++unit) {
    if (n_stages == 1) __syncthreads();
    const int ahead = unit + n_stages - 1;
    if (n_stages == 1) {
      fetch<F>(a, first_unit + unit, memory);
      cp_async_commit();
      cp_async_wait<0>();
    } else if (n_stages == 2) {
      cp_async_wait<0>();
    } else {
      cp_async_wait<1>();
    }
    __syncthreads();  // the stage is here, and everybody has left the one that is filled next
    if (n_stages > 1) {
      if (ahead < units) fetch<F>(a, first_unit + ahead, memory + ahead % n_stages * stage_bytes);
      cp_async_commit();
    }
    const std::byte* xs = memory + unit % n_stages * stage_bytes;
    const std::byte* ws = xs + x_stage_bytes;
#pragma unroll
    for (int granule = 0; granule < 4; ++granule) {
      uint4 x[4][2];
#pragma unroll
      for (int m = 0; m < 4; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int row = warp_row + m * 16 + half * 8;
          x[m][half] = *reinterpret_cast<const uint4*>(xs + (row / 8 * 4 + granule) * 512 + atom_offset(g, t));
        }
      }
#pragma unroll
      for (int n = 0; n < warp_tiles; ++n) {
        std::uint32_t b[4];
        const float2 scale = fragments<F>(ws + (warp_tile + n) * unit_bytes(F), granule, lane, b);
#pragma unroll
        for (int m = 0; m < 4; ++m) {
          if constexpr (F == MatrixFormat::bf16) {
            mma_bf16(sums[m][n], x[m][0].x, x[m][1].x, x[m][0].y, x[m][1].y, b[0], b[1]);
            mma_bf16(sums[m][n], x[m][0].z, x[m][1].z, x[m][0].w, x[m][1].w, b[2], b[3]);
          } else {
            float group[4] = {};
            mma_bf16(group, x[m][0].x, x[m][1].x, x[m][0].y, x[m][1].y, b[0], b[1]);
            mma_bf16(group, x[m][0].z, x[m][1].z, x[m][0].w, x[m][1].w, b[2], b[3]);
            sums[m][n][0] += scale.x * group[0];
            sums[m][n][1] += scale.y * group[1];
            sums[m][n][2] += scale.x * group[2];
            sums[m][n][3] += scale.y * group[3];
          }
        }
      }
    }
  }
  const int first_row = static_cast<int>(blockIdx.x) * block_rows + warp_row;
  const int first_tile = static_cast<int>(blockIdx.y) * block_tiles + warp_tile;
#pragma unroll
  for (int m = 0; m < 4; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first_row + m * 16 + half * 8 + g;
#pragma unroll
      for (int n = 0; n < warp_tiles; ++n) {
        const int tile = first_tile + n;
        const float first = sums[m][n][2 * half], second = sums[m][n][2 * half + 1];
        if (tile >= a.n_tiles || row >= a.n_rows) continue;
        const int out = tile * tile_rows + 2 * t;
        if (a.partials) {
          *reinterpret_cast<float2*>(a.partials + (std::int64_t{part} * a.n_rows + row) * a.n_tiles * tile_rows + out) =
              make_float2(first, second);
        } else if (a.epilogue == Epilogue::gated) {
          if (n % 2 == 1) continue;
          float* y = a.y + row * std::int64_t{a.y_stride} + tile / 2 * tile_rows + 2 * t;
          y[0] = silu(first) * sums[m][n | 1][2 * half], y[1] = silu(second) * sums[m][n | 1][2 * half + 1];
        } else {
          finish_one(a, row, out, first);
          finish_one(a, row, out + 1, second);
        }
      }
    }
  }
}

/// Grid: pairs of results x rows. Bytes moved: the partial sums once.
__global__ void __launch_bounds__(n_threads) join_parts_kernel(GemmArguments a, int n_parts) {
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int index = static_cast<int>(blockIdx.x * n_threads + threadIdx.x), row = static_cast<int>(blockIdx.y);
  const int tile = index / tile_rows * 2, g = index % tile_rows;
  if (tile >= a.n_tiles) return;
  float first = 0, second = 0;
  for (int part = 0; part < n_parts; ++part) {
    const float* from =
        a.partials + (std::int64_t{part} * a.n_rows + row) * a.n_tiles * tile_rows + tile * tile_rows + g;
    first += from[0];
    if (tile + 1 < a.n_tiles) second += from[tile_rows];
  }
  a.partials = nullptr;
  finish_pair(a, 0, row, tile, g, first, second);
}

template <MatrixFormat F>
constexpr int stage_bytes() {
  return x_stage_bytes + block_tiles * unit_bytes(F);
}

template <MatrixFormat F>
void launch_gemm(const LaunchContext& context, const GemmArguments& whole) {
  const int n_parts = gemm_parts(context, whole, block_rows, block_tiles, unit_columns);
  GemmArguments a = whole;
  if (n_parts == 1) a.partials = nullptr;
  const int n_stages = std::clamp(context.device->shared_bytes_per_block / stage_bytes<F>(), 1, 3);
  const dim3 grid(static_cast<unsigned>((a.n_rows + block_rows - 1) / block_rows),
                  static_cast<unsigned>((a.n_tiles + block_tiles - 1) / block_tiles), static_cast<unsigned>(n_parts));
  launch(context, gemm_kernel<F>, grid, n_threads, n_stages * stage_bytes<F>(), a, n_stages);
  if (n_parts > 1) join_parts(context, whole, n_parts);
}

}  // namespace

void prepare_rows(const LaunchContext& context, const MatvecCall& call, __nv_bfloat16* out) {
  launch(context, prepare_rows_kernel, dim3(static_cast<unsigned>(call.n_rows)), n_threads, 0, call.x, call.k,
         call.prologue, call.norm, call.eps, call.head_dim, out);
}

void gemm(const LaunchContext& context, const MatvecCall& call, const GemmScratch& scratch) {
  int first_output = 0;
  for (const DeviceMatrix* w : {&call.weights->main, &call.weights->kept}) {
    if (w->n_tiles == 0) continue;
    const GemmArguments a{scratch.x,    w->data,          call.n_rows,           call.k,
                          w->n_tiles,   call.epilogue,    call.y + first_output, call.y_stride,
                          call.n_valid, scratch.partials, scratch.n_partials};
    first_output += w->n_tiles * tile_rows;
    if (wgmma_gemm_serves(context, w->format)) {
      wgmma_gemm(context, a);
      continue;
    }
    switch (w->format) {
      case MatrixFormat::bf16: launch_gemm<MatrixFormat::bf16>(context, a); break;
      case MatrixFormat::int8: launch_gemm<MatrixFormat::int8>(context, a); break;
      case MatrixFormat::int4: launch_gemm<MatrixFormat::int4>(context, a); break;
      case MatrixFormat::f32: throw EngineError(ErrorCode::unsupported, "float32 weights have no gemm kernel");
    }
  }
}

int gemm_parts(const LaunchContext& context, const GemmArguments& a, int block_rows_, int block_tiles_, int columns) {
  const int n_blocks = (a.n_rows + block_rows_ - 1) / block_rows_ * ((a.n_tiles + block_tiles_ - 1) / block_tiles_);
  const int wanted = context.device->n_multiprocessors / n_blocks;
  const int most = std::min(max_gemm_parts, n_units(a.k) * unit_columns / (4 * columns));  // four steps at the least
  const std::int64_t room = a.n_partials / (std::int64_t{a.n_rows} * a.n_tiles * tile_rows);
  return std::max(1, static_cast<int>(std::min<std::int64_t>(std::min(wanted, most), room)));
}

void join_parts(const LaunchContext& context, const GemmArguments& a, int n_parts) {
  const int n_pairs = (a.n_tiles + 1) / 2 * tile_rows;
  launch(context, join_parts_kernel,
         dim3(static_cast<unsigned>((n_pairs + n_threads - 1) / n_threads), static_cast<unsigned>(a.n_rows)), n_threads,
         0, a, n_parts);
}

void prepare_gemm(const DeviceFacts& device) {
  prepare_wgmma_gemm(device);
  allow_shared_bytes(gemm_kernel<MatrixFormat::bf16>, device.shared_bytes_per_block);
  allow_shared_bytes(gemm_kernel<MatrixFormat::int8>, device.shared_bytes_per_block);
  allow_shared_bytes(gemm_kernel<MatrixFormat::int4>, device.shared_bytes_per_block);
}

}  // namespace nf::cuda
