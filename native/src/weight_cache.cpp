#include "weight_cache.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <set>
#include <thread>

#include "checksum.h"
#include "durable_file.h"
#include "json.h"
#include "parallel.h"
#include "weight_cache_format.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace nf {
namespace {

constexpr char magic[9] = "NFWEIGHT";
constexpr std::uint32_t version = 1;
constexpr std::size_t piece_bytes = 1 << 20;
constexpr std::uint64_t max_table_bytes = 16 << 20;

struct Head {
  char magic[8];
  std::uint32_t version, zero;
  std::uint64_t table_offset, table_bytes, table_checksum;
  std::uint64_t zeros[2];
  std::uint64_t checksum;  // of what is before it
};
static_assert(sizeof(Head) == 64);

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::uint64_t head_checksum(const Head& head) {
  return checksum(std::as_bytes(std::span(&head, 1)).first(offsetof(Head, checksum)));
}

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw EngineError(ErrorCode::bad_model, file + ": " + what);
}

[[noreturn]] void throw_cancelled() { throw EngineError(ErrorCode::cancelled, "loading was cancelled"); }

std::string hex(std::uint64_t value) {
  char digits[17] = {};
  const auto end = std::to_chars(digits, digits + 16, value, 16).ptr;
  return {digits, end};
}

std::uint64_t whole(const Json& entry, const char* key, const std::string& file) {
  const Json* value = entry.find(key);
  if (!value || !value->is_integer || value->integer < 0) fail(file, std::string("its table has no whole ") + key);
  return static_cast<std::uint64_t>(value->integer);
}

const std::string& text(const Json& entry, const char* key, const std::string& file) {
  const Json* value = entry.find(key);
  if (!value || !value->is(Json::Kind::string)) fail(file, std::string("its table has no text ") + key);
  return value->string;
}

std::uint64_t hex_number(const std::string& digits, const std::string& file) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) fail(file, "its table has a broken checksum");
  return value;
}

/// One checksum per piece, so that threads share the work; `done` is called with the bytes of each piece.
template <class Done>
std::vector<std::uint64_t> checksums_of(const std::vector<std::span<const std::byte>>& sections, const StopFlag& stop,
                                        const Done& done) {
  std::vector<std::span<const std::byte>> pieces;
  std::vector<std::size_t> first_piece;
  for (const auto section : sections) {
    first_piece.push_back(pieces.size());
    for (std::size_t at = 0; at < section.size(); at += piece_bytes) {
      pieces.push_back(section.subspan(at, std::min(piece_bytes, section.size() - at)));
    }
  }
  first_piece.push_back(pieces.size());
  std::vector<std::uint64_t> of_pieces(pieces.size());
  parallel_pieces(static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t i, std::int64_t) {
    if (stop.load(std::memory_order_relaxed)) throw_cancelled();
    const auto piece = static_cast<std::size_t>(i);
    of_pieces[piece] = checksum(pieces[piece]);
    done(pieces[piece].size());
  });
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const std::span all(of_pieces);
    out.push_back(checksum(std::as_bytes(all.subspan(first_piece[i], first_piece[i + 1] - first_piece[i]))));
  }
  return out;
}

}  // namespace

std::string text_of(const CacheTable::Entry& entry) {
  return R"({"name":")" + entry.name + R"(","offset":)" + std::to_string(entry.offset) + R"(,"bytes":)" +
         std::to_string(entry.n_bytes) + R"(,"checksum":")" + hex(entry.checksum) + "\"}";
}

std::vector<std::uint64_t> section_checksums(const std::vector<std::span<const std::byte>>& sections,
                                             const StopFlag& stop) {
  return checksums_of(sections, stop, [](std::size_t) {});
}

void write_cache_start(DurableFile& file) {
  const std::vector<std::byte> zeros(section_alignment);
  file.write(zeros);
}

void write_padding(DurableFile& file, std::uint64_t offset) {
  const std::vector<std::byte> zeros(static_cast<std::size_t>(aligned_offset(offset) - offset));
  file.write(zeros);
}

void write_cache_end(DurableFile& file, const CacheKey& key, const std::vector<CacheTable::Entry>& sections,
                     std::uint64_t offset) {
  std::string table = R"({"source":")" + key.source + R"(","format":")" + key.format + R"(","layout":")" + key.layout +
                      R"(","sections":[)";
  for (const CacheTable::Entry& section : sections)
    table += (&section == sections.data() ? "" : ",") + text_of(section);
  table += "]}";
  file.write(bytes_of(table));

  Head head{};
  std::memcpy(head.magic, magic, sizeof(head.magic));
  head.version = version;
  head.table_offset = offset;
  head.table_bytes = table.size();
  head.table_checksum = checksum(bytes_of(table));
  head.checksum = head_checksum(head);
  file.write_at_start(std::as_bytes(std::span(&head, 1)));
}

std::string lack_of_room(const std::filesystem::path& folder, std::uint64_t n_bytes) {
  const std::uint64_t needed = n_bytes + cache_reserve_bytes;
  const std::uint64_t available = std::filesystem::space(folder).available;
  if (available >= needed) return "";
  return std::to_string(needed >> 20) + " MiB are needed on that disk, and " + std::to_string(available >> 20) +
         " MiB are free";
}

