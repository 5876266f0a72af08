// What flows between the stages: the descriptors that kernels read, and the launchers that ops.cu calls.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "draw_keys.h"
#include "launch.h"
#include "layout.h"
#include "model.h"
#include "weights.h"

namespace nf::cuda {

/// One slice of a batch as the kernels see it. In device memory, so that a captured graph serves every step: the
/// sampling kernel advances first_position and ring.
struct DeviceSlice {
  float* state;     // recurrent state of the slot, see StateMap
  std::byte* kv;    // [attention layers][kv_capacity][keys, values]
  float* logits;    // [n_vocab], of the slice's last token
  int kv_capacity;  // positions
  int first_position;
  int ring;  // tokens consumed since the state was loaded; token i uses window place (ring + i + width - 1) % width
  int first_row, n_tokens;
};

/// Rows of activations that one launch works on.
struct Rows {
  const DeviceSlice* slices;  // device memory
  int n_slices;
  int first_row, n_rows;
};

// ---- matrix times vector -------------------------------------------------------------------------------------------

enum class Prologue { plain, rms, head_rms };  // what happens to x before the product
enum class Epilogue { store, add, gated, relu2, logits };

/// y = W f(x) for a few rows of x.
struct MatvecCall {
  const StageWeights* weights;
  const float* x;  // [n_rows, k], float32
  int k, n_rows;
  Prologue prologue = Prologue::plain;
  const float* norm = nullptr;  // [k], or [head_dim] for head_rms
  float eps = 0;
  int head_dim = 0;
  Epilogue epilogue = Epilogue::store;
  float* y;  // [n_rows, y_stride]; for logits the slices say
  int y_stride;
  const DeviceSlice* slices = nullptr;  // logits
  const float* head_scale = nullptr;
  int n_valid = 0;  // rows of W that exist, for logits and add
};

void matvec(const LaunchContext&, const MatvecCall&);
/// Once per device, before the first matvec: raises shared memory limits.
void prepare_matvec(const DeviceFacts&);

// ---- matrix times matrix: slices of several tokens
// -------------------------------------------------------------------

/// out = prologue of x, rounded once to bf16, in the units of layout.h.
void prepare_rows(const LaunchContext&, const MatvecCall&, __nv_bfloat16* out);
struct GemmScratch {
  const __nv_bfloat16* x;  // what prepare_rows() made of the call's x
  float* partials;
  std::int64_t n_partials;  // floats
};
/// Y = X W^T for many rows. Not for f32 weights, nor logits.
void gemm(const LaunchContext&, const MatvecCall&, const GemmScratch&);
void prepare_gemm(const DeviceFacts&);
constexpr int gemm_rows = 5;  // rows from which gemm() is faster than passes of matvec()

// ---- embedding -----------------------------------------------------------------------------------------------------

/// x[row] = the token's row of the embedding, or of the memory tokens for ids from n_vocab on.
struct EmbedCall {
  DeviceMatrix table;
  const float* memory;  // [n_memory, k]
  int n_vocab;
  const int* tokens;  // [n_rows]
  int n_rows;
  float* x;  // [n_rows, k]
};
void embed(const LaunchContext&, const EmbedCall&);

// ---- recurrences ---------------------------------------------------------------------------------------------------

struct DeltaNetCall {
  Rows rows;
  const float* projected;  // [rows, stride]: q, k, v, b at the offsets below
  int stride, k_offset, v_offset, b_offset;
  int n_heads, dim;
  const float* conv;      // [3, n_heads dim, 4]
  const float* out_norm;  // [dim]; null: the caller's product applies the norm
  float eps;
  std::int64_t matrix_offset, window_offset;  // in the slot's state
  float* y;                                   // [rows, n_heads dim]
};
/// Convolution, l2 norm and delta rule, token after token. One-token slices also advance their windows; for longer
/// ones the caller does, with advance_windows().
void deltanet_scan(const LaunchContext&, const DeltaNetCall&, bool one_token);
/// The same for rows of a single slice of several tokens. `prepared`: scratch, deltanet_prepared_floats() per row.
void deltanet_rows(const LaunchContext&, const DeltaNetCall&, float* prepared);
bool deltanet_rows_serves(const DeltaNetCall&);
void prepare_deltanet_rows(const DeviceFacts&);
std::int64_t deltanet_prepared_floats(int n_heads, int dim);
/// y = rms(y; out_norm) per head, where head_norm_fits_product() is false.
void head_norm(const LaunchContext&, const DeltaNetCall&);
bool head_norm_fits_product(int dim);

struct Mamba2Call {
  Rows rows;
  const float* projected;  // [rows, stride]: z, x, B, C, then dt at dt_offset
  int stride, dt_offset;
  int n_heads, head_dim, state, width;
  const float *conv, *conv_bias, *dt_bias, *a, *d;
  std::int64_t matrix_offset, window_offset;
  float* y;  // [rows, inner]: gated, not yet normalised
};
void mamba2_scan(const LaunchContext&, const Mamba2Call&, bool one_token);
/// The same for rows of a single slice of several tokens. `prepared`: scratch, mamba2_prepared_floats() per row.
void mamba2_rows(const LaunchContext&, const Mamba2Call&, float* prepared);
bool mamba2_rows_serves(const Mamba2Call&);
void prepare_mamba2_rows(const DeviceFacts&);
std::int64_t mamba2_prepared_floats(int channels, int n_heads);

/// Writes the last inputs of each slice into its window: `channels` of them per token, at `projected`.
struct WindowCall {
  Rows rows;
  const float* projected;
  int stride, channels, width;
  std::int64_t window_offset;  // of the state: [width][window_channels]
  int window_channels, first_channel;
};
void advance_windows(const LaunchContext&, const WindowCall&);

// ---- sampling ------------------------------------------------------------------------------------------------------

/// A token chosen on the device, written into mapped memory; `number` last.
struct Choice {
  int token;  // -1: a logit was not a number
  float logprob;
  int number;  // of the choice since the counter was cleared, from 1
};
constexpr int choice_places = 64;  // choices are written to places[number % choice_places]

struct GreedyCall {
  DeviceSlice* slice;  // whose logits; with `advance`, moved on by the token just consumed
  int* token;          // where the next step reads its token
  int n_vocab;
  bool advance;
  float* partials;  // greedy_scratch floats
  int* counters;    // arrivals, choices made; zero at the start
  Choice* places;
};
constexpr int greedy_blocks = 256, greedy_scratch = greedy_blocks * 3;
void choose_greedy(const LaunchContext&, const GreedyCall&);

struct DrawCall {  // as above
  DeviceSlice* slice;
  int* token;
  int n_vocab;
  bool advance;  // the token's position is the slice's, and with `advance` the next
  DrawSettings settings;
  int* n_chosen;
  Choice* places;
};
void draw_token(const LaunchContext&, const DrawCall&);
bool draw_serves(int n_vocab);

// ---- attention -----------------------------------------------------------------------------------------------------

struct AttentionCall {
  Rows rows;
  const float* projected;  // [rows, stride]: q, k, v
  int stride, k_offset, v_offset;
  int n_heads, n_kv_heads, qk_dim, v_dim;
  const float *q_norm, *k_norm;    // null without norms
  const float* inverse_frequency;  // null without rotation
  int layer;                       // among attention layers
  bool kv_is_f32;
  int n_splits;
  float* partials;  // scratch, attention_scratch() floats
  int* arrivals;    // scratch, attention_arrivals() zeros; left zero
  float* y;         // [rows, n_heads v_dim]
};
/// Keys and values of all rows into the cache (slices of several tokens).
void write_keys(const LaunchContext&, const AttentionCall&);
/// One-token slices write their own keys. Otherwise `rows` is a single longer slice, whose keys write_keys() has
/// written.
void attend_split(const LaunchContext&, const AttentionCall&, bool one_token);
/// The same for `rows` of a single slice of several tokens. `queries`: scratch, n_heads qk_dim per row.
void attend_rows(const LaunchContext&, const AttentionCall&, __nv_bfloat16* queries);
bool attend_rows_serves(const AttentionCall&);
void prepare_attention();
constexpr int attention_rows_per_launch = 64;
std::int64_t attention_scratch(const Config&, int n_splits);
std::int64_t attention_arrivals(const Config&);
int attention_splits(const DeviceFacts&, const Config&);

}  // namespace nf::cuda
