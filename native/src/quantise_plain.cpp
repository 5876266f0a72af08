// The quantiser's arithmetic for any processor.
#include <cstdint>
#include <cstring>

#include "quantise_kernels.h"

#define NF_VECTOR_BYTES 16

namespace nf {
namespace {

#include "quantise_lanes.h"

}  // namespace

const QuantiseKernels& quantise_kernels_plain() {
  static constexpr QuantiseKernels kernels{extent_of, fit_scale, encode};
  return kernels;
}

}  // namespace nf
