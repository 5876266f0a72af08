// nf_check [--device cpu|cuda] [--format f32,bf16,...|all] [--fixtures DIR] [--only
// golden|sessions|variants|draws|memory] Holds the engine on this machine to the golden data, to its own promises and
// to the oracle. Needs no Node.
#include "check.h"

#include <algorithm>
#include <sstream>

#include "arguments.h"

namespace nf::check {

namespace {

std::vector<std::string> parts_of(const std::string& text) {
  const std::string known = ",golden,sessions,variants,draws,memory,once,step,";
  std::vector<std::string> parts = tools::split(text, ',');
  for (const std::string& part : parts) {
    if (known.find("," + part + ",") == std::string::npos) {
      throw EngineError(ErrorCode::bad_argument, "--only knows no part " + part);
    }
  }
  return parts;
}

int run(const tools::Arguments& arguments) {
  const Device device = device_of(arguments.text("--device", "cpu"));
  const std::filesystem::path fixtures = arguments.text("--fixtures", NF_GOLDEN_DIR);
  const auto only = parts_of(arguments.text("--only", "golden,sessions,variants,draws,memory"));
  std::string formats = arguments.text("--format", "all");
  if (formats == "all") formats = "f32,bf16,int8,mixed,int4";
  arguments.check_all_known();

  std::vector<std::filesystem::path> dirs;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures)) {
    if (std::filesystem::exists(entry.path() / "golden.safetensors")) dirs.push_back(entry.path());
  }
  std::sort(dirs.begin(), dirs.end());

  const auto wanted = [&](const char* part) { return std::find(only.begin(), only.end(), part) != only.end(); };

  Report report;
  report.claim(!dirs.empty(), fixtures.string() + " holds fixtures");
  std::printf("%-11s %-10s %-11s %9s %9s %9s %9s %8s %9s %9s\n", "fixture", "engine", "prompt", "max abs", "rel. RMS",
              "mean KL", "flipped", "cosine", "hidden", "states");
  for (const std::string& name : tools::split(formats, ',')) {
    const Target target{device, weight_format_of(name)};
    const auto guarded = [&](const std::string& what, const auto& work) {
      try {
        work();
      } catch (const EngineError& error) {
        report.claim(false, what + " " + target.text() + ": " + name_of(error.code()) + ": " + error.what());
      }
    };
    for (const auto& dir : dirs) {
      const std::string what = dir.filename().string();
      if (wanted("golden")) guarded(what, [&] { check_fixture(dir, target, report, Output::table); });
      if (wanted("sessions")) guarded(what, [&] { check_sessions(dir, target, report); });
      if (wanted("once")) guarded(what, [&] { check_once(dir, target, report); });
      if (wanted("step")) guarded(what, [&] { check_step(dir, target, report); });
    }
    if (wanted("variants")) guarded("variants", [&] { check_variants(target, report); });
    if (wanted("draws")) guarded("draws", [&] { check_draws(target, report); });
    if (wanted("memory")) guarded("memory", [&] { check_memory(target, report); });
  }
  std::printf("%d passed, %d failed\n", report.n_passed, report.n_failed);
  return report.n_failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nf::check

int main(int n_arguments, char** arguments) {
  return nf::tools::run_main([&] { return nf::check::run(nf::tools::Arguments(n_arguments, arguments)); });
}
