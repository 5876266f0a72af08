#include <algorithm>

#include "attend_one.cuh"
#include "deltanet_scan.cuh"
#include "embed_row.cuh"
#include "greedy_choice.cuh"
#include "mamba2_scan.cuh"
#include "matvec.cuh"
#include "resident.h"
#include "tile_sum.cuh"

namespace nf::cuda {
namespace {

constexpr int n_teams = resident_teams;
constexpr int n_consumers = n_teams * team_threads, n_consumer_warps = n_consumers / 32;
constexpr int n_threads = n_consumers + 64;  // two more warps: one fetches weights, one watches the grid's barrier
constexpr int max_slots = 16;
constexpr int tiles_per_flush = 32;
constexpr int in_flight_bytes = 48 << 10;  // of weights per block: see the lab log

struct Shared {
  StageRecord records[2];             // of this stage and the next
  alignas(16) DeviceSlice slices[2];  // the same; a step has a single one
  float squares[n_consumer_warps];
  std::uint64_t full[max_slots], empty[max_slots], ready;
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
  const DeviceSlice* slice;  // null: no stage asks for it
  int n_stages, n_total;
  unsigned* arrivals;
  unsigned first_arrival;
  int work_bytes, slot_bytes, n_slots;
  int n_in_flight;  // chunks asked for and not yet here
};

/// Units of columns that travel together: one or two for every warp, where the slot is large enough.
__host__ __device__ constexpr int chunk_units(MatrixFormat format, int slot_bytes) {
  const int n = slot_bytes / unit_bytes(format);
  return n >= 2 * n_consumer_warps ? 2 * n_consumer_warps : n >= n_consumer_warps ? n_consumer_warps : n;
}

// ---- the barrier across the grid -----------------------------------------------------------------------------------

__device__ __forceinline__ void await_arrivals(const unsigned* arrivals, unsigned target) {
  unsigned seen;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(arrivals) : "memory");
  } while (static_cast<int>(seen - target) < 0);
}

/// After sync_consumers(): everything that the block's consumers wrote becomes visible with the arrival.
[[maybe_unused]] __device__ __forceinline__ void arrive(unsigned* arrivals) {
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
  const DeviceSlice* step_slice;
  std::uint32_t ready;  // barrier whose phase ends when all blocks have finished the stage before
  std::uint32_t parity;

  __device__ int thread() const { return static_cast<int>(threadIdx.x) % team_threads; }
  __device__ void sync() const { sync_named<team_threads>(2 + index); }
  __device__ DeviceSlice slice(const Rows&, int) const { return *step_slice; }
  __device__ void wait_for_inputs() const { barrier_wait(ready, parity); }
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

/// Tiles are dealt out in turn; rows kept apart from the other end, to the blocks that have a tile less.
__device__ __forceinline__ Share main_share(const MatvecArguments& a) {
  const int group = a.epilogue == Epilogue::gated ? 2 : 1;
  return {static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x), group, a.main_tiles};
}
__device__ __forceinline__ Share kept_share(const MatvecArguments& a) {
  return {static_cast<int>(gridDim.x - 1 - blockIdx.x), static_cast<int>(gridDim.x), 1, a.kept_tiles};
}

/// What the fetching thread knows: where the next chunk goes, and the oldest one that may still be on its way.
struct Fetching {
  Ring next, oldest;
  int n_asked = 0, n_in_flight;
  std::uint64_t policy;
};

