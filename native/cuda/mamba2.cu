// Mamba2, token after token: the decode step, and the reference for the chunked form.
#include <algorithm>

#include "mamba2_scan.cuh"
#include "resident.h"

namespace nf::cuda {
namespace {

template <int N, bool ONE>
__global__ void __launch_bounds__(team_threads) mamba2_scan_kernel(Mamba2Call c) {
  __shared__ Mamba2Shared shared;
  mamba2_scan_block<N, ONE>(c, place_of_block(), shared, BlockTeam{});
}

template <int N>
void launch_scan(const LaunchContext& context, const Mamba2Call& call, bool one_token) {
  const dim3 grid(static_cast<unsigned>(call.n_heads),
                  static_cast<unsigned>((call.head_dim + mamba_block_rows - 1) / mamba_block_rows),
                  static_cast<unsigned>(call.rows.n_slices));
  launch(context, one_token ? mamba2_scan_kernel<N, true> : mamba2_scan_kernel<N, false>, grid, team_threads, 0, call);
}

}  // namespace

void mamba2_scan(const LaunchContext& context, const Mamba2Call& call, bool one_token) {
  if (context.resident) return context.resident->take(call);
  if (call.state <= 32) return launch_scan<1>(context, call, one_token);
  if (call.state <= 64) return launch_scan<2>(context, call, one_token);
  if (call.state <= 128) return launch_scan<4>(context, call, one_token);
  if (call.state <= max_mamba_state) return launch_scan<8>(context, call, one_token);
  throw EngineError(ErrorCode::unsupported, "Mamba2 states wider than 256 do not run on the GPU; choose the CPU");
}

}  // namespace nf::cuda
