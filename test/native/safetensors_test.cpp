#include "safetensors.h"

#include <cstring>

#include "checkpoint_writer.h"
#include "random.h"
#include "support/check.h"
#include "support/paths.h"

namespace nf::test {
namespace {

std::string with_length(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return length + header + data;
}

SafetensorsHeader parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "bad.safetensors");
}

std::string entry(const std::string& name, const std::string& shape, const std::string& offsets,
                  const std::string& dtype = "F32") {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST("a sound header is read as it is") {
  const std::string header = R"({"__metadata__":{"format":"pt"},)" + entry("w", "[2,3]", "[0,24]") + "," +
                             entry("s", "[]", "[24,28]") + "," + entry("e", "[0,7]", "[28,28]") + "}";
  const SafetensorsHeader parsed = parse(with_length(header, std::string(28, 'x')));
  CHECK_EQ(parsed.tensors.size(), std::size_t{3});
  const SafetensorsEntry& w = parsed.tensors.find("w")->second;
  CHECK(w.shape == (std::vector<std::int64_t>{2, 3}));
  CHECK_EQ(w.offset, 8 + header.size());
  CHECK_EQ(w.n_bytes, std::size_t{24});
  CHECK_EQ(parsed.metadata.at("format"), std::string("pt"));
}

TEST("every kind of damage is refused, naming file and tensor") {
  const auto refused = [](const std::string& members, std::size_t n_data, const char* part) {
    const std::string file = with_length("{" + members + "}", std::string(n_data, '\0'));
    CHECK_THROWS(parse(file), ErrorCode::bad_model, part);
    CHECK_THROWS(parse(file), ErrorCode::bad_model, "bad.safetensors");
  };
  refused(entry("w", "[2]", "[0,4]"), 8, "tensor w: its shape needs 8 bytes");
  refused(entry("w", "[2]", "[0,8]"), 7, "tensor w: is larger than its file");
  refused(entry("w", "[1]", "[4,8]"), 4, "tensor w: its data_offsets lie outside");
  refused(entry("w", "[1]", "[8,4]"), 8, "tensor w: its data_offsets lie outside");
  refused(entry("w", "[1]", "[-4,0]"), 4, "tensor w: its data_offsets lie outside");
  refused(entry("w", "[-1]", "[0,4]"), 4, "no whole number");
  refused(entry("w", "[1.5]", "[0,4]"), 4, "no whole number");
  refused(entry("w", "[4611686018427387904,4]", "[0,4]"), 4, "larger than its file");
  refused(entry("w", "[2147483648,2147483648,2147483648]", "[0,4]"), 4, "larger than its file");
  refused(entry("w", "[99999999999999999999]", "[0,4]"), 4, "no whole number");
  refused(entry("w", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "too many dimensions");
  refused(entry("w", "[1]", "[0,4]", "F31"), 4, "unknown dtype");
  refused(entry("w", "[1]", "[0]"), 4, "no data_offsets");
  refused(entry("w", "3", "[0,4]"), 4, "no shape");
  refused(R"("w":{"shape":[1],"data_offsets":[0,4]})", 4, "no dtype");
  refused(R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", 4, "unknown header key");
  refused(R"("w":[])", 0, "no object");
  refused(entry("", "[1]", "[0,4]"), 4, "no name");
  refused(entry("a", "[1]", "[0,4]") + "," + entry("b", "[1]", "[0,4]"), 4, "overlaps");
  refused(entry("a", "[2]", "[0,8]") + "," + entry("b", "[2]", "[4,12]"), 12, "tensor b overlaps");
  refused(entry("a", "[1]", "[0,4]") + "," + entry("b", "[1]", "[8,12]"), 12, "unused bytes in front of tensor b");
  refused(entry("a", "[1]", "[0,4]"), 9, "incompletely downloaded");
  refused(entry("a", "[1]", "[0,4]") + "," + entry("a", "[1]", "[0,4]"), 4, "twice");
  refused(R"("__metadata__":{"a":1})", 0, "__metadata__");
  CHECK_THROWS(parse("short"), ErrorCode::bad_model, "too short");
  CHECK_THROWS(parse(std::string(8, '\xFF') + "{}"), ErrorCode::bad_model, "impossible length");
  CHECK_THROWS(parse(std::string("\x10\0\0\0\0\0\0\0{}", 10)), ErrorCode::bad_model, "ends inside its header");
  CHECK_THROWS(parse(with_length("[]", "")), ErrorCode::bad_model, "no JSON object");
}

TEST("a file cut anywhere, or with any byte changed, is an error or reads within bounds") {
  const std::string sound = safetensors_text(
      {{"a", stored({1, 2, 3, 4, 5, 6}, {2, 3}, DType::f32)}, {"b.weight", stored({1, 2, 3}, {3}, DType::bf16)}});
  for (std::size_t n = 0; n < sound.size(); ++n) {
    CHECK_THROWS(parse(sound.substr(0, n)), ErrorCode::bad_model, "bad.safetensors");
  }
  constexpr std::uint64_t seed = 77;
  std::uint64_t counter = 0;
  const auto random = [&](std::size_t n) {
    return static_cast<std::size_t>(uniform_at(seed, counter++) * static_cast<double>(n));
  };
  int n_accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string file = sound;
    for (std::size_t k = random(3) + 1; k > 0; --k) file[random(file.size())] = static_cast<char>(random(256));
    try {
      for (const auto& [name, tensor] : parse(file).tensors) {
        CHECK(tensor.offset + tensor.n_bytes <= file.size());
      }
      ++n_accepted;
    } catch (const EngineError& error) {
      CHECK(error.code() == ErrorCode::bad_model);
    }
  }
  CHECK(n_accepted > 0);  // changes in the data part are no business of the header
}

TEST("a sharded checkpoint must agree with its index") {
  const auto tensor = [] { return stored({1, 2}, {2}, DType::f32); };
  const std::string a = safetensors_text({{"a", tensor()}}), b = safetensors_text({{"b", tensor()}});
  const auto open = [&](const std::string& index) {
    const ScratchDir dir;
    write_text(dir.path() / "1.safetensors", a);
    write_text(dir.path() / "2.safetensors", b);
    write_text(dir.path() / "both.safetensors", safetensors_text({{"a", tensor()}, {"b", tensor()}}));
    write_text(dir.path() / "model.safetensors.index.json", index);
    return open_checkpoint(dir.path());
  };
  const auto source = open(R"({"metadata":{},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  CHECK(source->has("a") && source->has("b") && !source->has("c"));
  float values[2];
  source->read_floats("b", 0, 2, values);
  CHECK_EQ(values[1], 2.0f);
  CHECK_THROWS(source->open("c"), ErrorCode::bad_model, "no tensor c");
  CHECK_THROWS(open(R"({"weight_map":{"a":"2.safetensors"}})"), ErrorCode::bad_model,
               "tensor a is not in 2.safetensors");
  CHECK_THROWS(open(R"({"weight_map":{"a":"3.safetensors"}})"), ErrorCode::bad_model, "3.safetensors");
  CHECK_THROWS(open(R"({"weight_map":{"a":"../1.safetensors"}})"), ErrorCode::bad_model,
               "names no file of this directory");
  CHECK_THROWS(open(R"({"weight_map":{"a":"1.safetensors","b":"both.safetensors"}})"), ErrorCode::bad_model,
               "is also in");
  CHECK_THROWS(open(R"({"weight_map":{}})"), ErrorCode::bad_model, "weight_map");
  CHECK_THROWS(open("{}"), ErrorCode::bad_model, "weight_map");
}

TEST("directories that hold no checkpoint say what is missing") {
  const ScratchDir dir;
  CHECK_THROWS(open_checkpoint(dir.path()), ErrorCode::bad_model, "neither model.safetensors");
  CHECK_THROWS(open_checkpoint(dir.path() / "nowhere"), ErrorCode::bad_model, "no directory");
  write_text(dir.path() / "model.safetensors", "");
  CHECK_THROWS(open_checkpoint(dir.path()), ErrorCode::bad_model, "empty");
}

TEST("tensors that lie askew are copied into place; integers are refused by type") {
  StoredTensor byte{"U8", {1}, std::vector<std::byte>(1)};
  const ScratchDir dir;
  write_text(dir.path() / "model.safetensors",
             safetensors_text({{"a", byte}, {"b", stored({1.5f, -2.0f}, {2}, DType::f32)}}));
  const auto source = open_checkpoint(dir.path());
  const TensorView view = source->open("b");
  CHECK_EQ(reinterpret_cast<std::uintptr_t>(view.data) % 4, std::uintptr_t{0});
  float values[2];
  source->read_floats("b", 0, 2, values);
  CHECK_EQ(values[1], -2.0f);
  CHECK_THROWS(source->open("a"), ErrorCode::unsupported, "tensor a is stored as U8");
}

TEST("float formats round to nearest even and come back") {
  CHECK_EQ(bf16_of_float(1.00390625f), 0x3F80);  // halfway: to even
  CHECK_EQ(bf16_of_float(1.01171875f), 0x3F82);
  CHECK(std::isnan(float_of_bf16(bf16_of_float(NAN))));
  CHECK(std::isnan(float_of_f16(f16_of_float(NAN))));
  CHECK_EQ(f16_of_float(65504.0f), 0x7BFF);
  CHECK_EQ(f16_of_float(65520.0f), 0x7C00);
  CHECK_EQ(f16_of_float(-1e9f), 0xFC00);
  CHECK_EQ(f16_of_float(0x1p-24f), 1);
  CHECK_EQ(f16_of_float(0x1p-25f), 0);  // halfway to zero: to even
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!std::isnan(float_of_f16(half))) CHECK_EQ(f16_of_float(float_of_f16(half)), half);
    if (!std::isnan(float_of_bf16(half))) CHECK_EQ(bf16_of_float(float_of_bf16(half)), half);
  }
}

}  // namespace
}  // namespace nf::test
