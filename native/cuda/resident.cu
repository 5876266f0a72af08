#include <algorithm>

#include "attend_split.cuh"
#include "deltanet_scan.cuh"
#include "embed_row.cuh"
#include "greedy_choice.cuh"
#include "mamba2_scan.cuh"
#include "matvec.cuh"
#include "resident.h"

namespace nf::cuda {
namespace {

constexpr int n_teams = resident_teams;
constexpr int n_consumers = n_teams * team_threads, n_consumer_warps = n_consumers / 32;
constexpr int n_threads = n_consumers + 32;  // the last warp fetches weights
constexpr int max_slots = 16;
constexpr int tiles_per_flush = 32;

struct Shared {
  StageRecord records[2];  // of this stage and the next
  float squares[n_consumer_warps];
  std::uint64_t full[max_slots], empty[max_slots];
};

/// One team's memory in stages that are not products.
union TeamShared {
  DeltaNetShared deltanet;
  Mamba2Shared mamba2;
  AttendShared<4> attention;
  GreedyShared greedy;
  __device__ TeamShared() {}
};

using Partials = float[tiles_per_flush][n_consumer_warps][tile_rows];

struct ResidentArguments {
  const StageRecord* stages;  // null: the stage is `single`
  StageRecord single;
  int n_stages, n_total;
  unsigned* arrivals;
  unsigned first_arrival;
  int work_bytes, slot_bytes, n_slots;
};

/// Units of columns that travel together: every warp gets a pair, where the slot is large enough.
__host__ __device__ constexpr int chunk_units(MatrixFormat format, int slot_bytes) {
  const int n = slot_bytes / unit_bytes(format);
  return n >= 2 * n_consumer_warps ? n / (2 * n_consumer_warps) * (2 * n_consumer_warps) : n;
}

// ---- the barrier across the grid -----------------------------------------------------------------------------------

__device__ __forceinline__ void await_arrivals(const unsigned* arrivals, unsigned target) {
  unsigned seen;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(arrivals) : "memory");
  } while (static_cast<int>(seen - target) < 0);
}

/// After sync_consumers(): everything that the block's consumers wrote becomes visible with the arrival.
__device__ __forceinline__ void arrive(unsigned* arrivals) {
  __threadfence();
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(arrivals) : "memory");
}

template <int N>
__device__ __forceinline__ void sync_named(int barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(N) : "memory");
}
__device__ __forceinline__ void sync_consumers() { sync_named<n_consumers>(1); }

/// A third of the block's consumers.
struct ResidentTeam {
  int index;
  const unsigned* arrivals;
  unsigned target;

  __device__ int thread() const { return static_cast<int>(threadIdx.x) % team_threads; }
  __device__ void sync() const { sync_named<team_threads>(2 + index); }
  __device__ void wait_for_inputs() const {
    if (thread() == 0) await_arrivals(arrivals, target);
    sync();
  }
};

// ---- the stream of weights -----------------------------------------------------------------------------------------

/// A ring of slots in shared memory, filled by the fetching thread and emptied by all consumer warps.
struct Ring {
  std::byte* memory;
  std::uint32_t full, empty;  // barriers
  int slot_bytes, n_slots;
  int slot = 0;
  std::uint32_t parity = 0;

  __device__ void advance() {
    if (++slot == n_slots) slot = 0, parity ^= 1;
  }
};

__device__ __forceinline__ void barrier_arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/// Tiles are dealt out in turn; rows kept apart from the other end, to the blocks that have a tile less.
__device__ __forceinline__ Share main_share(const MatvecArguments& a) {
  const int group = a.epilogue == Epilogue::gated ? 2 : 1;
  return {static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x), group, a.main_tiles};
}
__device__ __forceinline__ Share kept_share(const MatvecArguments& a) {
  return {static_cast<int>(gridDim.x - 1 - blockIdx.x), static_cast<int>(gridDim.x), 1, a.kept_tiles};
}

