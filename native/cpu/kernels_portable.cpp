#include "isa.h"
#include "kernels.h"

namespace nf::cpu {
namespace {

#include "kernels/vector_portable.h"
// Each part needs the ones before it.
#include "kernels/codes.h"
#include "kernels/dense.h"
#include "kernels/elementwise.h"
#include "kernels/panel_portable.h"
#include "kernels/quantised.h"
#include "kernels/recurrence.h"
#include "kernels/small_gemm.h"
#include "kernels/table.h"

}  // namespace

const Kernels& portable_kernels() {
  static constexpr Kernels table = make_table("portable");
  return table;
}

}  // namespace nf::cpu
