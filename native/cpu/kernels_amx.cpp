// Kernels for AVX-512 with VNNI and BF16 and for AMX: dot products of bytes, matrix units for many tokens.
#include <immintrin.h>

#include "isa.h"
#include "kernels.h"

namespace nf::cpu {
namespace {

#include "kernels/vector_avx512.h"
// Each part needs the ones before it.
#include "kernels/codes.h"
#include "kernels/dense.h"
#include "kernels/dot_vnni.h"
#include "kernels/elementwise.h"
#include "kernels/matrix_units.h"
#include "kernels/panel_512.h"
#include "kernels/quantised.h"
#include "kernels/recurrence.h"
#include "kernels/small_gemm.h"
#include "kernels/table.h"

constexpr Kernels make_amx_table() {
  Kernels k = make_table("amx");
  k.tiled_bf16 = tiled_bf16;
  k.tiled_int8 = tiled_int8;
  k.tiled_int4 = tiled_int4;
  k.to_tiles = to_tiles;
  return k;
}

}  // namespace

const Kernels& amx_kernels() {
  static constexpr Kernels table = make_amx_table();
  return table;
}

}  // namespace nf::cpu
