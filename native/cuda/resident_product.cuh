// Products in the resident kernel: how a matrix is dealt out, the stream of its weights through shared memory, and the
// sums. What depends on sizes alone is worked out on the host, once per stage: a block meets some 75 products in a
// step, and every instruction between two of them is waited for.
#pragma once

#include "matvec.cuh"
#include "resident_team.cuh"
#include "tile_sum.cuh"

namespace nf::cuda {

constexpr int max_slots = 15;  // a multiple of the teams

/// What each warp has summed of its tile: [tile][share of k][row], of as many tiles as fit.
struct Partials {
  static constexpr int n_places = 384;
  float rows[n_places][tile_rows];
};

/// Units of columns that a warp multiplies at a time.
__host__ __device__ constexpr int warp_units(MatrixFormat format) { return format == MatrixFormat::int4 ? 6 : 3; }

/// One matrix of a product. Groups of tiles (a gate with its up) are dealt out to the blocks in turn; tiles are cut
/// into chunks, which travel together, to one team.
struct Stack {
  const std::byte* data;
  MatrixFormat format;
  int first_output;
  int groups_each, groups_extra;  // per block; one more for so many blocks
  int unit_bytes, step, chunks;   // units per chunk, chunks per tile
  int places;                     // partial sums of a row: a share of each chunk per warp
  int tiles_per_flush;

  static Stack of(const std::byte* data, MatrixFormat, int n_tiles, int first_output, int group, int units,
                  int slot_bytes, int n_blocks);
  __device__ int count(int block, int group_shift) const {
    return (groups_each + (block < groups_extra ? 1 : 0)) << group_shift;
  }
};

/// Arguments of a product's stage.
struct Product {
  Stack main, kept;
  int k, units;
  int group_shift;  // 1 for gated epilogues
  Prologue prologue;
  const float* norm;
  unsigned norm_mask;  // of the quad's number: where its norm weights are
  int head_quads;
  float head_scale, k_scale, eps;  // 1 / head_dim, 1 / k
  Epilogue epilogue;
  int n_valid;
  float* y;
  const DeviceSlice* slices;
  const float* logit_scale;

  static Product of(const MatvecArguments&, int slot_bytes, int n_blocks);
};

inline Stack Stack::of(const std::byte* data, MatrixFormat format, int n_tiles, int first_output, int group, int units,
                       int slot_bytes, int n_blocks) {
  const int n_groups = n_tiles / group, bytes = cuda::unit_bytes(format);
  const int step = std::min(slot_bytes / bytes / team_warps, warp_units(format)) * team_warps;
  const int chunks = (units + step - 1) / step, places = chunks * team_warps;
  // One place more than there are, so that tiles begin in different banks.
  const int fitting = std::min(n_consumers / tile_rows, Partials::n_places / (places + 1) / 2 * 2);
  return {data, format, first_output, n_groups / n_blocks, n_groups % n_blocks, bytes, step, chunks, places, fitting};
}

inline Product Product::of(const MatvecArguments& a, int slot_bytes, int n_blocks) {
  const int units = n_units(a.k), group = a.epilogue == Epilogue::gated ? 2 : 1;
  const bool per_head = a.prologue == Prologue::head_rms;
  Product p{};
  p.main = Stack::of(a.main, a.main_format, a.main_tiles, 0, group, units, slot_bytes, n_blocks);
  p.kept =
      Stack::of(a.kept, MatrixFormat::bf16, a.kept_tiles, a.main_tiles * tile_rows, 1, units, slot_bytes, n_blocks);
  p.k = a.k, p.units = units, p.group_shift = group - 1;
  p.prologue = a.prologue, p.norm = a.norm, p.eps = a.eps;
  p.norm_mask = per_head ? static_cast<unsigned>(a.head_dim / 4 - 1) : ~0u;  // head_dim is a power of two
  p.head_quads = a.head_dim / 4;
  p.head_scale = per_head ? 1.0f / static_cast<float>(a.head_dim) : 0.0f, p.k_scale = 1.0f / static_cast<float>(a.k);
  p.epilogue = a.epilogue, p.n_valid = a.n_valid;
  p.y = a.y, p.slices = a.slices, p.logit_scale = a.head_scale;
  return p;
}

// ---- the stream of weights -----------------------------------------------------------------------------------------

/// A ring of slots in shared memory, filled by the fetching thread. The teams take turns at emptying it; the slots are
/// a multiple of the teams, so each always empties the same ones.
struct Ring {
  std::byte* memory;
  std::uint32_t full, empty;  // barriers
  int slot_bytes, n_slots;
  int slot;
  std::uint32_t parity = 0;
  int ahead = 0;  // of a team: chunks of the stage before its next one