__device__ void fetch_share(const std::byte* data, MatrixFormat format, const Share& share, int k, Fetching& f) {
  Ring& ring = f.next;
  const int units = n_units(k), bytes_per_unit = unit_bytes(format), step = chunk_units(format, ring.slot_bytes);
  const int n_tiles = share.count();
  for (int i = 0; i < n_tiles; ++i) {
    const std::byte* tile = data + std::int64_t{share.tile(i)} * units * bytes_per_unit;
    for (int unit = 0; unit < units; unit += step) {
      const int n_bytes = min(step, units - unit) * bytes_per_unit;
      barrier_wait(ring.empty + ring.slot * 8, ring.parity ^ 1);
      // More requests than the memory needs to be busy only delay everybody's dependent loads.
      if (++f.n_asked > f.n_in_flight) {
        barrier_wait(f.oldest.full + f.oldest.slot * 8, f.oldest.parity);
        f.oldest.advance();
      }
      barrier_expect(ring.full + ring.slot * 8, n_bytes);
      bulk_copy(shared_address(ring.memory + ring.slot * ring.slot_bytes), tile + unit * bytes_per_unit, n_bytes,
                ring.full + ring.slot * 8, f.policy);
      ring.advance();
    }
  }
}

/// The fetching thread: runs ahead of the consumers by as much as the ring holds, across stages and steps.
[[maybe_unused]] __device__ void fetch_weights(const ResidentArguments& a, const Ring& ring) {
  Fetching f{ring, ring, 0, a.n_in_flight, read_once_policy()};
  for (int i = 0; i < a.n_total; ++i) {
    const StageRecord& record = a.stages ? a.stages[i % a.n_stages] : a.single;
    if (record.kind != StageKind::matvec) continue;
    const MatvecArguments call = record.as<MatvecArguments>();
    fetch_share(call.main, call.main_format, main_share(call), call.k, f);
    fetch_share(call.kept, MatrixFormat::bf16, kept_share(call), call.k, f);
  }
}

/// The watching thread: tells the consumers when a stage's inputs are there.
[[maybe_unused]] __device__ void watch_arrivals(const ResidentArguments& a, std::uint32_t ready) {
  for (int i = 0; i < a.n_total; ++i) {
    await_arrivals(a.arrivals, a.first_arrival + static_cast<unsigned>(i) * gridDim.x);
    barrier_arrive(ready);
  }
}

// ---- products ------------------------------------------------------------------------------------------------------

/// The tiles that are flushed together, and the one result that each thread writes of them.
struct Batch {
  int first, n;  // of the block's tiles
  int local, out;
  bool valid;
};

__device__ __forceinline__ Batch batch_at(const MatvecArguments& a, const Share& share, int first_output, int first) {
  static_assert(tiles_per_flush * tile_rows <= n_consumers);
  Batch b;
  b.first = first;
  b.n = min(tiles_per_flush, share.count() - first);
  const int i = static_cast<int>(threadIdx.x);
  b.local = i / tile_rows * share.group;
  b.valid = b.local < b.n;
  b.out = first_output + share.tile(first + b.local) / share.group * tile_rows + i % tile_rows;
  const bool is_limited = a.epilogue == Epilogue::add || a.epilogue == Epilogue::logits;
  b.valid = b.valid && (!is_limited || b.out < a.n_valid);
  return b;
}

/// What the epilogue needs besides the sums: asked for before the products, so that it is here after them.
__device__ __forceinline__ float epilogue_operand(const MatvecArguments& a, const Batch& b) {
  if (!b.valid) return 0;
  if (a.epilogue == Epilogue::add) return __ldcg(a.y + b.out);
  if (a.epilogue == Epilogue::logits && a.head_scale) return __ldg(a.head_scale + b.out);
  return 1;
}

/// x in shared memory, in the forms that a block's products need; null where none does.
struct XRows {
  std::byte *digits, *parts;

  __device__ XRows(const MatvecArguments& a, bool has_kept, std::byte* memory) {
    const bool is_integer = a.main_format != MatrixFormat::bf16;
    digits = is_integer ? memory : nullptr;
    parts = !is_integer ? memory : has_kept ? memory + digits_bytes(a.k) : nullptr;
  }
};

