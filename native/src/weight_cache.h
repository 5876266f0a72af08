// What a load had to compute, kept in a file for the next one: quantised weights, row norms of the head, and the state
// behind the memory tokens.
//
// The file, little-endian:
//   head     64 bytes: "NFWEIGHT", u32 version, u32 0, u64 table offset, u64 table bytes, u64 checksum of the table,
//            16 zero bytes, u64 checksum of the head so far
//   sections each at a multiple of 4096 bytes
//   table    JSON: {"source", "format", "layout", "sections": [{"name", "offset", "bytes", "checksum"}]}
// Checksums are of checksum.h, a section's over the checksums of its pieces. A file is written under another name and
// renamed when it is whole on the disk. One that does not match, in any bit, is not used.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mapped_file.h"
#include "nf/engine.h"

namespace nf {

/// What a file must say of itself to be used. Plain text without quotes.
struct CacheKey {
  std::string source;  // ModelPlan::fingerprint
  std::string format;  // name_of(WeightFormat)
  std::string layout;  // cpu_weight_layout()
};

struct CacheSection {
  std::string name;
  std::span<const std::byte> bytes;
};

/// The table of a file.
struct CacheTable {
  struct Entry {
    std::string name;
    std::uint64_t offset, n_bytes, checksum;
  };
  std::string source, format, layout;
  std::vector<Entry> sections;
};

/// Checks head and table, and that every section lies inside the file; not the sections' content. Throws bad_model.
CacheTable parse_weight_cache(std::span<const std::byte> bytes, const std::string& file);

using CacheProgress = std::function<void(std::int64_t done, std::int64_t total)>;  // bytes; on the calling thread

/// A whole, matching file, mapped. Immutable; any thread may read.
class WeightCache {
 public:
  /// Every section is read and checked, on all cores. Null when the file is missing, stale or damaged: `why` then says
  /// it in a sentence, or stays empty when there is no file. Throws cancelled.
  static std::shared_ptr<const WeightCache> open(const std::filesystem::path&, const CacheKey&, const StopFlag&,
                                                 const CacheProgress&, std::string& why);

  /// Null when there is no such section.
  const std::byte* find(const std::string& name, std::size_t n_bytes) const;

 private:
  WeightCache(const std::filesystem::path&, const CacheKey&);
  void check_sections(const StopFlag&, const CacheProgress&) const;

  std::string name_;
  MappedFile file_;
  CacheTable table_;
};

/// DIR/int4.nfweights
std::filesystem::path weight_cache_file(const std::filesystem::path& dir, WeightFormat);

}  // namespace nf