  __device__ void advance(int n) {
    slot += n;
    if (slot >= n_slots) slot -= n_slots, parity ^= 1;
  }
};

/// Which block this is for a stack: rows kept apart are dealt out from the other end, to those that have a tile less.
__device__ __forceinline__ int main_block() { return static_cast<int>(blockIdx.x); }
__device__ __forceinline__ int kept_block() { return static_cast<int>(gridDim.x - 1 - blockIdx.x); }

/// Tile i of the block's.
__device__ __forceinline__ int tile_of(int block, int i, int group_shift) {
  const int group = block + (i >> group_shift) * static_cast<int>(gridDim.x);
  return (group << group_shift) + (i & group_shift);
}

/// What the fetching thread knows: where the next chunk goes, and the oldest one that may still be on its way.
struct Fetching {
  Ring next, oldest;
  int n_asked = 0, n_in_flight;
  std::uint64_t policy;
};

__device__ __forceinline__ void fetch_stack(const Stack& stack, int block, int group_shift, int units, Fetching& f) {
  Ring& ring = f.next;
  const int n_tiles = stack.count(block, group_shift);
  for (int i = 0; i < n_tiles; ++i) {
    const std::byte* tile = stack.data + std::int64_t{tile_of(block, i, group_shift)} * (units * stack.unit_bytes);
    for (int unit = 0; unit < units; unit += stack.step) {
      const int n_bytes = min(stack.step, units - unit) * stack.unit_bytes;
      barrier_wait(ring.empty + ring.slot * 8, ring.parity ^ 1);
      // More requests than the memory needs to be busy only delay everybody's dependent loads.
      if (++f.n_asked > f.n_in_flight) {
        barrier_wait(f.oldest.full + f.oldest.slot * 8, f.oldest.parity);
        f.oldest.advance(1);
      }
      barrier_expect(ring.full + ring.slot * 8, n_bytes);
      bulk_copy(shared_address(ring.memory + ring.slot * ring.slot_bytes), tile + unit * stack.unit_bytes, n_bytes,
                ring.full + ring.slot * 8, f.policy);
      ring.advance(1);
    }
  }
}

// ---- x -------------------------------------------------------------------------------------------------------------

/// x in shared memory, in the forms that a block's products need; null where none does.
struct XRows {
  std::byte *digits, *parts;

  __device__ XRows(const Product& p, bool has_kept, std::byte* memory) {
    const bool is_integer = p.main.format != MatrixFormat::bf16;
    digits = is_integer ? memory : nullptr;
    parts = !is_integer ? memory : has_kept ? memory + digits_bytes(p.k) : nullptr;
  }
};

/// Waits for x and writes it, multiplied by the norm weights, and each warp's share of the sum of squares. BATCH: loads
/// in flight per thread. NORM: whether there are norm weights.
template <int BATCH, bool NORM>
__device__ __forceinline__ void load_x(const Product& p, const Word* words, const XRows& rows, float* squares,
                                       const ResidentTeam& team) {
  const int first = static_cast<int>(threadIdx.x), n_quads = p.units * (unit_columns / 4);
  const float4* norm = reinterpret_cast<const float4*>(p.norm);
  const int k = p.k, head_quads = p.head_quads;
  const unsigned norm_mask = p.norm_mask;
  const Prologue prologue = p.prologue;
  const bool for_int4 = p.main.format == MatrixFormat::int4;
  const std::uint32_t expected = team.stage - 1;
  const int row_bytes = x_row_bytes(k);
  float sum = 0;
  for (int base = 0; base < n_quads; base += BATCH * n_consumers) {
    float4 w[BATCH];
    Word word[BATCH];
    const auto in_range = [&](int i) { return base + i * n_consumers < n_quads; };  // the same for all consumers
#pragma unroll
    for (int i = 0; i < BATCH; ++i) {
      const int index = base + i * n_consumers + first;
      w[i] = make_float4(0, 0, 0, 0);
      if (NORM && in_range(i) && index * 4 < k) w[i] = __ldg(norm + (static_cast<unsigned>(index) & norm_mask));
    }
    if (base == 0) team.wait_for_inputs();
#pragma unroll
    for (int i = 0; i < BATCH; ++i) {
      const int index = base + i * n_consumers + first;
      word[i] = make_uint4(0, 0, 0, expected << 16);
      if (in_range(i) && index * 4 < k) word[i] = load_word(words + index);
    }
#pragma unroll
    for (int i = 0; i < BATCH; ++i) {
      const int index = base + i * n_consumers + first;
      if (in_range(i)) {
        while (!is_of_stage(word[i], expected)) word[i] = load_word(words + index);
        __syncwarp();
        float4 v = numbers_of(word[i]);
        if constexpr (NORM) {
          const float mine = v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
          sum += mine;
          float r = 1;
          if (prologue == Prologue::head_rms) {  // head_quads lanes, a power of two, hold one head
            float of_head = mine;
#pragma unroll 1
            for (int offset = 1; offset < head_quads; offset <<= 1) {
              of_head += __shfl_xor_sync(full_warp, of_head, offset);
            }
            r = rsqrtf(of_head * p.head_scale + p.eps);
          }
          v = make_float4(v.x * r * w[i].x, v.y * r * w[i].y, v.z * r * w[i].z, v.w * r * w[i].w);
        }
        if (index < n_quads) {  // the same for the warp
          if (rows.digits) store_digits(rows.digits, k, index, v, for_int4);
          if (rows.parts) store_parts_as_operand(rows.parts, row_bytes, index, v);
        }
      }
    }
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) squares[threadIdx.x / 32] = sum;
}

/// rsqrt of the mean square of x, once every consumer warp has left its share.
__device__ __forceinline__ float norm_scale(const Product& p, const float* squares) {
  if (p.prologue != Prologue::rms) return 1;
  float sum = 0;
#pragma unroll
  for (int w = 0; w < n_consumer_warps; w += 4) {
    const float4 four = *reinterpret_cast<const float4*>(squares + w);
    sum += (four.x + four.y) + (four.z + four.w);
  }
  return rsqrtf(sum * p.k_scale + p.eps);
}

// ---- the sums ------------------------------------------------------------------------------------------------------

/// The tiles that are flushed together, and the one result that each thread writes of them.
struct Flushed {
  int n;           // tiles
  int local, out;  // of this thread's result: its tile among them, its row of the product
  bool valid;

