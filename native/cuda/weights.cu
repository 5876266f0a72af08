#include <cmath>
#include <cstring>

#include "float_formats.h"
#include "pack.cuh"
#include "parallel.h"
#include "quantise.h"
#include "weights.h"

namespace nf::cuda {
namespace {

constexpr int threads = 256;
unsigned blocks_for(std::int64_t n) { return static_cast<unsigned>((n + threads - 1) / threads); }

StageWeights shape_of(const std::vector<const Matrix*>& matrices, WeightFormat format) {
  StageWeights stage;
  for (const Matrix* matrix : matrices) {
    const MatrixFormat wanted = matrix_format(matrix->role, format);
    // Rows that stay in bf16 lie apart when the rest is narrower, and must then come last.
    const bool apart = stage.main.n_tiles > 0 && wanted != stage.main.format;
    DeviceMatrix& stack = apart ? stage.kept : stage.main;
    stage.first_row.push_back(stage.n_rows());
    stack.format = wanted;
    stack.k = matrix->n_in;
    stack.n_tiles += padded(matrix->n_out, tile_rows) / tile_rows;
  }
  return stage;
}

std::vector<const Matrix*> pointers_to(const std::vector<Matrix>& matrices) {
  std::vector<const Matrix*> out;
  for (const Matrix& matrix : matrices) out.push_back(&matrix);
  return out;
}

std::vector<const Matrix*> up_matrices(const Ffn& ffn) {
  if (ffn.gate.n_out > 0) return {&ffn.gate, &ffn.up};
  return {&ffn.up};
}

}  // namespace

/// Moves one matrix after another through two page-locked staging buffers.
class Weights::Uploader {
 public:
  Uploader(const ModelPlan& plan, const LoadOptions& options, const StopFlag& stop, std::int64_t total_bytes)
      : plan_(plan), options_(options), stop_(stop), total_bytes_(total_bytes) {
    for (Staging& staging : staging_) {
      staging.host = PinnedBuffer<std::byte>(staging_bytes);
      staging.device = DeviceBuffer<std::byte>(staging_bytes);
    }
  }

  /// Allocates and fills a stack. `interleave`: tiles of the matrices take turns (gate 0, up 0, gate 1, ...).
  StageWeights upload(const std::vector<const Matrix*>& matrices, bool interleave, Weights& owner) {
    StageWeights stage = shape_of(matrices, options_.format);
    std::byte* main = allocate(stage.main, owner);
    std::byte* kept = allocate(stage.kept, owner);
    const int stride = interleave ? static_cast<int>(matrices.size()) : 1;
    for (std::size_t i = 0; i < matrices.size(); ++i) {
      const int first_tile = stage.first_row[i] / tile_rows;
      const bool apart = first_tile >= stage.main.n_tiles;
      PackTarget target{apart ? kept : main, apart ? first_tile - stage.main.n_tiles : first_tile, 1,
                        matrices[i]->n_in};
      if (interleave) target.first_tile = static_cast<int>(i), target.tile_stride = stride;
      pack(*matrices[i], apart ? stage.kept.format : stage.main.format, target);
    }
    return stage;
  }

  /// Waits for everything, copies on the default stream included: our other streams do not wait for it.
  void finish() {
    stream_.wait();
    CUDA_CHECK(cudaStreamSynchronize(nullptr));
  }

 private:
  static constexpr std::int64_t staging_bytes = 64 << 20;
  struct Staging {
    PinnedBuffer<std::byte> host;
    DeviceBuffer<std::byte> device;
    Event free{cudaEventDisableTiming};
  };

  std::byte* allocate(DeviceMatrix& matrix, Weights& owner) {
    if (matrix.n_tiles == 0) return nullptr;
    DeviceBuffer<std::byte> buffer(matrix.bytes());
    // Rows that only pad a tile must read as finite numbers.
    CUDA_CHECK(cudaMemsetAsync(buffer.data(), 0, static_cast<std::size_t>(matrix.bytes()), stream_));
    std::byte* data = buffer.data();
    matrix.data = data;
    owner.n_bytes += matrix.bytes();
    owner.buffers_.push_back(std::move(buffer));
    return data;
  }

