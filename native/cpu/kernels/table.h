// The table of one instruction set. Included inside an anonymous namespace, behind everything else.

constexpr Kernels make_table(const char* name) {
  Kernels k{};
  k.name = name;
  k.dot_f32 = dot_rows<float>;
  k.dot_bf16 = dot_rows<Bf16>;
  k.dot_int8 = dot_int8;
  k.dot_int4 = dot_int4;
  k.quantise = quantise;
  k.to_bf16 = to_bf16;
  k.sum_squares = sum_squares;
  k.scale = scale;
  k.add = add;
  k.silu_mul = silu_mul;
  k.relu_squared = relu_squared;
  k.conv_silu = conv_silu;
  k.gemm = small_gemm<float>;
  k.gemm_bf16 = small_gemm<Bf16>;
  k.delta_step = delta_step;
  k.ssm_step = ssm_step;
  k.decay_row = decay_row;
  k.softmax_step = softmax_step;
  return k;
}
