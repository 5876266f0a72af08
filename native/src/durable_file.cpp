#include "durable_file.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#endif

#include <algorithm>

namespace nf {
namespace {

std::filesystem::path part_of(std::filesystem::path path) { return path += ".part"; }

constexpr std::size_t piece_bytes = 8 << 20;

#ifdef _WIN32
[[noreturn]] void fail() { throw std::system_error(static_cast<int>(GetLastError()), std::system_category()); }
#else
[[noreturn]] void fail(int error = errno) { throw std::system_error(error, std::generic_category()); }

/// Whether `file` is what `path` names: a writer that had it before may have renamed it meanwhile.
bool is_file_at(int file, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}
#endif

}  // namespace

#ifdef _WIN32

DurableFile::DurableFile(const std::filesystem::path& path, Part part)
    : path_(path), part_(part_of(path)), part_kind_(part) {
  // Nobody else may open it while it is open here: that is the lock.
  file_ = CreateFileW(part_.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                      part == Part::kept ? OPEN_ALWAYS : CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file_ == INVALID_HANDLE_VALUE) {
    if (GetLastError() == ERROR_SHARING_VIOLATION) {
      throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy));
    }
    fail();
  }
}

DurableFile::~DurableFile() {
  if (file_ != INVALID_HANDLE_VALUE) CloseHandle(file_);
  if (!is_committed_ && part_kind_ == Part::fresh) DeleteFileW(part_.c_str());
}

void DurableFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    DWORD n = 0;
    if (!WriteFile(file_, bytes.data(), static_cast<DWORD>(std::min(bytes.size(), piece_bytes)), &n, nullptr)) fail();
    bytes = bytes.subspan(n);
  }
}

void DurableFile::write_at_start(std::span<const std::byte> bytes) {
  if (!SetFilePointerEx(file_, {}, nullptr, FILE_BEGIN)) fail();
  write(bytes);
  if (!SetFilePointerEx(file_, {}, nullptr, FILE_END)) fail();
}

void DurableFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    OVERLAPPED place{};
    place.Offset = static_cast<DWORD>(offset);
    place.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD n = 0;
    if (!ReadFile(file_, out.data(), static_cast<DWORD>(std::min(out.size(), piece_bytes)), &n, &place)) fail();
    if (n == 0) throw std::system_error(std::make_error_code(std::errc::io_error));
    offset += n;
    out = out.subspan(n);
  }
}

void DurableFile::resume_at(std::uint64_t offset) {
  LARGE_INTEGER end;
  end.QuadPart = static_cast<LONGLONG>(offset);
  if (!SetFilePointerEx(file_, end, nullptr, FILE_BEGIN) || !SetEndOfFile(file_)) fail();
}

void DurableFile::commit() {
  if (!FlushFileBuffers(file_)) fail();
  CloseHandle(file_);
  file_ = INVALID_HANDLE_VALUE;
  if (!MoveFileExW(part_.c_str(), path_.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) fail();
  is_committed_ = true;
}

#else

DurableFile::DurableFile(const std::filesystem::path& path, Part part)
    : path_(path), part_(part_of(path)), part_kind_(part) {
  file_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) fail();
  int error = 0;
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    error = errno == EWOULDBLOCK ? EBUSY : errno;
  } else if (!is_file_at(file_, part_)) {
    error = EBUSY;
  } else if (part == Part::fresh && ::ftruncate(file_, 0) != 0) {
    error = errno;
  }
  if (error == 0) return;
  ::close(file_);
  fail(error);
}

DurableFile::~DurableFile() {
  if (!is_committed_ && part_kind_ == Part::fresh) ::unlink(part_.c_str());
  ::close(file_);  // unlocks, after the name is gone
}

void DurableFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_, bytes.data(), std::min(bytes.size(), piece_bytes));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail();
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void DurableFile::write_at_start(std::span<const std::byte> bytes) {
  if (::lseek(file_, 0, SEEK_SET) < 0) fail();
  write(bytes);
  if (::lseek(file_, 0, SEEK_END) < 0) fail();
}

void DurableFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t n = ::pread(file_, out.data(), std::min(out.size(), piece_bytes), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail();
    if (n == 0) fail(EIO);
    offset += static_cast<std::uint64_t>(n);
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

void DurableFile::resume_at(std::uint64_t offset) {
  if (::ftruncate(file_, static_cast<off_t>(offset)) != 0) fail();
  if (::lseek(file_, 0, SEEK_END) < 0) fail();
}

void DurableFile::commit() {
  if (::fsync(file_) != 0) fail();
  if (::rename(part_.c_str(), path_.c_str()) != 0) fail();
  is_committed_ = true;
  // The name is on the disk once its folder is. Losing it costs a rebuild, so a folder that cannot be synced is fine.
  const int dir = ::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return;
  ::fsync(dir);
  ::close(dir);
}

#endif

}  // namespace nf
