// A file that appears under its name whole and on the disk, or not at all. POSIX and Windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <system_error>

namespace nf {

/// Writes NAME.part, locked against other processes; commit() renames it. Failures are std::system_error.
class DurableFile {
 public:
  enum class Part {
    fresh,  // what a killed process left behind is written over; without commit(), the part goes
    kept,   // what there is stays, for resume_at(); so does the part without commit()
  };

  /// Throws with std::errc::device_or_resource_busy when another process is writing this file.
  explicit DurableFile(const std::filesystem::path&, Part = Part::fresh);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(std::span<const std::byte>);
  void write_at_start(std::span<const std::byte>);
  /// Fills all of `out`, or throws.
  void read_at(std::uint64_t offset, std::span<std::byte> out);
  /// The part ends here, and writing goes on behind it.
  void resume_at(std::uint64_t offset);
  /// A kept part goes after all.
  void discard() { part_kind_ = Part::fresh; }
  /// Flushes to the disk, then gives the file its name.
  void commit();

 private:
  std::filesystem::path path_, part_;
#ifdef _WIN32
  void* file_;
#else
  int file_;
#endif
  Part part_kind_;
  bool is_committed_ = false;
};

}  // namespace nf
