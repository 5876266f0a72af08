// A conversation that goes on after a restart: from the file as if nothing had happened, or not from the file at all.
#include <fstream>
#include <iterator>

#include "golden.h"
#include "nf/engine.h"
#include "support/check.h"
#include "support/paths.h"

namespace nf::test {
namespace {

const StopFlag never{false};
const std::vector<Token> prompt{5, 17, 300, 42, 42, 8, 511, 0, 77, 123, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19};

std::shared_ptr<const Model> load(WeightFormat format = WeightFormat::bf16) {
  LoadOptions options;
  options.source = (golden_dir() / "tiny").string();
  options.format = format;
  options.max_positions = 200;
  options.n_threads = 1;
  return Model::load(options, never);
}

std::vector<Token> decode(Session& session, std::size_t n) {
  Sampling sampling;
  sampling.temperature = 0.9f;
  sampling.seed = 3;
  sampling.repetition_penalty = 1.3f;  // looks at the whole history
  sampling.presence_penalty = 0.5f;    // looks at the answer alone
  sampling.ignore_end = true;
  std::vector<Step> steps(n);
  steps.resize(session.decode(sampling, steps, never));
  std::vector<Token> tokens;
  for (const Step& step : steps) tokens.push_back(step.token);
  return tokens;
}

/// A checkpoint in the middle of an answer, over several links, in a file; and what came after it.
struct Saved {
  ScratchDir dir;
  std::filesystem::path file = dir.path() / "states" / "one.nfstate";
  std::vector<Token> tokens = prompt, rest;

  Saved() {
    const auto model = load();
    Session session(model, 200);
    session.prefill(std::span(prompt).first(7), never);
    session.save();
    session.prefill(std::span(prompt).subspan(7), never);
    const auto answer = decode(session, 6);
    tokens.insert(tokens.end(), answer.begin(), answer.end() - 1);  // the last one is not consumed
    const Checkpoint checkpoint = session.save();
    session.restore(checkpoint);
    CHECK_EQ(write_checkpoint(*model, checkpoint, file, never), "");
    rest = decode(session, 12);
  }

  std::string refusal(const Model& model, std::span<const Token> of) const {
    std::string why;
    CHECK(!read_checkpoint(model, file, of, never, why));
    return why;
  }
};

TEST("a conversation goes on from its file after another load, also on a slot that held something else") {
  const Saved saved;
  const auto model = load();
  std::string why;
  const Checkpoint checkpoint = read_checkpoint(*model, saved.file, saved.tokens, never, why);
  REQUIRE(checkpoint);
  CHECK_EQ(why, "");
  CHECK_EQ(checkpoint.position(), model->info().n_meta_tokens + static_cast<int>(saved.tokens.size()));
  Session session(model, 200);
  session.prefill(std::span(prompt).last(9), never);
  session.restore(checkpoint);
  CHECK(decode(session, 12) == saved.rest);
  session.reset();
  session.prefill(std::span(prompt).first(3), never);
  session.restore(checkpoint);
  CHECK(decode(session, 12) == saved.rest);
}

TEST("a state of other tokens, another format or with one wrong byte is refused, and no file is no reason") {
  const Saved saved;
  const auto model = load();
  auto others = saved.tokens;
  others.back() ^= 1;
  CHECK(saved.refusal(*model, others).find("another conversation") != std::string::npos);
  CHECK(saved.refusal(*model, std::span(saved.tokens).first(5)).find("another conversation") != std::string::npos);
  CHECK(saved.refusal(*load(WeightFormat::f32), saved.tokens).find("another format") != std::string::npos);

  std::fstream file(saved.file, std::ios::binary | std::ios::in | std::ios::out);
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(saved.file));
  for (const std::streamoff at : {std::streamoff{3}, std::streamoff{4096}, size / 2, size - 1}) {
    file.seekg(at);
    const char right = static_cast<char>(file.get());
    file.seekp(at).put(static_cast<char>(right ^ 0x20)).flush();
    CHECK(!saved.refusal(*model, saved.tokens).empty());
    file.seekp(at).put(right).flush();
  }
  std::string why;
  CHECK(read_checkpoint(*model, saved.file, saved.tokens, never, why));
  CHECK(!read_checkpoint(*model, saved.dir.path() / "none", saved.tokens, never, why));
  CHECK_EQ(why, "");
}

TEST("what cannot be kept is said or refused") {
  const auto model = load();
  Session session(model, 200);
  const ScratchDir dir;
  CHECK_THROWS(write_checkpoint(*model, session.save(), dir.path() / "start", never), ErrorCode::bad_argument, "text");
  session.prefill(prompt, never);
  const Checkpoint checkpoint = session.save();
  CHECK_THROWS(write_checkpoint(*load(), checkpoint, dir.path() / "other", never), ErrorCode::bad_argument,
               "of this model");
  const StopFlag stopped{true};
  CHECK_THROWS(write_checkpoint(*model, checkpoint, dir.path() / "states" / "one", stopped), ErrorCode::cancelled, "");
  CHECK(std::filesystem::is_empty(dir.path() / "states"));
  std::ofstream(dir.path() / "file") << "in the way";
  CHECK(!write_checkpoint(*model, checkpoint, dir.path() / "file" / "state", never).empty());
}

}  // namespace
}  // namespace nf::test