__device__ void fetch_share(const std::byte* data, MatrixFormat format, const Share& share, int k, Ring& ring,
                            std::uint64_t policy) {
  const int units = n_units(k), bytes_per_unit = unit_bytes(format), step = chunk_units(format, ring.slot_bytes);
  const int n_tiles = share.count();
  for (int i = 0; i < n_tiles; ++i) {
    const std::byte* tile = data + std::int64_t{share.tile(i)} * units * bytes_per_unit;
    for (int unit = 0; unit < units; unit += step) {
      const int n_bytes = min(step, units - unit) * bytes_per_unit;
      barrier_wait(ring.empty + ring.slot * 8, ring.parity ^ 1);
      barrier_expect(ring.full + ring.slot * 8, n_bytes);
      bulk_copy(shared_address(ring.memory + ring.slot * ring.slot_bytes), tile + unit * bytes_per_unit, n_bytes,
                ring.full + ring.slot * 8, policy);
      ring.advance();
    }
  }
}

/// The fetching thread: runs ahead of the consumers by as much as the ring holds, across stages and steps.
__device__ void fetch_weights(const ResidentArguments& a, Ring ring) {
  const std::uint64_t policy = read_once_policy();
  for (int i = 0; i < a.n_total; ++i) {
    const StageRecord& record = a.stages ? a.stages[i % a.n_stages] : a.single;
    if (record.kind != StageKind::matvec) continue;
    const MatvecArguments call = record.as<MatvecArguments>();
    fetch_share(call.main, call.main_format, main_share(call), call.k, ring, policy);
    fetch_share(call.kept, MatrixFormat::bf16, kept_share(call), call.k, ring, policy);
  }
}

// ---- products ------------------------------------------------------------------------------------------------------

/// Sum over two units of W times x, for row lane / 4 of the tile: of the first unit in lanes t = 0, of the second in
/// lanes t = 1. W is the 16 x 16 operand, with the row of the second unit below that of the first; the columns of the
/// other operand are (unit, part of x), so half of the results mean nothing.
/// `x`: this lane's part of x at the first unit plus 16 t bytes; lanes beyond the four parts read nothing.
template <MatrixFormat F>
__device__ __forceinline__ float pair_sum(const std::byte* first, const std::byte* second, const std::byte* x,
                                          int lane) {
  const int g = lane / 4, t = lane % 4;
  uint4 xs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    xs[i] = make_uint4(0, 0, 0, 0);
    if (g < 4) xs[i] = *reinterpret_cast<const uint4*>(x + i * 64);
  }
  const auto mine = [&](const float(&d)[4]) { return t == 1 ? d[2] + d[3] : d[0] + d[1]; };
  if constexpr (F == MatrixFormat::bf16) {
    const int offset = g * 64 + ((t ^ (g >> 1 & 3)) << 4);
    float even[4] = {}, odd[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint4 u = *reinterpret_cast<const uint4*>(first + offset + i * 512);
      const uint4 v = *reinterpret_cast<const uint4*>(second + offset + i * 512);
      mma_bf16(even, u.x, v.x, u.y, v.y, xs[i].x, xs[i].y);
      mma_bf16(odd, u.z, v.z, u.w, v.w, xs[i].z, xs[i].w);
    }
    return mine(even) + mine(odd);
  } else if constexpr (F == MatrixFormat::int8) {
    float even[4] = {}, odd[4] = {};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint4 u = *reinterpret_cast<const uint4*>(first + i * 512 + lane * 16);
      const uint4 v = *reinterpret_cast<const uint4*>(second + i * 512 + lane * 16);
      std::uint32_t p[4], q[4];
      int8_codes(u.x, p[0], p[1]), int8_codes(u.y, p[2], p[3]);
      int8_codes(v.x, q[0], q[1]), int8_codes(v.y, q[2], q[3]);
      mma_bf16(even, p[0], q[0], p[1], q[1], xs[2 * i].x, xs[2 * i].y);
      mma_bf16(odd, p[2], q[2], p[3], q[3], xs[2 * i].z, xs[2 * i].w);
      int8_codes(u.z, p[0], p[1]), int8_codes(u.w, p[2], p[3]);
      int8_codes(v.z, q[0], q[1]), int8_codes(v.w, q[2], q[3]);
      mma_bf16(even, p[0], q[0], p[1], q[1], xs[2 * i + 1].x, xs[2 * i + 1].y);
      mma_bf16(odd, p[2], q[2], p[3], q[3], xs[2 * i + 1].z, xs[2 * i + 1].w);
    }
    const __half scale = reinterpret_cast<const __half*>((t == 1 ? second : first) + 1024)[g];
    return __half2float(scale) * (mine(even) + mine(odd));
  } else {
    const uint4 u = *reinterpret_cast<const uint4*>(first + lane * 16);
    const uint4 v = *reinterpret_cast<const uint4*>(second + lane * 16);
    const std::uint32_t us[4] = {u.x, u.y, u.z, u.w}, vs[4] = {v.x, v.y, v.z, v.w};
    const __half* scales = reinterpret_cast<const __half*>((t == 1 ? second : first) + 512) + g;
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      std::uint32_t p[4], q[4];
      int4_codes(us[i], p), int4_codes(vs[i], q);
      float group[4] = {};
      mma_bf16(group, p[0], q[0], p[1], q[1], xs[i].x, xs[i].y);
      mma_bf16(group, p[2], q[2], p[3], q[3], xs[i].z, xs[i].w);
      sum += __half2float(scales[i * tile_rows]) * mine(group);
    }
    return sum;
  }
}

