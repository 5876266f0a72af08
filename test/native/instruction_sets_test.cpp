// The whole engine under every instruction set that this machine has: what the kernels' own tests do not see, which is
// the block forms of the recurrences, attention over a cache, and how prompts are cut. nf_check asks more of one set.
#include <cstdlib>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "golden.h"
#include "nf/engine.h"
#include "support/check.h"
#include "support/paths.h"

namespace nf::test {
namespace {

const StopFlag never{false};

/// NF_CPU_ISA while it lives; then as it was.
class ForcedSet {
 public:
  explicit ForcedSet(const char* name) {
    if (const char* before = std::getenv(variable)) before_ = before;
    setenv(variable, name, 1);
  }
  ~ForcedSet() {
    if (before_.empty()) {
      unsetenv(variable);
    } else {
      setenv(variable, before_.c_str(), 1);
    }
  }
  ForcedSet(const ForcedSet&) = delete;
  ForcedSet& operator=(const ForcedSet&) = delete;

 private:
  static constexpr const char* variable = "NF_CPU_ISA";
  std::string before_;
};

struct Rows : Observer {
  std::vector<float> rows;
  void logits(int, int, std::span<const float> values) override {
    rows.insert(rows.end(), values.begin(), values.end());
  }
};

std::vector<float> logits_of(Session& session, std::span<const Token> prompt, std::size_t piece) {
  Rows rows;
  session.reset();
  for (; !prompt.empty(); prompt = prompt.subspan(std::min(piece, prompt.size()))) {
    session.prefill(prompt.first(std::min(piece, prompt.size())), never, {}, &rows);
  }
  return std::move(rows.rows);
}

constexpr std::size_t whole = 1000;

/// `pieces`: how the prompt is cut. `limit`: of the relative RMS of the logits, from test/golden/README.md; int4 is on
/// a symmetric grid there too.
void check_fixture(const std::string& name, WeightFormat format, double limit, const std::vector<std::size_t>& pieces) {
  const Golden golden(golden_dir() / name);
  const auto prompt = golden.tokens("input_ids");
  const auto expected = golden.floats("logits");
  for (const cpu::Kernels* kernels : cpu::usable_kernels()) {
    const ForcedSet forced(kernels->name);
    LoadOptions options;
    options.source = (golden_dir() / name).string();
    options.format = format;
    options.max_positions = 512;
    Session session(Model::load(options, never), 512);
    const int n_before = result().n_failures_of_case;
    for (const std::size_t piece : pieces) {
      const auto got = logits_of(session, prompt, piece);
      REQUIRE(got.size() == expected.size());
      CHECK_AT_MOST(relative_rms(got, expected), limit);
    }
    if (result().n_failures_of_case > n_before) report(__FILE__, __LINE__, std::string("with ") + kernels->name);
  }
}

}  // namespace

TEST("every instruction set meets the golden data in float32") {
  check_fixture("tiny", WeightFormat::f32, 1e-5, {whole, 1, 13});
  check_fixture("real-heads", WeightFormat::f32, 1e-5, {whole, 97});
}

TEST("every instruction set meets the golden data in bf16") {
  check_fixture("tiny", WeightFormat::bf16, 0.03, {whole, 1, 13});
}

TEST("every instruction set meets the golden data in int8") {
  check_fixture("tiny", WeightFormat::int8, 0.06, {whole, 1, 13});
}

TEST("every instruction set meets the golden data in mixed and int4") {
  check_fixture("tiny", WeightFormat::mixed, 0.65, {whole, 1, 13});
  check_fixture("tiny", WeightFormat::int4, 0.65, {whole, 1, 13});
}

TEST("an instruction set that this machine lacks is refused by name, never replaced") {
  const ForcedSet forced("abacus");
  CHECK_THROWS(cpu::choose_kernels(), ErrorCode::bad_argument, "portable");
}

}  // namespace nf::test
