// Attention of single rows over the cache, split over positions: the decode step, and the reference for prefill.
#include <algorithm>

#include "device_code.cuh"
#include "stages.h"

namespace nf::cuda {
namespace {

constexpr int n_warps = 4, n_threads = n_warps * 32;
constexpr int block_heads = 4;  // query heads per block; all read the same keys
constexpr int batch = 4;        // positions that a warp takes at a time
constexpr int max_dim = 256;
constexpr int max_splits = 64;

/// One head of q or k after norm and rotation, element i of this lane's share, into `out` in shared memory.
/// Warp-collective. `in` is the projected head, [dim].
__device__ void rotate_head(const float* in, int dim, const float* norm, const float* frequency, int position,
                            float scale, float* out) {
  const int lane = threadIdx.x % 32, half = dim / 2;
  float r = scale;
  if (norm) {
    float sum = 0;
    for (int i = lane; i < dim; i += 32) sum += __ldcg(in + i) * __ldcg(in + i);
    r *= rsqrtf(warp_sum(sum) / static_cast<float>(dim) + qk_norm_eps);
  }
  const auto value = [&](int i) { return __ldcg(in + i) * r * (norm ? norm[i] : 1.0f); };
  if (!frequency) {
    for (int i = lane; i < dim; i += 32) out[i] = value(i);
    return;
  }
  for (int i = lane; i < half; i += 32) {
    float sine, cosine;
    sincosf(static_cast<float>(position) * frequency[i], &sine, &cosine);
    const float x = value(i), y = value(i + half);
    out[i] = x * cosine - y * sine;
    out[i + half] = y * cosine + x * sine;
  }
}

template <class T>
__device__ T* cache_row(const AttentionCall& c, const DeviceSlice& slice, int position) {
  const int width = c.n_kv_heads * (c.qk_dim + c.v_dim);
  return reinterpret_cast<T*>(slice.kv) + (std::int64_t{c.layer} * slice.kv_capacity + position) * width;
}

/// Keys (normed, rotated) and values of one cache head of one token go to the cache. Block: one warp.
template <class T>
__global__ void __launch_bounds__(32) write_keys_kernel(AttentionCall c) {
  __shared__ float key[max_dim];
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const DeviceSlice slice = c.rows.slices[blockIdx.z];
  const int head = static_cast<int>(blockIdx.x), token = static_cast<int>(blockIdx.y);
  if (token >= slice.n_tokens) return;
  const int position = slice.first_position + token;
  const float* in = c.projected + (slice.first_row + token) * std::int64_t{c.stride};
  rotate_head(in + c.k_offset + head * c.qk_dim, c.qk_dim, c.k_norm, c.inverse_frequency, position, 1.0f, key);
  __syncwarp();
  T* row = cache_row<T>(c, slice, position);
  for (int i = threadIdx.x; i < c.qk_dim; i += 32) row[head * c.qk_dim + i] = narrowed<T>(key[i]);
  const float* v = in + c.v_offset + head * c.v_dim;
  for (int i = threadIdx.x; i < c.v_dim; i += 32) row[c.n_kv_heads * c.qk_dim + head * c.v_dim + i] = narrowed<T>(v[i]);
}

/// N consecutive elements of a cache row as float32; zeros when not `valid`.
template <int N, class T>
__device__ __forceinline__ void load(const T* from, bool valid, float (&out)[N]) {
  struct alignas(N * sizeof(T) > 16 ? 16 : N * sizeof(T)) Pack {
    T value[N];
  };
  if (!valid) {
#pragma unroll
    for (int i = 0; i < N; ++i) out[i] = 0;
    return;
  }
  const Pack pack = *reinterpret_cast<const Pack*>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) out[i] = widened(pack.value[i]);
}

/// Sums sixteen values over the warp's lanes; lane l returns the sum of value number l / 2.
__device__ __forceinline__ float sum_of_sixteen(float (&v)[16], int lane) {
#pragma unroll
  for (int width = 8; width >= 1; width /= 2) {
    const bool high = lane & (2 * width);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      const float mine = high ? v[i + width] : v[i], other = high ? v[i] : v[i + width];
      v[i] = mine + __shfl_xor_sync(full_warp, other, 2 * width);
    }
  }
  return v[0] + __shfl_xor_sync(full_warp, v[0], 1);
}

