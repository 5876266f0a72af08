#include "pack.h"

#include <cstring>

#include "float_formats.h"
#include "quantise.h"

namespace nf::cpu {

PanelShape panel_shape(MatrixFormat format, int n_in) {
  PanelShape shape{};
  shape.n_blocks = (n_in + block_columns - 1) / block_columns;
  shape.n_groups = n_groups(quant_spec(format), n_in);
  shape.code_bytes = std::int64_t{shape.n_blocks} * panel_rows * block_columns / (format == MatrixFormat::int4 ? 2 : 1);
  const std::int64_t bytes = shape.code_bytes + std::int64_t{shape.n_groups} * panel_rows * 2;
  shape.panel_bytes = (bytes + 63) / 64 * 64;
  return shape;
}

void pack_panel(MatrixFormat format, int n_rows, int n_in, const std::int8_t* codes, const float* scales,
                std::byte* panel) {
  const PanelShape shape = panel_shape(format, n_in);
  const bool is_int4 = format == MatrixFormat::int4;
  auto* out = reinterpret_cast<std::uint8_t*>(panel);
  std::memset(out, is_int4 ? 0x88 : 0x80, static_cast<std::size_t>(shape.code_bytes));
  std::memset(out + shape.code_bytes, 0, static_cast<std::size_t>(shape.panel_bytes - shape.code_bytes));
  for (int row = 0; row < n_rows; ++row) {
    const std::int8_t* from = codes + static_cast<std::int64_t>(row) * n_in;
    for (int column = 0; column < n_in; ++column) {
      const int block = column / block_columns, in_block = column % block_columns;
      if (is_int4) {
        std::uint8_t& both = out[(block * std::int64_t{4} + in_block / 4 % 4) * 64 + row * 4 + in_block % 4];
        const int code = from[column] + 8;
        both = static_cast<std::uint8_t>(in_block < 16 ? (both & 0xF0) | code : (both & 0x0F) | code << 4);
      } else {
        out[(block * std::int64_t{8} + in_block / 4) * 64 + row * 4 + in_block % 4] =
            static_cast<std::uint8_t>(from[column] + 128);
      }
    }
    for (int group = 0; group < shape.n_groups; ++group) {
      const std::uint16_t scale = f16_of_float(scales[static_cast<std::int64_t>(row) * shape.n_groups + group]);
      std::memcpy(out + shape.code_bytes + (static_cast<std::int64_t>(group) * panel_rows + row) * 2, &scale, 2);
    }
  }
}

}  // namespace nf::cpu
