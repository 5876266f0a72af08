// Models with random weights and the shapes of the published ones, for measuring speed without a download.
#pragma once

#include <memory>
#include <string>

#include "model.h"

namespace nf {

struct SyntheticModel {
  Config config;
  std::shared_ptr<const TensorSource> source;
};

/// True for names that begin with "synthetic:".
bool is_synthetic(const std::string& source_name);

/// `synthetic:nemotron-flash-3b`, `-1b` or `synthetic:tiny`, each optionally followed by :SEED (a whole number).
/// Throws bad_argument for anything else.
SyntheticModel make_synthetic(const std::string& source_name);

/// Generates the tensors `config` asks for: deterministic by name and seed, made when opened, nothing kept.
std::shared_ptr<const TensorSource> make_synthetic_source(const Config& config, const std::string& family,
                                                          std::uint64_t seed);

}  // namespace nf