struct SplitArguments {
  AttentionCall call;
  int n_splits;
  int slice, first_token;  // rows of one slice; unused for one-token slices
};

/// Softmax state of one warp: lane l keeps maximum and sum of head l / 8, and N value columns of every head.
template <int N>
struct Running {
  float maximum = -INFINITY, sum = 0;
  float values[block_heads][N] = {};
};

/// The block's result for head h is (values, maximum, sum) at `slot`; the last block of a group of heads to arrive
/// combines all splits in order and writes y.
template <int N>
__device__ void combine(const SplitArguments& a, const Running<N>& mine, int row_index, int first_head, int n_heads,
                        int row) {
  const AttentionCall& c = a.call;
  __shared__ float maxima[n_warps][block_heads], sums[n_warps][block_heads];
  __shared__ float values[n_warps][block_heads][32 * N];
  __shared__ float weights[block_heads][max_splits];
  __shared__ bool last;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, width = c.v_dim + 2;
  if (lane % 8 == 0) maxima[warp][lane / 8] = mine.maximum, sums[warp][lane / 8] = mine.sum;
#pragma unroll
  for (int h = 0; h < block_heads; ++h) {
#pragma unroll
    for (int i = 0; i < N; ++i) values[warp][h][lane * N + i] = mine.values[h][i];
  }
  __syncthreads();
  const auto slot = [&](int h, int split) {
    return c.partials + ((std::int64_t{row_index} * c.n_heads + first_head + h) * a.n_splits + split) * width;
  };
  for (int index = threadIdx.x; index < n_heads * c.v_dim; index += n_threads) {
    const int h = index / c.v_dim, i = index % c.v_dim;
    float maximum = -INFINITY, value = 0, sum = 0;
    for (int w = 0; w < n_warps; ++w) maximum = fmaxf(maximum, maxima[w][h]);
    for (int w = 0; w < n_warps; ++w) {
      const float weight = maxima[w][h] == -INFINITY ? 0.0f : expf(maxima[w][h] - maximum);
      value += weight * values[w][h][i];
      sum += weight * sums[w][h];
    }
    float* out = slot(h, static_cast<int>(blockIdx.y));
    out[i] = value;
    if (i == 0) out[c.v_dim] = maximum, out[c.v_dim + 1] = sum;
  }
  __threadfence();
  __syncthreads();
  int* arrivals = c.arrivals + row_index * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x);
  if (threadIdx.x == 0) last = atomicAdd(arrivals, 1) == a.n_splits - 1;
  __syncthreads();
  if (!last) return;
  if (threadIdx.x == 0) *arrivals = 0;
  __threadfence();
  if (warp < n_heads) {  // one warp per head: n_warps == block_heads
    float maximum = -INFINITY;
    for (int s = lane; s < a.n_splits; s += 32) maximum = fmaxf(maximum, __ldcg(slot(warp, s) + c.v_dim));
    maximum = warp_max(maximum);
    float total = 0;
    for (int s = lane; s < a.n_splits; s += 32) {
      const float weight = expf(__ldcg(slot(warp, s) + c.v_dim) - maximum);
      total += weight * __ldcg(slot(warp, s) + c.v_dim + 1);
      weights[warp][s] = weight;
    }
    total = warp_sum(total);
    for (int s = lane; s < a.n_splits; s += 32) weights[warp][s] /= total;
  }
  __syncthreads();
  for (int index = threadIdx.x; index < n_heads * c.v_dim; index += n_threads) {
    const int h = index / c.v_dim, i = index % c.v_dim;
    float value = 0;
#pragma unroll 8
    for (int s = 0; s < a.n_splits; ++s) value += weights[h][s] * __ldcg(slot(h, s) + i);
    c.y[row * std::int64_t{c.n_heads * c.v_dim} + (first_head + h) * c.v_dim + i] = value;
  }
}