namespace {

CacheTable::Entry entry_of(const Json& entry, const std::string& file) {
  return {text(entry, "name", file), whole(entry, "offset", file), whole(entry, "bytes", file),
          hex_number(text(entry, "checksum", file), file)};
}

}  // namespace

CacheTable::Entry parse_cache_entry(std::string_view text, const std::string& file) {
  return entry_of(parse_json(text, file), file);
}

CacheTable parse_weight_cache(std::span<const std::byte> bytes, const std::string& file) {
  Head head;
  if (bytes.size() < sizeof(head)) fail(file, "is too short");
  std::memcpy(&head, bytes.data(), sizeof(head));
  if (std::memcmp(head.magic, magic, sizeof(head.magic)) != 0) fail(file, "holds no weights of Nemoflash");
  if (head.version != version)
    fail(file, "is of version " + std::to_string(head.version) + ", not " + std::to_string(version));
  if (head.checksum != head_checksum(head)) fail(file, "its head is damaged");
  if (head.table_bytes > max_table_bytes || head.table_offset > bytes.size() ||
      head.table_bytes != bytes.size() - head.table_offset) {
    fail(file, "is not as long as it says");
  }
  const auto table_bytes = bytes.subspan(static_cast<std::size_t>(head.table_offset));
  if (checksum(table_bytes) != head.table_checksum) fail(file, "its table is damaged");
  const Json root = parse_json({reinterpret_cast<const char*>(table_bytes.data()), table_bytes.size()}, file);
  CacheTable table{text(root, "source", file), text(root, "format", file), text(root, "layout", file), {}};
  const Json* sections = root.find("sections");
  if (!sections || !sections->is(Json::Kind::array)) fail(file, "its table has no sections");
  std::uint64_t expected = section_alignment;
  std::set<std::string_view> names;
  for (const Json& entry : sections->items) {
    CacheTable::Entry section = entry_of(entry, file);
    if (section.offset != expected || section.n_bytes > head.table_offset ||
        section.offset > head.table_offset - section.n_bytes || !names.insert(text(entry, "name", file)).second) {
      fail(file, "its sections contradict each other");
    }
    expected = aligned_offset(section.offset + section.n_bytes);
    table.sections.push_back(std::move(section));
  }
  return table;
}

WeightCache::WeightCache(const std::filesystem::path& path, const CacheKey& key)
    : name_(utf8_of_path(path)), file_(path), table_(parse_weight_cache(file_.bytes(), name_)) {
  if (table_.layout != key.layout || table_.format != key.format)
    fail(name_, "was made with another format or by another version of this program");
  if (table_.source != key.source) fail(name_, "the model's files have changed since");
}

void WeightCache::check_sections(const StopFlag& stop, const CacheProgress& progress) const {
#ifdef __linux__
  // Hints, for a file that is read once from end to end now and at random, all of it, for every token later.
  const auto all = file_.bytes();
  madvise(const_cast<std::byte*>(all.data()), all.size(), MADV_WILLNEED);
  madvise(const_cast<std::byte*>(all.data()), all.size(), MADV_HUGEPAGE);
#endif
  std::vector<std::span<const std::byte>> spans;
  std::int64_t total = 0;
  for (const auto& section : table_.sections) {
    spans.push_back(file_.bytes().subspan(section.offset, section.n_bytes));
    total += static_cast<std::int64_t>(section.n_bytes);
  }
  std::atomic<std::int64_t> done{0};
  const auto caller = std::this_thread::get_id();
  const auto checksums = checksums_of(spans, stop, [&](std::size_t n) {
    done += static_cast<std::int64_t>(n);
    if (progress && std::this_thread::get_id() == caller) progress(done, total);
  });
  for (std::size_t i = 0; i < checksums.size(); ++i) {
    if (checksums[i] != table_.sections[i].checksum) fail(name_, table_.sections[i].name + " is damaged");
  }
}

std::shared_ptr<const WeightCache> WeightCache::open(const std::filesystem::path& path, const CacheKey& key,
                                                     const StopFlag& stop, const CacheProgress& progress,
                                                     std::string& why) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return nullptr;
  try {
    const std::shared_ptr<const WeightCache> cache(new WeightCache(path, key));
    cache->check_sections(stop, progress);
    return cache;
  } catch (const EngineError& problem) {
    if (problem.code() != ErrorCode::bad_model) throw;
    why = problem.what();
    return nullptr;
  }
}

const std::byte* WeightCache::find(const std::string& name, std::size_t n_bytes) const {
  for (const auto& section : table_.sections) {
    if (section.name == name && section.n_bytes == n_bytes) return file_.bytes().data() + section.offset;
  }
  return nullptr;
}

std::filesystem::path weight_cache_file(const std::filesystem::path& dir, WeightFormat format) {
  return dir / (std::string(name_of(format)) + ".nfweights");
}

}  // namespace nf
