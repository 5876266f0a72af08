// The greedy choice on the device, so that the next step can start without the host.
#include "greedy_choice.cuh"
#include "resident.h"

namespace nf::cuda {
namespace {

__global__ void __launch_bounds__(team_threads) choose_greedy_kernel(GreedyCall c) {
  __shared__ GreedyShared shared;
  choose_greedy_block(c, place_of_block(), shared, BlockTeam{});
}

}  // namespace

void choose_greedy(const LaunchContext& context, const GreedyCall& call) {
  if (context.resident) return context.resident->take(call);
  launch(context, choose_greedy_kernel, dim3(greedy_blocks), team_threads, 0, call);
}

}  // namespace nf::cuda
