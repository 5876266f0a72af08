// What does not fit the GPU's memory is refused with numbers, and the engine goes on.
#include <algorithm>
#include <cctype>

#include "check.h"
#include "checkpoint_writer.h"
#include "support/paths.h"

namespace nf::check {
namespace {

const StopFlag never{false};

std::int64_t free_bytes() {
  for (const DeviceInfo& device : list_devices().devices) {
    if (device.kind == Device::cuda) return device.memory_free;
  }
  return 0;
}

/// Whether `work` throws out_of_memory, with the number of a size in its words when that is asked for.
template <class Work>
bool runs_out(const Work& work, bool with_number) {
  try {
    work();
  } catch (const EngineError& error) {
    const std::string text = error.what();
    const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    const bool has_number = std::any_of(text.begin(), text.end(), digit) && text.find("MiB") != std::string::npos;
    return error.code() == ErrorCode::out_of_memory && (has_number || !with_number);
  }
  return false;
}

}  // namespace

void check_memory(const Target& target, Report& report) {
  if (target.device != Device::cuda) return;
  const test::ScratchDir scratch;
  test::write_checkpoint(scratch.path(), test::small_config(), 1);
  LoadOptions options;
  options.source = scratch.path().string();
  options.device = target.device;
  options.format = target.format;
  options.max_positions = 640;
  const std::string label = "memory " + target.text();
  const auto text = [&](const std::shared_ptr<const Model>& model) {
    Session session(model, 640);
    session.prefill(std::vector<Token>{1, 2, 3, 4, 5}, never);
    return decode_greedy(session, 8);
  };
  const auto model = Model::load(options, never);
  const auto expected = text(model);
  const std::int64_t row_bytes = model->info().kv_bytes_per_position;

  LoadOptions beyond = options;
  beyond.max_positions = static_cast<int>(std::min<std::int64_t>(2'000'000'000, 2 * free_bytes() / row_bytes));
  report.claim(runs_out([&] { Model::load(beyond, never); }, true),
               label + ": a context of twice the free memory is refused with numbers");
  report.claim(text(model) == expected, label + ": a model loaded before goes on");

  // Two sessions of 0.3 of the free memory fit, a fourth cannot.
  LoadOptions large = options;
  large.max_positions = static_cast<int>(std::min<std::int64_t>(2'000'000'000, 3 * (free_bytes() / 10) / row_bytes));
  const auto roomy = Model::load(large, never);
  {
    std::vector<Session> sessions;
    sessions.emplace_back(roomy, large.max_positions);
    report.claim(runs_out(
                     [&] {
                       while (sessions.size() < 5) sessions.emplace_back(roomy, large.max_positions);
                     },
                     false),
                 label + ": sessions beyond the memory are refused");
    sessions.front().prefill(std::vector<Token>{1, 2, 3}, never);
    report.claim(decode_greedy(sessions.front(), 4).size() == 4, label + ": the sessions that fit go on");
  }
  report.claim(text(roomy) == expected, label + ": once they are closed, there is room again");
}

}  // namespace nf::check
