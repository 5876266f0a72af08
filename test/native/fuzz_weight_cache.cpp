// libFuzzer: any bytes as a file of cached weights. Every section of an accepted one must lie inside it.
#include <cstdlib>

#include "weight_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto table = nf::parse_weight_cache({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    for (const auto& section : table.sections) {
      if (section.offset > size || section.n_bytes > size - section.offset) std::abort();
    }
  } catch (const nf::EngineError&) {
  }
  return 0;
}
