// config.json as the forward pass needs it: every key of native/MODEL.md with its default and its traps.
#pragma once

#include <string>
#include <string_view>

#include "model.h"

namespace nf {

/// Parses the text of config.json and, when not empty, of generation_config.json (end tokens). `where` names the
/// source in messages. Throws bad_model for what is missing or contradictory, unsupported for another architecture or
/// an option this engine does not run, always naming the key.
Config parse_config(std::string_view config_json, std::string_view generation_json, const std::string& where);

}  // namespace nf
