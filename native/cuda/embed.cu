#include "embed_row.cuh"
#include "resident.h"

namespace nf::cuda {
namespace {

/// See embed_block(). Bytes moved: a row of the table and of x each.
__global__ void __launch_bounds__(team_threads) embed_kernel(EmbedCall c) {
  embed_block(c, place_of_block(), BlockTeam{});
}

}  // namespace

void embed(const LaunchContext& context, const EmbedCall& call) {
  if (context.resident) return context.resident->take(call);
  const dim3 grid(static_cast<unsigned>((call.table.k + team_threads - 1) / team_threads),
                  static_cast<unsigned>(call.n_rows));
  launch(context, embed_kernel, grid, team_threads, 0, call);
}

}  // namespace nf::cuda
