#include "json.h"

#include <cmath>

#include "nf/engine.h"
#include "support/check.h"

namespace nf::test {
namespace {

TEST("the JSON reader reads every kind of value") {
  const Json root =
      parse_json(R"( {"a": [1, -2.5e3, true, null, "x\n\u00e9\ud83d\ude00\/"], "b": {}, "c": 9007199254740993} )", "f");
  const auto& items = root.find("a")->items;
  CHECK_EQ(items.size(), std::size_t{5});
  CHECK_EQ(items[0].integer, 1);
  CHECK(!items[1].is_integer);
  CHECK_EQ(items[1].number, -2500.0);
  CHECK(items[2].boolean);
  CHECK(items[3].is(Json::Kind::null));
  CHECK_EQ(items[4].string, std::string("x\n\xC3\xA9\xF0\x9F\x98\x80/"));
  CHECK(root.find("b")->is(Json::Kind::object));
  CHECK_EQ(root.find("c")->integer, 9007199254740993);
  CHECK(root.find("d") == nullptr);
  CHECK(std::isinf(parse_json("-Infinity", "f").number));
  CHECK(std::isnan(parse_json("NaN", "f").number));
}

TEST("the JSON reader refuses everything else, naming the file") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1,]",
                           "[1 2]",
                           "{\"a\":1,}",
                           "{\"a\" 1}",
                           "{a:1}",
                           "{\"a\":1,\"a\":2}",
                           "01",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "--1",
                           "tru",
                           "nul",
                           "\"",
                           "\"\\x\"",
                           "\"\\u12g4\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\x01\"",
                           "\"\xFF\"",
                           "\"\xC0\x80\"",
                           "\"\xE0\x80\x80\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF5\x80\x80\x80\"",
                           "\"\xC3\"",
                           "1 2",
                           "[1] x",
                           "1e999",
                           "\"a\nb\""}) {
    CHECK_THROWS(parse_json(text, "some.json"), ErrorCode::bad_model, "some.json");
  }
}

TEST("the JSON reader refuses nesting that would exhaust the stack") {
  CHECK_THROWS(parse_json(std::string(1000000, '['), "f"), ErrorCode::bad_model, "deeply");
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK_THROWS(parse_json(objects, "f"), ErrorCode::bad_model, "deeply");
}

}  // namespace
}  // namespace nf::test
