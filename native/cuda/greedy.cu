// The greedy choice on the device, so that the next step can start without the host.
#include "device_code.cuh"
#include "stages.h"

namespace nf::cuda {
namespace {

constexpr int n_blocks = 128, n_threads = 256, n_warps = n_threads / 32;
static_assert(greedy_scratch == n_blocks * 3);

/// Maximum (the lowest token of equal ones) and sum of exp(logit - maximum) of some tokens.
struct Best {
  float value = -INFINITY, sum = 0;
  int token = 0x7fffffff;

  __device__ void join(float other_value, float other_sum, int other_token) {
    const float largest = fmaxf(value, other_value);
    if (largest != -INFINITY) sum = sum * expf(value - largest) + other_sum * expf(other_value - largest);
    if (other_value > value || (other_value == value && other_token < token)) token = other_token;
    value = largest;
  }
};

__device__ Best best_of_warp(Best best) {
  for (int offset = 16; offset > 0; offset >>= 1) {
    best.join(__shfl_down_sync(full_warp, best.value, offset), __shfl_down_sync(full_warp, best.sum, offset),
              __shfl_down_sync(full_warp, best.token, offset));
  }
  return best;
}

/// Token with the largest logit and its log-probability. Block: a run of tokens; the last block to arrive joins the
/// blocks' results in order, writes the choice and readies the next step. Bytes moved: the logits once.
__global__ void __launch_bounds__(n_threads) choose_greedy_kernel(GreedyCall c) {
  __shared__ Best bests[n_warps];
  __shared__ bool last;
  wait_for_earlier_kernels();
  let_next_kernel_start();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const float* logits = c.slice->logits;
  const int per_block = (c.n_vocab + n_blocks - 1) / n_blocks;
  const int first = static_cast<int>(blockIdx.x) * per_block, end = min(c.n_vocab, first + per_block);
  Best best;
  bool bad = false;
  for (int i = first + static_cast<int>(threadIdx.x); i < end; i += n_threads) {
    const float value = __ldcg(logits + i);
    bad = bad || isnan(value);
    best.join(value, 1.0f, i);
  }
  best = best_of_warp(best);
  if (lane == 0) bests[warp] = best;
  bad = __syncthreads_or(bad);
  if (threadIdx.x == 0) {
    for (int w = 1; w < n_warps; ++w) best.join(bests[w].value, bests[w].sum, bests[w].token);
    float* out = c.partials + blockIdx.x * 3;
    out[0] = best.value, out[1] = best.sum, out[2] = __int_as_float(bad ? -1 : best.token);
    __threadfence();
    last = atomicAdd(c.counters, 1) == n_blocks - 1;
  }
  __syncthreads();
  if (!last || warp != 0) return;
  __threadfence();
  Best all;
  bool any_bad = false;
  for (int i = lane; i < n_blocks; i += 32) {
    const int token = __float_as_int(__ldcg(c.partials + i * 3 + 2));
    any_bad = any_bad || token < 0;
    all.join(__ldcg(c.partials + i * 3), __ldcg(c.partials + i * 3 + 1), token);
  }
  any_bad = __any_sync(full_warp, any_bad);
  all = best_of_warp(all);
  if (lane != 0) return;
  c.counters[0] = 0;
  const int number = ++c.counters[1];
  *c.token = any_bad ? 0 : all.token;
  if (c.advance) ++c.slice->first_position, ++c.slice->ring;
  volatile GreedyChoice* place = c.places + number % greedy_places;
  place->token = any_bad ? -1 : all.token;
  place->logprob = -logf(all.sum);
  __threadfence_system();
  place->number = number;
}

}  // namespace

void choose_greedy(const LaunchContext& context, const GreedyCall& call) {
  launch(context, choose_greedy_kernel, dim3(n_blocks), n_threads, 0, call);
}

}  // namespace nf::cuda