  __device__ Flushed(const Product& p, const Stack& stack, int block, int first, int n_tiles) {
    const int i = static_cast<int>(threadIdx.x);
    n = min(stack.tiles_per_flush, n_tiles - first);
    local = i / tile_rows << p.group_shift;
    out = stack.first_output + (tile_of(block, first + local, p.group_shift) >> p.group_shift) * tile_rows +
          i % tile_rows;
    valid = local < n && out < p.n_valid;
  }
  /// What the epilogue needs besides the sums: asked for before the products, so that it is here after them.
  __device__ float operand(const Product& p) const {
    if (!valid) return 0;
    if (p.epilogue == Epilogue::add) return __ldcg(p.y + out);
    if (p.epilogue == Epilogue::logits && p.logit_scale) return __ldg(p.logit_scale + out);
    return 1;
  }
};

/// Sums the warps' partial results in a fixed order and writes them as the epilogue says.
__device__ __forceinline__ void flush(const Product& p, const Stack& stack, const Flushed& f, float operand,
                                      float scale, const Partials& partials, const ResidentTeam& team) {
  sync_consumers();
  if ((static_cast<int>(threadIdx.x) / 32 * (32 / tile_rows) << p.group_shift) >= f.n) return;  // uniform over the warp
  const int r = static_cast<int>(threadIdx.x) % tile_rows, tile_places = stack.places + 1;
  const auto sum_of = [&](int local) {
    const float* from = partials.rows[local * tile_places] + r;
    float sum = 0;
#pragma unroll 2
    for (int i = 0; i < stack.places; i += team_warps, from += team_warps * tile_rows) {
      sum += (from[0] + from[tile_rows]) + (from[2 * tile_rows] + from[3 * tile_rows]);
    }
    return sum * scale;
  };
  const int local = f.valid ? f.local : 0;
  float value = sum_of(local);
  switch (p.epilogue) {
    case Epilogue::store: break;
    case Epilogue::add: value += operand; break;
    case Epilogue::gated: value = silu(value) * sum_of(local + 1); break;
    case Epilogue::relu2: value = fmaxf(value, 0.0f) * fmaxf(value, 0.0f); break;
    case Epilogue::logits: value *= operand; break;
  }
  // Read behind a barrier, by mixers and the choice, or by the sum that goes on top.
  if (p.epilogue == Epilogue::logits) {
    if (f.valid) p.slices[0].logits[f.out] = value;
    return;
  }
  if (f.valid && (p.epilogue == Epilogue::store || p.epilogue == Epilogue::add)) p.y[f.out] = value;
  if (p.epilogue == Epilogue::store) return;
  put_word<1>(team.words, f.out / 4, value, f.valid && f.out % 4 == 0, team.stage);
}

/// This warp's part of one chunk: every fourth unit of it, times x.
template <MatrixFormat F>
__device__ __forceinline__ float chunk_sum(const std::byte* chunk, const XShare<F>& x, int first_unit, int n_here) {
  constexpr int n = warp_units(F);
  const int warp = static_cast<int>(threadIdx.x) / 32 % team_warps, lane = threadIdx.x % 32;
  TileSum<F> sum;
  if (n_here == n * team_warps) {
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const int unit = warp + i * team_warps;
      sum.add(chunk + unit * unit_bytes(F), x, first_unit + unit, lane);
    }
  } else {
#pragma unroll 1
    for (int unit = warp; unit < n_here; unit += team_warps) {
      sum.add(chunk + unit * unit_bytes(F), x, first_unit + unit, lane);
    }
  }
  return sum.total();
}

