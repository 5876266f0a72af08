// A very small test frame: TEST registers, CHECK records and goes on, REQUIRE ends the test. One line per failure.
#pragma once

#include <cmath>
#include <cstdio>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace nf::test {

struct Case {
  const char* name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Result {
  int n_passed = 0, n_failed = 0, n_failures_of_case = 0;
  const char* running = "";
};

inline Result& result() {
  static Result instance;
  return instance;
}

struct Registration {
  Registration(const char* name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};

struct Abandoned {};  // thrown by REQUIRE

/// Thrown by a test that cannot run on this machine: reported by name, counted neither as passed nor as failed.
struct Skipped {
  std::string reason;
};

inline void report(const char* file, int line, const std::string& what) {
  ++result().n_failures_of_case;
  std::fprintf(stderr, "%s:%d: %s: %s\n", file, line, result().running, what.c_str());
}

template <class A, class B>
std::string show_pair(const A& a, const B& b) {
  std::ostringstream out;
  out.precision(9);
  out << a << " against " << b;
  return out.str();
}

/// Runs the cases whose name contains `filter`; prints the closing line and returns the exit code. No case is a
/// failure.
inline int run_all(const std::string& filter) {
  for (const Case& test : cases()) {
    if (std::string(test.name).find(filter) == std::string::npos) continue;
    result().running = test.name;
    result().n_failures_of_case = 0;
    try {
      test.body();
    } catch (const Abandoned&) {
    } catch (const Skipped& skipped) {
      std::printf("SKIPPED %s: %s\n", test.name, skipped.reason.c_str());
      continue;
    } catch (const std::exception& error) {
      report(__FILE__, __LINE__, std::string("unexpected exception: ") + error.what());
    }
    ++(result().n_failures_of_case ? result().n_failed : result().n_passed);
  }
  std::printf("%d passed, %d failed\n", result().n_passed, result().n_failed);
  return result().n_failed == 0 && result().n_passed > 0 ? 0 : 1;
}

}  // namespace nf::test

#define NF_TEST_JOIN(a, b) a##b
#define NF_TEST_NAME(a, b) NF_TEST_JOIN(a, b)
/// TEST("claim") { ... }
#define TEST(name)                                                                                                  \
  static void NF_TEST_NAME(nf_test_, __LINE__)();                                                                   \
  static const ::nf::test::Registration NF_TEST_NAME(nf_registration_, __LINE__)(name,                              \
                                                                                 NF_TEST_NAME(nf_test_, __LINE__)); \
  static void NF_TEST_NAME(nf_test_, __LINE__)()

#define CHECK(condition)                                                               \
  do {                                                                                 \
    if (!(condition)) ::nf::test::report(__FILE__, __LINE__, "is false: " #condition); \
  } while (false)

#define CHECK_EQ(a, b)                                                                               \
  do {                                                                                               \
    const auto nf_a = (a); /* copies: a reference may point into a temporary that is gone */         \
    const auto nf_b = (b);                                                                           \
    if (!(nf_a == nf_b))                                                                             \
      ::nf::test::report(__FILE__, __LINE__, #a " != " #b ": " + ::nf::test::show_pair(nf_a, nf_b)); \
  } while (false)

/// |a - b| must be at most `limit`; a NaN fails.
#define CHECK_NEAR(a, b, limit)                                                                               \
  do {                                                                                                        \
    const double nf_a = (a), nf_b = (b);                                                                      \
    if (!(std::abs(nf_a - nf_b) <= (limit)))                                                                  \
      ::nf::test::report(__FILE__, __LINE__, #a " is not near " #b ": " + ::nf::test::show_pair(nf_a, nf_b)); \
  } while (false)

/// value must be at most `limit`; a NaN fails.
#define CHECK_AT_MOST(value, limit)                                                                      \
  do {                                                                                                   \
    const double nf_a = (value), nf_b = (limit);                                                         \
    if (!(nf_a <= nf_b))                                                                                 \
      ::nf::test::report(__FILE__, __LINE__, #value " too large: " + ::nf::test::show_pair(nf_a, nf_b)); \
  } while (false)

#define REQUIRE(condition)                                             \
  do {                                                                 \
    if (!(condition)) {                                                \
      ::nf::test::report(__FILE__, __LINE__, "is false: " #condition); \
      throw ::nf::test::Abandoned{};                                   \
    }                                                                  \
  } while (false)

/// The statement must throw EngineError with this code and a message that contains `part`.
#define CHECK_THROWS(statement, expected_code, part)                                                          \
  do {                                                                                                        \
    bool nf_threw = false;                                                                                    \
    try {                                                                                                     \
      statement;                                                                                              \
    } catch (const ::nf::EngineError& nf_error) {                                                             \
      nf_threw = true;                                                                                        \
      if (nf_error.code() != (expected_code) || std::string(nf_error.what()).find(part) == std::string::npos) \
        ::nf::test::report(__FILE__, __LINE__,                                                                \
                           std::string("threw ") + ::nf::name_of(nf_error.code()) + ": " + nf_error.what());  \
    }                                                                                                         \
    if (!nf_threw) ::nf::test::report(__FILE__, __LINE__, "did not throw: " #statement);                      \
  } while (false)