  void pack(const Matrix& matrix, MatrixFormat format, const PackTarget& target) {
    const bool quantised = format == MatrixFormat::int8 || format == MatrixFormat::int4;
    const TensorView view = quantised ? TensorView{} : plan_.source->open(matrix.name);
    const std::int64_t row_bytes = quantised ? matrix.n_in + std::int64_t{n_groups(quant_spec(format), matrix.n_in)} * 4
                                             : matrix.n_in * size_of(view.dtype);
    const int piece = static_cast<int>(std::min<std::int64_t>(matrix.n_out, (staging_bytes - 64) / row_bytes / 8 * 8));
    for (int row = 0; row < matrix.n_out; row += piece) {
      if (stop_) throw EngineError(ErrorCode::cancelled, "loading was cancelled");
      const int n = std::min(piece, matrix.n_out - row);
      Staging& staging = staging_[turn_++ % 2];
      CUDA_CHECK(cudaEventSynchronize(staging.free));
      if (quantised) {
        pack_codes(matrix, row, n, format, target, staging);
      } else {
        pack_floats(matrix, view, row, n, format, target, staging);
      }
      CUDA_CHECK(cudaGetLastError());
      CUDA_CHECK(cudaEventRecord(staging.free, stream_));
      done_bytes_ += std::int64_t{n} * matrix.n_in * 2;
      report(quantised ? LoadPhase::quantising : LoadPhase::uploading);
    }
  }

  void pack_floats(const Matrix& matrix, const TensorView& view, int row, int n, MatrixFormat format,
                   const PackTarget& target, Staging& staging) {
    const std::int64_t bytes = std::int64_t{n} * matrix.n_in * size_of(view.dtype);
    const std::byte* from = view.data + (std::int64_t{matrix.first_row} + row) * matrix.n_in * size_of(view.dtype);
    parallel_pieces(bytes, 4 << 20, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(staging.host.data() + begin, from + begin, static_cast<std::size_t>(end - begin));
    });
    CUDA_CHECK(cudaMemcpyAsync(staging.device.data(), staging.host.data(), static_cast<std::size_t>(bytes),
                               cudaMemcpyHostToDevice, stream_));
    switch (view.dtype) {
      case DType::f32: return pack_as<float>(staging.device.data(), row, n, format, target);
      case DType::f16: return pack_as<__half>(staging.device.data(), row, n, format, target);
      case DType::bf16: return pack_as<__nv_bfloat16>(staging.device.data(), row, n, format, target);
    }
  }

  template <class T>
  void pack_as(const std::byte* source, int row, int n, MatrixFormat format, const PackTarget& target) {
    const auto* values = reinterpret_cast<const T*>(source);
    if (format == MatrixFormat::f32) {
      pack_f32_kernel<T><<<blocks_for(std::int64_t{n} * target.k), threads, 0, stream_>>>(values, row, n, target);
    } else {
      const std::int64_t pieces = std::int64_t{n} * padded(target.k, unit_columns) / 8;
      pack_bf16_kernel<T><<<blocks_for(pieces), threads, 0, stream_>>>(values, row, n, target);
    }
  }

  void pack_codes(const Matrix& matrix, int row, int n, MatrixFormat format, const PackTarget& target,
                  Staging& staging) {
    const QuantSpec spec = quant_spec(format);
    const int groups = n_groups(spec, matrix.n_in);
    const std::int64_t scale_offset = (std::int64_t{n} * matrix.n_in + 15) / 16 * 16;
    auto* codes = reinterpret_cast<std::int8_t*>(staging.host.data());
    auto* scales = reinterpret_cast<float*>(staging.host.data() + scale_offset);
    parallel_pieces(n, 16, [&](std::int64_t begin, std::int64_t end) {
      if (stop_) return;
      std::vector<float> rows(static_cast<std::size_t>(end - begin) * matrix.n_in);
      const int count = static_cast<int>(end - begin);
      plan_.read_rows(matrix, row + static_cast<int>(begin), count, rows.data());
      if (!quantise_rows(rows.data(), count, matrix.n_in, spec, codes + begin * matrix.n_in, scales + begin * groups)) {
        throw EngineError(ErrorCode::bad_model, plan_.where + ": tensor " + matrix.name +
                                                    " holds a value that is not finite, or too large to be quantised");
      }
    });
    const std::int64_t bytes = scale_offset + std::int64_t{n} * groups * 4;
    CUDA_CHECK(cudaMemcpyAsync(staging.device.data(), staging.host.data(), static_cast<std::size_t>(bytes),
                               cudaMemcpyHostToDevice, stream_));
    const std::int64_t pieces = std::int64_t{n} * padded(target.k, unit_columns) / 8;
    const auto* device_codes = reinterpret_cast<const std::int8_t*>(staging.device.data());
    const auto* device_scales = reinterpret_cast<const float*>(staging.device.data() + scale_offset);
    const auto kernel = format == MatrixFormat::int8 ? pack_int8_kernel : pack_int4_kernel;
    kernel<<<blocks_for(pieces), threads, 0, stream_>>>(device_codes, device_scales, row, n, target);
  }

