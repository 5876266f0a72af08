#include <algorithm>

#include "attend_one.cuh"
#include "deltanet_scan.cuh"
#include "embed_row.cuh"
#include "greedy_choice.cuh"
#include "mamba2_scan.cuh"
#include "resident.h"
#include "resident_product.cuh"

namespace nf::cuda {
namespace {

constexpr int in_flight_bytes = 48 << 10;  // of weights per block: see the lab log

struct Shared {
  StageRecord records[2];             // of this stage and the next
  alignas(16) DeviceSlice slices[2];  // the same; a step has a single one
  alignas(16) float squares[n_consumer_warps];
  std::uint64_t full[max_slots], empty[max_slots], done, ready;
};

/// One team's memory in stages that are not products.
union TeamShared {
  DeltaNetShared deltanet;
  Mamba2Shared mamba2;
  AttendShared<4> attention;
  GreedyShared greedy;
  __device__ TeamShared() {}
};

struct ResidentArguments {
  const StageRecord* stages;  // null: the stage is `single`
  StageRecord single;
  const DeviceSlice* slice;  // null: no stage asks for it
  int n_stages, n_total;
  Word* words;  // twice word_places: what the last stage wrote, and what this one writes, in turns
  int word_places;
  unsigned first_stage;  // number of the first stage, counted since the start
  unsigned* arrivals;
  unsigned first_arrival;
  int n_barriers;  // across the grid
  int work_bytes, slot_bytes, n_slots;
  int n_in_flight;  // chunks asked for and not yet here
};

// ---- the barrier across the grid -----------------------------------------------------------------------------------

__device__ __forceinline__ void await_arrivals(const unsigned* arrivals, unsigned target) {
  unsigned seen;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(arrivals) : "memory");
  } while (static_cast<int>(seen - target) < 0);
}

/// After the block's consumers: everything that they wrote becomes visible with the arrival.
[[maybe_unused]] __device__ __forceinline__ void arrive(unsigned* arrivals) {
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(arrivals) : "memory");
}

/// The watching thread: counts this block in at the ends of stages behind which there is a barrier, and tells the
/// consumers when all blocks are.
[[maybe_unused]] __device__ void watch_arrivals(const ResidentArguments& a, std::uint32_t done, std::uint32_t ready) {
  unsigned target = a.first_arrival;
  for (int i = 0; i < a.n_barriers; ++i) {
    barrier_wait(done, i & 1);
    arrive(a.arrivals);
    await_arrivals(a.arrivals, target += gridDim.x);
    barrier_arrive(ready);
  }
}

// ---- the fetching thread -------------------------------------------------------------------------------------------

/// Of a stage: what is to be fetched for it.
struct Fetch {
  Stack main, kept;
  int units, group_shift;
  const float* norm;
  int norm_bytes;

  __device__ explicit Fetch(const StageRecord& record) {
    const Product& p = record.as<Product>();
    const bool is_product = record.kind == StageKind::matvec;
    main = p.main, kept = p.kept, units = is_product ? p.units : 0, group_shift = p.group_shift;
    norm = p.norm, norm_bytes = p.prologue == Prologue::rms ? p.k * static_cast<int>(sizeof(float)) : 0;
  }
};

