// A small strict JSON reader for config.json and safetensors headers: bounds-checked, no recursion without limit, no
// silent repair. Duplicate keys, trailing text and broken UTF-8 are errors. NaN, Infinity and -Infinity are read as
// Python writes them, because configurations in the wild contain them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nf {

struct Json {
  enum class Kind { null, boolean, number, string, array, object };
  using Members = std::map<std::string, Json, std::less<>>;

  Kind kind = Kind::null;
  bool boolean = false;
  double number = 0;
  std::int64_t integer = 0;  // set when is_integer
  bool is_integer = false;   // written without fraction or exponent, and in range
  std::string string;
  std::vector<Json> items;
  Members members;

  bool is(Kind k) const noexcept { return kind == k; }
  /// The member of an object, or nullptr; nullptr for other kinds too.
  const Json* find(std::string_view key) const;
};

const char* name_of(Json::Kind) noexcept;

/// Parses one JSON text. `where` (a file name) starts the message of the bad_model error thrown for anything else.
Json parse_json(std::string_view text, const std::string& where);

}  // namespace nf
