// Aligned memory in large pages where the system gives them.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <string>

#include "nf/engine.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace nf::cpu {

inline constexpr std::size_t cache_line = 64;
inline constexpr std::size_t huge_page = std::size_t{2} << 20;

/// `n` uninitialised elements of a plain type, aligned to a cache line; large buffers to a huge page.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t n) : size_(n) {
    if (n == 0) return;
    const std::size_t n_bytes = n * sizeof(T);
    const std::size_t alignment = n_bytes >= huge_page ? huge_page : cache_line;
    data_.reset(static_cast<T*>(::operator new (n_bytes, std::align_val_t{alignment}, std::nothrow)));
    if (!data_) {
      throw EngineError(ErrorCode::out_of_memory, "no memory for " + std::to_string(n_bytes >> 20) +
                                                      " MiB; close other programs, choose a "
                                                      "smaller weight format or a shorter context");
    }
    data_.get_deleter().alignment = alignment;
#ifdef __linux__
    if (alignment == huge_page) madvise(data_.get(), n_bytes, MADV_HUGEPAGE);  // a hint; nothing is lost without
#endif
  }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }

  /// Makes room for n elements; contents are lost when it has to grow.
  void reserve(std::size_t n) {
    if (n > size_) *this = Buffer(n);
  }

 private:
  struct Free {
    std::size_t alignment = cache_line;
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{alignment}); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace nf::cpu
