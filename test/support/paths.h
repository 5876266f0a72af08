// Where tests find their data and may write.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

namespace nf::test {

/// test/golden of this source tree.
inline std::filesystem::path golden_dir() { return NF_GOLDEN_DIR; }

/// A directory of one's own, removed with its content at the end of its life.
class ScratchDir {
 public:
  ScratchDir() {
    static std::atomic<int> counter{0};
    const auto ticks = std::chrono::steady_clock::now().time_since_epoch().count();
    path_ = std::filesystem::temp_directory_path() / ("nf_" + std::to_string(ticks) + "_" + std::to_string(counter++));
    std::filesystem::create_directories(path_);
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace nf::test
