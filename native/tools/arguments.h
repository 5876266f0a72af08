// Command lines of the form --name value and --flag, and the last catch of a tool.
#pragma once

#include <charconv>
#include <cstdio>
#include <exception>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "nf/engine.h"

namespace nf::tools {

inline std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

class Arguments {
 public:
  Arguments(int n, char** values) {
    for (int i = 1; i < n; ++i) {
      const std::string name = values[i];
      if (!name.starts_with("--")) fail("unexpected argument " + name);
      const bool has_value = i + 1 < n && std::string(values[i + 1]).compare(0, 2, "--") != 0;
      values_[name] = has_value ? values[++i] : "";
    }
  }

  bool flag(const std::string& name) const { return find(name) != nullptr; }

  std::string text(const std::string& name, const std::string& missing) const {
    const std::string* value = find(name);
    if (value && value->empty()) fail(name + " needs a value");
    return value ? *value : missing;
  }

  /// A whole number, or one with a fraction for T = float.
  template <class T = int>
  T number(const std::string& name, T missing) const {
    const std::string* value = find(name);
    if (!value) return missing;
    T result = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), result);
    if (error != std::errc{} || end != value->data() + value->size()) {
      fail(name + (std::is_integral_v<T> ? " needs a whole number" : " needs a number"));
    }
    return result;
  }

  /// Call after everything known has been asked for.
  void check_all_known() const {
    for (const auto& [name, value] : values_) {
      if (!asked_.count(name)) fail("unknown option " + name);
    }
  }

 private:
  [[noreturn]] static void fail(const std::string& what) { throw EngineError(ErrorCode::bad_argument, what); }

  const std::string* find(const std::string& name) const {
    asked_.insert(name);
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
  }

  std::map<std::string, std::string> values_;
  mutable std::set<std::string> asked_;
};

/// Runs a tool; an exception becomes one line and exit code 2.
template <class Work>
int run_main(const Work& work) {
  try {
    return work();
  } catch (const EngineError& error) {
    std::fprintf(stderr, "%s: %s\n", name_of(error.code()), error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 2;
}

}  // namespace nf::tools
