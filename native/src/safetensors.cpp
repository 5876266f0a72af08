#include "safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "checksum.h"
#include "json.h"

namespace nf {
namespace {

constexpr std::uint64_t max_header_bytes = 100'000'000;  // the limit of the format's own library
constexpr std::size_t max_index_bytes = 100'000'000;
constexpr std::size_t max_rank = 8;

struct NamedSize {
  std::string_view name;
  int n_bytes;
};
constexpr std::array<NamedSize, 15> element_sizes{{{"BF16", 2},
                                                   {"F32", 4},
                                                   {"F16", 2},
                                                   {"F64", 8},
                                                   {"I64", 8},
                                                   {"I32", 4},
                                                   {"I16", 2},
                                                   {"I8", 1},
                                                   {"U8", 1},
                                                   {"U16", 2},
                                                   {"U32", 4},
                                                   {"U64", 8},
                                                   {"BOOL", 1},
                                                   {"F8_E4M3", 1},
                                                   {"F8_E5M2", 1}}};

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw EngineError(ErrorCode::bad_model, file + ": " + what);
}

std::optional<std::uint64_t> as_size(const Json& value) {
  if (!value.is_integer || value.integer < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value.integer);
}

SafetensorsEntry parse_entry(const Json& value, const std::string& name, std::uint64_t data_start,
                             std::uint64_t data_bytes, const std::string& file) {
  const auto bad = [&](const std::string& what) { fail(file, "tensor " + name + ": " + what); };
  if (!value.is(Json::Kind::object)) bad("its header entry is no object");
  for (const auto& [key, member] : value.members) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") bad("unknown header key \"" + key + "\"");
  }
  const Json* dtype = value.find("dtype");
  const Json* shape = value.find("shape");
  const Json* offsets = value.find("data_offsets");
  if (!dtype || !dtype->is(Json::Kind::string)) bad("has no dtype");
  if (!shape || !shape->is(Json::Kind::array)) bad("has no shape");
  if (!offsets || !offsets->is(Json::Kind::array) || offsets->items.size() != 2) bad("has no data_offsets");

  SafetensorsEntry entry;
  entry.dtype = dtype->string;
  const auto* size = std::find_if(element_sizes.begin(), element_sizes.end(),
                                  [&](const NamedSize& known) { return known.name == entry.dtype; });
  if (size == element_sizes.end()) bad("unknown dtype \"" + entry.dtype + "\"");
  if (shape->items.size() > max_rank) bad("has too many dimensions");
  // No product can wrap: it is compared with the data size, which fits, before every multiplication.
  std::uint64_t n_bytes = static_cast<std::uint64_t>(size->n_bytes);
  bool empty = false;
  for (const Json& item : shape->items) {
    const auto extent = as_size(item);
    if (!extent) bad("has a dimension that is no whole number");
    entry.shape.push_back(item.integer);
    empty = empty || *extent == 0;
  }
  for (const std::int64_t extent : entry.shape) {
    if (empty) break;
    if (static_cast<std::uint64_t>(extent) > data_bytes / n_bytes) bad("is larger than its file");
    n_bytes *= static_cast<std::uint64_t>(extent);
  }
  if (empty) n_bytes = 0;
  const auto begin = as_size(offsets->items[0]), end = as_size(offsets->items[1]);
  if (!begin || !end || *begin > *end || *end > data_bytes) bad("its data_offsets lie outside the file");
  if (*end - *begin != n_bytes) {
    bad("its shape needs " + std::to_string(n_bytes) + " bytes, its data_offsets span " +
        std::to_string(*end - *begin));
  }
  entry.offset = static_cast<std::size_t>(data_start + *begin);
  entry.n_bytes = static_cast<std::size_t>(n_bytes);
  return entry;
}

void check_tiling(const SafetensorsHeader& header, std::uint64_t data_start, std::uint64_t file_bytes,
                  const std::string& file) {
  std::vector<std::pair<const std::string*, const SafetensorsEntry*>> order;
  for (const auto& [name, entry] : header.tensors) order.emplace_back(&name, &entry);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->offset, a.second->n_bytes) < std::pair(b.second->offset, b.second->n_bytes);
  });
  std::uint64_t expected = data_start;
  for (const auto& [name, entry] : order) {
    if (entry->offset < expected) fail(file, "tensor " + *name + " overlaps another");
    if (entry->offset > expected) fail(file, "unused bytes in front of tensor " + *name);
    expected = entry->offset + entry->n_bytes;
  }
  if (expected != file_bytes) {
    fail(file, "the tensors end at byte " + std::to_string(expected) + " but the file has " +
                   std::to_string(file_bytes) + "; it is damaged or incompletely downloaded");
  }
}

std::optional<DType> float_dtype(const std::string& name) {
  if (name == "F32") return DType::f32;
  if (name == "F16") return DType::f16;
  if (name == "BF16") return DType::bf16;
  return std::nullopt;
}

/// A checkpoint directory. Files stay mapped while the source or a view of it lives.
class CheckpointDirectory : public TensorSource {
 public:
  explicit CheckpointDirectory(const std::filesystem::path& dir) {
    std::error_code error;
    if (!std::filesystem::is_directory(dir, error)) fail(utf8_of_path(dir), "is no directory");
    const auto index = dir / "model.safetensors.index.json";
    if (std::filesystem::exists(index, error)) {
      open_shards(dir, index);
    } else if (std::filesystem::exists(dir / "model.safetensors", error)) {
      open_file(dir / "model.safetensors");
    } else {
      fail(utf8_of_path(dir), "holds neither model.safetensors nor model.safetensors.index.json");
    }
  }

