// The greedy choice: body of its kernel, and the last stage of the resident one.
#pragma once

#include "stages.h"
#include "team.cuh"

namespace nf::cuda {

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

__device__ __forceinline__ Best best_of_warp(Best best) {
  for (int offset = 16; offset > 0; offset >>= 1) {
    best.join(__shfl_down_sync(full_warp, best.value, offset), __shfl_down_sync(full_warp, best.sum, offset),
              __shfl_down_sync(full_warp, best.token, offset));
  }
  return best;
}

struct GreedyShared {
  float values[team_warps], sums[team_warps];
  int tokens[team_warps];
  bool bad[team_warps], last;
};

/// Token with the largest logit and its log-probability. Block: a run of tokens; the last block to arrive joins the
/// blocks' results in order, writes the choice and readies the next step. Bytes moved: the logits once.
template <class Team>
__device__ __forceinline__ void choose_greedy_block(const GreedyCall& c, const Place& at, GreedyShared& shared,
                                                    const Team& team) {
  auto& [values, sums, tokens, bads, last] = shared;
  team.wait_for_inputs();
  const int lane = team.thread() % 32, warp = team.thread() / 32;
  const float* logits = c.slice->logits;
  const int per_block = (c.n_vocab + greedy_blocks - 1) / greedy_blocks;
  const int first = at.x * per_block, end = min(c.n_vocab, first + per_block);
  Best best;
  bool bad = false;
#pragma unroll 4
  for (int i = first + team.thread(); i < end; i += team_threads) {
    const float value = __ldcg(logits + i);
    bad = bad || isnan(value);
    best.join(value, 1.0f, i);
  }
  best = best_of_warp(best);
  bad = __any_sync(full_warp, bad);
  if (lane == 0) values[warp] = best.value, sums[warp] = best.sum, tokens[warp] = best.token, bads[warp] = bad;
  team.sync();
  if (team.thread() == 0) {
    for (int w = 1; w < team_warps; ++w) best.join(values[w], sums[w], tokens[w]), bad = bad || bads[w];
    float* out = c.partials + at.x * 3;
    out[0] = best.value, out[1] = best.sum, out[2] = __int_as_float(bad ? -1 : best.token);
    last = arrive_counting(c.counters) == greedy_blocks - 1;
  }
  team.sync();
  if (!last || warp != 0) return;
  Best all;
  bool any_bad = false;
  for (int i = lane; i < greedy_blocks; i += 32) {
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
  volatile Choice* place = c.places + number % choice_places;
  place->token = any_bad ? -1 : all.token;
  place->logprob = -logf(all.sum);
  __threadfence_system();
  place->number = number;
}

}  // namespace nf::cuda
