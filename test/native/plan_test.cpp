#include <cmath>

#include "checkpoint_writer.h"
#include "model.h"
#include "safetensors.h"
#include "support/check.h"
#include "support/paths.h"

namespace nf::test {
namespace {

/// Writes a small checkpoint after a change to its tensors, and makes its plan.
template <class Change>
void plan_after(const std::string& config, const Change& change) {
  const ScratchDir dir;
  auto tensors = random_tensors(parse_config(config, "", "config.json"), 1);
  change(tensors);
  write_text(dir.path() / "config.json", config);
  write_text(dir.path() / "model.safetensors", safetensors_text(tensors));
  make_plan(dir.path().string());
}

TEST("every tensor must be there, in its shape") {
  const std::string config = small_config({{"tie_word_embeddings", "false"}, {"kq_norm", "\"rms\""}});
  const auto names = random_tensors(parse_config(config, "", "config.json"), 1);
  CHECK(names.size() > 40);
  for (const auto& [name, tensor] : names) {
    CHECK_THROWS(plan_after(config, [&](auto& tensors) { tensors.erase(name); }), ErrorCode::bad_model, name);
    const auto grow = [&](auto& tensors) {
      StoredTensor& t = tensors.at(name);
      const std::size_t n_row = t.bytes.size() / static_cast<std::size_t>(t.shape[0]);
      ++t.shape[0];
      t.bytes.resize(t.bytes.size() + n_row);
    };
    CHECK_THROWS(plan_after(config, grow), ErrorCode::bad_model, name);
  }
}

TEST("small tensors must be finite") {
  const auto poison = [](auto& tensors) {
    StoredTensor& t = tensors.at("model.layers.2.mamba.A_log");
    t.bytes[0] = std::byte{0xC0}, t.bytes[1] = std::byte{0x7F};
  };
  CHECK_THROWS(plan_after(small_config(), poison), ErrorCode::bad_model, "A_log");
}

TEST("the plan of the published models has their sizes") {
  const ModelPlan plan = make_plan("synthetic:nemotron-flash-1b:3");
  CHECK_EQ(plan.layers.size(), std::size_t{24});
  CHECK_EQ(plan.n_delta_layers, 4);
  CHECK_EQ(plan.n_mamba_layers, 6);
  CHECK_EQ(plan.n_attention_layers, 2);
  CHECK_EQ(plan.head_scale.size(), std::size_t{131072});
  const Layer& mamba = plan.layers[2];
  CHECK_EQ(mamba.in[0].n_out, 2 * 4096 + 2 * 128);
  CHECK_EQ(mamba.in[1].first_row, mamba.in[0].n_out);
  CHECK_EQ(mamba.in[1].n_out, 64);
  const StateLayout layout(plan);
  CHECK_EQ(layout.entries.size(), std::size_t{10});
  CHECK_EQ(layout.entries[0].n_matrix, std::int64_t{16 * 128 * 128});
  CHECK_EQ(layout.entries[1].n_window, std::int64_t{3 * (4096 + 256)});
}

TEST("the head scale is one over the norm of the stored rows, and 1 for a row of zeros") {
  const ScratchDir dir;
  const std::string config = small_config();
  auto tensors = random_tensors(parse_config(config, "", "config.json"), 1);
  StoredTensor& embed = tensors.at("model.embed_tokens.weight");
  std::fill(embed.bytes.begin() + 64 * 2 * 5, embed.bytes.begin() + 64 * 2 * 6, std::byte{0});
  write_text(dir.path() / "config.json", config);
  write_text(dir.path() / "model.safetensors", safetensors_text(tensors));
  const ModelPlan plan = make_plan(dir.path().string());
  CHECK_EQ(plan.head_scale[5], 1.0f);
  std::vector<float> row(64);
  plan.read_rows(plan.head, 9, 1, row.data());
  double sum = 0;
  for (const float x : row) sum += static_cast<double>(x) * x;
  CHECK_NEAR(plan.head_scale[9] * std::sqrt(sum), 1.0, 1e-6);
}

TEST("synthetic weights are a function of name and seed, however they are read") {
  const auto a = make_synthetic("synthetic:tiny:5").source, b = make_synthetic("synthetic:tiny:5").source,
             c = make_synthetic("synthetic:tiny:6").source;
  const std::string name = "model.layers.0.gla.q_proj.weight", other = "model.layers.0.gla.k_proj.weight";
  const TensorView view = a->open(name);
  std::vector<float> whole(128 * 128), pieces(128 * 128), third(128 * 128), fourth(128 * 128);
  widen(view, 0, 128 * 128, whole.data());
  b->read_floats(name, 0, 77, pieces.data());
  b->read_floats(name, 77, 128 * 128 - 77, pieces.data() + 77);
  c->read_floats(name, 0, 128 * 128, third.data());
  a->read_floats(other, 0, 128 * 128, fourth.data());
  CHECK(whole == pieces);
  CHECK(whole != third);
  CHECK(whole != fourth);
  double sum = 0, square = 0;
  for (const float x : whole) sum += x, square += static_cast<double>(x) * x;
  CHECK_NEAR(sum / (128 * 128), 0, 0.003);
  CHECK_NEAR(square / 128, 1.0, 0.05);
  CHECK(a->fingerprint() == b->fingerprint());
  CHECK(a->fingerprint() != c->fingerprint());
  CHECK_THROWS(make_plan("synthetic:huge"), ErrorCode::bad_argument, "unknown synthetic model");
  CHECK_THROWS(make_plan("synthetic:tiny:x"), ErrorCode::bad_argument, "seed");
}

TEST("a missing directory is named") {
  CHECK_THROWS(make_plan("/nowhere/at/all"), ErrorCode::bad_model, "/nowhere/at/all/config.json");
}

TEST("the devices begin with this computer's CPU") {
  const DeviceReport report = list_devices();
  REQUIRE(!report.devices.empty());
  CHECK(report.devices[0].kind == Device::cpu);
  CHECK(report.devices[0].n_threads >= 1);
  CHECK(report.devices[0].memory_total > 0);
  CHECK(report.devices.size() > 1 || !report.cuda_reason.empty());
}

}  // namespace
}  // namespace nf::test
