#include "mapped_file.h"

#include <fstream>
#include <system_error>

#include "nf/engine.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace nf {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw EngineError(ErrorCode::bad_model, utf8_of_path(path) + ": " + what);
}

}  // namespace

std::filesystem::path path_of_utf8(const std::string& text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

std::string utf8_of_path(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

#ifdef _WIN32

MappedFile::MappedFile(const std::filesystem::path& path) {
  const auto system_text = [] {
    return std::error_code(static_cast<int>(GetLastError()), std::system_category()).message();
  };
  const HANDLE file =
      CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) fail(path, "cannot be opened: " + system_text());
  LARGE_INTEGER size{};
  if (!GetFileSizeEx(file, &size) || size.QuadPart == 0) {
    CloseHandle(file);
    fail(path, "is empty or no plain file");
  }
  const HANDLE mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
  const std::string reason = mapping ? "" : system_text();
  CloseHandle(file);
  if (!mapping) fail(path, "cannot be mapped: " + reason);
  const void* data = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
  const std::string view_reason = data ? "" : system_text();
  CloseHandle(mapping);  // the view keeps the mapping alive
  if (!data) fail(path, "cannot be mapped: " + view_reason);
  data_ = static_cast<const std::byte*>(data);
  size_ = static_cast<std::size_t>(size.QuadPart);
}

MappedFile::~MappedFile() {
  if (data_) UnmapViewOfFile(data_);
}

void MappedFile::release(std::size_t, std::size_t) const noexcept {}  // the system trims pages by itself

#else

MappedFile::MappedFile(const std::filesystem::path& path) {
  const auto system_text = [] { return std::error_code(errno, std::generic_category()).message(); };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail(path, "cannot be opened: " + system_text());
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
    ::close(file);
    fail(path, "is empty or no plain file");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const std::string reason = data == MAP_FAILED ? system_text() : "";
  ::close(file);
  if (data == MAP_FAILED) fail(path, "cannot be mapped: " + reason);
  data_ = static_cast<const std::byte*>(data);
  size_ = size;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::size_t first, std::size_t n) const noexcept {
  // Whole pages inside the range: its neighbours may be in use.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = (first + page - 1) / page * page, end = (first + n) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

#endif

std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) fail(path, "is missing");
  const auto size = std::filesystem::file_size(path, error);
  if (error) fail(path, "cannot be read: " + error.message());
  if (size > max_bytes) fail(path, "is too large to be what its name says (" + std::to_string(size) + " bytes)");
  std::ifstream in(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) fail(path, "cannot be read");
  return text;
}

}  // namespace nf
