#include "json.h"

#include <charconv>
#include <limits>

#include "nf/engine.h"

namespace nf {
namespace {

constexpr int max_depth = 64;

class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Json document() {
    Json value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) fail("text after the end of the JSON value");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw EngineError(ErrorCode::bad_model, where_ + ": not valid JSON at byte " + std::to_string(at_) + ": " + what);
  }

  bool done() const { return at_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }

  void skip_space() {
    while (!done() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }

  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json parse_value(int depth) {
    if (depth > max_depth) fail("nested too deeply");
    skip_space();
    if (done()) fail("the text ends too early");
    Json value;
    switch (peek()) {
      case '{': return parse_object(depth);
      case '[': return parse_array(depth);
      case '"':
        value.kind = Json::Kind::string;
        value.string = parse_string();
        return value;
      case 't':
      case 'f':
        value.kind = Json::Kind::boolean;
        value.boolean = peek() == 't';
        if (!take(value.boolean ? "true" : "false")) fail("unknown word");
        return value;
      case 'n':
        if (!take("null")) fail("unknown word");
        return value;
      default: return parse_number();
    }
  }

  Json parse_object(int depth) {
    Json value;
    value.kind = Json::Kind::object;
    ++at_;
    skip_space();
    if (take("}")) return value;
    for (;;) {
      skip_space();
      if (peek() != '"') fail("expected a key");
      std::string key = parse_string();
      skip_space();
      if (!take(":")) fail("expected ':' after a key");
      const auto [where, fresh] = value.members.try_emplace(std::move(key), Json{});
      if (!fresh) fail("key \"" + where->first + "\" appears twice");
      where->second = parse_value(depth + 1);
      skip_space();
      if (take("}")) return value;
      if (!take(",")) fail("expected ',' or '}'");
    }
  }

  Json parse_array(int depth) {
    Json value;
    value.kind = Json::Kind::array;
    ++at_;
    skip_space();
    if (take("]")) return value;
    for (;;) {
      value.items.push_back(parse_value(depth + 1));
      skip_space();
      if (take("]")) return value;
      if (!take(",")) fail("expected ',' or ']'");
    }
  }

  void skip_digits() {
    if (peek() < '0' || peek() > '9') fail("expected a digit");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  Json parse_number() {
    Json value;
    value.kind = Json::Kind::number;
    if (take("NaN")) {
      value.number = std::numeric_limits<double>::quiet_NaN();
      return value;
    }
    const std::size_t start = at_;
    const bool negative = take("-");
    if (take("Infinity")) {
      value.number = negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
      return value;
    }
    bool integral = true;
    if (peek() == '0') {
      ++at_;
    } else {
      skip_digits();
    }
    if (take(".")) {
      integral = false;
      skip_digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      integral = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      skip_digits();
    }
    const char* first = text_.data() + start;
    const char* last = text_.data() + at_;
    if (std::from_chars(first, last, value.number).ec != std::errc{}) fail("a number out of range");
    value.is_integer = integral && std::from_chars(first, last, value.integer).ec == std::errc{};
    return value;
  }

  unsigned parse_hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      code <<= 4;
      if (c >= '0' && c <= '9') {
        code += static_cast<unsigned>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        code += static_cast<unsigned>(c - 'a' + 10);
      } else if (c >= 'A' && c <= 'F') {
        code += static_cast<unsigned>(c - 'A' + 10);
      } else {
        fail("expected four hexadecimal digits");
      }
      ++at_;
    }
    return code;
  }

  static void append_utf8(std::string& out, unsigned code) {
    const auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | (code >> 6)), put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      put(0xE0 | (code >> 12)), put(0x80 | ((code >> 6) & 0x3F)), put(0x80 | (code & 0x3F));
    } else {
      put(0xF0 | (code >> 18)), put(0x80 | ((code >> 12) & 0x3F)), put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    }
  }

  void parse_escape(std::string& out) {
    const char c = peek();
    if (!done()) ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/': out.push_back(c); return;
      case 'b': out.push_back('\b'); return;
      case 'f': out.push_back('\f'); return;
      case 'n': out.push_back('\n'); return;
      case 'r': out.push_back('\r'); return;
      case 't': out.push_back('\t'); return;
      case 'u': break;
      default: fail("unknown escape");
    }
    unsigned code = parse_hex4();
    if (code >= 0xD800 && code < 0xDC00) {
      if (!take("\\u")) fail("half of a surrogate pair");
      const unsigned low = parse_hex4();
      if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      fail("half of a surrogate pair");
    }
    append_utf8(out, code);
  }

  /// Copies one UTF-8 sequence, refusing over-long forms, surrogates and stray bytes.
  void parse_utf8(std::string& out) {
    const auto byte = [this](std::size_t i) {
      return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0u;
    };
    const unsigned lead = byte(0);
    const std::size_t n = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead >= 0x80 && (lead < 0xC2 || lead > 0xF4)) fail("broken UTF-8");
    for (std::size_t i = 1; i < n; ++i) {
      if ((byte(i) & 0xC0) != 0x80) fail("broken UTF-8");
    }
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) || (lead == 0xF0 && byte(1) < 0x90) ||
        (lead == 0xF4 && byte(1) > 0x8F)) {
      fail("broken UTF-8");
    }
    out.append(text_.substr(at_, n));
    at_ += n;
  }

  std::string parse_string() {
    std::string out;
    ++at_;
    for (;;) {
      if (done()) fail("a string without an end");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a string");
      if (c == '\\') {
        ++at_;
        parse_escape(out);
      } else {
        parse_utf8(out);
      }
    }
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  const auto found = members.find(key);
  return found == members.end() ? nullptr : &found->second;
}

const char* name_of(Json::Kind kind) noexcept {
  switch (kind) {
    case Json::Kind::null: return "null";
    case Json::Kind::boolean: return "a boolean";
    case Json::Kind::number: return "a number";
    case Json::Kind::string: return "a string";
    case Json::Kind::array: return "a list";
    case Json::Kind::object: return "an object";
  }
  return "";
}

Json parse_json(std::string_view text, const std::string& where) { return Parser(text, where).document(); }

}  // namespace nf
