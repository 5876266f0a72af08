// The plan of a model: what config.json and the tensor names say, checked once, as plain data.
// Formulas and shapes: native/MODEL.md. A backend reads the plan and moves the bytes to where it wants them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nf/engine.h"

namespace nf {

struct Config {
  int n_vocab = 0, hidden = 0, n_layers = 0;
  std::vector<std::string> layer_types;  // deltanet, m2, m, a, f
  int n_heads = 0;                       // query heads; also DeltaNet heads
  int n_kv_heads = 0;
  int qk_dim = 0, v_dim = 0;  // of one attention head
  int delta_dim = 0;          // hidden / n_heads
  bool qk_norm = false;
  bool rope = false;
  double rope_base = 10000;  // after the NTK formula, when the config asks for it
  int mamba_inner = 0, mamba_heads = 0, mamba_head_dim = 0, mamba_state = 0, mamba_conv = 0;
  int ffn_dim = 0;
  bool ffn_gated = true;  // silu(gate) * up, else relu(up)^2
  bool ffn_in_mixers = false;
  int n_memory = 0;
  float norm_eps = 1e-6f;
  bool tied_head = false;
  bool head_row_norm = true;
  int max_positions = 0;
  std::vector<Token> end_tokens;
};

inline constexpr int delta_conv_width = 4;
inline constexpr float delta_norm_eps = 1e-5f, delta_l2_eps = 1e-6f, mamba_norm_eps = 1e-5f, qk_norm_eps = 1e-5f;

enum class DType { f32, f16, bf16 };

/// Row-major tensor somewhere in memory. `owner` keeps the bytes alive: a mapped file, or a synthetic tensor's buffer.
struct TensorView {
  const std::byte* data = nullptr;
  DType dtype = DType::bf16;
  std::vector<std::int64_t> shape;
  std::shared_ptr<const void> owner;
};

enum class Role { mixer, ffn, head, kept };  // kept: never quantised (b_proj, dt rows)

/// y = W x with W [n_out, n_in]. `first_row` selects rows of the tensor called `name`.
struct Matrix {
  std::string name;
  int first_row = 0, n_out = 0, n_in = 0;
  Role role = Role::kept;
};

enum class LayerKind { deltanet, mamba2, attention, none };

struct DeltaNetSmall {
  std::vector<float> conv_q, conv_k, conv_v;  // [hidden, 4]
  std::vector<float> out_norm;                // [delta_dim]
};
struct Mamba2Small {
  std::vector<float> conv, conv_bias;  // [inner + 2 state, width], [inner + 2 state]
  std::vector<float> dt_bias, a, d;    // [heads]; a = -exp(A_log)
  std::vector<float> norm;             // [inner]
};
struct AttentionSmall {
  std::vector<float> q_norm, k_norm;  // [qk_dim], empty without qk_norm
};

struct Ffn {
  std::vector<float> norm;  // pre_ffn_layernorm, [hidden]
  Matrix gate, up, down;    // gate.n_out == 0 with relu2
};

struct Layer {
  int index = 0;
  LayerKind kind = LayerKind::none;
  int mixer_index = -1;     // among layers of its kind
  std::vector<float> norm;  // input_layernorm, [hidden]; empty for kind none
  // deltanet: q, k, v [hidden, hidden] and b [n_heads, hidden]
  // mamba2:   zxbc [2 inner + 2 state, hidden] and dt [heads, hidden], both rows of in_proj
  // attention: q [n_heads qk_dim, hidden], k [n_kv_heads qk_dim, hidden], v [n_kv_heads v_dim, hidden]
  std::vector<Matrix> in;
  Matrix out;  // o_proj, out_proj
  DeltaNetSmall deltanet;
  Mamba2Small mamba2;
  AttentionSmall attention;
  bool has_ffn = false;
  Ffn ffn;
};

/// Where tensors come from: a directory of safetensors files, or a generator.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual bool has(const std::string& name) const = 0;
  virtual std::vector<std::int64_t> shape(const std::string& name) const = 0;
  /// The tensor's bytes, valid while the view lives. Throws bad_model naming file and tensor. Thread-safe.
  virtual TensorView open(const std::string& name) const = 0;
  /// float32 copy of elements first .. first + n - 1 of the tensor, which must have them. Thread-safe. A generator
  /// makes only these, so reading a tensor in pieces never costs more than the tensor.
  virtual void read_floats(const std::string& name, std::int64_t first, std::int64_t n, float* out) const;
  /// The tensor's bytes are not needed for now: a reader of a whole checkpoint then holds a tensor at a time in memory.
  virtual void release(const std::string& /*name*/) const noexcept {}
  /// Identifies the content for caches: sizes, times and names of files, or generator and seed.
  virtual std::string fingerprint() const = 0;
};

