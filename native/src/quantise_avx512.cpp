// The quantiser's arithmetic for AVX-512.
#include <cstdint>
#include <cstring>

#include "quantise_kernels.h"

#define NF_VECTOR_BYTES 64

namespace nf {
namespace {

#include "quantise_lanes.h"

}  // namespace

const QuantiseKernels& quantise_kernels_avx512() {
  static constexpr QuantiseKernels kernels{extent_of, fit_scale, encode};
  return kernels;
}

}  // namespace nf
