// y = W f(x) for one to four rows of x: the bulk of a decode step.
#include <algorithm>

#include "matvec.cuh"
#include "resident.h"

namespace nf::cuda {
namespace {

constexpr int n_slices = 8;  // parts that the columns are cut into
constexpr int n_teams = 1;   // sets of warps that take tiles in turn; two were measured and lost: see the lab log
constexpr int n_warps = n_slices * n_teams, n_threads = n_warps * 32;
constexpr int max_rows = 4;  // of x in one pass: with two bf16 parts each they fill the 8 rows of a fragment
constexpr int tiles_per_flush = 16;

template <MatrixFormat F>
struct Ring {
  static constexpr int units_per_stage = F == MatrixFormat::bf16 ? 1 : 3;
  static constexpr int n_stages = F == MatrixFormat::int8 ? 4 : 6;
  static constexpr int stage_bytes = units_per_stage * unit_bytes(F);
  static constexpr int bytes = n_warps * n_stages * stage_bytes;
};

/// What the block keeps in shared memory besides the ring and x.
struct Shared {
  float partial[tiles_per_flush][n_slices][max_rows][tile_rows];
  float squares[n_warps][max_rows];
  std::uint64_t barriers[n_warps][8];
};

/// The stream of stages that one warp reads: for each of its tiles the same slice of units.
template <MatrixFormat F>
class WeightStream {
 public:
  __device__ WeightStream(const std::byte* data, const Share& share, int k, std::byte* ring, std::uint64_t* barriers)
      : data_(data), share_(share), units_(n_units(k)), ring_(ring), barriers_(shared_address(barriers)) {
    const int slice = threadIdx.x / 32 % n_slices, team = threadIdx.x / 32 / n_slices;
    first_unit_ = units_ * slice / n_slices;
    slice_ = units_ * (slice + 1) / n_slices - first_unit_;
    fetch_tile_ = team;
    per_tile_ = (slice_ + R::units_per_stage - 1) / R::units_per_stage;
    n_stages_ = (share.count() - team + n_teams - 1) / n_teams * per_tile_;
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x % 32 == 0) {
      for (int i = 0; i < R::n_stages; ++i) barrier_init(barriers_ + i * 8, 1);
      asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
      asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
      policy_ = read_once_policy();
    }
    __syncwarp();
#endif
    for (int i = 0; i < R::n_stages; ++i) fetch();
  }

  __device__ int stages_per_tile() const { return per_tile_; }
  __device__ int first_unit() const { return first_unit_; }
  __device__ int units_in_stage(int j) const { return min(R::units_per_stage, slice_ - j * R::units_per_stage); }

  /// Bytes of the next stage; valid until release().
  __device__ const std::byte* next() {
#if __CUDA_ARCH__ >= 900
    barrier_wait(barriers_ + place_ * 8, parity_);
#else
    cp_async_wait<R::n_stages - 1>();
    __syncwarp();
#endif
    return ring_ + place_ * R::stage_bytes;
  }
  __device__ void release() {
    if (++place_ == R::n_stages) place_ = 0, parity_ ^= 1;
    __syncwarp();
    fetch();
  }

 private:
  using R = Ring<F>;

  /// Asks for the stage n_fetched_.
  __device__ void fetch() {
    const bool more = n_fetched_ < n_stages_;
    if (more) {
      const std::byte* from =
          data_ + (std::int64_t{share_.tile(fetch_tile_)} * units_ + first_unit_ + fetch_stage_ * R::units_per_stage) *
                      unit_bytes(F);
      const int n_bytes = units_in_stage(fetch_stage_) * unit_bytes(F);
      const std::uint32_t to = shared_address(ring_ + fetch_place_ * R::stage_bytes);
#if __CUDA_ARCH__ >= 900
      if (threadIdx.x % 32 == 0) {
        barrier_expect(barriers_ + fetch_place_ * 8, n_bytes);
        bulk_copy(to, from, n_bytes, barriers_ + fetch_place_ * 8, policy_);
      }
#else
      for (int i = threadIdx.x % 32 * 16; i < n_bytes; i += 512) cp_async_16(to + i, from + i);
#endif
      if (++fetch_stage_ == per_tile_) fetch_stage_ = 0, fetch_tile_ += n_teams;
      if (++fetch_place_ == R::n_stages) fetch_place_ = 0;
      ++n_fetched_;
    }
#if __CUDA_ARCH__ < 900
    cp_async_commit();  // also when nothing was asked for: the wait counts groups
#endif
  }