/// Waits for x and writes it, multiplied by the norm weights, and each warp's share of the sum of squares. Returns the
/// epilogue's operand for the first tiles.
__device__ float load_x(const MatvecArguments& a, const Batch& first, const XRows& rows, Shared& shared,
                        const ResidentTeam& team) {
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
  const float operand = epilogue_operand(a, first);
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
      if (index >= n_quads) continue;  // uniform over the warp
      if (rows.digits) store_digits(rows.digits, a.k, index, v[i], a.main_format == MatrixFormat::int4);
      if (rows.parts) store_parts_as_operand(rows.parts, x_row_bytes(a.k), index, v[i]);
    }
  }
  if (rows.digits && threadIdx.x < 4) {
    reinterpret_cast<float*>(rows.digits + digits_bytes(a.k))[static_cast<int>(threadIdx.x) - 4] = 0;
  }
  squares = warp_sum(squares);
  if (lane == 0) shared.squares[warp] = squares;
  return operand;
}

/// Sums the warps' partial results in a fixed order and writes them as the epilogue says.
__device__ __forceinline__ void flush(const MatvecArguments& a, const Share& share, const Batch& b, float operand,
                                      const Shared& shared, const Partials& partials) {
  sync_consumers();
  if (!b.valid) return;
  float scale = 1;
  if (a.prologue == Prologue::rms) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < n_consumer_warps; ++w) sum += shared.squares[w];
    scale = rsqrtf(sum / static_cast<float>(a.k) + a.eps);
  }
  const int r = static_cast<int>(threadIdx.x) % tile_rows;
  float sum = 0, second = 0;
#pragma unroll
  for (int w = 0; w < n_consumer_warps; ++w) {
    sum += partials[b.local][w][r];
    if (share.group == 2) second += partials[b.local + 1][w][r];
  }
  sum *= scale;
  switch (a.epilogue) {
    case Epilogue::store: a.y[b.out] = sum; break;
    case Epilogue::add: a.y[b.out] = operand + sum; break;
    case Epilogue::gated: a.y[b.out] = silu(sum) * (second * scale); break;
    case Epilogue::relu2: a.y[b.out] = fmaxf(sum, 0.0f) * fmaxf(sum, 0.0f); break;
    case Epilogue::logits: a.slices[0].logits[b.out] = sum * operand; break;
  }
}

/// The block's tiles of one matrix. Warp: every twelfth unit of each chunk. `operand`: the epilogue's, of the first
/// tiles.
template <MatrixFormat F>
__device__ void multiply(const MatvecArguments& a, const Share& share, int first_output, float operand, Ring& ring,
                         const std::byte* x_rows, Shared& shared, Partials& partials) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int units = n_units(a.k), step = chunk_units(F, ring.slot_bytes), n_tiles = share.count();
  const XShare<F> x(x_rows, a.k, lane);
  for (int done = 0; done < n_tiles; done += tiles_per_flush) {
    const Batch batch = batch_at(a, share, first_output, done);
    if (done > 0) operand = epilogue_operand(a, batch);
    for (int i = 0; i < batch.n; ++i) {
      TileSum<F> sum;
      for (int base = 0; base < units; base += step, ring.advance()) {
        const int n_here = min(step, units - base);
        const std::byte* chunk = ring.memory + ring.slot * ring.slot_bytes;
        barrier_wait(ring.full + ring.slot * 8, ring.parity);
#pragma unroll 2
        for (int unit = warp; unit < n_here; unit += n_consumer_warps) {
          sum.add(chunk + unit * unit_bytes(F), x, base + unit, lane);
        }
        __syncwarp();
        if (lane == 0) barrier_arrive(ring.empty + ring.slot * 8);
      }
      const float total = sum.total();
      if (lane % 4 == 0) partials[i][warp][lane / 4] = total;
    }
    flush(a, share, batch, operand, shared, partials);
    if (done + tiles_per_flush < n_tiles) sync_consumers();
  }
}

