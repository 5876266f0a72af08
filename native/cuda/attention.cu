// Attention of single rows over the cache, split over positions: the decode step, and the reference for prefill.
#include <algorithm>

#include "attend_split.cuh"
#include "resident.h"

namespace nf::cuda {
namespace {

/// Keys (normed, rotated) and values of one cache head of one token go to the cache. Block: one warp.
template <class T>
__global__ void __launch_bounds__(32) write_keys_kernel(AttentionCall c) {
  __shared__ float key[max_attend_dim];
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

template <int N, class T, bool ONE>
__global__ void __launch_bounds__(team_threads) attend_split_kernel(SplitArguments a) {
  __shared__ AttendShared<N> shared;
  attend_split_block<N, T, ONE>(a, place_of_block(), shared, BlockTeam{});
}

template <int N, class T>
void launch_split(const LaunchContext& context, SplitArguments a, bool one_token, dim3 grid) {
  launch(context, one_token ? attend_split_kernel<N, T, true> : attend_split_kernel<N, T, false>, grid, team_threads, 0,
         a);
}

template <class T>
void launch_typed(const LaunchContext& context, const SplitArguments& a, bool one_token, dim3 grid) {
  const int dim = std::max(a.call.qk_dim, a.call.v_dim);
  if (dim <= 32) return launch_split<1, T>(context, a, one_token, grid);
  if (dim <= 64) return launch_split<2, T>(context, a, one_token, grid);
  if (dim <= 128) return launch_split<4, T>(context, a, one_token, grid);
  if (dim <= max_attend_dim) return launch_split<8, T>(context, a, one_token, grid);
  throw EngineError(ErrorCode::unsupported, "attention heads wider than 256 do not run on the GPU; choose the CPU");
}

int head_groups(int n_heads, int n_kv_heads) {
  return n_kv_heads * ((n_heads / n_kv_heads + attend_heads - 1) / attend_heads);
}

}  // namespace

int attention_splits(const DeviceFacts& device, const Config& config) {
  if (config.n_kv_heads == 0) return 1;
  return std::clamp(resident_teams * device.n_multiprocessors / head_groups(config.n_heads, config.n_kv_heads), 1,
                    max_splits);
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
  SplitArguments a{call, call.n_splits, head_groups(call.n_heads, call.n_kv_heads), 0, 0};
  if (context.resident) return context.resident->take(a);
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