  void report(LoadPhase phase) {
    if (options_.on_progress) options_.on_progress({phase, std::min(done_bytes_, total_bytes_), total_bytes_});
  }

  const ModelPlan& plan_;
  const LoadOptions& options_;
  const StopFlag& stop_;
  std::int64_t total_bytes_, done_bytes_ = 0;
  Stream stream_;
  Staging staging_[2];
  unsigned turn_ = 0;
};

const float* Weights::vector_of(const std::vector<float>& values) {
  if (values.empty()) return nullptr;
  DeviceBuffer<std::byte> buffer(static_cast<std::int64_t>(values.size() * sizeof(float)));
  CUDA_CHECK(cudaMemcpy(buffer.data(), values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice));
  n_bytes += buffer.bytes();
  buffers_.push_back(std::move(buffer));
  return reinterpret_cast<const float*>(buffers_.back().data());
}

Weights::Weights(const ModelPlan& plan, const LoadOptions& options, const StopFlag& stop) {
  Uploader uploader(plan, options, stop, plan.n_parameters * 2);
  for (const Layer& layer : plan.layers) {
    LayerWeights w;
    w.norm = vector_of(layer.norm);
    if (layer.kind != LayerKind::none) {
      w.in = uploader.upload(pointers_to(layer.in), false, *this);
      w.out = uploader.upload({&layer.out}, false, *this);
    }
    if (layer.kind == LayerKind::deltanet) {
      std::vector<float> conv = layer.deltanet.conv_q;
      conv.insert(conv.end(), layer.deltanet.conv_k.begin(), layer.deltanet.conv_k.end());
      conv.insert(conv.end(), layer.deltanet.conv_v.begin(), layer.deltanet.conv_v.end());
      w.conv = vector_of(conv);
      w.out_norm = vector_of(layer.deltanet.out_norm);
    } else if (layer.kind == LayerKind::mamba2) {
      w.conv = vector_of(layer.mamba2.conv);
      w.conv_bias = vector_of(layer.mamba2.conv_bias);
      w.dt_bias = vector_of(layer.mamba2.dt_bias);
      w.a = vector_of(layer.mamba2.a);
      w.d = vector_of(layer.mamba2.d);
      w.out_norm = vector_of(layer.mamba2.norm);
    } else if (layer.kind == LayerKind::attention) {
      w.q_norm = vector_of(layer.attention.q_norm);
      w.k_norm = vector_of(layer.attention.k_norm);
    }
    if (layer.has_ffn) {
      w.ffn_norm = vector_of(layer.ffn.norm);
      w.up = uploader.upload(up_matrices(layer.ffn), true, *this);
      w.down = uploader.upload({&layer.ffn.down}, false, *this);
    }
    layers.push_back(std::move(w));
  }
  head = uploader.upload({&plan.head}, false, *this);
  embed = plan.embed.name == plan.head.name ? head.main : uploader.upload({&plan.embed}, false, *this).main;
  memory = vector_of(plan.memory);
  final_norm = vector_of(plan.final_norm);
  head_scale = vector_of(plan.head_scale);
  std::vector<float> frequency;
  for (int i = 0; i < plan.config.qk_dim / 2; ++i) {
    frequency.push_back(static_cast<float>(std::pow(plan.config.rope_base, -2.0 * i / plan.config.qk_dim)));
  }
  inverse_frequency = vector_of(frequency);
  uploader.finish();
}

std::int64_t Weights::bytes_needed(const ModelPlan& plan, WeightFormat format) {
  std::int64_t bytes = 0;
  const auto add = [&](const std::vector<const Matrix*>& matrices) {
    const StageWeights stage = shape_of(matrices, format);
    if (stage.main.n_tiles > 0) bytes += stage.main.bytes();
    if (stage.kept.n_tiles > 0) bytes += stage.kept.bytes();
  };
  for (const Layer& layer : plan.layers) {
    if (layer.kind != LayerKind::none) add(pointers_to(layer.in)), add({&layer.out});
    if (layer.has_ffn) add(up_matrices(layer.ffn)), add({&layer.ffn.down});
  }
  add({&plan.head});
  if (plan.embed.name != plan.head.name) add({&plan.embed});
  const std::int64_t small = std::int64_t{plan.config.n_layers} * 64 * plan.config.hidden + plan.config.n_vocab;
  return bytes + small * 4;
}

}  // namespace nf::cuda
