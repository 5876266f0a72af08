// Parts of nf_check.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "golden.h"
#include "nf/engine.h"
#include "session_impl.h"

namespace nf::check {

/// Counts claims; prints those that do not hold.
class Report {
 public:
  void claim(bool holds, const std::string& what) {
    ++(holds ? n_passed : n_failed);
    if (!holds) std::printf("FAIL  %s\n", what.c_str());
  }
  /// `value` must be at most `limit`; NaN fails.
  void at_most(double value, double limit, const std::string& what) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, ": %.3g, at most %.3g", value, limit);
    claim(value <= limit, what + numbers);
  }
  int n_passed = 0, n_failed = 0;
};

struct Target {
  Device device = Device::cpu;
  WeightFormat format = WeightFormat::f32;
  std::string text() const { return std::string(name_of(device)) + " " + name_of(format); }
};

/// Loads a checkpoint directory with a context large enough for every check.
std::shared_ptr<const Model> load(const std::filesystem::path& dir, const Target&);

/// Logits of every position, residual streams of every layer.
struct Recording : Observer {
  std::vector<float> rows;                  // [n, n_vocab]
  std::vector<std::vector<float>> streams;  // per index [n, n_hidden]
  bool wants_hidden() const override { return true; }
  void logits(int first_token, int n, std::span<const float> values) override;
  void hidden(int index, int first_token, int n, std::span<const float> values) override;
};

/// Prefills in pieces of the sizes given, again and again until all tokens are in.
void prefill_in_pieces(Session&, std::span<const Token>, std::span<const int> sizes, Observer* = nullptr);

/// Greedy, never the end token, until `n` tokens.
std::vector<Token> decode_greedy(Session&, std::size_t n);
std::vector<Token> decode(Session&, std::size_t n, const Sampling&);

/// The recurrent state as a blob.
std::vector<float> state_of(Session&);

enum class Output { table, failures };  // whether the measured figures are printed too

void check_fixture(const std::filesystem::path& dir, const Target&, Report&, Output);
void check_sessions(const std::filesystem::path& dir, const Target&, Report&);
void check_variants(const Target&, Report&);
void check_draws(const Target&, Report&);
void check_memory(const Target&, Report&);
void check_once(const std::filesystem::path& dir, const Target&, Report&);
void check_step(const std::filesystem::path& dir, const Target&, Report&);

}  // namespace nf::check
