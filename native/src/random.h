// Counter-based randomness: a value is a function of its key and counter alone, so nothing has to be carried along.
#pragma once

#include <cstdint>

namespace nf {

inline constexpr std::uint64_t weyl_step = 0x9E3779B97F4A7C15u;

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): a good hash of a counter.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

/// 53 random bits: the sampler's number for one position of one seed.
constexpr std::uint64_t random_bits_at(std::uint64_t seed, std::uint64_t position) {
  const std::uint64_t key = mix64(seed + weyl_step);
  return mix64(key + (position + 1) * weyl_step) >> 11;
}

/// The same as a number in [0, 1).
constexpr double uniform_at(std::uint64_t seed, std::uint64_t position) {
  return static_cast<double>(random_bits_at(seed, position)) * 0x1p-53;
}

}  // namespace nf
