#include <algorithm>
#include <cmath>

#include "ops.h"

namespace nf::cuda {

namespace {
constexpr std::int64_t gemm_partial_floats = 8 << 20;  // room for the parts of products of few rows
}

CudaOps::Widths::Widths(const ModelPlan& plan)
    : hidden(plan.config.hidden), projected(0), mixed(plan.config.hidden), ffn(0), input(0) {
  for (const Layer& layer : plan.layers) {
    int rows = 0;
    for (const Matrix& m : layer.in) rows += padded(m.n_out, tile_rows);
    projected = std::max(projected, rows);
    mixed = std::max(mixed, layer.out.n_in);
    if (layer.has_ffn) ffn = std::max(ffn, padded(layer.ffn.up.n_out, tile_rows));
  }
  // Two scratches are borrowed from buffers that their stage leaves alone: see attention(), deltanet() and mamba2().
  const Config& c = plan.config;
  input = padded(std::max({hidden, mixed, ffn, c.n_heads * c.qk_dim}), unit_columns);
  if (c.delta_dim > 0) ffn = std::max<int>(ffn, static_cast<int>(deltanet_prepared_floats(c.n_heads, c.delta_dim)));
  if (plan.n_mamba_layers > 0) {
    ffn =
        std::max<int>(ffn, static_cast<int>(mamba2_prepared_floats(c.mamba_inner + 2 * c.mamba_state, c.mamba_heads)));
  }
}

CudaOps::CudaOps(const ModelPlan& plan, const Weights& weights, const DeviceFacts& device, cudaStream_t stream,
                 bool f32, int max_rows)
    : plan_(plan),
      c_(plan.config),
      weights_(weights),
      device_(device),
      f32_(f32),
      max_rows_(max_rows),
      states_(plan),
      widths_(plan),
      n_splits_(attention_splits(device, plan.config)),
      context_{stream, device.compute_major >= 9, &device},
      x_(std::int64_t{max_rows} * widths_.hidden),
      projected_(std::int64_t{max_rows} * widths_.projected),
      mixed_(std::int64_t{max_rows} * widths_.mixed),
      ffn_(std::int64_t{max_rows} * widths_.ffn) {
  if (plan.n_attention_layers > 0) {
    partials_ = DeviceBuffer<float>(attention_scratch(plan.config, n_splits_));
    arrivals_ = DeviceBuffer<int>::zeros(attention_arrivals(plan.config));
  }
  if (!f32) {
    narrow_ = DeviceBuffer<__nv_bfloat16>(std::int64_t{max_rows} * widths_.input);
    gemm_partials_ = DeviceBuffer<float>(gemm_partial_floats);
    prepare_gemm(device);
    prepare_attention();
  }
  prepare_matvec(device);
  prepare_deltanet_rows(device);
  prepare_mamba2_rows(device);
}

std::int64_t CudaOps::scratch_bytes(const ModelPlan& plan, const DeviceFacts& device, int max_rows, bool f32) {
  const Widths w(plan);
  std::int64_t floats = std::int64_t{max_rows} * (w.hidden + w.projected + w.mixed + w.ffn);
  if (plan.n_attention_layers > 0) {
    floats += attention_scratch(plan.config, attention_splits(device, plan.config)) + attention_arrivals(plan.config);
  }
  return floats * 4 + (f32 ? 0 : std::int64_t{max_rows} * w.input * 2 + gemm_partial_floats * 4);
}

/// One matrix product of a stage: f(x) by W into y, for all rows of the batch.
struct CudaOps::Product {
  const StageWeights& weights;
  const float* x;
  int k;
  Prologue prologue;
  const float* norm;
  float eps;
  int head_dim;
  Epilogue epilogue;
  float* y;
  int y_stride;
  int n_valid;
};

void CudaOps::product(const Product& p) {
  const auto rows = [&](int first, int n) {
    if (n == 0) return;
    MatvecCall call;
    call.weights = &p.weights;
    call.x = p.x + first * std::int64_t{p.k};
    call.k = p.k;
    call.n_rows = n;
    call.prologue = p.prologue;
    call.norm = p.norm;
    call.eps = p.eps;
    call.head_dim = p.head_dim;
    call.epilogue = p.epilogue;
    call.y = p.y + first * std::int64_t{p.y_stride};
    call.y_stride = p.y_stride;
    call.n_valid = p.n_valid;
    if (first >= batch.n_single && n >= gemm_rows && !f32_) {
      prepare_rows(context_, call, narrow_.data());
      gemm(context_, call, {narrow_.data(), gemm_partials_.data(), gemm_partials_.size()});
    } else {
      matvec(context_, call);
    }
  };
  rows(0, batch.n_single);
  rows(batch.n_single, batch.n_rows - batch.n_single);
}

void CudaOps::embed(const ModelPlan& plan, const Batch&) {
  cuda::embed(context_, {weights_.embed, weights_.memory, plan.config.n_vocab, batch.tokens, batch.n_rows, x_.data()});
}

void CudaOps::norm_project(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer.index)];
  product({w.in, x_.data(), c_.hidden, Prologue::rms, w.norm, c_.norm_eps, 0, Epilogue::store, projected_.data(),
           w.in.n_rows(), w.in.n_rows()});
}

