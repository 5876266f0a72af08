// libFuzzer: any bytes as JSON. What is accepted must be accepted again with the same kinds of values.
#include <cstdlib>

#include "json.h"
#include "nf/engine.h"

namespace {

std::size_t count(const nf::Json& value) {
  std::size_t total = 1;
  for (const auto& item : value.items) total += count(item);
  for (const auto& [name, member] : value.members) total += name.size() > 0 ? count(member) : 1;
  return total;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const nf::Json value = nf::parse_json(text, "fuzz");
    if (count(value) > size + 1) std::abort();
  } catch (const nf::EngineError&) {
  }
  return 0;
}