/// y = softmax(q K^T / sqrt(qk_dim)) V for the query heads of one cache head, over positions 0 .. p.
/// Grid: groups of 4 query heads x splits of the positions x rows. Warp: 4 positions in turn; lane: N dimensions.
/// Sums in float32; keys and values as cached (T). Shared memory: q, the new key, the warps' results. Bytes moved: the
/// split's keys and values once per group. ONE: the row's own key and value come from its projections, and the split
/// that holds position p writes them to the cache. Preconditions: qk_dim, v_dim at most 32 N and multiples of N.
template <int N, class T, bool ONE>
__global__ void __launch_bounds__(n_threads) attend_split_kernel(SplitArguments a) {
  const AttentionCall& c = a.call;
  __shared__ float q[block_heads][32 * N], key[32 * N];
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row_index = static_cast<int>(blockIdx.z);
  const DeviceSlice slice = c.rows.slices[ONE ? row_index : a.slice];
  const int token = ONE ? 0 : a.first_token + row_index;
  const int position = slice.first_position + token, row = slice.first_row + token;
  const int per_kv_head = c.n_heads / c.n_kv_heads, groups = (per_kv_head + block_heads - 1) / block_heads;
  const int kv_head = static_cast<int>(blockIdx.x) / groups, group = static_cast<int>(blockIdx.x) % groups;
  const int first_head = kv_head * per_kv_head + group * block_heads;
  const int n_heads = min(block_heads, per_kv_head - group * block_heads);
  const int n_positions = position + 1, per_split = (n_positions + a.n_splits - 1) / a.n_splits;
  const int begin = static_cast<int>(blockIdx.y) * per_split, end = min(n_positions, begin + per_split);
  const float* in = c.projected + row * std::int64_t{c.stride};

  if (warp < n_heads) {
    rotate_head(in + (first_head + warp) * c.qk_dim, c.qk_dim, c.q_norm, c.inverse_frequency, position,
                rsqrtf(static_cast<float>(c.qk_dim)), q[warp]);
  } else {
    for (int i = lane; i < 32 * N; i += 32) q[warp][i] = 0;
  }
  if (ONE && begin < n_positions && end == n_positions) {
    if (warp == 0) {
      rotate_head(in + c.k_offset + kv_head * c.qk_dim, c.qk_dim, c.k_norm, c.inverse_frequency, position, 1.0f, key);
    }
    __syncthreads();
    if (group == 0) {
      T* cached = cache_row<T>(c, slice, position);
      for (int i = threadIdx.x; i < c.qk_dim; i += n_threads) cached[kv_head * c.qk_dim + i] = narrowed<T>(key[i]);
      for (int i = threadIdx.x; i < c.v_dim; i += n_threads) {
        cached[c.n_kv_heads * c.qk_dim + kv_head * c.v_dim + i] =
            narrowed<T>(__ldcg(in + c.v_offset + kv_head * c.v_dim + i));
      }
    }
  }
  __syncthreads();

  float query[block_heads][N];
#pragma unroll
  for (int h = 0; h < block_heads; ++h) {
#pragma unroll
    for (int i = 0; i < N; ++i) query[h][i] = lane * N < c.qk_dim ? q[h][lane * N + i] : 0.0f;
  }
  Running<N> running;
  const bool has_key = lane * N < c.qk_dim, has_value = lane * N < c.v_dim;
  const int width = c.n_kv_heads * (c.qk_dim + c.v_dim);
  const T* keys = cache_row<T>(c, slice, 0) + kv_head * c.qk_dim + lane * N;
  const T* values = cache_row<T>(c, slice, 0) + c.n_kv_heads * c.qk_dim + kv_head * c.v_dim + lane * N;
  for (int p = begin + warp * batch; p < end; p += n_warps * batch) {
    float k[batch][N], v[batch][N];
#pragma unroll
    for (int j = 0; j < batch; ++j) {
      const std::int64_t offset = std::int64_t{p + j} * width;
      // A block of another group of heads may be writing this row to the cache: take it from where it came.
      if (ONE && p + j == position) {
#pragma unroll
        for (int i = 0; i < N; ++i) {
          k[j][i] = has_key ? widened(narrowed<T>(key[lane * N + i])) : 0.0f;
          v[j][i] = has_value ? widened(narrowed<T>(__ldcg(in + c.v_offset + kv_head * c.v_dim + lane * N + i))) : 0.0f;
        }
      } else {
        load<N>(keys + offset, has_key && p + j < end, k[j]);
        load<N>(values + offset, has_value && p + j < end, v[j]);
      }
    }
    float scores[block_heads * batch];
#pragma unroll
    for (int h = 0; h < block_heads; ++h) {
#pragma unroll
      for (int j = 0; j < batch; ++j) {
        float dot = 0;
#pragma unroll
        for (int i = 0; i < N; ++i) dot += query[h][i] * k[j][i];
        scores[h * batch + j] = dot;
      }
    }
    // Lane l now owns head l / 8, position p + l / 2 % 4.
    float score = sum_of_sixteen(scores, lane);
    if (p + lane / 2 % batch >= end) score = -INFINITY;
    float maximum = fmaxf(score, __shfl_xor_sync(full_warp, score, 2));
    maximum = fmaxf(maximum, __shfl_xor_sync(full_warp, maximum, 4));
    maximum = fmaxf(maximum, running.maximum);
    const float weight = expf(score - maximum), shrink = expf(running.maximum - maximum);
    float sum = weight + __shfl_xor_sync(full_warp, weight, 2);
    sum += __shfl_xor_sync(full_warp, sum, 4);
    running.sum = running.sum * shrink + sum;
    running.maximum = maximum;
#pragma unroll
    for (int h = 0; h < block_heads; ++h) {
      const float head_shrink = __shfl_sync(full_warp, shrink, h * 8);
#pragma unroll
      for (int i = 0; i < N; ++i) running.values[h][i] *= head_shrink;
#pragma unroll
      for (int j = 0; j < batch; ++j) {
        const float w = __shfl_sync(full_warp, weight, h * 8 + j * 2);
#pragma unroll
        for (int i = 0; i < N; ++i) running.values[h][i] += w * v[j][i];
      }
    }
  }
  combine<N>(a, running, row_index, first_head, n_heads, row);
}

