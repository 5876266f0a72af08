// Sessions and checkpoints over the oracle as backend: what is copied, what is kept, what a failure leaves behind.
#include <algorithm>
#include <array>
#include <thread>

#include "golden.h"
#include "oracle_backend.h"
#include "session_impl.h"
#include "support/check.h"
#include "support/paths.h"

namespace nf::test {
namespace {

const StopFlag never{false};

/// Golden tiny behind an oracle backend.
struct Bench {
  OracleBackend* backend = nullptr;
  std::shared_ptr<const Model> model;
  int n_memory = 0;

  explicit Bench(int max_positions = 200) {
    LoadOptions options;
    options.source = (golden_dir() / "tiny").string();
    options.max_positions = max_positions;
    auto impl = std::make_unique<Model::Impl>(options);
    auto oracle_backend = std::make_unique<OracleBackend>(impl->plan);
    backend = oracle_backend.get();
    model = assemble_model(std::move(impl), std::move(oracle_backend), never);
    n_memory = model->info().n_meta_tokens;
  }
};

Sampling greedy() {
  Sampling sampling;
  sampling.temperature = 0;
  sampling.ignore_end = true;
  return sampling;
}

std::vector<Token> decode(Session& session, std::size_t n, const Sampling& sampling = greedy()) {
  std::vector<Step> steps(n);
  steps.resize(session.decode(sampling, steps, never));
  std::vector<Token> tokens;
  for (const Step& step : steps) tokens.push_back(step.token);
  return tokens;
}

std::vector<Token> joined(std::vector<Token> a, const std::vector<Token>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void check_near(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  CHECK_AT_MOST(relative_rms(a, b), 1e-5);
}

const std::vector<Token> prompt{5, 17, 300, 42, 42, 8, 511, 0, 77, 123, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19};

TEST("a session starts behind the memory tokens and counts positions") {
  Bench bench;
  Session session(bench.model, 100);
  CHECK_EQ(session.position(), 8);
  CHECK_THROWS(decode(session, 1), ErrorCode::bad_argument, "prefill");
  session.prefill(prompt, never);
  CHECK_EQ(session.position(), 28);
  CHECK_EQ(decode(session, 3).size(), std::size_t{3});
  CHECK_EQ(session.position(), 30);  // the third token is not consumed yet
  decode(session, 1);
  CHECK_EQ(session.position(), 31);
  session.reset();
  CHECK_EQ(session.position(), 8);
}

TEST("a new chat computes its own tokens alone: the memory tokens were, once, when the model was loaded") {
  Bench bench;
  CHECK_EQ(bench.backend->n_tokens_computed, bench.n_memory);
  for (int chat = 1; chat <= 3; ++chat) {
    Session session(bench.model, 100);
    session.prefill(prompt, never);
    session.reset();
    session.prefill(prompt, never);
    CHECK_EQ(bench.backend->n_tokens_computed, bench.n_memory + 2 * chat * static_cast<int>(prompt.size()));
  }
}

TEST("slots are given back") {
  Bench bench;
  const int before = bench.backend->n_slots();
  {
    Session a(bench.model, 100), b(bench.model, 50);
    Session c = std::move(a);
    CHECK_EQ(bench.backend->n_slots(), before + 2);
  }
  CHECK_EQ(bench.backend->n_slots(), before);
}

TEST("any cut of decode calls gives the same tokens and logits") {
  Bench bench;
  Session whole(bench.model, 100), cut(bench.model, 100);
  whole.prefill(prompt, never);
  cut.prefill(std::span(prompt).first(3), never);
  cut.prefill(std::span(prompt).subspan(3), never);
  const std::vector<Token> expected = decode(whole, 12);
  std::vector<Token> got;
  for (const std::size_t n : {1, 4, 2, 5}) got = joined(got, decode(cut, n));
  CHECK(got == expected);
  check_near(cut.logits(), whole.logits());
}

TEST("prefill forgets the token that was not consumed") {
  Bench bench;
  Session a(bench.model, 100), b(bench.model, 100);
  a.prefill(prompt, never);
  const std::vector<Token> answer = decode(a, 4);
  b.prefill(prompt, never);
  b.prefill(std::span(answer).first(3), never);
  const std::vector<Token> turn{1, 2, 3};
  a.prefill(turn, never);
  b.prefill(turn, never);
  CHECK_EQ(a.position(), b.position());
  check_near(a.logits(), b.logits());
}

TEST("restore goes back exactly, within a session and across") {
  Bench bench;
  Session a(bench.model, 100), b(bench.model, 100);
  a.prefill(prompt, never);
  const Checkpoint at_prompt = a.save();
  const std::vector<Token> answer = decode(a, 6);
  const Checkpoint after = a.save();
  CHECK_EQ(after.position(), a.position());
  a.restore(at_prompt);
  CHECK(decode(a, 6) == answer);
  b.restore(after);
  b.restore(at_prompt);
  CHECK(decode(b, 6) == answer);
  b.restore(after);
  a.restore(after);
  CHECK(decode(a, 5) == decode(b, 5));
}

TEST("restore forgets the pending token: decode draws it again") {
  Bench bench;
  Session session(bench.model, 100);
  session.prefill(prompt, never);
  Sampling sampling;
  sampling.seed = 3;
  sampling.ignore_end = true;
  decode(session, 4, sampling);
  const Checkpoint saved = session.save();
  const std::vector<Token> next = decode(session, 3, sampling);
  session.restore(saved);
  const std::vector<Token> again = decode(session, 4, sampling);
  // The first of `again` is the token that was pending when saved; then the same ones follow.
  CHECK(std::vector<Token>(again.begin() + 1, again.end()) == next);
}

TEST("save copies only rows since the last checkpoint, restore only rows not held") {
  Bench bench;
  Session session(bench.model, 100);
  OracleBackend& backend = *bench.backend;
  session.prefill(prompt, never);
  backend.n_rows_read = backend.n_rows_written = 0;
  const Checkpoint first = session.save();
  CHECK_EQ(backend.n_rows_read, 20);
  const Checkpoint same = session.save();
  CHECK_EQ(backend.n_rows_read, 20);
  session.prefill(std::span(prompt).first(5), never);
  const Checkpoint second = session.save();
  CHECK_EQ(backend.n_rows_read, 25);

  session.restore(first);
  session.restore(second);  // nothing was written in between: all rows are still there
  CHECK_EQ(backend.n_rows_written, 0);
  session.restore(first);
  session.prefill(std::span(prompt).first(2), never);
  session.restore(first);
  CHECK_EQ(backend.n_rows_written, 0);
  session.restore(second);  // its own rows were overwritten
  CHECK_EQ(backend.n_rows_written, 5);

  Session other(bench.model, 100);
  backend.n_rows_written = 0;
  other.restore(second);
  CHECK_EQ(backend.n_rows_written, 25);  // the memory rows were there already
  session.reset();
  session.restore(second);
  CHECK_EQ(backend.n_rows_written, 25);
}

TEST("a branch is not disturbed by its sibling") {
  Bench bench;
  Session session(bench.model, 100), fresh(bench.model, 100);
  session.prefill(prompt, never);
  const Checkpoint fork = session.save();
  const std::vector<Token> left{1, 2, 3, 4, 5, 6}, right{9, 8, 7};
  session.prefill(left, never);
  const Checkpoint left_end = session.save();
  session.restore(fork);
  session.prefill(right, never);
  const Checkpoint right_end = session.save();
  session.restore(left_end);
  fresh.prefill(joined(prompt, left), never);
  check_near(session.logits(), fresh.logits());
  CHECK(decode(session, 5) == decode(fresh, 5));
  session.restore(right_end);
  fresh.reset();
  fresh.prefill(joined(prompt, right), never);
  CHECK(decode(session, 5) == decode(fresh, 5));
}

TEST("bytes() counts what a checkpoint alone holds") {
  Bench bench;
  Session session(bench.model, 100);
  session.prefill(prompt, never);
  const ModelInfo& info = bench.model->info();
  const Checkpoint first = session.save(), again = session.save();
  const std::int64_t fixed = info.state_bytes + 4LL * info.n_vocab;
  CHECK_EQ(first.bytes(), fixed + 20 * info.kv_bytes_per_position);
  CHECK_EQ(again.bytes(), fixed);
  session.prefill(std::span(prompt).first(3), never);
  CHECK_EQ(session.save().bytes(), fixed + 3 * info.kv_bytes_per_position);
  CHECK_EQ(Checkpoint().bytes(), 0);
}

TEST("rows live as long as something needs them, and no longer") {
  Bench bench;
  std::weak_ptr<const Segment> rows;
  Checkpoint child;
  {
    Session session(bench.model, 100);
    session.prefill(prompt, never);
    const Checkpoint parent = session.save();
    rows = parent.impl()->tail;
    session.prefill(std::span(prompt).first(3), never);
    child = session.save();
  }
  CHECK(!rows.expired());
  child = Checkpoint();
  CHECK(rows.expired());
}

TEST("a very long chain of checkpoints is released without deep recursion") {
  SegmentPtr tail;
  for (int i = 0; i < 300000; ++i) {
    auto segment = std::make_shared<Segment>();
    segment->parent = tail;
    segment->first = i;
    segment->n_rows = 1;
    segment->depth = i;
    tail = segment;
  }
  const std::weak_ptr<const Segment> watched = tail->parent;
  tail = nullptr;
  CHECK(watched.expired());
}

TEST("a prefill that is cut short leaves the session at the last whole chunk") {
  Bench bench;
  OracleBackend& backend = *bench.backend;
  backend.max_rows_now = 6;
  Session session(bench.model, 100), fresh(bench.model, 100);
  for (const int fuse : {0, 3, 6, 8, 19}) {
    session.reset();
    backend.n_tokens_until_failure = fuse;
    CHECK_THROWS(session.prefill(prompt, never), ErrorCode::cancelled, "");
    const int done = fuse / 6 * 6;
    CHECK_EQ(session.position(), 8 + done);
    session.prefill(std::span(prompt).subspan(static_cast<std::size_t>(done)), never);
    fresh.reset();
    fresh.prefill(prompt, never);
    check_near(session.logits(), fresh.logits());
    CHECK(decode(session, 4) == decode(fresh, 4));
  }
  const StopFlag stopped{true};
  session.reset();
  CHECK_THROWS(session.prefill(prompt, stopped), ErrorCode::cancelled, "cancelled");
  CHECK_EQ(session.position(), 8);
}

TEST("a stop while a prefill reports progress ends it there") {
  Bench bench;
  bench.backend->max_rows_now = 7;
  Session session(bench.model, 100);
  StopFlag stop{false};
  std::vector<int> seen;
  const auto on_progress = [&](int done, int total) {
    CHECK_EQ(total, 20);
    seen.push_back(done);
    stop = done >= 14;
  };
  CHECK_THROWS(session.prefill(prompt, stop, on_progress), ErrorCode::cancelled, "");
  CHECK(seen == (std::vector<int>{7, 14}));
  CHECK_EQ(session.position(), 22);
}

SequenceWork writing(Session& session, const Sampling& sampling) {
  SequenceWork work;
  work.session = &session;
  work.sampling = &sampling;
  return work;
}

TEST("sequences that work together get what they get alone, in one forward pass") {
  Bench bench;
  Session alone(bench.model, 100), writer(bench.model, 100), reader(bench.model, 100);
  alone.prefill(prompt, never);
  writer.prefill(prompt, never);
  const std::vector<Token> expected = decode(alone, 3);
  const Sampling sampling = greedy();
  const int n_forwards = bench.backend->n_forwards;
  std::vector<Token> wrote, read;
  for (int round = 0; round < 3; ++round) {
    std::array<SequenceWork, 2> work{writing(writer, sampling), writing(reader, sampling)};
    if (round == 0) work[1].tokens = prompt;
    run_together(work);
    for (const SequenceWork& w : work) CHECK(w.has_written && !w.error);
    wrote.push_back(work[0].step.token);
    read.push_back(work[1].step.token);
  }
  CHECK(wrote == expected);
  CHECK(read == expected);
  CHECK_EQ(bench.backend->n_forwards, n_forwards + 3);
  CHECK_EQ(reader.position(), 30);
  check_near(reader.logits(), alone.logits());
  CHECK(decode(reader, 3) == decode(alone, 3));
}

TEST("a fault of one sequence leaves its company alone, and itself as it was") {
  Bench bench;
  Session good(bench.model, 100), bad(bench.model, 100), full(bench.model, 29), empty(bench.model, 100);
  for (Session* session : {&good, &bad, &full}) session->prefill(prompt, never);
  const std::vector<Token> expected = decode(good, 1);
  good.reset();
  good.prefill(prompt, never);
  decode(full, 2);  // the second is not consumed, and has no room to be
  Sampling sampling = greedy(), impossible = greedy();
  impossible.temperature = -1;
  std::array<SequenceWork, 4> work{writing(bad, impossible), writing(good, sampling), writing(full, sampling),
                                   writing(empty, sampling)};
  run_together(work);
  CHECK(work[0].error != nullptr);
  CHECK(work[1].has_written && work[1].step.token == expected[0]);
  CHECK(!work[2].has_written && !work[2].error);
  CHECK(work[3].error != nullptr);
  CHECK(decode(bad, 1) == expected);
  const std::vector<Token> long_prompt(90, 5);
  SequenceWork too_long = writing(good, sampling);
  too_long.tokens = long_prompt;
  run_together({&too_long, 1});
  CHECK_THROWS(std::rethrow_exception(too_long.error), ErrorCode::context_full, "90");
  CHECK_EQ(good.position(), 28);
}

TEST("a batch that fails asks for a restore of all that took part") {
  Bench bench;
  Session a(bench.model, 100), b(bench.model, 100);
  a.prefill(prompt, never);
  b.prefill(prompt, never);
  const Checkpoint saved = a.save();
  const Sampling sampling = greedy();
  const std::vector<Token> expected = decode(a, 3);
  decode(b, 1);
  bench.backend->n_tokens_until_failure = 1;
  bench.backend->fails_for_good = true;
  std::array<SequenceWork, 2> work{writing(a, sampling), writing(b, sampling)};
  CHECK_THROWS(run_together(work), ErrorCode::device_lost, "");
  for (Session* session : {&a, &b}) {
    CHECK_THROWS(decode(*session, 1), ErrorCode::bad_argument, "restore");
    session->restore(saved);
    CHECK(decode(*session, 3) == expected);
  }
}

TEST("a failed decode asks for a restore") {
  Bench bench;
  Session session(bench.model, 100);
  session.prefill(prompt, never);
  const Checkpoint saved = session.save();
  const std::vector<Token> expected = decode(session, 5);
  session.restore(saved);
  bench.backend->n_tokens_until_failure = 2;
  bench.backend->fails_for_good = true;
  CHECK_THROWS(decode(session, 5), ErrorCode::device_lost, "");
  CHECK_THROWS(decode(session, 1), ErrorCode::bad_argument, "restore");
  CHECK_THROWS(session.save(), ErrorCode::bad_argument, "restore");
  session.restore(saved);
  CHECK(decode(session, 5) == expected);
}

TEST("context_full comes before any harm and with numbers") {
  Bench bench;
  Session session(bench.model, 30);
  session.prefill(prompt, never);  // 28 of 30
  CHECK_THROWS(session.prefill(std::span(prompt).first(3), never), ErrorCode::context_full, "28 of the session's 30");
  CHECK_EQ(session.position(), 28);
  CHECK_EQ(decode(session, 10).size(), std::size_t{3});  // two can be consumed, the third only returned
  CHECK_EQ(session.position(), 30);
  CHECK_EQ(decode(session, 10).size(), std::size_t{0});
  Session small(bench.model, 20);
  CHECK_THROWS(small.restore(session.save()), ErrorCode::context_full, "30 positions");
}

TEST("impossible sessions and tokens are refused") {
  Bench bench;
  CHECK_THROWS(Session(bench.model, 8), ErrorCode::bad_argument, "memory tokens");
  CHECK_THROWS(Session(bench.model, 201), ErrorCode::bad_argument, "loaded for 200");
  Session session(bench.model, 100);
  CHECK_THROWS(session.prefill(std::vector<Token>{1, 512}, never), ErrorCode::bad_argument, "token 512");
  CHECK_THROWS(session.prefill(std::vector<Token>{-1}, never), ErrorCode::bad_argument, "token -1");
  CHECK_EQ(session.position(), 8);
  CHECK_THROWS(session.restore(Checkpoint()), ErrorCode::bad_argument, "empty");
  Bench other;
  Session stranger(other.model, 100);
  CHECK_THROWS(session.restore(stranger.save()), ErrorCode::bad_argument, "another model");
}

TEST("an observer sees every position once, across chunks") {
  struct Recorder : Observer {
    std::vector<float> rows, last_hidden;
    int n_hidden_calls = 0, next = 0;
    bool wants_hidden() const override { return true; }
    void logits(int first_token, int n, std::span<const float> values) override {
      CHECK_EQ(first_token, next);
      next += n;
      rows.insert(rows.end(), values.begin(), values.end());
    }
    void hidden(int index, int first_token, int n, std::span<const float> values) override {
      CHECK_EQ(first_token, next);
      CHECK_EQ(values.size(), static_cast<std::size_t>(n) * 128);
      CHECK_EQ(index, n_hidden_calls++ % 16);
    }
  };
  Bench bench;
  bench.backend->max_rows_now = 9;
  const Golden golden(golden_dir() / "tiny");
  Session session(bench.model, 100);
  Recorder recorder;
  session.prefill(golden.tokens("input_ids"), never, {}, &recorder);
  CHECK_EQ(recorder.n_hidden_calls, 6 * 16);
  check_near(recorder.rows, golden.floats("logits"));
}

TEST("the penalties count the answer from the last prefill on, and restore brings the count back") {
  Bench bench;
  Session session(bench.model, 100), other(bench.model, 100);
  session.prefill(prompt, never);
  Sampling sampling = greedy();
  sampling.frequency_penalty = 50;  // no token twice in the answer
  std::vector<Token> answer = decode(session, 6, sampling);
  const Checkpoint middle = session.save();
  answer.pop_back();  // pending: not part of the checkpoint
  other.restore(middle);
  std::vector<Token> whole = joined(answer, decode(other, 20, sampling));
  std::sort(whole.begin(), whole.end());
  CHECK(std::adjacent_find(whole.begin(), whole.end()) == whole.end());
}

TEST("sessions of several threads take turns") {
  Bench bench;
  Session a(bench.model, 100), b(bench.model, 100), alone(bench.model, 100);
  std::vector<Token> from_a, from_b;
  {
    std::jthread one([&] { a.prefill(prompt, never), from_a = decode(a, 8); });
    std::jthread two([&] { b.prefill(prompt, never), from_b = decode(b, 8); });
  }
  alone.prefill(prompt, never);
  const std::vector<Token> expected = decode(alone, 8);
  CHECK(from_a == expected);
  CHECK(from_b == expected);
}

TEST("stages list every weight once and the state that a step moves") {
  Bench bench;
  const Model::Impl& impl = bench.model->impl();
  const auto stages = bench.model->stages(100), longer = bench.model->stages(101);
  std::int64_t weights = 0, state = 0, state_longer = 0, flops = 0;
  for (const StageInfo& stage : stages) {
    weights += stage.weight_bytes, state += stage.state_bytes, flops += stage.flops;
  }
  for (const StageInfo& stage : longer) state_longer += stage.state_bytes;
  CHECK_EQ(state_longer - state, bench.model->info().kv_bytes_per_position);
  CHECK_EQ(stages.front().name, "embed");
  CHECK_EQ(stages.back().name, "sample");
  CHECK_EQ(stages.size(), std::size_t{1 + 7 * 3 + 7 * 2 + 1 + 1});
  // bf16 matrices and float32 vectors: between two and four bytes a parameter, plus one embedding row.
  const std::int64_t n = impl.plan.n_parameters - static_cast<std::int64_t>(impl.plan.memory.size());
  CHECK(weights > 2 * n && weights < 2 * n + n / 4);
  // Two for each weight of a matrix; vectors are a few hundredths of the parameters here.
  CHECK(flops < 2 * n && flops > 2 * n - n / 4);
}

}  // namespace
}  // namespace nf::test