/// Runs ahead of the consumers by as much as the ring holds, across stages and steps.
[[maybe_unused]] __device__ void fetch_weights(const ResidentArguments& a, const Ring& ring) {
  Fetching f{ring, ring, 0, a.n_in_flight, read_once_policy()};
  int stage = 0;
  const auto take = [&] {
    const Fetch fetch(a.stages ? a.stages[stage] : a.single);
    if (++stage == a.n_stages) stage = 0;
    return fetch;
  };
  Fetch next = take();
  for (int i = 0; i < a.n_total; ++i) {
    const Fetch now = next;
    next = take();  // its loads run while this one is fetched
    if (now.units == 0) continue;
    // The norm weights of all blocks come from L2, to which one of them has them brought.
    if (now.norm_bytes > 0 && i % static_cast<int>(gridDim.x) == static_cast<int>(blockIdx.x)) {
      prefetch_to_l2(now.norm, now.norm_bytes);
    }
    fetch_stack(now.main, main_block(), now.group_shift, now.units, f);
    fetch_stack(now.kept, kept_block(), 0, now.units, f);
  }
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

constexpr int record_words = sizeof(StageRecord) / 16, slice_words = sizeof(DeviceSlice) / 16;
static_assert(sizeof(DeviceSlice) % 16 == 0);

/// A consumer thread: all stages, one after another.
[[maybe_unused]] __device__ __forceinline__ void consume(const ResidentArguments& a, Ring ring, std::byte* work,
                                                         Shared& shared, std::uint32_t done, std::uint32_t ready) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  ring.slot = ring.ahead = warp / team_warps;
  std::uint32_t parity = 1;  // of the last barrier waited for
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
    const std::uint32_t stage = a.first_stage + static_cast<std::uint32_t>(i);
    const bool waits = i > 0 && record.waits;
    if (waits) parity ^= 1;
    const ResidentTeam team{static_cast<int>(threadIdx.x) / team_threads,
                            &shared.slices[i % 2],
                            a.words + (stage & 1) * a.word_places,
                            stage,
                            waits,
                            ready,
                            parity};
    if (record.kind == StageKind::matvec) {
      run_product(record.as<Product>(), a.words + (~stage & 1) * a.word_places, ring, work, shared.squares, team);
    } else {
      run_stage(record, work, team);
    }
    // Also a block without work waits: arriving ahead, it would stand in for one that is still in the stage before.
    team.wait_for_inputs();
    cp_async_wait<0>();
    sync_consumers();
    if (threadIdx.x == 0 && i + 1 < a.n_total && shared.records[(i + 1) % 2].waits) barrier_arrive(done);
  }
}

/// Works through a.n_total stages. Grid: one block per multiprocessor, all at once (cooperative launch). Warps 0 to 11
/// compute, as one for products and as three teams otherwise; one lane each of the next two fetches weights and watches
/// the barrier. Shared memory: Shared, work_bytes for the stage, the ring.
__global__ void __launch_bounds__(n_resident_threads, 1) resident_kernel(const __grid_constant__ ResidentArguments a) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) std::byte memory[];
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  std::byte* work = memory + padded(sizeof(Shared), 128);
  Ring ring{work + a.work_bytes, shared_address(shared.full), shared_address(shared.empty), a.slot_bytes, a.n_slots, 0};
  const std::uint32_t done = shared_address(&shared.done), ready = shared_address(&shared.ready);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (threadIdx.x == 0) {
    barrier_init(done, 1);
    barrier_init(ready, 1);
    for (int i = 0; i < a.n_slots; ++i) {
      barrier_init(ring.full + i * 8, 1);
      barrier_init(ring.empty + i * 8, team_warps);
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
    give_registers();
    if (lane == 0 && warp == n_consumer_warps) fetch_weights(a, ring);
    if (lane == 0 && warp == n_consumer_warps + 1) watch_arrivals(a, done, ready);
    return;
  }
  take_registers();
  consume(a, ring, work, shared, done, ready);
#endif
}

int slot_bytes_for(WeightFormat format) {
  const auto chunk = [](MatrixFormat f) { return team_warps * warp_units(f) * unit_bytes(f); };
  switch (format) {
    case WeightFormat::bf16: return chunk(MatrixFormat::bf16);
    case WeightFormat::int8: return chunk(MatrixFormat::int8);
    case WeightFormat::int4: return chunk(MatrixFormat::int4);
    default: return std::max(chunk(MatrixFormat::int8), chunk(MatrixFormat::int4));
  }
}

/// Columns of the widest product.
int widest(const Config& c) {
  return padded(std::max({c.hidden, c.ffn_dim, c.mamba_inner, c.n_heads * c.v_dim}), unit_columns);
}

