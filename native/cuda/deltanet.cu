// DeltaNet, token after token: the decode step, and the reference for the chunked form.
#include "deltanet_scan.cuh"
#include "resident.h"

namespace nf::cuda {
namespace {

template <int ROWS, bool ONE>
__global__ void __launch_bounds__(team_threads) deltanet_scan_kernel(DeltaNetCall c) {
  __shared__ DeltaNetShared shared;
  deltanet_scan_block<ROWS, ONE>(c, place_of_block(), shared, BlockTeam{});
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
  if (context.resident) return context.resident->take(call);
  if (call.dim > max_delta_dim) {
    throw EngineError(ErrorCode::unsupported, "DeltaNet heads wider than 256 do not run on the GPU; choose the CPU");
  }
  const dim3 grid(static_cast<unsigned>(call.n_heads), static_cast<unsigned>((call.dim + 31) / 32),
                  static_cast<unsigned>(call.rows.n_slices));
  if (call.dim <= 128) {
    launch(context, one_token ? deltanet_scan_kernel<32, true> : deltanet_scan_kernel<32, false>, grid, team_threads, 0,
           call);
  } else {
    launch(context, one_token ? deltanet_scan_kernel<64, true> : deltanet_scan_kernel<64, false>, grid, team_threads, 0,
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
