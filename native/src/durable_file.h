// A file that appears under its name whole and on the disk, or not at all. POSIX and Windows.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <system_error>

namespace nf {

/// Writes NAME.part, locked against other processes; commit() renames it. What a killed process left behind is written
/// over by the next. Failures are std::system_error.
class DurableFile {
 public:
  /// Throws with std::errc::device_or_resource_busy when another process is writing this file.
  explicit DurableFile(const std::filesystem::path&);
  ~DurableFile();  // without commit(): the part goes
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(std::span<const std::byte>);
  void write_at_start(std::span<const std::byte>);
  /// Flushes to the disk, then gives the file its name.
  void commit();

 private:
  std::filesystem::path path_, part_;
#ifdef _WIN32
  void* file_;
#else
  int file_;
#endif
  bool is_committed_ = false;
};

}  // namespace nf