  const std::byte* data_;
  Share share_;
  int units_;
  std::byte* ring_;
  std::uint32_t barriers_;
  int first_unit_, slice_, per_tile_, n_stages_;
  int n_fetched_ = 0, fetch_tile_ = 0, fetch_stage_ = 0, fetch_place_ = 0;
  int place_ = 0;
  std::uint32_t parity_ = 0;
  std::uint64_t policy_ = 0;
};

/// sums (rows of x by rows 2 t, 2 t + 1 of the tile) += x[unit's columns] W[tile, unit's columns].
/// `x`: this lane's row of x parts at the unit's first column plus 16 t bytes; null for the lanes beyond the rows.
template <MatrixFormat F>
__device__ __forceinline__ void add_unit(const std::byte* unit, const std::byte* x, int lane, float (&sums)[4]) {
  const uint4 nothing = make_uint4(0, 0, 0, 0);
  uint4 xs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) xs[i] = x ? *reinterpret_cast<const uint4*>(x + i * 64) : nothing;
  if constexpr (F == MatrixFormat::bf16) {
    const int g = lane / 4, t = lane % 4;
    const std::byte* mine = unit + g * 64 + ((t ^ (g >> 1 & 3)) << 4);
    float other[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint4 w = *reinterpret_cast<const uint4*>(mine + i * 512);
      mma_bf16(sums, xs[i].x, 0, xs[i].y, 0, w.x, w.y);
      mma_bf16(other, xs[i].z, 0, xs[i].w, 0, w.z, w.w);
    }
    sums[0] += other[0];
    sums[1] += other[1];
  } else if constexpr (F == MatrixFormat::int8) {
    float even[4] = {}, odd[4] = {};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint4 w = *reinterpret_cast<const uint4*>(unit + i * 512 + lane * 16);
      const std::uint32_t words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        std::uint32_t b[4];
        int8_codes(words[2 * j], b[0], b[1]);
        int8_codes(words[2 * j + 1], b[2], b[3]);
        mma_bf16(even, xs[2 * i + j].x, 0, xs[2 * i + j].y, 0, b[0], b[1]);
        mma_bf16(odd, xs[2 * i + j].z, 0, xs[2 * i + j].w, 0, b[2], b[3]);
      }
    }
    const float2 scale = __half22float2(*reinterpret_cast<const __half2*>(unit + 1024 + lane % 4 * 4));
    sums[0] += scale.x * (even[0] + odd[0]);
    sums[1] += scale.y * (even[1] + odd[1]);
  } else {
    const uint4 w = *reinterpret_cast<const uint4*>(unit + lane * 16);
    const std::uint32_t words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      std::uint32_t b[4];
      int4_codes(words[i], b);
      float group[4] = {};
      mma_bf16(group, xs[i].x, 0, xs[i].y, 0, b[0], b[1]);
      mma_bf16(group, xs[i].z, 0, xs[i].w, 0, b[2], b[3]);
      const float2 scale = __half22float2(*reinterpret_cast<const __half2*>(unit + 512 + i * 16 + lane % 4 * 4));
      sums[0] += scale.x * group[0];
      sums[1] += scale.y * group[1];
    }
  }
}

/// Writes x as two bf16 parts (high, then what is left: 16 bits of mantissa together), multiplied by the norm weights,
/// and the sums of squares that the epilogue needs.
__device__ void load_x(const MatvecArguments& a, std::byte* x_rows, int row_bytes, Shared& shared) {
  constexpr int batch = 12;  // loads in flight: enough for 12288 columns at once
  const int n_quads = padded(a.k, unit_columns) / 4, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const bool scaled = a.prologue == Prologue::rms;
  for (int row = 0; row < a.n_rows; ++row) {
    const float* x = a.x + row * std::int64_t{a.k};
    float squares = 0;
    for (int base = 0; base < n_quads; base += batch * n_threads) {
      float4 v[batch];
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        const int index = base + i * n_threads + static_cast<int>(threadIdx.x);
        v[i] = index * 4 < a.k ? __ldcg(reinterpret_cast<const float4*>(x) + index) : make_float4(0, 0, 0, 0);
      }
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        const int index = base + i * n_threads + static_cast<int>(threadIdx.x);
        if (base + i * n_threads >= n_quads) break;  // uniform over the block
        const float mine = v[i].x * v[i].x + v[i].y * v[i].y + v[i].z * v[i].z + v[i].w * v[i].w;
        if (scaled && index * 4 < a.k) {
          squares += mine;
          const float4 w = __ldg(reinterpret_cast<const float4*>(a.norm) + index);
          v[i] = make_float4(v[i].x * w.x, v[i].y * w.y, v[i].z * w.z, v[i].w * w.w);
        }
        if (a.prologue == Prologue::head_rms) {
          // head_dim / 4 lanes, a power of two, hold one head
          float sum = mine;
          for (int offset = 1; offset < a.head_dim / 4; offset <<= 1) sum += __shfl_xor_sync(full_warp, sum, offset);
          const float r = rsqrtf(sum / static_cast<float>(a.head_dim) + a.eps);
          if (index * 4 < a.k) {
            const float4 w = __ldg(reinterpret_cast<const float4*>(a.norm) + index % (a.head_dim / 4));
            v[i] = make_float4(v[i].x * r * w.x, v[i].y * r * w.y, v[i].z * r * w.z, v[i].w * r * w.w);
          }
        }
        if (index < n_quads) store_parts(x_rows, row_bytes, row, index, v[i]);
      }
    }
    squares = warp_sum(squares);
    if (lane == 0) shared.squares[warp][row] = squares;
  }
}

