// What the matrix-matrix kernels share.
#pragma once

#include "stages.h"

namespace nf::cuda {

constexpr int max_gemm_parts = 16;

struct GemmArguments {
  const __nv_bfloat16* x;  // what prepare_rows() wrote
  const std::byte* w;
  int n_rows, k, n_tiles;
  Epilogue epilogue;
  float* y;
  int y_stride, n_valid;
  float* partials;  // [parts of k, n_rows, n_tiles * 8]; null: the epilogue writes y
  std::int64_t n_partials;
};

/// wgmma path: Hopper, bf16 weights.
bool wgmma_gemm_serves(const LaunchContext&, MatrixFormat);
void wgmma_gemm(const LaunchContext&, const GemmArguments&);
void prepare_wgmma_gemm(const DeviceFacts&);

/// Parts that k is cut into, so that a few rows still keep every multiprocessor busy. `columns`: of a kernel's step.
int gemm_parts(const LaunchContext&, const GemmArguments&, int block_rows, int block_tiles, int columns);
/// y = epilogue(sum over the parts), in their order.
void join_parts(const LaunchContext&, const GemmArguments&, int n_parts);

}  // namespace nf::cuda