/// Writes x as two bf16 parts, multiplied by the norm weights, and each warp's share of the sum of squares.
__device__ void load_x(const MatvecArguments& a, std::byte* x_rows, Shared& shared, const ResidentTeam& team) {
  constexpr int batch = 6;  // loads in flight per thread: enough for 9216 columns at once
  const int n_quads = padded(a.k, unit_columns) / 4, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int norm_quads = a.prologue == Prologue::head_rms ? a.head_dim / 4 : a.k / 4;
  const auto norm_of = [&](int index) {
    return a.prologue != Prologue::plain && index * 4 < a.k
               ? __ldg(reinterpret_cast<const float4*>(a.norm) + index % norm_quads)
               : make_float4(1, 1, 1, 1);
  };
  float4 w[batch];
#pragma unroll
  for (int i = 0; i < batch; ++i) w[i] = norm_of(i * n_consumers + static_cast<int>(threadIdx.x));
  team.wait_for_inputs();
  float squares = 0;
  for (int base = 0; base < n_quads; base += batch * n_consumers) {
    float4 v[batch];
#pragma unroll
    for (int i = 0; i < batch; ++i) {
      const int index = base + i * n_consumers + static_cast<int>(threadIdx.x);
      v[i] = index * 4 < a.k ? __ldcg(reinterpret_cast<const float4*>(a.x) + index) : make_float4(0, 0, 0, 0);
      if (base > 0) w[i] = norm_of(index);
    }
#pragma unroll
    for (int i = 0; i < batch; ++i) {
      const int index = base + i * n_consumers + static_cast<int>(threadIdx.x);
      if (base + i * n_consumers >= n_quads) break;  // uniform over the consumers
      const float mine = v[i].x * v[i].x + v[i].y * v[i].y + v[i].z * v[i].z + v[i].w * v[i].w;
      squares += mine;
      float r = 1;
      if (a.prologue == Prologue::head_rms) {
        // head_dim / 4 lanes, a power of two, hold one head
        float sum = mine;
        for (int offset = 1; offset < a.head_dim / 4; offset <<= 1) sum += __shfl_xor_sync(full_warp, sum, offset);
        r = rsqrtf(sum / static_cast<float>(a.head_dim) + a.eps);
      }
      v[i] = make_float4(v[i].x * r * w[i].x, v[i].y * r * w[i].y, v[i].z * r * w[i].z, v[i].w * r * w[i].w);
      if (index < n_quads) store_parts(x_rows, x_row_bytes(a.k), 0, index, v[i]);
    }
  }
  squares = warp_sum(squares);
  if (lane == 0) shared.squares[warp] = squares;
}