  bool has(const std::string& name) const override { return where_.count(name) != 0; }

  std::vector<std::int64_t> shape(const std::string& name) const override { return find(name).entry(name).shape; }

  TensorView open(const std::string& name) const override {
    const auto& file = find(name);
    const SafetensorsEntry& entry = file.entry(name);
    const auto dtype = float_dtype(entry.dtype);
    if (!dtype) {
      throw EngineError(ErrorCode::unsupported, file.name() + ": tensor " + name + " is stored as " + entry.dtype +
                                                    "; this engine reads checkpoints in BF16, F16 or F32");
    }
    const auto bytes = file.bytes(entry);
    const std::size_t element = *dtype == DType::f32 ? 4 : 2;
    if (entry.offset % element == 0) return {bytes.data(), *dtype, entry.shape, where_.at(name)};
    // The format does not promise alignment; readers of a view may rely on it.
    auto copy = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
    return {copy->data(), *dtype, entry.shape, copy};
  }

  void release(const std::string& name) const noexcept override {
    const auto place = where_.find(name);
    if (place != where_.end()) place->second->release(place->second->header().tensors.at(name));
  }

  std::string fingerprint() const override { return fingerprint_; }

 private:
  std::shared_ptr<const SafetensorsFile> open_file(const std::filesystem::path& path) {
    auto file = std::make_shared<const SafetensorsFile>(path);
    for (const auto& [name, entry] : file->header().tensors) {
      const auto [place, fresh] = where_.try_emplace(name, file);
      if (!fresh) fail(file->name(), "tensor " + name + " is also in " + place->second->name());
    }
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error).time_since_epoch().count();
    fingerprint_ += utf8_of_path(path.filename()) + ' ' + std::to_string(std::filesystem::file_size(path)) + ' ' +
                    std::to_string(time) + ' ' + std::to_string(checksum(file->header_bytes())) + '\n';
    return file;
  }

  void open_shards(const std::filesystem::path& dir, const std::filesystem::path& index_path) {
    const std::string index_name = utf8_of_path(index_path);
    const Json index = parse_json(read_text_file(index_path, max_index_bytes), index_name);
    const Json* map = index.find("weight_map");
    if (!map || !map->is(Json::Kind::object) || map->members.empty()) fail(index_name, "has no weight_map");
    std::map<std::string, std::shared_ptr<const SafetensorsFile>> shards;
    for (const auto& [tensor, shard] : map->members) {
      if (!shard.is(Json::Kind::string) || !is_plain_file_name(shard.string)) {
        fail(index_name, "tensor " + tensor + " names no file of this directory");
      }
      auto& file = shards[shard.string];
      if (!file) file = open_file(dir / path_of_utf8(shard.string));
      const auto place = where_.find(tensor);
      if (place == where_.end() || place->second != file) {
        fail(index_name, "tensor " + tensor + " is not in " + shard.string);
      }
    }
  }

  static bool is_plain_file_name(const std::string& name) {
    return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\:") == std::string::npos &&
           name.find('\0') == std::string::npos;
  }

  const SafetensorsFile& find(const std::string& name) const {
    const auto place = where_.find(name);
    if (place == where_.end()) throw EngineError(ErrorCode::bad_model, "the checkpoint has no tensor " + name);
    return *place->second;
  }

  std::map<std::string, std::shared_ptr<const SafetensorsFile>> where_;
  std::string fingerprint_;
};

}  // namespace

SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < 8) fail(file, "is too short for a safetensors file");
  std::uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) header_bytes = header_bytes << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  if (header_bytes > max_header_bytes) fail(file, "is no safetensors file: it claims a header of impossible length");
  if (header_bytes > bytes.size() - 8) fail(file, "ends inside its header; it is incompletely downloaded");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(header_bytes));
  const Json root = parse_json(text, file);
  if (!root.is(Json::Kind::object)) fail(file, "its header is no JSON object");

  SafetensorsHeader header;
  const std::uint64_t data_start = 8 + header_bytes;
  for (const auto& [name, value] : root.members) {
    if (name == "__metadata__") {
      if (!value.is(Json::Kind::object)) fail(file, "__metadata__ is no object");
      for (const auto& [key, item] : value.members) {
        if (!item.is(Json::Kind::string)) fail(file, "__metadata__ holds something other than strings");
        header.metadata.emplace(key, item.string);
      }
      continue;
    }
    if (name.empty()) fail(file, "a tensor has no name");
    header.tensors.emplace(name, parse_entry(value, name, data_start, bytes.size() - data_start, file));
  }
  check_tiling(header, data_start, bytes.size(), file);
  return header;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : name_(utf8_of_path(path.filename())), file_(path), header_(parse_safetensors(file_.bytes(), name_)) {}

const SafetensorsEntry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = header_.tensors.find(name);
  if (found == header_.tensors.end()) fail(name_, "has no tensor " + name);
  return found->second;
}

std::span<const std::byte> SafetensorsFile::bytes(const SafetensorsEntry& entry) const {
  return file_.bytes().subspan(entry.offset, entry.n_bytes);
}

std::span<const std::byte> SafetensorsFile::header_bytes() const noexcept {
  std::size_t data_start = file_.bytes().size();
  for (const auto& [name, entry] : header_.tensors) data_start = std::min(data_start, entry.offset);
  return file_.bytes().first(data_start);
}

std::shared_ptr<const TensorSource> open_checkpoint(const std::filesystem::path& dir) {
  return std::make_shared<CheckpointDirectory>(dir);
}

}  // namespace nf
