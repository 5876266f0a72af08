// DeltaNet, token after token: the decode step, and the reference for the chunked form.
#include "device_code.cuh"
#include "stages.h"

namespace nf::cuda {
namespace {

constexpr int n_warps = 4, n_threads = n_warps * 32;
constexpr int max_dim = 256;

/// silu of the causal convolution of width 4 at token i of the slice. `input` is the token's row of projections,
/// `window` the ring [4][window_channels] of earlier inputs.
__device__ __forceinline__ float conv4(const float* input, int stride, const float* window, int window_channels,
                                       int ring, int i, const float4 taps) {
  const float w[4] = {taps.x, taps.y, taps.z, taps.w};
  float sum = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int back = 3 - j;
    const float value = i >= back ? __ldcg(input - std::int64_t{back} * stride)
                                  : __ldcg(window + ((ring + i + j) & 3) * std::int64_t{window_channels});
    sum += w[j] * value;
  }
  return silu(sum);
}

/// For each token: q, k, v = silu(conv4(...)); q, k l2-normalised; r = S^T k; S += k (beta (v - r))^T; o = S^T q /
/// sqrt(d). Uses o = S_old^T q + (k.q) delta, so that S is read once. Grid: heads x blocks of 32 value columns x
/// slices. Warp: every fourth key row of S; lane: one value column, ROWS rows of it in registers. All float32. Shared
/// memory: 2 x (q, k [dim], partial sums). Bytes moved: S and the slice's inputs once (q, k per column block).
/// Preconditions: dim a multiple of 4, at most 4 ROWS. A slice of one token (ONE) also writes its window entry: the
/// place it uses holds no input that this step reads.
template <int ROWS, bool ONE>
__global__ void __launch_bounds__(n_threads) deltanet_scan_kernel(DeltaNetCall c) {
  __shared__ float q_[2][max_dim], k_[2][max_dim], v_[2][32];
  __shared__ float dots[2][n_warps][3], partial[2][2][n_warps][32];
  const int head = static_cast<int>(blockIdx.x), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int column = static_cast<int>(blockIdx.y) * 32 + lane;
  const bool active = column < c.dim;
  const int hidden = c.n_heads * c.dim;
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const DeviceSlice slice = c.rows.slices[blockIdx.z];
  float* state = slice.state + c.matrix_offset + std::int64_t{head} * c.dim * c.dim;
  float* window = slice.state + c.window_offset;
  float s[ROWS];
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const int row = i * n_warps + warp;
    s[i] = active && row < c.dim ? state[row * c.dim + column] : 0.0f;
  }
  const float scale = rsqrtf(static_cast<float>(c.dim));
  const int n_tokens = ONE ? 1 : slice.n_tokens;
  for (int i = 0; i < n_tokens; ++i) {
    const int turn = i & 1;
    const float* in = c.projected + (slice.first_row + i) * std::int64_t{c.stride};
    float qq = 0, kk = 0, qk = 0;
    for (int d = threadIdx.x; d < c.dim; d += n_threads) {
      const int channel = head * c.dim + d;
      const float4* taps = reinterpret_cast<const float4*>(c.conv);
      const float q = conv4(in + channel, c.stride, window + channel, 3 * hidden, slice.ring, i, taps[channel]);
      const float k = conv4(in + c.k_offset + channel, c.stride, window + hidden + channel, 3 * hidden, slice.ring, i,
                            taps[hidden + channel]);
      q_[turn][d] = q;
      k_[turn][d] = k;
      qq += q * q;
      kk += k * k;
      qk += q * k;
    }
    if (warp == n_warps - 1 && active) {
      const int channel = head * c.dim + column;
      v_[turn][lane] = conv4(in + c.v_offset + channel, c.stride, window + 2 * hidden + channel, 3 * hidden, slice.ring,
                             i, reinterpret_cast<const float4*>(c.conv)[2 * hidden + channel]);
    }
    qq = warp_sum(qq), kk = warp_sum(kk), qk = warp_sum(qk);
    if (lane == 0) dots[turn][warp][0] = qq, dots[turn][warp][1] = kk, dots[turn][warp][2] = qk;
    const float beta = sigmoid(__ldcg(in + c.b_offset + head));
    __syncthreads();
    qq = kk = qk = 0;
#pragma unroll
    for (int w = 0; w < n_warps; ++w) qq += dots[turn][w][0], kk += dots[turn][w][1], qk += dots[turn][w][2];
    const float q_scale = rsqrtf(qq + delta_l2_eps), k_scale = rsqrtf(kk + delta_l2_eps);
    float r = 0, o = 0;
#pragma unroll
    for (int j = 0; j < ROWS; ++j) {
      const int row = j * n_warps + warp;
      if (row >= c.dim) break;
      r += s[j] * k_[turn][row];
      o += s[j] * q_[turn][row];
    }
    partial[turn][0][warp][lane] = r;
    partial[turn][1][warp][lane] = o;
    __syncthreads();
    r = o = 0;
#pragma unroll
    for (int w = 0; w < n_warps; ++w) r += partial[turn][0][w][lane], o += partial[turn][1][w][lane];
    const float delta = active ? beta * (v_[turn][lane] - r * k_scale) : 0.0f;
#pragma unroll
    for (int j = 0; j < ROWS; ++j) {
      const int row = j * n_warps + warp;
      if (row >= c.dim) break;
      s[j] += k_[turn][row] * k_scale * delta;
    }
    if (warp == 0 && active) {
      c.y[(slice.first_row + i) * std::int64_t{hidden} + head * c.dim + column] =
          (o * q_scale + qk * q_scale * k_scale * delta) * scale;
    }
    if constexpr (ONE) {
      // Of the blocks that share q and k of this head, the first writes them; each writes its own columns of v.
      float* place = window + ((slice.ring + 3) & 3) * std::int64_t{3} * hidden;
      if (blockIdx.y == 0) {
        for (int d = threadIdx.x; d < c.dim; d += n_threads) {
          place[head * c.dim + d] = __ldcg(in + head * c.dim + d);
          place[hidden + head * c.dim + d] = __ldcg(in + c.k_offset + head * c.dim + d);
        }
      }
      if (warp == n_warps - 1 && active) {
        place[2 * hidden + head * c.dim + column] = __ldcg(in + c.v_offset + head * c.dim + column);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const int row = i * n_warps + warp;
    if (active && row < c.dim) state[row * c.dim + column] = s[i];
  }
}

/// y[head] = rms(y[head]; out_norm). Block: one warp, one head of one row.
__global__ void __launch_bounds__(32) head_norm_kernel(float* y, const float* norm, int dim, float eps) {
  wait_for_earlier_kernels();
  let_next_kernel_start();
  float* row = y + (std::int64_t{blockIdx.y} * gridDim.x + blockIdx.x) * dim;
  float sum = 0;
  for (int i = threadIdx.x; i < dim; i += 32) sum += row[i] * row[i];
  const float scale = rsqrtf(warp_sum(sum) / static_cast<float>(dim) + eps);
  for (int i = threadIdx.x; i < dim; i += 32) row[i] *= scale * norm[i];
}

/// Window place of each of the last width - 1 tokens (fewer in a shorter slice) = its inputs. Grid: blocks of channels
/// x (width - 1) x slices; thread: one channel. Earlier places stay: the ring turns with the tokens.
__global__ void __launch_bounds__(256) advance_windows_kernel(WindowCall c) {
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int channel = static_cast<int>(blockIdx.x * 256 + threadIdx.x);
  const DeviceSlice slice = c.rows.slices[blockIdx.z];
  const int i = slice.n_tokens - 1 - static_cast<int>(blockIdx.y);
  if (channel >= c.channels || i < 0) return;
  const int place = (slice.ring + i + c.width - 1) % c.width;
  slice.state[c.window_offset + place * std::int64_t{c.window_channels} + c.first_channel + channel] =
      c.projected[(slice.first_row + i) * std::int64_t{c.stride} + channel];
}

}  // namespace

bool head_norm_fits_product(int dim) { return dim == 16 || dim == 32 || dim == 64 || dim == 128; }

void deltanet_scan(const LaunchContext& context, const DeltaNetCall& call, bool one_token) {
  if (call.dim > max_dim) {
    throw EngineError(ErrorCode::unsupported, "DeltaNet heads wider than 256 do not run on the GPU; choose the CPU");
  }
  const dim3 grid(static_cast<unsigned>(call.n_heads), static_cast<unsigned>((call.dim + 31) / 32),
                  static_cast<unsigned>(call.rows.n_slices));
  if (call.dim <= 128) {
    launch(context, one_token ? deltanet_scan_kernel<32, true> : deltanet_scan_kernel<32, false>, grid, n_threads, 0,
           call);
  } else {
    launch(context, one_token ? deltanet_scan_kernel<64, true> : deltanet_scan_kernel<64, false>, grid, n_threads, 0,
           call);
  }
}

void head_norm(const LaunchContext& context, const DeltaNetCall& call) {
  const int hidden = call.n_heads * call.dim;
  launch(context, head_norm_kernel, dim3(static_cast<unsigned>(call.n_heads), static_cast<unsigned>(call.rows.n_rows)),
         32, 0, call.y + call.rows.first_row * std::int64_t{hidden}, call.out_norm, call.dim, call.eps);
}

void advance_windows(const LaunchContext& context, const WindowCall& call) {
  if (call.width < 2) return;
  launch(context, advance_windows_kernel,
         dim3(static_cast<unsigned>((call.channels + 255) / 256), static_cast<unsigned>(call.width - 1),
              static_cast<unsigned>(call.rows.n_slices)),
         256, 0, call);
}

}  // namespace nf::cuda
