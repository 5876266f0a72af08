// The device's draw, run on the CPU by threads in place of the GPU's, against sorting and against the host's sampler.
#include "cuda/draw.h"

#include <atomic>
#include <barrier>
#include <cmath>
#include <memory>
#include <random>
#include <thread>

#include "draw_reference.h"
#include "sampler.h"
#include "support/check.h"

namespace nf::test {
namespace {

using cuda::Amount;
using cuda::Draw;
using cuda::Drawn;
using cuda::DrawSettings;
using cuda::DrawShared;

constexpr int group_bits = 3, block_threads = 1 << group_bits;

/// What the threads of a group of blocks share.
struct Machine {
  struct Block {
    DrawShared<group_bits> shared;
    std::barrier<> barrier{block_threads};
    std::array<Amount, block_threads> amounts;
    std::array<std::uint32_t, block_threads> values;
  };
  explicit Machine(int n) : blocks(static_cast<std::size_t>(n)), all(n * block_threads) {}
  std::vector<Block> blocks;
  std::barrier<> all;
};

class ThreadGroup {
 public:
  static constexpr int bits = group_bits;
  ThreadGroup(Machine& machine, int block, int thread) : machine_(machine), block_(block), thread_(thread) {}
  int thread() const { return thread_; }
  int block() const { return block_; }
  int n_blocks() const { return static_cast<int>(machine_.blocks.size()); }
  void sync() const { mine().barrier.arrive_and_wait(); }
  void sync_all() const { machine_.all.arrive_and_wait(); }
  const DrawShared<bits>& of(const DrawShared<bits>&, int block) const {
    return machine_.blocks[static_cast<std::size_t>(block)].shared;
  }
  std::uint32_t add(std::uint32_t& to, std::uint32_t value) const {
    return std::atomic_ref(to).fetch_add(value, std::memory_order_relaxed);
  }
  std::uint32_t largest(std::uint32_t value) const {
    mine().values[static_cast<std::size_t>(thread_)] = value;
    sync();
    return *std::max_element(mine().values.begin(), mine().values.end());
  }
  Amount before(Amount value, Amount& total) const {
    sync();
    mine().amounts[static_cast<std::size_t>(thread_)] = value;
    sync();
    Amount before;
    total = {};
    for (int i = 0; i < block_threads; ++i) {
      const Amount other = mine().amounts[static_cast<std::size_t>(i)];
      if (i < thread_) before += other;
      total += other;
    }
    return before;
  }
  Machine::Block& mine() const { return machine_.blocks[static_cast<std::size_t>(block_)]; }

 private:
  Machine& machine_;
  int block_, thread_;
};

/// Draws for positions 0 .. n_draws - 1 as the kernel would, on n_blocks blocks. Exactly one thread may have a token.
std::vector<Drawn> drawn_by_threads(std::span<const float> logits, const Sampling& sampling, int n_draws,
                                    int n_blocks) {
  Machine machine(n_blocks);
  const DrawSettings settings = DrawSettings::of(sampling);
  std::vector<Drawn> drawn(static_cast<std::size_t>(n_draws));
  std::atomic<int> n_tokens = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < n_blocks * block_threads; ++i) {
      threads.emplace_back([&, i] {
        const ThreadGroup group(machine, i / block_threads, i % block_threads);
        for (int position = 0; position < n_draws; ++position) {
          const Drawn d = Draw(group, group.mine().shared, logits.data(), static_cast<int>(logits.size()), settings)
                              .run(static_cast<std::uint64_t>(position));
          if (d.token >= 0) ++n_tokens;
          if (d.token >= 0 || (d.failed && i == 0)) drawn[static_cast<std::size_t>(position)] = d;
        }
      });
    }
  }
  if (!drawn.front().failed) CHECK_EQ(n_tokens.load(), n_draws);
  return drawn;
}

std::vector<float> normal_logits(int n, float deviation) {
  std::mt19937_64 generator(7);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> logits(static_cast<std::size_t>(n));
  for (float& logit : logits) logit = normal(generator);
  return logits;
}

struct Logits {
  const char* name;
  std::vector<float> values;
};
std::vector<Logits> distributions(int n) {
  std::vector<Logits> all{{"flat", normal_logits(n, 0.3f)},
                          {"wide", normal_logits(n, 6)},
                          {"equal", std::vector<float>(static_cast<std::size_t>(n), -3.25f)},
                          {"few values", normal_logits(n, 2)},
                          {"one finite", std::vector<float>(static_cast<std::size_t>(n), -INFINITY)},
                          {"beyond reach", std::vector<float>(static_cast<std::size_t>(n), -1e30f)}};
  for (float& x : all[3].values) x = std::round(x);
  for (auto& logits : {4, 5}) all[static_cast<std::size_t>(logits)].values[static_cast<std::size_t>(n / 2)] = 1e-30f;
  return all;
}

