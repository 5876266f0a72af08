// What a loaded model holds.
#pragma once

#include <memory>
#include <mutex>

#include "backend.h"
#include "checkpoint.h"
#include "model.h"

namespace nf {

struct Model::Impl {
  explicit Impl(LoadOptions load_options) : Impl(load_options, make_plan(load_options.source)) {}
  Impl(LoadOptions load_options, ModelPlan model_plan)
      : options(std::move(load_options)), plan(std::move(model_plan)), layout(plan) {}

  const LoadOptions options;
  const ModelPlan plan;
  const StateLayout layout;
  ModelInfo info;
  std::unique_ptr<Backend> backend;  // after the plan it refers to
  // The backend serves one caller at a time; sessions of several threads take turns.
  std::mutex mutex;
  std::shared_ptr<const void> identity = std::make_shared<char>();
  std::shared_ptr<const Checkpoint::Impl> start;  // behind the memory tokens; where every session begins
};

/// Gives a model its backend and the state behind the memory tokens. The last step of Model::load() before what was
/// computed is kept.
std::shared_ptr<const Model> assemble_model(std::unique_ptr<Model::Impl>, std::unique_ptr<Backend>, const StopFlag&);

/// The stages of a decode step: see Model::stages().
std::vector<StageInfo> list_stages(const ModelPlan&, WeightFormat, std::int64_t kv_bytes_per_position, int context);

/// Bytes of all weights in a format, small float32 tensors included: an estimate before loading.
std::int64_t planned_weight_bytes(const ModelPlan&, WeightFormat);

}  // namespace nf
