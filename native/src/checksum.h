// A fast 64-bit checksum of large data, for files that this program wrote itself: XXH64 as its specification says
// (xxHash, doc/xxhash_spec.md). It finds damage; it does not stop somebody who forges a file.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace nf {

static_assert(std::endian::native == std::endian::little, "the checksum reads words as they lie in memory");

namespace checksum_detail {

inline constexpr std::uint64_t p1 = 0x9E3779B185EBCA87u, p2 = 0xC2B2AE3D27D4EB4Fu, p3 = 0x165667B19E3779F9u,
                               p4 = 0x85EBCA77C2B2AE63u, p5 = 0x27D4EB2F165667C5u;

template <class Word>
Word word_at(const std::byte* p) {
  Word word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

inline std::uint64_t round(std::uint64_t lane, std::uint64_t word) { return std::rotl(lane + word * p2, 31) * p1; }

}  // namespace checksum_detail

inline std::uint64_t checksum(std::span<const std::byte> data, std::uint64_t seed = 0) {
  using namespace checksum_detail;
  const std::byte* p = data.data();
  std::size_t left = data.size();
  std::uint64_t hash = seed + p5;
  if (left >= 32) {
    // Four independent lanes: the multiplier's latency is hidden.
    std::uint64_t lanes[4] = {seed + p1 + p2, seed + p2, seed, seed - p1};
    for (; left >= 32; left -= 32, p += 32) {
      for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], word_at<std::uint64_t>(p + 8 * i));
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (const std::uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * p1 + p4;
  }
  hash += data.size();
  for (; left >= 8; left -= 8, p += 8) hash = std::rotl(hash ^ round(0, word_at<std::uint64_t>(p)), 27) * p1 + p4;
  if (left >= 4) {
    hash = std::rotl(hash ^ word_at<std::uint32_t>(p) * p1, 23) * p2 + p3;
    left -= 4, p += 4;
  }
  for (; left > 0; --left, ++p) hash = std::rotl(hash ^ std::to_integer<std::uint64_t>(*p) * p5, 11) * p1;
  hash = (hash ^ hash >> 33) * p2;
  hash = (hash ^ hash >> 29) * p3;
  return hash ^ hash >> 32;
}

}  // namespace nf
