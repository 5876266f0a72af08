// Writes a weight cache section by section, while the sections are being made.
//
// NAME.part has the sections so far, and NAME.journal a line about each: its checksum of what follows, then the section
// as the table of a cache has it. The first line says what the cache is of. A process that is stopped, or killed,
// leaves both behind, and the next writer takes from them what is whole; anything else is made again.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "durable_file.h"
#include "weight_cache.h"

namespace nf {

/// What goes wrong with the file (full disk, read-only, being written by another process) ends the writing and is told
/// by finish(); it never throws. Used by one thread.
class WeightCacheWriter {
 public:
  WeightCacheWriter(const std::filesystem::path&, const CacheKey&);
  ~WeightCacheWriter();
  WeightCacheWriter(const WeightCacheWriter&) = delete;
  WeightCacheWriter& operator=(const WeightCacheWriter&) = delete;

  /// Looks whether the disk has room for so many bytes of sections, those already written among them.
  void expect(std::uint64_t n_bytes);
  /// Fills `out` with the next section as an earlier writer left it, and keeps it; false when that is not it, or is not
  /// whole, and add() must follow.
  bool take(const std::string& name, std::span<std::byte> out);
  void add(const CacheSection&);
  /// The file appears. Returns why it could not, or an empty string.
  std::string finish();

 private:
  template <class Work>
  void attempt(const Work& work);
  void read_journal();
  void write_journal();
  void give_up(const std::string& why);

  const std::filesystem::path path_, journal_path_;
  const CacheKey key_;
  std::unique_ptr<DurableFile> file_;  // null when writing has ended
  std::ofstream journal_;
  std::vector<CacheTable::Entry> left_;      // by an earlier writer, not looked at yet; the first comes next
  std::vector<CacheTable::Entry> sections_;  // of the file to be
  std::uint64_t offset_;                     // behind sections_
  bool is_appending_ = false;                // the part ends at offset_
  std::string problem_;
};

}  // namespace nf
