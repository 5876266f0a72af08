// The safetensors container: 8 bytes of header length, a JSON header, then the tensors' bytes without gaps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mapped_file.h"
#include "model.h"

namespace nf {

struct SafetensorsEntry {
  std::string dtype;  // "BF16", "F32", "I64", ... as written
  std::vector<std::int64_t> shape;
  std::size_t offset = 0, n_bytes = 0;  // in the file, not in its data part
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};

/// Reads and checks the header of a whole file in memory: every name, type, shape, size and offset, and that the
/// tensors tile the data part without gap or overlap. Throws bad_model naming `file` and the tensor at fault.
SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, const std::string& file);

/// One mapped file. Immutable; any thread may read.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path&);
  const SafetensorsHeader& header() const noexcept { return header_; }
  /// Throws bad_model when there is no such tensor.
  const SafetensorsEntry& entry(const std::string& name) const;
  std::span<const std::byte> bytes(const SafetensorsEntry&) const;
  void release(const SafetensorsEntry& entry) const noexcept { file_.release(entry.offset, entry.n_bytes); }
  /// The header as it lies in the file.
  std::span<const std::byte> header_bytes() const noexcept;
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
  MappedFile file_;
  SafetensorsHeader header_;
};

/// The tensors of a checkpoint directory: model.safetensors, or the shards that model.safetensors.index.json lists.
/// Throws bad_model when files are missing or damaged, or when index and shards contradict each other.
std::shared_ptr<const TensorSource> open_checkpoint(const std::filesystem::path& dir);

}  // namespace nf