[[maybe_unused]] __device__ void run_matvec(const MatvecArguments& a, Ring& ring, std::byte* work, Shared& shared,
                                            const ResidentTeam& team) {
  Partials& partials = *reinterpret_cast<Partials*>(work);
  const Share main = main_share(a), kept = kept_share(a);
  const XRows x(a, kept.count() > 0, work + sizeof(Partials));
  const float operand = load_x(a, batch_at(a, main, 0, 0), x, shared, team);
  sync_consumers();
  switch (a.main_format) {
    case MatrixFormat::bf16: multiply<MatrixFormat::bf16>(a, main, 0, operand, ring, x.parts, shared, partials); break;
    case MatrixFormat::int8: multiply<MatrixFormat::int8>(a, main, 0, operand, ring, x.digits, shared, partials); break;
    default: multiply<MatrixFormat::int4>(a, main, 0, operand, ring, x.digits, shared, partials); break;
  }
  if (kept.count() == 0) return;
  sync_consumers();
  const int first_kept = a.main_tiles * tile_rows;
  const float kept_operand = epilogue_operand(a, batch_at(a, kept, first_kept, 0));
  multiply<MatrixFormat::bf16>(a, kept, first_kept, kept_operand, ring, x.parts, shared, partials);
}

// ---- the kernel ----------------------------------------------------------------------------------------------------

[[maybe_unused]] __device__ void run_stage(const StageRecord& record, std::byte* work, const ResidentTeam& team) {
  TeamShared& shared = reinterpret_cast<TeamShared*>(work)[team.index];
  const int n_blocks = record.n_x * record.n_y, stride = n_teams * static_cast<int>(gridDim.x);
  for (int i = team.index * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x); i < n_blocks; i += stride) {
    const Place at{i % record.n_x, i / record.n_x, 0};
    switch (record.kind) {
      // Copies of the arguments: of what lies in shared memory the compiler must think that any store changes it.
      case StageKind::embed: embed_block(EmbedCall(record.as<EmbedCall>()), at, team); break;
      case StageKind::deltanet:
        deltanet_scan_block<32, true>(DeltaNetCall(record.as<DeltaNetCall>()), at, shared.deltanet, team);
        break;
      case StageKind::mamba2:
        mamba2_scan_block<4, true>(Mamba2Call(record.as<Mamba2Call>()), at, shared.mamba2, team);
        break;
      case StageKind::attention:
        attend_one_block(SplitArguments(record.as<SplitArguments>()), at, shared.attention, team);
        break;
      default: choose_greedy_block(GreedyCall(record.as<GreedyCall>()), at, shared.greedy, team); break;
    }
    team.sync();  // the next block writes what slower threads may still read
  }
}

/// Works through a.n_total stages. Grid: one block per multiprocessor, all at once (cooperative launch). Warps 0 to 11
/// compute, as one for products and as three teams otherwise; one lane each of the last two fetches weights and watches
/// the barrier. Shared memory: Shared, work_bytes for the stage, the ring.
__global__ void __launch_bounds__(n_threads, 1) resident_kernel(const __grid_constant__ ResidentArguments a) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) std::byte memory[];
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  std::byte* work = memory + padded(sizeof(Shared), 128);
  Ring ring{work + a.work_bytes, shared_address(shared.full), shared_address(shared.empty), a.slot_bytes, a.n_slots};
  const std::uint32_t ready = shared_address(&shared.ready);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  constexpr int record_words = sizeof(StageRecord) / 16, slice_words = sizeof(DeviceSlice) / 16;
  static_assert(sizeof(DeviceSlice) % 16 == 0);
  if (threadIdx.x == 0) {
    barrier_init(ready, 1);
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
  if (threadIdx.x == 0 && a.slice) shared.slices[0] = *a.slice;
  __syncthreads();
  if (warp >= n_consumer_warps) {
    if (lane == 0 && warp == n_consumer_warps) fetch_weights(a, ring);
    if (lane == 0 && warp > n_consumer_warps) watch_arrivals(a, ready);
    return;
  }
  for (int i = 0; i < a.n_total; ++i) {
    const StageRecord& record = shared.records[i % 2];
    if (warp == n_consumer_warps - 1 && lane < record_words && i + 1 < a.n_total) {
      cp_async_16(shared_address(&shared.records[(i + 1) % 2]) + lane * 16,
                  reinterpret_cast<const uint4*>(a.stages + (i + 1) % a.n_stages) + lane);
      // The slice changes in the last stage of a step only, and no stage reads it before the third, whose copy is made
      // when that is complete.
      if (a.slice && lane < slice_words) {
        cp_async_16(shared_address(&shared.slices[(i + 1) % 2]) + lane * 16,
                    reinterpret_cast<const uint4*>(a.slice) + lane);
      }
      cp_async_commit();
    }
    const ResidentTeam team{static_cast<int>(threadIdx.x) / team_threads, &shared.slices[i % 2], ready,
                            static_cast<std::uint32_t>(i) & 1};
    const StageKind kind = record.kind;
    (void)kind;
    if (kind == StageKind::matvec) {
      run_matvec(MatvecArguments(record.as<MatvecArguments>()), ring, work, shared, team);
    } else {
      run_stage(record, work, team);
    }
    // Also a block without work waits: arriving ahead, it would stand in for one that is still in the stage before.
    team.wait_for_inputs();
    cp_async_wait<0>();
    sync_consumers();
    if (threadIdx.x == 0) arrive(a.arrivals);
  }
#endif
}

