// libFuzzer: any bytes as a safetensors file. Every tensor of an accepted one must lie inside it.
#include <cstdlib>

#include "safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto header = nf::parse_safetensors({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    for (const auto& [name, entry] : header.tensors) {
      if (entry.offset > size || entry.n_bytes > size - entry.offset) std::abort();
    }
  } catch (const nf::EngineError&) {
  }
  return 0;
}
