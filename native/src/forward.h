// The order of work, written once for every backend. The vocabulary is fused stages: a backend makes each as few
// kernels as it can.
#pragma once

#include <concepts>

#include "backend.h"
#include "model.h"

namespace nf {

template <class O>
concept Ops = requires(O ops, const ModelPlan& plan, const Layer& layer, const Batch& batch, StageClass stage_class,
                       int layer_index, const char* name, Tap* tap, const StopFlag& stop) {
  ops.embed(plan, batch);          // X = embedding or memory rows
  ops.norm_project(layer, batch);  // rms(X), then layer.in
  ops.attention(layer, batch);     // norm and rotate q and k, write the cache, attend
  ops.deltanet(layer, batch);      // convolution, l2 norm, delta rule, head norm; step or chunk form by slice
  ops.mamba2(layer, batch);        // convolution, SSM, gate; the norm may be folded into project_add
  ops.project_add(layer, batch);   // X += layer.out
  ops.ffn_up(layer, batch);        // rms(X), then gate and up and their product
  ops.ffn_down_add(layer, batch);  // X += down
  ops.head(plan, batch);           // final norm, head rows, of the wanted positions only
  // After each stage: time it when tracing, look at the stop flag (throw cancelled), or just note it.
  ops.end_stage(name, stage_class, layer_index, stop);
  ops.tap(tap, layer_index);  // show the residual stream; called only with a tap. index as in Observer::hidden
};

template <Ops O>
void forward(const ModelPlan& plan, O& ops, const Batch& batch, const StopFlag& stop, Tap* tap = nullptr) {
  ops.embed(plan, batch);
  ops.end_stage("embed", StageClass::embed, -1, stop);
  if (tap) ops.tap(tap, 0);
  for (const Layer& layer : plan.layers) {
    if (layer.kind != LayerKind::none) {
      StageClass stage_class{};
      const char* name = "";
      switch (layer.kind) {
        case LayerKind::deltanet: stage_class = StageClass::deltanet, name = "deltanet"; break;
        case LayerKind::mamba2: stage_class = StageClass::mamba2, name = "mamba2"; break;
        default: stage_class = StageClass::attention, name = "attention"; break;
      }
      ops.norm_project(layer, batch);
      ops.end_stage("norm_project", stage_class, layer.index, stop);
      switch (layer.kind) {
        case LayerKind::deltanet: ops.deltanet(layer, batch); break;
        case LayerKind::mamba2: ops.mamba2(layer, batch); break;
        default: ops.attention(layer, batch); break;
      }
      ops.end_stage(name, stage_class, layer.index, stop);
      ops.project_add(layer, batch);
      ops.end_stage("project_add", stage_class, layer.index, stop);
    }
    if (layer.has_ffn) {
      ops.ffn_up(layer, batch);
      ops.end_stage("ffn_up", StageClass::ffn, layer.index, stop);
      ops.ffn_down_add(layer, batch);
      ops.end_stage("ffn_down_add", StageClass::ffn, layer.index, stop);
    }
    if (tap) ops.tap(tap, layer.index + 1);
  }
  ops.head(plan, batch);
  ops.end_stage("head", StageClass::head, -1, stop);
  if (tap) ops.tap(tap, static_cast<int>(plan.layers.size()) + 1);
}

}  // namespace nf