void CudaOps::attention(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer.index)];
  AttentionCall call{};
  call.projected = projected_.data();
  call.stride = w.in.n_rows();
  call.k_offset = w.in.first_row[1];
  call.v_offset = w.in.first_row[2];
  call.n_heads = c_.n_heads;
  call.n_kv_heads = c_.n_kv_heads;
  call.qk_dim = c_.qk_dim;
  call.v_dim = c_.v_dim;
  call.q_norm = w.q_norm;
  call.k_norm = w.k_norm;
  call.inverse_frequency = c_.rope ? weights_.inverse_frequency : nullptr;
  call.layer = layer.mixer_index;
  call.kv_is_f32 = f32_;
  call.n_splits = n_splits_;
  call.partials = partials_.data();
  call.arrivals = arrivals_.data();
  call.y = mixed_.data();
  if (batch.n_single > 0) {
    call.rows = single_rows();
    attend_split(context_, call, true);
  }
  for (const DeviceBatch::Long& slice : batch.longer) {
    call.rows = long_rows(slice);
    write_keys(context_, call);
    if (attend_rows_serves(call)) {
      attend_rows(context_, call, narrow_.data());
    } else {
      attend_split(context_, call, false);
    }
  }
}

void CudaOps::deltanet(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer.index)];
  const StateMap::Entry& state = states_.layers[static_cast<std::size_t>(layer.index)];
  DeltaNetCall call{};
  call.projected = projected_.data();
  call.stride = w.in.n_rows();
  call.k_offset = w.in.first_row[1];
  call.v_offset = w.in.first_row[2];
  call.b_offset = w.in.first_row[3];
  call.n_heads = c_.n_heads;
  call.dim = c_.delta_dim;
  call.conv = w.conv;
  call.out_norm = w.out_norm;
  call.eps = delta_norm_eps;
  call.matrix_offset = state.matrix;
  call.window_offset = state.window;
  call.y = mixed_.data();
  if (batch.n_single > 0) {
    call.rows = single_rows();
    deltanet_scan(context_, call, true);
  }
  for (const DeviceBatch::Long& slice : batch.longer) {
    call.rows = long_rows(slice);
    if (deltanet_rows_serves(call)) {
      deltanet_rows(context_, call, ffn_.data());
    } else {
      deltanet_scan(context_, call, false);
    }
    const int offsets[3] = {0, call.k_offset, call.v_offset};
    for (int part = 0; part < 3; ++part) {
      advance_windows(context_, {call.rows, projected_.data() + offsets[part], call.stride, c_.hidden, delta_conv_width,
                                 state.window, state.channels, part * c_.hidden});
    }
  }
  if (!head_norm_fits_product(c_.delta_dim)) {
    call.rows = {batch.slices, 0, 0, batch.n_rows};
    head_norm(context_, call);
  }
}

void CudaOps::mamba2(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer.index)];
  const StateMap::Entry& state = states_.layers[static_cast<std::size_t>(layer.index)];
  Mamba2Call call{};
  call.projected = projected_.data();
  call.stride = w.in.n_rows();
  call.dt_offset = w.in.first_row[1];
  call.n_heads = c_.mamba_heads;
  call.head_dim = c_.mamba_head_dim;
  call.state = c_.mamba_state;
  call.width = c_.mamba_conv;
  call.conv = w.conv;
  call.conv_bias = w.conv_bias;
  call.dt_bias = w.dt_bias;
  call.a = w.a;
  call.d = w.d;
  call.matrix_offset = state.matrix;
  call.window_offset = state.window;
  call.y = mixed_.data();
  if (batch.n_single > 0) {
    call.rows = single_rows();
    mamba2_scan(context_, call, true);
  }
  for (const DeviceBatch::Long& slice : batch.longer) {
    call.rows = long_rows(slice);
    if (mamba2_rows_serves(call)) {
      mamba2_rows(context_, call, ffn_.data());
    } else {
      mamba2_scan(context_, call, false);
    }
    advance_windows(context_, {call.rows, projected_.data() + c_.mamba_inner, call.stride, state.channels, state.width,
                               state.window, state.channels, 0});
  }
}

