// Kernels for AVX-512 with VNNI: dot products of bytes.
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
#include "kernels/panel_512.h"
#include "kernels/quantised.h"
#include "kernels/recurrence.h"
#include "kernels/small_gemm.h"
#include "kernels/table.h"

}  // namespace

const Kernels& avx512vnni_kernels() {
  static constexpr Kernels table = make_table("avx512vnni");
  return table;
}

}  // namespace nf::cpu