int slot_bytes_for(WeightFormat format) {
  switch (format) {
    case WeightFormat::bf16: return n_consumer_warps * unit_bytes(MatrixFormat::bf16);
    case WeightFormat::int4: return 2 * n_consumer_warps * unit_bytes(MatrixFormat::int4);
    default: return 2 * n_consumer_warps * unit_bytes(MatrixFormat::int8);
  }
}

int work_bytes_for(const Config& c) {
  const int k = std::max({c.hidden, c.ffn_dim, c.mamba_inner, c.n_heads * c.v_dim});
  const int x = std::max({parts_bytes(k), digits_bytes(k), digits_bytes(c.hidden) + parts_bytes(c.hidden)});
  const int product = static_cast<int>(sizeof(Partials)) + x;
  return padded(std::max(product, n_teams * static_cast<int>(sizeof(TeamShared))), 128);
}

}  // namespace

bool Resident::serves(const Config& c, const DeviceFacts& device, bool f32) {
  const bool has_heads = c.n_kv_heads > 0;
  const int fixed = padded(sizeof(Shared), 128) + work_bytes_for(c);
  return device.compute_major >= 9 && !f32 && c.delta_dim <= 128 &&
         (c.delta_dim == 0 || head_norm_fits_product(c.delta_dim)) && c.mamba_state <= 128 &&
         (!has_heads || (c.qk_dim <= 128 && c.v_dim <= 128 && c.qk_dim % 8 == 0 && c.v_dim % 8 == 0)) &&
         fixed + 3 * slot_bytes_for(WeightFormat::bf16) <= device.shared_bytes_per_block;
}

Resident::Resident(const Config& config, const DeviceFacts& device, WeightFormat format, cudaStream_t stream)
    : device_(device),
      stream_(stream),
      work_bytes_(work_bytes_for(config)),
      slot_bytes_(slot_bytes_for(format)),
      n_slots_(std::min(max_slots,
                        (device.shared_bytes_per_block - padded(sizeof(Shared), 128) - work_bytes_) / slot_bytes_)),
      n_in_flight_(std::clamp(in_flight_bytes / slot_bytes_, 1, n_slots_)),
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
  slice_ = call.rows.slices;
  take_as(StageKind::deltanet, call.n_heads, (call.dim + 31) / 32, call);
}
void Resident::take(const Mamba2Call& call) {
  slice_ = call.rows.slices;
  take_as(StageKind::mamba2, call.n_heads, (call.head_dim + mamba_block_rows - 1) / mamba_block_rows, call);
}
void Resident::take(const SplitArguments& call) {
  slice_ = call.call.rows.slices;
  take_as(StageKind::attention, call.n_groups, call.n_splits, call);
}
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
  const ResidentArguments a{records,     single,      slice_,      n_stages, n_total,     arrivals_.data(),
                            n_arrivals_, work_bytes_, slot_bytes_, n_slots_, n_in_flight_};
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