void CudaOps::project_add(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer.index)];
  Prologue prologue = Prologue::plain;
  float eps = 0;
  if (layer.kind == LayerKind::mamba2) prologue = Prologue::rms, eps = mamba_norm_eps;
  if (layer.kind == LayerKind::deltanet && head_norm_fits_product(c_.delta_dim)) {
    prologue = Prologue::head_rms, eps = delta_norm_eps;
  }
  product({w.out, mixed_.data(), layer.out.n_in, prologue, w.out_norm, eps, c_.delta_dim, Epilogue::add, x_.data(),
           c_.hidden, c_.hidden});
}

void CudaOps::ffn_up(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer.index)];
  const int width = padded(c_.ffn_dim, tile_rows);
  product({w.up, x_.data(), c_.hidden, Prologue::rms, w.ffn_norm, c_.norm_eps, 0,
           c_.ffn_gated ? Epilogue::gated : Epilogue::relu2, ffn_.data(), width, width});
}

void CudaOps::ffn_down_add(const Layer& layer, const Batch&) {
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer.index)];
  product({w.down, ffn_.data(), c_.ffn_dim, Prologue::plain, nullptr, 0, 0, Epilogue::add, x_.data(), c_.hidden,
           c_.hidden});
}

void CudaOps::head(const ModelPlan&, const Batch&) { head_of_batch(); }

void CudaOps::logits_of(const DeviceSlice* rows, int first_row, int n) {
  MatvecCall call;
  call.weights = &weights_.head;
  call.x = x_.data() + first_row * std::int64_t{c_.hidden};
  call.k = c_.hidden;
  call.n_rows = n;
  call.prologue = Prologue::rms;
  call.norm = weights_.final_norm;
  call.eps = c_.norm_eps;
  call.epilogue = Epilogue::logits;
  call.y = nullptr;
  call.y_stride = 0;
  call.slices = rows;
  call.head_scale = weights_.head_scale;
  call.n_valid = c_.n_vocab;
  matvec(context_, call);
}

void CudaOps::end_stage(const char*, StageClass, int, const StopFlag& stop) {
  if (tracing) {
    if (n_traced_ == trace_events_.size()) trace_events_.emplace_back();
    CUDA_CHECK(cudaEventRecord(trace_events_[n_traced_++], context_.stream));
  }
  if (stop) throw EngineError(ErrorCode::cancelled, "the run was cancelled");
}

void CudaOps::begin_trace() {
  n_traced_ = 0;
  if (trace_events_.empty()) trace_events_.emplace_back();
  CUDA_CHECK(cudaEventRecord(trace_events_[n_traced_++], context_.stream));
}

void CudaOps::end_trace() {
  stage_ns.clear();
  for (std::size_t i = 1; i < n_traced_; ++i) {
    float milliseconds = 0;
    CUDA_CHECK(cudaEventSynchronize(trace_events_[i]));
    CUDA_CHECK(cudaEventElapsedTime(&milliseconds, trace_events_[i - 1], trace_events_[i]));
    stage_ns.push_back(static_cast<std::int64_t>(milliseconds * 1e6));
  }
}

void CudaOps::tap(Tap* tap, int index) {
  const auto width = static_cast<std::size_t>(c_.hidden);
  std::vector<float> here(static_cast<std::size_t>(batch.n_rows) * width), rows(here.size());
  CUDA_CHECK(
      cudaMemcpyAsync(here.data(), x_.data(), here.size() * sizeof(float), cudaMemcpyDeviceToHost, context_.stream));
  CUDA_CHECK(cudaStreamSynchronize(context_.stream));
  for (std::size_t row = 0; row < tap_order.size(); ++row) {
    const float* from = here.data() + static_cast<std::size_t>(tap_order[row]) * width;
    std::copy(from, from + width, rows.data() + row * width);
  }
  if (index == c_.n_layers + 1) {  // the final norm has no buffer of its own on the device
    for (std::size_t row = 0; row < tap_order.size(); ++row) {
      float* x = rows.data() + row * width;
      double squares = 0;
      for (std::size_t i = 0; i < width; ++i) squares += double{x[i]} * x[i];
      const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + c_.norm_eps);
      for (std::size_t i = 0; i < width; ++i) x[i] = static_cast<float>(x[i] * scale * plan_.final_norm[i]);
    }
  }
  tap->rows(index, rows);
}

static_assert(Ops<CudaOps>);

}  // namespace nf::cuda
