// Owners of device things: memory, pinned memory, streams, events, graphs. Move-only; freed in reverse order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "check.h"

namespace nf::cuda {

struct DeviceFree {
  void operator()(void* pointer) const noexcept { (void)cudaFree(pointer); }
};
struct PinnedFree {
  void operator()(void* pointer) const noexcept { (void)cudaFreeHost(pointer); }
};

/// Device memory for `size` elements, not initialised.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  explicit DeviceBuffer(std::int64_t size) : size_(size) {
    void* pointer = nullptr;
    if (size > 0) CUDA_CHECK(cudaMalloc(&pointer, static_cast<std::size_t>(size) * sizeof(T)));
    data_.reset(static_cast<T*>(pointer));
  }
  T* data() const noexcept { return data_.get(); }
  std::int64_t size() const noexcept { return size_; }
  std::int64_t bytes() const noexcept { return size_ * static_cast<std::int64_t>(sizeof(T)); }

  static DeviceBuffer copy_of(const std::vector<T>& host) {
    DeviceBuffer buffer(static_cast<std::int64_t>(host.size()));
    if (host.empty()) return buffer;
    CUDA_CHECK(cudaMemcpy(buffer.data(), host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice));
    CUDA_CHECK(cudaStreamSynchronize(nullptr));
    return buffer;
  }
  static DeviceBuffer zeros(std::int64_t size) {
    DeviceBuffer buffer(size);
    if (size == 0) return buffer;
    CUDA_CHECK(cudaMemset(buffer.data(), 0, static_cast<std::size_t>(size) * sizeof(T)));
    CUDA_CHECK(cudaStreamSynchronize(nullptr));  // our streams do not wait for the default one, where this runs
    return buffer;
  }

 private:
  std::unique_ptr<T, DeviceFree> data_;
  std::int64_t size_ = 0;
};

/// Page-locked host memory, mapped into the device's address space.
template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(std::int64_t size) : size_(size) {
    void* pointer = nullptr;
    CUDA_CHECK(cudaHostAlloc(&pointer, static_cast<std::size_t>(size) * sizeof(T), cudaHostAllocMapped));
    data_.reset(static_cast<T*>(pointer));
  }
  T* data() const noexcept { return data_.get(); }
  std::int64_t size() const noexcept { return size_; }
  T* device() const {
    void* pointer = nullptr;
    CUDA_CHECK(cudaHostGetDevicePointer(&pointer, data_.get(), 0));
    return static_cast<T*>(pointer);
  }

 private:
  std::unique_ptr<T, PinnedFree> data_;
  std::int64_t size_ = 0;
};

class Stream {
 public:
  Stream() { CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Stream() { (void)cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const noexcept { return stream_; }
  void wait() const { CUDA_CHECK(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  explicit Event(unsigned flags = cudaEventDefault) { CUDA_CHECK(cudaEventCreateWithFlags(&event_, flags)); }
  ~Event() {
    if (event_) (void)cudaEventDestroy(event_);
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;
  operator cudaEvent_t() const noexcept { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

class GraphExec {
 public:
  GraphExec() = default;
  explicit GraphExec(cudaGraphExec_t graph) : graph_(graph) {}
  ~GraphExec() {
    if (graph_) (void)cudaGraphExecDestroy(graph_);
  }
  GraphExec(GraphExec&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  GraphExec& operator=(GraphExec&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
  }
  explicit operator bool() const noexcept { return graph_ != nullptr; }
  operator cudaGraphExec_t() const noexcept { return graph_; }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace nf::cuda
