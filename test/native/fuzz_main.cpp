// Drives a fuzz target where the compiler has no libFuzzer (g++): coverage by -fsanitize-coverage=trace-pc, mutation, a
// corpus folder that grows. Understands the two libFuzzer flags that test/fuzz.mjs uses:
//   ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=abort_on_error=1 nf_fuzz_config CORPUS_DIR -max_total_time=600 -seed=1
// An input that crashes is left behind as crash-input in the working directory. The last line is one JSON object.
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;
using Input = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t map_size = 1 << 16;
constexpr std::size_t max_input = 4096;

std::array<std::uint8_t, map_size> hits;
std::uintptr_t previous;
const Input* running = nullptr;

void keep_crash() {
  if (!running) return;
  if (std::FILE* file = std::fopen("crash-input", "wb")) {
    std::fwrite(running->data(), 1, running->size(), file);
    std::fclose(file);
  }
}

/// How often an edge was taken, as the power of two below: loops count as new only when they become much longer.
std::uint8_t bucket(std::uint8_t count) {
  std::uint8_t bit = 1;
  while (count > 1) {
    count = static_cast<std::uint8_t>(count >> 1);
    bit = static_cast<std::uint8_t>(bit << 1);
  }
  return bit;
}

class Fuzzer {
 public:
  Fuzzer(fs::path folder, std::uint64_t seed) : folder_(std::move(folder)), random_(seed) {
    fs::create_directories(folder_);
    for (const auto& entry : fs::directory_iterator(folder_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      Input input{std::istreambuf_iterator<char>(file), {}};
      if (input.size() > max_input) input.resize(max_input);
      if (run(input)) corpus_.push_back(std::move(input));
    }
    if (corpus_.empty()) corpus_.push_back({});
  }

  void run_for(double seconds) {
    const auto start = Clock::now();
    const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    while (elapsed() < seconds) {
      for (int i = 0; i < 256; ++i) {
        Input input = mutated();
        if (run(input)) keep(std::move(input));
      }
    }
    std::size_t edges = 0;
    for (const std::uint8_t seen : seen_) edges += seen != 0;
    std::printf("{\"executions\":%llu,\"seconds\":%.0f,\"corpus\":%zu,\"edges\":%zu}\n",
                static_cast<unsigned long long>(executions_), elapsed(), corpus_.size(), edges);
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  /// Whether it went where no input went before.
  bool run(const Input& input) {
    hits.fill(0);
    previous = 0;
    running = &input;
    LLVMFuzzerTestOneInput(input.data(), input.size());
    running = nullptr;
    ++executions_;
    bool is_new = false;
    for (std::size_t start = 0; start < map_size; start += 8) {
      std::uint64_t word;
      std::memcpy(&word, &hits[start], 8);
      if (word == 0) continue;
      for (std::size_t i = start; i < start + 8; ++i) {
        if (hits[i] == 0) continue;
        const std::uint8_t bit = bucket(hits[i]);
        is_new |= (seen_[i] & bit) == 0;
        seen_[i] |= bit;
      }
    }
    return is_new;
  }

  void keep(Input input) {
    const fs::path file = folder_ / ("input-" + std::to_string(corpus_.size()) + "-" + std::to_string(executions_));
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
    corpus_.push_back(std::move(input));
  }

  Input mutated() {
    Input input = corpus_[below(corpus_.size())];
    for (std::size_t times = 1 + below(6); times > 0; --times) mutate(input);
    if (input.size() > max_input) input.resize(max_input);
    return input;
  }

  void mutate(Input& input) {
    static constexpr const char* words[] = {"{",
                                            "}",
                                            "[",
                                            "]",
                                            ":",
                                            ",",
                                            "\"",
                                            "null",
                                            "true",
                                            "1e999",
                                            "-1",
                                            "0",
                                            "NaN",
                                            "\\u0000",
                                            "\\ud800",
                                            "18446744073709551615",
                                            "9223372036854775807",
                                            "\"dtype\"",
                                            "\"shape\"",
                                            "\"data_offsets\"",
                                            "\"F32\"",
                                            "\"BF16\"",
                                            "\xff",
                                            "-0.5"};
    const std::size_t at = below(input.size() + 1);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(8)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<std::uint8_t>(below(256));
        break;
      case 1:
        if (at < input.size()) input[at] ^= static_cast<std::uint8_t>(1u << below(8));
        break;
      case 2: input.insert(place, static_cast<std::uint8_t>(below(256))); break;
      case 3: {
        const auto length = static_cast<std::ptrdiff_t>(below(std::min<std::size_t>(input.size() - at + 1, 32)));
        input.erase(place, place + length);
        break;
      }
      case 4: {
        const char* word = words[below(std::size(words))];
        input.insert(place, word, word + std::strlen(word));
        break;
      }
      case 5: {  // a piece of another input
        const Input& other = corpus_[below(corpus_.size())];
        const auto from = static_cast<std::ptrdiff_t>(below(other.size() + 1));
        const auto length = static_cast<std::ptrdiff_t>(below(other.size() - static_cast<std::size_t>(from) + 1));
        const Input piece(other.begin() + from, other.begin() + from + length);
        input.insert(place, piece.begin(), piece.end());
        break;
      }
      case 6: {  // a number where a number may be read
        static constexpr std::uint64_t numbers[] = {0, 1, 8, 63, 64, 4096, ~0ull, 1ull << 63, 1ull << 32, ~0ull >> 1};
        const std::uint64_t number = numbers[below(std::size(numbers))];
        for (std::size_t i = 0; i < 8 && at + i < input.size(); ++i) {
          input[at + i] = static_cast<std::uint8_t>(number >> (8 * i));
        }
        break;
      }
      default: {  // the same bytes many times: deep nesting, long texts
        if (input.empty()) break;
        const Input piece(1 + below(200), input[below(input.size())]);
        input.insert(place, piece.begin(), piece.end());
      }
    }
  }

  fs::path folder_;
  std::mt19937_64 random_;
  std::vector<Input> corpus_;
  std::array<std::uint8_t, map_size> seen_{};
  std::uint64_t executions_ = 0;
};

}  // namespace

/// Called by the compiler at every branch of what is fuzzed.
extern "C" void __sanitizer_cov_trace_pc() {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  std::uint8_t& count = hits[(here ^ previous) & (map_size - 1)];
  if (count < 255) ++count;
  previous = here >> 1;
}

int main(int argc, char** argv) {
  std::string folder = "corpus";
  double seconds = 10;
  std::uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "-max_total_time=", 16) == 0) {
      seconds = std::atof(argv[i] + 16);
    } else if (std::strncmp(argv[i], "-seed=", 6) == 0) {
      seed = std::strtoull(argv[i] + 6, nullptr, 10);
    } else if (argv[i][0] != '-') {
      folder = argv[i];
    }
  }
  // Both sanitizers and an exception that nobody expects end in abort(), given abort_on_error=1.
  std::signal(SIGABRT, [](int) { keep_crash(); });
  Fuzzer(folder, seed).run_for(seconds);
}