int work_bytes_for(const Config& c) {
  const int k = widest(c);
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
         (c.mamba_heads == 0 || (c.mamba_head_dim % 4 == 0 && c.mamba_conv == 4)) &&
         (!has_heads || (c.qk_dim <= 128 && c.v_dim <= 128 && c.qk_dim % 8 == 0 && c.v_dim % 8 == 0)) &&
         fixed + n_teams * slot_bytes_for(WeightFormat::bf16) <= device.shared_bytes_per_block;
}

Resident::Resident(const Config& config, const DeviceFacts& device, WeightFormat format, cudaStream_t stream)
    : device_(device),
      stream_(stream),
      work_bytes_(work_bytes_for(config)),
      slot_bytes_(slot_bytes_for(format)),
      n_slots_(std::min(max_slots, (device.shared_bytes_per_block - padded(sizeof(Shared), 128) - work_bytes_) /
                                       slot_bytes_ / n_teams * n_teams)),
      n_in_flight_(std::clamp(in_flight_bytes / slot_bytes_, 1, n_slots_)),
      word_places_(widest(config) / 4),
      words_(DeviceBuffer<uint4>::zeros(2 * std::int64_t{word_places_})),
      arrivals_(DeviceBuffer<unsigned>::zeros(1)) {
  allow_shared_bytes(resident_kernel, device.shared_bytes_per_block);
}

template <class T>
void Resident::take_as(StageKind kind, int n_x, int n_y, const T& arguments) {
  static_assert(std::is_trivially_copyable_v<T>);
  StageRecord record{};
  record.kind = kind;
  // Products read words; but the first in a step also adds to what the embedding wrote.
  record.waits = kind != StageKind::matvec || list_.empty() || list_.back().kind == StageKind::embed;
  record.n_x = n_x;
  record.n_y = n_y;
  std::memcpy(const_cast<T*>(&record.as<T>()), &arguments, sizeof(T));
  if (listing_) {
    list_.push_back(record);
  } else {
    launch_records(nullptr, record, 1, 1, 0);
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
void Resident::take(const MatvecArguments& call) {
  take_as(StageKind::matvec, 0, 0, Product::of(call, slot_bytes_, device_.n_multiprocessors));
}

void Resident::begin_list() {
  list_.clear();
  listing_ = true;
}

Program Resident::end_list() {
  listing_ = false;
  const auto n_waits = std::count_if(list_.begin(), list_.end(), [](const StageRecord& r) { return r.waits; });
  return {DeviceBuffer<StageRecord>::copy_of(list_), static_cast<int>(list_.size()), static_cast<int>(n_waits)};
}

void Resident::run(const Program& program, int n_steps) {
  const unsigned n_barriers = static_cast<unsigned>(n_steps * program.n_waits) - 1;  // the first stage needs none
  launch_records(program.records.data(), StageRecord{}, program.n_stages, n_steps * program.n_stages, n_barriers);
}

void Resident::launch_records(const StageRecord* records, const StageRecord& single, int n_stages, int n_total,
                              unsigned n_barriers) {
  const ResidentArguments a{records,
                            single,
                            slice_,
                            n_stages,
                            n_total,
                            words_.data(),
                            word_places_,
                            n_launched_,
                            arrivals_.data(),
                            n_arrivals_,
                            static_cast<int>(n_barriers),
                            work_bytes_,
                            slot_bytes_,
                            n_slots_,
                            n_in_flight_};
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(device_.n_multiprocessors));
  config.blockDim = dim3(n_resident_threads);
  config.dynamicSmemBytes =
      static_cast<std::size_t>(padded(sizeof(Shared), 128) + work_bytes_ + n_slots_ * slot_bytes_);
  config.stream = stream_;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  config.attrs = &attribute;
  config.numAttrs = 1;
  CUDA_CHECK(cudaLaunchKernelEx(&config, resident_kernel, a));
  n_launched_ += static_cast<unsigned>(n_total);
  n_arrivals_ += n_barriers * config.gridDim.x;
}

}  // namespace nf::cuda
