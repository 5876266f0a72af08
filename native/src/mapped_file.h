// A file mapped read-only into memory. POSIX and Windows.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace nf {

class MappedFile {
 public:
  /// Maps the whole file. Throws bad_model naming the file when it cannot be opened, is no plain file or is empty.
  explicit MappedFile(const std::filesystem::path&);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// These bytes are not needed for now: they stop counting as this process's memory, and are read again when used.
  void release(std::size_t first, std::size_t n) const noexcept;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The whole of a small text file. Throws bad_model when it cannot be read or is larger than max_bytes.
std::string read_text_file(const std::filesystem::path&, std::size_t max_bytes);

/// Paths cross the engine's border as UTF-8 on every system.
std::filesystem::path path_of_utf8(const std::string&);
std::string utf8_of_path(const std::filesystem::path&);

}  // namespace nf