struct Setting {
  const char* name;
  Sampling sampling;
};
std::vector<Setting> settings() {
  const auto make = [](const char* name, float temperature, int top_k, float top_p, float min_p) {
    Sampling s;
    s.temperature = temperature, s.top_k = top_k, s.top_p = top_p, s.min_p = min_p, s.seed = 11;
    return Setting{name, s};
  };
  return {make("plain", 1, 0, 1, 0),
          make("cold", 0.05f, 0, 1, 0),
          make("coldest", 1e-30f, 0, 0.9f, 0),
          make("hot", 2, 0, 0.95f, 0),
          make("top_p 0.9", 1, 0, 0.9f, 0),
          make("top_p 0", 1, 0, 0, 0),
          make("top_p 0.999", 1, 0, 0.999f, 0),
          make("top_k 1", 1, 1, 1, 0),
          make("top_k 40", 0.7f, 40, 1, 0),
          make("top_k beyond", 1, 1 << 30, 1, 0),
          make("top_k and p", 0.7f, 40, 0.8f, 0),
          make("min_p", 1, 0, 1, 0.1f),
          make("min_p 1", 1, 0, 1, 1),
          make("all", 0.7f, 40, 0.95f, 0.05f)};
}

TEST("a draw by blocks of threads is the draw by sorting") {
  constexpr int sizes[] = {1, 3, 63, 64, 65, 257, 1000};
  constexpr int n_draws = 4;
  int n_cases = 0;
  for (std::size_t d = 0; d < distributions(1).size(); ++d) {
    for (const Setting& setting : settings()) {
      const int n = sizes[(static_cast<std::size_t>(n_cases) + d) % std::size(sizes)];
      const Logits logits = distributions(n)[d];
      const auto drawn = drawn_by_threads(logits.values, setting.sampling, n_draws, 1 + n_cases++ % 3);
      for (int position = 0; position < n_draws; ++position) {
        const Token expected = reference_draw(logits.values, setting.sampling, static_cast<std::uint64_t>(position));
        const Token got = drawn[static_cast<std::size_t>(position)].token;
        if (got == expected) continue;
        report(__FILE__, __LINE__,
               std::string(logits.name) + ", " + setting.name + ", " + std::to_string(n) + " tokens, position " +
                   std::to_string(position) + ": " + show_pair(got, expected));
      }
    }
  }
}

TEST("a draw by sorting is the sampler's") {
  int n_draws = 0, n_equal = 0;
  for (const int n : {1, 65, 1000}) {
    for (const Logits& logits : distributions(n)) {
      for (const Setting& setting : settings()) {
        Sampler sampler(n, {});
        sampler.begin(setting.sampling, {});
        for (int position = 0; position < 40; ++position) {
          Step step;
          sampler.sample(logits.values, position, step);
          ++n_draws;
          n_equal +=
              step.token == reference_draw(logits.values, setting.sampling, static_cast<std::uint64_t>(position));
        }
      }
    }
  }
  CHECK(n_draws - n_equal <= n_draws / 1000);  // weights are rounded otherwise, so a border may fall elsewhere
}

TEST("a draw's log-probability is the model's") {
  const std::vector<float> logits = normal_logits(700, 2);
  Sampling sampling = settings().back().sampling;
  Sampler sampler(700, {});
  sampler.begin(sampling, {});
  const auto drawn = drawn_by_threads(logits, sampling, 8, 2);
  for (int position = 0; position < 8; ++position) {
    Step step;
    sampler.sample(logits, position, step);
    const Drawn& d = drawn[static_cast<std::size_t>(position)];
    CHECK_EQ(d.token, step.token);
    CHECK_NEAR(d.logprob, step.logprob, 2e-6);
  }
}

TEST("a draw from logits that are no finite numbers fails") {
  for (const float bad : {NAN, INFINITY, -NAN}) {
    for (const int at : {0, 100, 299}) {
      std::vector<float> logits(300, 0.5f);
      logits[static_cast<std::size_t>(at)] = bad;
      CHECK(drawn_by_threads(logits, {}, 2, 3).front().failed);
    }
  }
  CHECK(drawn_by_threads(std::vector<float>(300, -INFINITY), {}, 2, 3).front().failed);
}

TEST("the mass of a key is its exponential") {
  CHECK_EQ(cuda::mass_of(0), std::uint64_t{1} << 44);
  for (std::uint32_t key = 1; key < cuda::too_light; key += key / 64 + 1) {
    const double expected = std::exp(-0x1p-25 * key) * 0x1p44;
    CHECK_NEAR(static_cast<double>(cuda::mass_of(key)), expected, 1 + 2e-6 * expected);
  }
  CHECK_EQ(cuda::mul_high(~std::uint64_t{0}, ~std::uint64_t{0}), ~std::uint64_t{0} - 1);
  CHECK_EQ(cuda::mul_high(std::uint64_t{1} << 63, 10), std::uint64_t{5});
}

}  // namespace
}  // namespace nf::test
