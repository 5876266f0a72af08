// Random numbers that are the same with every compiler and library.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace nf::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : generator_(seed) {}

  /// In [0, 1).
  double uniform() { return static_cast<double>(generator_() >> 11) * 0x1p-53; }

  float normal() {
    return static_cast<float>(std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()));
  }

  std::vector<float> normals(std::size_t n, float deviation = 1.0f) {
    std::vector<float> values(n);
    for (float& value : values) value = normal() * deviation;
    return values;
  }

 private:
  std::mt19937_64 generator_;
};

}  // namespace nf::test