/// This team's chunks of the tiles from `done` on that are flushed together. `tile`, `part`: of its next chunk.
template <MatrixFormat F>
__device__ __forceinline__ void multiply_tiles(const Product& p, const Stack& stack, int done, int end, int& tile,
                                               int& part, Ring& ring, const std::byte* x_rows, Partials& partials) {
  const int warp = threadIdx.x / 32 % team_warps, lane = threadIdx.x % 32;
  const XShare<F> x(x_rows, p.k, lane);
  // Copies: of what lies in shared memory the compiler must think that any store changes it.
  const int units = p.units, step = stack.step, chunks = stack.chunks, tile_places = stack.places + 1;
  while (tile < end) {
    const int first_unit = part * step;
    barrier_wait(ring.full + ring.slot * 8, ring.parity);
    const float sum =
        chunk_sum<F>(ring.memory + ring.slot * ring.slot_bytes, x, first_unit, min(step, units - first_unit));
    if (lane % 4 == 0) partials.rows[(tile - done) * tile_places + part * team_warps + warp][lane / 4] = sum;
    __syncwarp();
    if (lane == 0) barrier_arrive(ring.empty + ring.slot * 8);
    ring.advance(n_teams);
    part += n_teams;
    while (part >= chunks) part -= chunks, ++tile;
  }
}

/// The block's tiles of one matrix, every third chunk for each team. `operand`: the epilogue's, of the first tiles.
__device__ __forceinline__ void multiply(const Product& p, const Stack& stack, int block, int n_tiles, float operand,
                                         float scale, Ring& ring, const XRows& x, Partials& partials,
                                         const ResidentTeam& team) {
  int tile = 0, part = ring.ahead;
  while (part >= stack.chunks) part -= stack.chunks, ++tile;
  for (int done = 0; done < n_tiles; done += stack.tiles_per_flush) {
    const Flushed flushed(p, stack, block, done, n_tiles);
    if (done > 0) operand = flushed.operand(p);
    const int end = done + flushed.n;
    switch (stack.format) {
      case MatrixFormat::bf16:
        multiply_tiles<MatrixFormat::bf16>(p, stack, done, end, tile, part, ring, x.parts, partials);
        break;
      case MatrixFormat::int8:
        multiply_tiles<MatrixFormat::int8>(p, stack, done, end, tile, part, ring, x.digits, partials);
        break;
      default: multiply_tiles<MatrixFormat::int4>(p, stack, done, end, tile, part, ring, x.digits, partials); break;
    }
    flush(p, stack, flushed, operand, scale, partials, team);
    if (end < n_tiles) sync_consumers();
  }
  ring.ahead = (tile - n_tiles) * stack.chunks + part;
}

/// A product's stage. `words`: x, as the stage before wrote it; `squares`: room for a number per consumer warp.
__device__ __forceinline__ void run_product(const Product& p, const Word* words, Ring& ring, std::byte* work,
                                            float* squares, const ResidentTeam& team) {
  Partials& partials = *reinterpret_cast<Partials*>(work);
  const int n_main = p.main.count(main_block(), p.group_shift), n_kept = p.kept.count(kept_block(), 0);
  // Who writes nothing must not read either: what it reads could be written over meanwhile.
  if (n_main == 0 && n_kept == 0) return;
  const XRows x(p, n_kept > 0, work + sizeof(Partials));
  const float operand = Flushed(p, p.main, main_block(), 0, n_main).operand(p);
  if (p.prologue == Prologue::plain) {
    load_x<6, false>(p, words, x, squares, team);
  } else {
    load_x<4, true>(p, words, x, squares, team);
  }
  sync_consumers();
  const float scale = norm_scale(p, squares);
#pragma unroll 1
  for (int which = 0; which < 2; ++which) {  // one copy of the code for both
    const int n_tiles = which == 0 ? n_main : n_kept;
    if (n_tiles == 0) continue;
    if (which == 1 && n_main > 0) sync_consumers();
    multiply(p, which == 0 ? p.main : p.kept, which == 0 ? main_block() : kept_block(), n_tiles, operand, scale, ring,
             x, partials, team);
  }
}

}  // namespace nf::cuda
