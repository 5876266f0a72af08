// libFuzzer: any bytes as config.json. An accepted one must give tensor shapes that can be listed.
#include <cstdlib>

#include "config.h"
#include "tensor_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const nf::Config config = nf::parse_config(text, "", "fuzz");
    for (const nf::TensorSpec& spec : nf::tensor_list(config)) {
      for (const std::int64_t extent : spec.shape) {
        if (extent <= 0) std::abort();
      }
    }
  } catch (const nf::EngineError&) {
  }
  return 0;
}
