// The parts of a weight cache, for whoever writes one (weight_cache.h has the format).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "durable_file.h"
#include "weight_cache.h"

namespace nf {

inline constexpr std::uint64_t section_alignment = 4096;
/// Left free on the disk, so that keeping weights never fills it.
inline constexpr std::uint64_t cache_reserve_bytes = 512 << 20;

constexpr std::uint64_t aligned_offset(std::uint64_t offset) {
  return (offset + section_alignment - 1) / section_alignment * section_alignment;
}

/// As the table says it: a JSON object.
std::string text_of(const CacheTable::Entry&);
/// Throws bad_model naming `file`.
CacheTable::Entry parse_cache_entry(std::string_view text, const std::string& file);

/// On all cores. Throws cancelled.
std::vector<std::uint64_t> section_checksums(const std::vector<std::span<const std::byte>>&, const StopFlag&);

/// Room for the head.
void write_cache_start(DurableFile&);
/// Zeros up to the next section, which begins at aligned_offset(offset).
void write_padding(DurableFile&, std::uint64_t offset);
/// Table and head, without which nothing else is looked at, behind sections and padding that end at `offset`.
void write_cache_end(DurableFile&, const CacheKey&, const std::vector<CacheTable::Entry>&, std::uint64_t offset);

/// Empty when the disk has room for so many bytes and the reserve, otherwise why not.
std::string lack_of_room(const std::filesystem::path& folder, std::uint64_t n_bytes);

}  // namespace nf
