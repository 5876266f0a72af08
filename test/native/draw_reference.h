// What a draw on the device must give, by sorting: the plain form of native/cuda/draw.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "cuda/draw_keys.h"
#include "random.h"

namespace nf::test {

/// The token at one position of a seed. All logits are finite or minus infinity, one at least is finite.
inline Token reference_draw(std::span<const float> logits, const Sampling& sampling, std::uint64_t position) {
  const auto s = cuda::DrawSettings::of(sampling);
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<std::uint32_t> keys;
  for (const float x : logits) keys.push_back(cuda::key_of(x, largest, s.scale));
  const auto key = [&](Token t) { return keys[static_cast<std::size_t>(t)]; };
  const auto mass = [&](std::span<const Token> tokens) {
    return std::accumulate(tokens.begin(), tokens.end(), std::uint64_t{0},
                           [&](std::uint64_t sum, Token t) { return sum + cuda::mass_of(key(t)); });
  };
  std::vector<Token> kept(logits.size());
  std::iota(kept.begin(), kept.end(), 0);
  std::erase_if(kept, [&](Token t) { return key(t) == cuda::too_light; });
  std::stable_sort(kept.begin(), kept.end(), [&](Token a, Token b) { return key(a) < key(b); });
  if (s.top_k > 0 && s.top_k < kept.size()) kept.resize(s.top_k);
  if (s.top_p > 0) {
    const std::uint64_t wanted = std::max<std::uint64_t>(1, cuda::mul_high(s.top_p, mass(kept)));
    std::size_t n = 0;
    for (std::uint64_t sum = 0; sum < wanted; ++n) sum += cuda::mass_of(key(kept[n]));
    kept.resize(n);
  }
  std::erase_if(kept, [&](Token t) { return key(t) > s.last_key; });
  std::sort(kept.begin(), kept.end());
  std::uint64_t left = cuda::mul_high(random_bits_at(s.seed, position) << 11, mass(kept));
  for (const Token t : kept) {
    const std::uint64_t here = cuda::mass_of(key(t));
    if (left < here) return t;
    left -= here;
  }
  return -1;
}

}  // namespace nf::test