template <int N, class T>
void launch_split(const LaunchContext& context, SplitArguments a, bool one_token, dim3 grid) {
  launch(context, one_token ? attend_split_kernel<N, T, true> : attend_split_kernel<N, T, false>, grid, n_threads, 0,
         a);
}

template <class T>
void launch_typed(const LaunchContext& context, const SplitArguments& a, bool one_token, dim3 grid) {
  const int dim = std::max(a.call.qk_dim, a.call.v_dim);
  if (dim <= 32) return launch_split<1, T>(context, a, one_token, grid);
  if (dim <= 64) return launch_split<2, T>(context, a, one_token, grid);
  if (dim <= 128) return launch_split<4, T>(context, a, one_token, grid);
  if (dim <= max_dim) return launch_split<8, T>(context, a, one_token, grid);
  throw EngineError(ErrorCode::unsupported, "attention heads wider than 256 do not run on the GPU; choose the CPU");
}

int head_groups(int n_heads, int n_kv_heads) {
  return n_kv_heads * ((n_heads / n_kv_heads + block_heads - 1) / block_heads);
}

}  // namespace

int attention_splits(const DeviceFacts& device, const Config& config) {
  if (config.n_kv_heads == 0) return 1;
  return std::clamp(device.n_multiprocessors / head_groups(config.n_heads, config.n_kv_heads), 1, max_splits);
}

std::int64_t attention_scratch(const Config& config, int n_splits) {
  return std::int64_t{attention_rows_per_launch} * config.n_heads * n_splits * (config.v_dim + 2);
}

std::int64_t attention_arrivals(const Config& config) {
  return std::int64_t{attention_rows_per_launch} * head_groups(config.n_heads, config.n_kv_heads);
}

void write_keys(const LaunchContext& context, const AttentionCall& call) {
  const dim3 grid(static_cast<unsigned>(call.n_kv_heads), static_cast<unsigned>(call.rows.n_rows),
                  static_cast<unsigned>(call.rows.n_slices));
  launch(context, call.kv_is_f32 ? write_keys_kernel<float> : write_keys_kernel<__nv_bfloat16>, grid, 32, 0, call);
}

void attend_split(const LaunchContext& context, const AttentionCall& call, bool one_token) {
  SplitArguments a{call, call.n_splits, 0, 0};
  const int n = one_token ? call.rows.n_slices : call.rows.n_rows;
  for (int first = 0; first < n; first += attention_rows_per_launch) {
    const dim3 grid(static_cast<unsigned>(head_groups(call.n_heads, call.n_kv_heads)),
                    static_cast<unsigned>(call.n_splits),
                    static_cast<unsigned>(std::min(attention_rows_per_launch, n - first)));
    if (one_token) {
      a.call.rows.slices = call.rows.slices + first;
    } else {
      a.first_token = first;
    }
    call.kv_is_f32 ? launch_typed<float>(context, a, one_token, grid)
                   : launch_typed<__nv_bfloat16>(context, a, one_token, grid);
  }
}

}  // namespace nf::cuda
