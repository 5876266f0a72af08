// libFuzzer: any bytes as a file of cached weights, as they are and with their checksums made right, so that the table
// behind them is read, too. Every section of an accepted one must lie inside it.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "checksum.h"
#include "weight_cache.h"

namespace {

constexpr std::size_t head_bytes = 64, table_offset_at = 16, table_bytes_at = 24, table_sum_at = 32, head_sum_at = 56;

void parse(std::span<const std::byte> bytes) {
  try {
    const auto table = nf::parse_weight_cache(bytes, "fuzz");
    for (const auto& section : table.sections) {
      if (section.offset > bytes.size() || section.n_bytes > bytes.size() - section.offset) std::abort();
    }
  } catch (const nf::EngineError&) {
  }
}

void make_sums_right(std::vector<std::byte>& file) {
  if (file.size() < head_bytes) return;
  std::uint64_t offset = 0, length = 0;
  std::memcpy(&offset, &file[table_offset_at], 8);
  std::memcpy(&length, &file[table_bytes_at], 8);
  if (offset <= file.size() && length <= file.size() - offset) {
    const std::uint64_t sum = nf::checksum(std::span(file).subspan(offset, length));
    std::memcpy(&file[table_sum_at], &sum, 8);
  }
  const std::uint64_t sum = nf::checksum(std::span(file).first(head_sum_at));
  std::memcpy(&file[head_sum_at], &sum, 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> file(size);
  if (size > 0) std::memcpy(file.data(), data, size);
  parse(file);
  make_sums_right(file);
  parse(file);
  return 0;
}
