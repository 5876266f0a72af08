// The CUDA backend: sequences, batches and decoding on one GPU.
#pragma once

#include <memory>
#include <vector>

#include "backend.h"
#include "ops.h"
#include "resident.h"
#include "sampler.h"
#include "slots.h"

namespace nf::cuda {

class CudaBackend final : public Backend {
 public:
  CudaBackend(const ModelPlan&, const LoadOptions&, const DeviceFacts&, const StopFlag&);
  ~CudaBackend() override;

  int add_slot(int max_positions) override;
  void remove_slot(int slot) noexcept override;
  int max_rows() const override { return max_rows_; }
  void forward(const Batch&, const StopFlag&, Tap*) override;
  std::span<const float> logits() override;
  std::size_t decode(int slot, int position, Token pending, const Sampling&, const History&, std::span<Step> out,
                     const StopFlag&, int& n_consumed) override;
  void set_logits(int slot, std::span<const float>) override;
  void read_logits(int slot, std::span<float>) override;
  void save_state(int slot, std::span<float>) override;
  void load_state(int slot, std::span<const float>) override;
  void keep_state(int slot) override;
  void undo_state(int slot) override;
  std::int64_t kv_bytes_per_position() const override { return slots_->kv_bytes_per_position(); }
  DType kv_dtype() const override { return f32_ ? DType::f32 : DType::bf16; }
  void read_kv(int slot, int first, int n, std::span<std::byte>) override;
  void write_kv(int slot, int first, int n, std::span<const std::byte>) override;
  void trace_stages(bool on) override { ops_->tracing = on; }
  std::span<const std::int64_t> stage_ns() const override { return ops_->stage_ns; }
  std::int64_t weight_bytes() const override { return weights_->n_bytes; }
  std::string device_name() const override { return name_; }
  int device_index() const override { return device_.index; }
  int n_threads() const override { return 0; }
  double measure_read_bandwidth() override;
  double measure_product_rate(const Layer&) override;

 private:
  /// A wanted row of logits: in the slot's buffer, or already on the host.
  struct Wanted {
    int slot;
    LogitsWanted wanted;
    int single_row, long_first_row, n_tokens;  // rows on the device; single_row -1 for longer slices
    std::vector<float> rows;                   // LogitsWanted::all
  };

  void check_memory(const ModelPlan&, const LoadOptions&) const;
  void enter() const { CUDA_CHECK(cudaSetDevice(device_.index)); }
  template <class Work>
  auto guarded(const Work& work) -> decltype(work());
  void place(const Batch&);
  void run(const Batch&, const StopFlag&, Tap*);
  void head_of_batch();
  void capture();
  void put_step();
  const Program& step_program();
  void step(int slot, int position, Token token);
  void launch_step();
  void choose(bool advance);
  void draw(const Sampling&, bool advance);
  Choice await_choice(int number);
  bool chooses_on_device(const Sampling&) const;
  std::size_t decode_on_device(int slot, int position, Token pending, const Sampling&, std::span<Step> out,
                               const StopFlag&, int& n_consumed);

  const ModelPlan& plan_;
  DeviceFacts device_;
  bool use_graph_, f32_;
  int max_rows_;
  bool lost_ = false;
  std::string name_;
  // In the order of construction; freed in reverse.
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Weights> weights_;
  std::unique_ptr<CudaOps> ops_;
  std::unique_ptr<Resident> resident_;  // null where it cannot run; then steps are a graph of kernels
  std::unique_ptr<Slots> slots_;
  DeviceBuffer<DeviceSlice> slices_, row_slices_;
  DeviceBuffer<int> tokens_;
  DeviceBuffer<float> many_logits_;
  PinnedBuffer<DeviceSlice> host_slices_;
  PinnedBuffer<int> host_tokens_;
  PinnedBuffer<float> host_row_;
  std::vector<Wanted> wanted_;
  std::vector<float> logits_;
  // One step, and one step with the greedy choice behind it.
  GraphExec step_graph_, greedy_step_graph_;
  Program step_program_, greedy_step_program_;
  bool choosing_ = false;  // capture() and launch_step() put the greedy choice behind the step
  DeviceBuffer<float> greedy_partials_;
  DeviceBuffer<int> choice_counters_;  // arrivals of the greedy choice, choices made
  PinnedBuffer<Choice> choices_;
  Sampler sampler_;
  StopFlag never_{false};
};

}  // namespace nf::cuda
