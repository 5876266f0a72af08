// Quantised matrices as panels: sizes and writing. The layout itself is described in kernels.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"
#include "model.h"

namespace nf::cpu {

struct PanelShape {
  int n_blocks;              // of 32 columns
  int n_groups;              // columns that share a scale
  std::int64_t code_bytes;   // of one panel
  std::int64_t panel_bytes;  // codes, scales, padding to 64
};
/// format is int8 or int4.
PanelShape panel_shape(MatrixFormat format, int n_in);

constexpr int n_panels(int n_out) { return (n_out + panel_rows - 1) / panel_rows; }

/// Writes one panel of up to 16 rows; missing rows become zeros. codes [n_rows, n_in], scales [n_rows, n_groups].
void pack_panel(MatrixFormat format, int n_rows, int n_in, const std::int8_t* codes, const float* scales,
                std::byte* panel);

}  // namespace nf::cpu