/// Sums the warps' partial results of `n` tiles in a fixed order and writes them as the epilogue says.
__device__ void flush(const MatvecArguments& a, const Share& share, int first_output, int first_tile, int n,
                      const Shared& shared, const Partials& partials) {
  sync_consumers();
  float scale = 1;
  if (a.prologue == Prologue::rms) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < n_consumer_warps; ++w) sum += shared.squares[w];
    scale = rsqrtf(sum / static_cast<float>(a.k) + a.eps);
  }
  const int group = share.group, n_results = n / group * tile_rows;
  for (int i = threadIdx.x; i < n_results; i += n_consumers) {
    const int r = i % tile_rows, local = i / tile_rows * group;
    const int out = first_output + share.tile(first_tile + local) / group * tile_rows + r;
    const float before = a.epilogue == Epilogue::add && out < a.n_valid ? __ldcg(a.y + out) : 0.0f;
    float sum = 0, second = 0;
#pragma unroll
    for (int w = 0; w < n_consumer_warps; ++w) {
      sum += partials[local][w][r];
      if (group == 2) second += partials[local + 1][w][r];
    }
    sum *= scale;
    switch (a.epilogue) {
      case Epilogue::store: a.y[out] = sum; break;
      case Epilogue::add:
        if (out < a.n_valid) a.y[out] = before + sum;
        break;
      case Epilogue::gated: a.y[out] = silu(sum) * (second * scale); break;
      case Epilogue::relu2: a.y[out] = fmaxf(sum, 0.0f) * fmaxf(sum, 0.0f); break;
      case Epilogue::logits:
        if (out < a.n_valid) a.slices[0].logits[out] = a.head_scale ? sum * a.head_scale[out] : sum;
        break;
    }
  }
}

/// The block's tiles of one matrix. Warp: every twelfth pair of units of each tile.
template <MatrixFormat F>
__device__ void multiply(const MatvecArguments& a, const Share& share, int first_output, Ring& ring,
                         const std::byte* x_rows, const Shared& shared, Partials& partials) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int units = n_units(a.k), step = chunk_units(F, ring.slot_bytes), n_tiles = share.count();
  // lanes of column g feed unit g / 2 of a pair, part g % 2
  const std::byte* x = x_rows + g % 2 * x_row_bytes(a.k) + g / 2 % 2 * (unit_columns * 2) + t * 16;
  for (int done = 0; done < n_tiles; done += tiles_per_flush) {
    const int n = min(tiles_per_flush, n_tiles - done);
    for (int i = 0; i < n; ++i) {
      float sum = 0;
      for (int base = 0; base < units; base += step) {
        const int n_here = min(step, units - base);
        const std::byte* chunk = ring.memory + ring.slot * ring.slot_bytes;
        barrier_wait(ring.full + ring.slot * 8, ring.parity);
        for (int unit = 2 * warp; unit < n_here; unit += 2 * n_consumer_warps) {
          const bool has_second = unit + 1 < n_here;
          const std::byte* first = chunk + unit * unit_bytes(F);
          const float value = pair_sum<F>(first, has_second ? first + unit_bytes(F) : first,
                                          x + (base + unit) * (unit_columns * 2), lane);
          if (t == 0 || has_second) sum += value;
        }
        __syncwarp();
        if (lane == 0) barrier_arrive(ring.empty + ring.slot * 8);
        ring.advance();
      }
      sum += __shfl_xor_sync(full_warp, sum, 1);
      if (t == 0) partials[i][warp][g] = sum;
    }
    flush(a, share, first_output, done, n, shared, partials);
    if (done + tiles_per_flush < n_tiles) sync_consumers();
  }
}

__device__ void run_matvec(const MatvecArguments& a, Ring& ring, std::byte* work, Shared& shared,
                           const ResidentTeam& team) {
  Partials& partials = *reinterpret_cast<Partials*>(work);
  std::byte* x_rows = work + sizeof(Partials);
  load_x(a, x_rows, shared, team);
  sync_consumers();
  const Share main = main_share(a), kept = kept_share(a);
  switch (a.main_format) {
    case MatrixFormat::bf16: multiply<MatrixFormat::bf16>(a, main, 0, ring, x_rows, shared, partials); break;
    case MatrixFormat::int8: multiply<MatrixFormat::int8>(a, main, 0, ring, x_rows, shared, partials); break;
    default: multiply<MatrixFormat::int4>(a, main, 0, ring, x_rows, shared, partials); break;
  }
  if (kept.count() == 0) return;
  sync_consumers();
  multiply<MatrixFormat::bf16>(a, kept, a.main_tiles * tile_rows, ring, x_rows, shared, partials);
}