__device__ float row_scale(const MatvecArguments& a, const Shared& shared, int row) {
  if (a.prologue != Prologue::rms) return 1.0f;
  float sum = 0;
#pragma unroll
  for (int w = 0; w < n_warps; ++w) sum += shared.squares[w][row];
  return rsqrtf(sum / static_cast<float>(a.k) + a.eps);
}

/// Sums the warps' partial results of `n` tiles in a fixed order and lets the epilogue write them.
__device__ void flush(const MatvecArguments& a, const Share& share, int first_output, int first_tile, int n,
                      Shared& shared) {
  __syncthreads();
  const int group = share.group;
  const int n_results = n / group * a.n_rows * tile_rows;
  for (int i = threadIdx.x; i < n_results; i += n_threads) {
    const int r = i % tile_rows, row = i / tile_rows % a.n_rows, local = i / tile_rows / a.n_rows * group;
    float sum = 0, second = 0;
#pragma unroll
    for (int w = 0; w < n_slices; ++w) {
      sum += shared.partial[local][w][row][r];
      if (group == 2) second += shared.partial[local + 1][w][row][r];
    }
    const float scale = row_scale(a, shared, row);
    sum *= scale;
    const int out = first_output + share.tile(first_tile + local) / group * tile_rows + r;
    float* y = a.y + row * std::int64_t{a.y_stride} + out;
    switch (a.epilogue) {
      case Epilogue::store: *y = sum; break;
      case Epilogue::add:
        if (out < a.n_valid) *y = __ldcg(y) + sum;
        break;
      case Epilogue::gated: *y = silu(sum) * (second * scale); break;
      case Epilogue::relu2: *y = fmaxf(sum, 0.0f) * fmaxf(sum, 0.0f); break;
      case Epilogue::logits:
        if (out < a.n_valid) a.slices[row].logits[out] = a.head_scale ? sum * a.head_scale[out] : sum;
        break;
    }
  }
  __syncthreads();
}

template <MatrixFormat F>
__device__ void run(const MatvecArguments& a, const std::byte* data, const Share& share, int first_output,
                    std::byte* memory) {
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  std::byte* ring = memory + (sizeof(Shared) + 127) / 128 * 128;
  std::byte* x_rows = ring + Ring<F>::bytes;
  const int row_bytes = x_row_bytes(a.k);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  static_assert(Ring<F>::n_stages <= 8);
  WeightStream<F> stream(data, share, a.k, ring + warp * Ring<F>::n_stages * Ring<F>::stage_bytes,
                         shared.barriers[warp]);
  wait_for_earlier_kernels();
  let_next_kernel_start();
  load_x(a, x_rows, row_bytes, shared);
  __syncthreads();

  const int part = lane / 4;  // row of x parts that this lane feeds
  const std::byte* x = part < 2 * a.n_rows
                           ? x_rows + part * row_bytes + stream.first_unit() * unit_columns * 2 + lane % 4 * 16
                           : nullptr;
  const int n_tiles = share.count();
  for (int done = 0; done < n_tiles; done += tiles_per_flush) {
    const int n = min(tiles_per_flush, n_tiles - done);
    for (int i = warp / n_slices; i < n; i += n_teams) {
      float sums[4] = {};
      int unit = 0;
      for (int j = 0; j < stream.stages_per_tile(); ++j) {
        const std::byte* stage = stream.next();
        for (int u = 0; u < stream.units_in_stage(j); ++u, ++unit) {
          add_unit<F>(stage + u * unit_bytes(F), x ? x + unit * unit_columns * 2 : nullptr, lane, sums);
        }
        stream.release();
      }
      // the two parts of a row of x lie in neighbouring lane groups
      sums[0] += __shfl_xor_sync(full_warp, sums[0], 4);
      sums[1] += __shfl_xor_sync(full_warp, sums[1], 4);
      if (part % 2 == 0 && part / 2 < a.n_rows) {
        *reinterpret_cast<float2*>(&shared.partial[i][warp % n_slices][part / 2][lane % 4 * 2]) =
            make_float2(sums[0], sums[1]);
      }
    }
    flush(a, share, first_output, done, n, shared);
  }
}

