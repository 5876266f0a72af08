#include "tensor_map.h"

#include "check.h"

namespace nf::cuda {
namespace {

using Encode = CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*,
                            const cuuint32_t*, const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                            CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

/// From the driver, which the process already has: nothing is linked.
Encode find_encode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  CUDA_CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess) function = nullptr;
  return reinterpret_cast<Encode>(function);
}

}  // namespace

CUtensorMap map_of_tiles(const void* data, int n_pieces, int piece_bytes, int n_tiles, int box_tiles) {
  static const Encode encode = find_encode();
  CUtensorMap map{};
  constexpr int element_bytes = 8;
  const auto row = static_cast<cuuint64_t>(piece_bytes);
  const cuuint64_t sizes[3] = {row / element_bytes, static_cast<cuuint64_t>(n_pieces),
                               static_cast<cuuint64_t>(n_tiles)};
  const cuuint64_t strides[2] = {row, row * static_cast<cuuint64_t>(n_pieces)};
  const cuuint32_t box[3] = {static_cast<cuuint32_t>(piece_bytes / element_bytes), 1,
                             static_cast<cuuint32_t>(box_tiles)};
  const cuuint32_t steps[3] = {1, 1, 1};
  const CUresult result = encode
                              ? encode(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT64, 3, const_cast<void*>(data), sizes,
                                       strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
                                       CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
                              : CUDA_ERROR_NOT_SUPPORTED;
  if (result != CUDA_SUCCESS) {
    throw EngineError(ErrorCode::device_lost, "the driver made no tensor descriptor (error " +
                                                  std::to_string(static_cast<int>(result)) +
                                                  "); update the driver, or use the CPU");
  }
  return map;
}

}  // namespace nf::cuda