// ---- the kernel ----------------------------------------------------------------------------------------------------

__device__ void run_stage(const StageRecord& record, std::byte* work, const ResidentTeam& team) {
  TeamShared& shared = reinterpret_cast<TeamShared*>(work)[team.index];
  const int n_blocks = record.n_x * record.n_y, stride = n_teams * static_cast<int>(gridDim.x);
  for (int i = team.index * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x); i < n_blocks; i += stride) {
    const Place at{i % record.n_x, i / record.n_x, 0};
    switch (record.kind) {
      case StageKind::embed: embed_block(record.as<EmbedCall>(), at, team); break;
      case StageKind::deltanet:
        deltanet_scan_block<32, true>(record.as<DeltaNetCall>(), at, shared.deltanet, team);
        break;
      case StageKind::mamba2: mamba2_scan_block<4, true>(record.as<Mamba2Call>(), at, shared.mamba2, team); break;
      case StageKind::attention:
        attend_split_block<4, __nv_bfloat16, true>(record.as<SplitArguments>(), at, shared.attention, team);
        break;
      default: choose_greedy_block(record.as<GreedyCall>(), at, shared.greedy, team); break;
    }
    team.sync();  // the next block writes what slower threads may still read
  }
}

/// Works through a.n_total stages. Grid: one block per multiprocessor, all at once (cooperative launch). Warps 0 to 11
/// compute, as one for products and as three teams otherwise; the last warp's first lane fetches weights.
/// Shared memory: Shared, work_bytes for the stage, the ring.
__global__ void __launch_bounds__(n_threads, 1) resident_kernel(const __grid_constant__ ResidentArguments a) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) std::byte memory[];
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  std::byte* work = memory + padded(sizeof(Shared), 128);
  Ring ring{work + a.work_bytes, shared_address(shared.full), shared_address(shared.empty), a.slot_bytes, a.n_slots};
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  constexpr int record_words = sizeof(StageRecord) / 16;
  if (threadIdx.x == 0) {
    for (int i = 0; i < a.n_slots; ++i) {
      barrier_init(ring.full + i * 8, 1);
      barrier_init(ring.empty + i * 8, n_consumer_warps);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  }
  if (threadIdx.x < record_words) {
    const StageRecord& first = a.stages ? a.stages[0] : a.single;
    reinterpret_cast<uint4*>(shared.records)[threadIdx.x] = reinterpret_cast<const uint4*>(&first)[threadIdx.x];
  }
  __syncthreads();
  if (warp == n_consumer_warps) {
    if (lane == 0) fetch_weights(a, ring);
    return;
  }
  for (int i = 0; i < a.n_total; ++i) {
    const StageRecord& record = shared.records[i % 2];
    if (warp == n_consumer_warps - 1 && lane < record_words && i + 1 < a.n_total) {
      cp_async_16(shared_address(&shared.records[(i + 1) % 2]) + lane * 16,
                  reinterpret_cast<const uint4*>(a.stages + (i + 1) % a.n_stages) + lane);
      cp_async_commit();
    }
    const ResidentTeam team{static_cast<int>(threadIdx.x) / team_threads, a.arrivals,
                            a.first_arrival + static_cast<unsigned>(i) * gridDim.x};
    if (record.kind == StageKind::matvec) {
      run_matvec(record.as<MatvecArguments>(), ring, work, shared, team);
    } else {
      run_stage(record, work, team);
    }
    cp_async_wait<0>();
    sync_consumers();
    if (threadIdx.x == 0) arrive(a.arrivals);
  }
#endif
}

int slot_bytes_for(WeightFormat format) {
  constexpr int n_units_of_all_warps = 2 * n_consumer_warps;
  switch (format) {
    case WeightFormat::bf16: return n_units_of_all_warps * unit_bytes(MatrixFormat::bf16);
    case WeightFormat::int4: return n_units_of_all_warps * unit_bytes(MatrixFormat::int4);
    default: return n_units_of_all_warps * unit_bytes(MatrixFormat::int8);
  }
}