/// y[row] = epilogue(W prologue(x[row])), W [n_out, k] in units of layout.h, sums in float32.
/// Block: a share of the 8-row tiles, dealt out in turn; the blocks behind main_blocks take the bf16 rows kept apart.
/// Warp: an eighth of the columns of each of those tiles, streamed through its own ring in shared memory, which is
/// filled before the previous kernel has finished. Lane: row lane / 4 of a tile, 8 of each 32 columns.
/// The matrix instruction takes W as its 16 x 8 operand, so a fragment's 8 x rows are (row, part) pairs.
/// Shared memory: Shared, the ring, x in two bf16 parts (4 bytes per element and row). Bytes moved: W once, x per
/// block. Preconditions: k a multiple of 4, n_rows <= 4; head_rms: head_dim / 4 a power of two of at most 32, and k a
/// multiple of head_dim.
template <MatrixFormat F>
__global__ void __launch_bounds__(n_threads) matvec_kernel(MatvecArguments a) {
  extern __shared__ __align__(128) std::byte memory[];
  const int block = static_cast<int>(blockIdx.x);
  if (block < a.main_blocks) {
    const int group = a.epilogue == Epilogue::gated ? 2 : 1;
    run<F>(a, a.main, Share{block, a.main_blocks, group, a.main_tiles}, 0, memory);
  } else {
    const int n_blocks = static_cast<int>(gridDim.x) - a.main_blocks;
    run<MatrixFormat::bf16>(a, a.kept, Share{block - a.main_blocks, n_blocks, 1, a.kept_tiles},
                            a.main_tiles * tile_rows, memory);
  }
}

/// The same in float32 throughout: the reference. Block: 8 rows of W, one per warp, and one row of x, blockIdx.y.
__global__ void __launch_bounds__(tile_rows * 32) matvec_f32_kernel(MatvecArguments a) {
  constexpr int n_warps = tile_rows, n_threads = n_warps * 32;
  extern __shared__ __align__(16) float xs[];
  __shared__ float squares[n_warps];
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.y), warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float sum = 0;
  for (int i = threadIdx.x; i < a.k; i += n_threads) {
    const float v = __ldcg(a.x + row * std::int64_t{a.k} + i);
    sum += v * v;
    xs[i] = v;
  }
  sum = warp_sum(sum);
  if (lane == 0) squares[warp] = sum;
  __syncthreads();
  float scale = 1;
  if (a.prologue == Prologue::rms) {
    float all = 0;
    for (int w = 0; w < n_warps; ++w) all += squares[w];
    scale = rsqrtf(all / static_cast<float>(a.k) + a.eps);
  }
  if (a.prologue == Prologue::head_rms) {
    for (int head = warp; head < a.k / a.head_dim; head += n_warps) {
      float s = 0;
      for (int i = lane; i < a.head_dim; i += 32) s += xs[head * a.head_dim + i] * xs[head * a.head_dim + i];
      const float r = rsqrtf(warp_sum(s) / static_cast<float>(a.head_dim) + a.eps);
      for (int i = lane; i < a.head_dim; i += 32) xs[head * a.head_dim + i] *= r * a.norm[i];
    }
  } else if (a.prologue == Prologue::rms) {
    for (int i = threadIdx.x; i < a.k; i += n_threads) xs[i] *= scale * a.norm[i];
  }
  __syncthreads();
  const int group = a.epilogue == Epilogue::gated ? 2 : 1;
  float dots[2] = {};
  for (int which = 0; which < group; ++which) {
    const std::int64_t w_row = (std::int64_t{blockIdx.x} * group + which) * tile_rows + warp;
    const float* w = reinterpret_cast<const float*>(a.main) + w_row * a.k;
    float dot = 0;
    for (int i = lane; i < a.k; i += 32) dot += w[i] * xs[i];
    dots[which] = warp_sum(dot);
  }
  if (lane != 0) return;
  const int out = static_cast<int>(blockIdx.x) * tile_rows + warp;
  float* y = a.y + row * std::int64_t{a.y_stride} + out;
  switch (a.epilogue) {
    case Epilogue::store: *y = dots[0]; break;
    case Epilogue::add:
      if (out < a.n_valid) *y += dots[0];
      break;
    case Epilogue::gated: *y = silu(dots[0]) * dots[1]; break;
    case Epilogue::relu2: *y = fmaxf(dots[0], 0.0f) * fmaxf(dots[0], 0.0f); break;
    case Epilogue::logits:
      if (out < a.n_valid) a.slices[row].logits[out] = a.head_scale ? dots[0] * a.head_scale[out] : dots[0];
      break;
  }
}