class WeightCache;
class WeightCacheWriter;

struct ModelPlan {
  Config config;
  std::shared_ptr<const TensorSource> source;
  std::string where;          // the source's name, for errors
  Matrix embed;               // [n_vocab, hidden]
  std::vector<float> memory;  // [n_memory, hidden]
  std::vector<Layer> layers;
  std::vector<float> final_norm;  // [hidden]
  Matrix head;                    // same name as embed when tied
  std::vector<float> head_scale;  // [n_vocab], 1 / row norm; empty when config.head_row_norm is false
  std::int64_t n_parameters = 0;

  int n_delta_layers = 0, n_mamba_layers = 0, n_attention_layers = 0;

  std::string fingerprint;                    // of configuration and tensors, for caches
  std::shared_ptr<const WeightCache> cached;  // of an earlier load in the format at hand; null: none
  std::shared_ptr<WeightCacheWriter> making;  // where to keep what is converted, as soon as it is; null: nowhere

  /// float32 copy of rows of a matrix, [n_rows, n_in].
  void read_rows(const Matrix&, int first_row, int n_rows, float* out) const;
};

/// The recurrent state of one sequence as a blob of float32, the same for every backend, so that a state saved on one
/// device continues on another. Layers in order; deltanet: S [n_heads, d key, d value], then windows q, k, v, each
/// [3, hidden] oldest first; mamba2: h [heads, head_dim, state], then window [width - 1, inner + 2 state] oldest first.
struct StateLayout {
  struct Entry {
    int layer;
    std::int64_t matrix, window;  // offsets in floats
    std::int64_t n_matrix, n_window;
  };
  std::vector<Entry> entries;
  std::int64_t n_floats = 0;
  explicit StateLayout(const ModelPlan&);
};

/// Reads config.json (and generation_config.json) and checks every tensor's presence and shape.
/// `source_name` as in LoadOptions::source. Throws bad_model, unsupported.
ModelPlan make_plan(const std::string& source_name);
/// make_plan() but for head_scale, which takes a pass over the whole head.
ModelPlan read_plan(const std::string& source_name);
/// 1 / |row| of the unquantised head; empty when the configuration wants none.
std::vector<float> head_scale_of(const ModelPlan&);

/// The stored form of a matrix under a format.
enum class MatrixFormat { f32, bf16, int8, int4 };
constexpr MatrixFormat matrix_format(Role role, WeightFormat format) {
  switch (format) {
    case WeightFormat::f32: return MatrixFormat::f32;
    case WeightFormat::bf16: return MatrixFormat::bf16;
    case WeightFormat::int8: return role == Role::kept ? MatrixFormat::bf16 : MatrixFormat::int8;
    case WeightFormat::mixed:
      return role == Role::kept ? MatrixFormat::bf16 : role == Role::mixer ? MatrixFormat::int8 : MatrixFormat::int4;
    case WeightFormat::int4: return role == Role::kept ? MatrixFormat::bf16 : MatrixFormat::int4;
  }
  return MatrixFormat::f32;
}

}  // namespace nf