int work_bytes_for(const Config& c) {
  const int k = std::max({c.hidden, c.ffn_dim, c.mamba_inner, c.n_heads * c.v_dim});
  const int product = static_cast<int>(sizeof(Partials)) + 2 * x_row_bytes(k);
  return padded(std::max(product, n_teams * static_cast<int>(sizeof(TeamShared))), 128);
}

}  // namespace

bool Resident::serves(const Config& c, const DeviceFacts& device, bool f32) {
  const bool has_heads = c.n_kv_heads > 0;
  const int fixed = padded(sizeof(Shared), 128) + work_bytes_for(c);
  return device.compute_major >= 9 && !f32 && c.delta_dim <= 128 &&
         (c.delta_dim == 0 || head_norm_fits_product(c.delta_dim)) && c.mamba_state <= 128 &&
         (!has_heads || (c.qk_dim <= 128 && c.v_dim <= 128 && c.qk_dim % 4 == 0 && c.v_dim % 4 == 0)) &&
         fixed + 3 * slot_bytes_for(WeightFormat::bf16) <= device.shared_bytes_per_block;
}

Resident::Resident(const Config& config, const DeviceFacts& device, WeightFormat format, cudaStream_t stream)
    : device_(device),
      stream_(stream),
      work_bytes_(work_bytes_for(config)),
      slot_bytes_(slot_bytes_for(format)),
      n_slots_(std::min(max_slots,
                        (device.shared_bytes_per_block - padded(sizeof(Shared), 128) - work_bytes_) / slot_bytes_)),
      arrivals_(DeviceBuffer<unsigned>::zeros(1)) {
  allow_shared_bytes(resident_kernel, device.shared_bytes_per_block);
}

template <class T>
void Resident::take_as(StageKind kind, int n_x, int n_y, const T& arguments) {
  static_assert(std::is_trivially_copyable_v<T>);
  StageRecord record{};
  record.kind = kind;
  record.n_x = n_x;
  record.n_y = n_y;
  std::memcpy(const_cast<T*>(&record.as<T>()), &arguments, sizeof(T));
  if (listing_) {
    list_.push_back(record);
  } else {
    launch_records(nullptr, record, 1, 1);
  }
}

void Resident::take(const EmbedCall& call) {
  take_as(StageKind::embed, (call.table.k + team_threads - 1) / team_threads, 1, call);
}
void Resident::take(const DeltaNetCall& call) {
  take_as(StageKind::deltanet, call.n_heads, (call.dim + 31) / 32, call);
}
void Resident::take(const Mamba2Call& call) {
  take_as(StageKind::mamba2, call.n_heads, (call.head_dim + mamba_block_rows - 1) / mamba_block_rows, call);
}
void Resident::take(const SplitArguments& call) { take_as(StageKind::attention, call.n_groups, call.n_splits, call); }
void Resident::take(const GreedyCall& call) { take_as(StageKind::greedy, greedy_blocks, 1, call); }
void Resident::take(const MatvecArguments& call) { take_as(StageKind::matvec, 0, 0, call); }

void Resident::begin_list() {
  list_.clear();
  listing_ = true;
}

Program Resident::end_list() {
  listing_ = false;
  return {DeviceBuffer<StageRecord>::copy_of(list_), static_cast<int>(list_.size())};
}

void Resident::run(const Program& program, int n_steps) {
  launch_records(program.records.data(), StageRecord{}, program.n_stages, n_steps * program.n_stages);
}

void Resident::launch_records(const StageRecord* records, const StageRecord& single, int n_stages, int n_total) {
  ResidentArguments a{records,     single,      n_stages,    n_total, arrivals_.data(),
                      n_arrivals_, work_bytes_, slot_bytes_, n_slots_};
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(device_.n_multiprocessors));
  config.blockDim = dim3(n_threads);
  config.dynamicSmemBytes =
      static_cast<std::size_t>(padded(sizeof(Shared), 128) + work_bytes_ + n_slots_ * slot_bytes_);
  config.stream = stream_;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  config.attrs = &attribute;
  config.numAttrs = 1;
  CUDA_CHECK(cudaLaunchKernelEx(&config, resident_kernel, a));
  n_arrivals_ += static_cast<unsigned>(n_total) * config.gridDim.x;
}

}  // namespace nf::cuda