template <MatrixFormat F>
int shared_bytes(int k, int n_rows) {
  const int ring = F == MatrixFormat::bf16 ? Ring<F>::bytes : std::max(Ring<F>::bytes, Ring<MatrixFormat::bf16>::bytes);
  return (static_cast<int>(sizeof(Shared)) + 127) / 128 * 128 + ring + 2 * n_rows * x_row_bytes(k);
}

template <MatrixFormat F>
void launch_matvec(const LaunchContext& context, MatvecArguments a, const MatvecCall& call) {
  int rows_per_pass = max_rows;
  while (rows_per_pass > 1 && shared_bytes<F>(call.k, rows_per_pass) > context.device->shared_bytes_per_block) {
    rows_per_pass /= 2;
  }
  const int n_kept = kept_blocks(*call.weights, context.device->n_multiprocessors);
  const int n_groups = a.main_tiles / (a.epilogue == Epilogue::gated ? 2 : 1);
  a.main_blocks = std::min(context.device->n_multiprocessors - n_kept, n_groups);
  for (int row = 0; row < call.n_rows; row += rows_per_pass) {
    a.n_rows = std::min(rows_per_pass, call.n_rows - row);
    a.x = call.x + row * std::int64_t{call.k};
    a.y = call.y ? call.y + row * std::int64_t{call.y_stride} : nullptr;
    a.slices = call.slices ? call.slices + row : nullptr;
    launch(context, matvec_kernel<F>, dim3(static_cast<unsigned>(a.main_blocks + n_kept)), n_threads,
           shared_bytes<F>(call.k, a.n_rows), a);
  }
}

}  // namespace

void matvec(const LaunchContext& context, const MatvecCall& call) {
  const StageWeights& w = *call.weights;
  MatvecArguments a{call.x,        call.k,      call.n_rows,   call.prologue,  call.norm,       call.eps,
                    call.head_dim, w.main.data, w.kept.data,   w.main.n_tiles, w.kept.n_tiles,  0,
                    call.epilogue, call.y,      call.y_stride, call.slices,    call.head_scale, call.n_valid,
                    w.main.format};
  if (context.resident) return context.resident->take(a);
  switch (w.main.format) {
    case MatrixFormat::bf16: return launch_matvec<MatrixFormat::bf16>(context, a, call);
    case MatrixFormat::int8: return launch_matvec<MatrixFormat::int8>(context, a, call);
    case MatrixFormat::int4: return launch_matvec<MatrixFormat::int4>(context, a, call);
    case MatrixFormat::f32: break;
  }
  const int n_blocks = w.main.n_tiles / (call.epilogue == Epilogue::gated ? 2 : 1);
  launch(context, matvec_f32_kernel, dim3(static_cast<unsigned>(n_blocks), static_cast<unsigned>(call.n_rows)),
         tile_rows * 32, call.k * 4, a);
}

void prepare_matvec(const DeviceFacts& device) {
  allow_shared_bytes(matvec_kernel<MatrixFormat::bf16>, device.shared_bytes_per_block);
  allow_shared_bytes(matvec_kernel<MatrixFormat::int8>, device.shared_bytes_per_block);
  allow_shared_bytes(matvec_kernel<MatrixFormat::int4>, device.shared_bytes_per_block);
  allow_shared_bytes(matvec_f32_kernel, device.shared_bytes_per_block - 1024);
}

}  // namespace nf::cuda
