#include "session_object.h"

#include <functional>
#include <utility>
#include <vector>

#include "convert.h"
#include "environment.h"
#include "errors.h"
#include "evaluation.h"
#include "generation.h"
#include "stop_flag_object.h"

namespace nf::addon {
namespace {

/// What a new SessionObject is made from.
struct SessionSeed {
  std::shared_ptr<SessionSlot> slot;
  std::int64_t bytes;
};

class CreateJob : public Job {
 public:
  CreateJob(std::shared_ptr<const Model> model, int max_positions)
      : Job(std::make_shared<StopFlag>(false)), model_(std::move(model)), max_positions_(max_positions) {}

  void run() override {
    seed_.slot = std::make_shared<SessionSlot>();
    seed_.slot->session.emplace(model_, max_positions_);
    seed_.slot->position.store(seed_.slot->session->position());
    seed_.bytes = model_->info().state_bytes + model_->info().kv_bytes_per_position * max_positions_;
    model_.reset();
  }
  Napi::Value result(Napi::Env env) override {
    return Environment::of(env).session_class.New({Napi::External<SessionSeed>::New(env, &seed_)});
  }

 private:
  std::shared_ptr<const Model> model_;
  int max_positions_;
  SessionSeed seed_;
};

/// The short requests: one call of the session and what it gives.
class SessionJob : public SlotJob {
 public:
  SessionJob(std::shared_ptr<SessionSlot> slot, std::function<void(Session&)> call,
             std::function<Napi::Value(Napi::Env)> value)
      : SlotJob(std::move(slot), std::make_shared<StopFlag>(false)), call_(std::move(call)), value_(std::move(value)) {}

  void run() override {
    call_(slot_->get());
    slot_->position.store(slot_->session->position());
  }
  Napi::Value result(Napi::Env env) override { return value_(env); }

 private:
  std::function<void(Session&)> call_;
  std::function<Napi::Value(Napi::Env)> value_;
};

GenerationRequest generation_request(Napi::Env env, const Fields& fields) {
  GenerationRequest request;
  const std::string start = fields.text("start");
  if (start == "empty") {
    request.start = GenerationRequest::Start::empty;
  } else if (start == "checkpoint") {
    request.start = GenerationRequest::Start::checkpoint;
    request.from = CheckpointObject::of(env, fields.value("checkpoint"));
  } else if (start != "current") {
    throw EngineError(ErrorCode::bad_argument, "start: expected current, empty or checkpoint.");
  }
  request.save_first = fields.boolean("saveFirst");
  request.tokens = fields.tokens("tokens");
  request.save_after = fields.wholes("saveAfter");
  int last = 0;
  for (const int count : request.save_after) {
    if (count < last || count > static_cast<int>(request.tokens.size())) {
      throw EngineError(ErrorCode::bad_argument, "saveAfter: expected ascending counts of tokens.");
    }
    last = count;
  }
  request.max_new_tokens = static_cast<int>(fields.whole("maxNewTokens", 0, std::numeric_limits<int>::max()));
  request.trace = fields.has("trace") && fields.boolean("trace");
  request.continues = fields.has("continues") && fields.boolean("continues");
  request.sampling = sampling(Fields(fields.value("sampling"), "sampling"));
  return request;
}

}  // namespace

Napi::Function SessionObject::define(Napi::Env env) {
  return DefineClass(env, "Session",
                     {
                         InstanceAccessor<&SessionObject::position>("position"),
                         InstanceMethod<&SessionObject::generate>("generate"),
                         InstanceMethod<&SessionObject::evaluate>("evaluate"),
                         InstanceMethod<&SessionObject::logits>("logits"),
                         InstanceMethod<&SessionObject::save>("save"),
                         InstanceMethod<&SessionObject::restore>("restore"),
                         InstanceMethod<&SessionObject::reset>("reset"),
                         InstanceMethod<&SessionObject::dispose>("dispose"),
                     });
}

Napi::Value SessionObject::create(const Napi::CallbackInfo& info, std::shared_ptr<const Model> model) {
  const Fields fields(info[0], "options");
  const auto max_positions = fields.whole("maxPositions", 1, std::numeric_limits<int>::max());
  auto job = std::make_shared<CreateJob>(std::move(model), static_cast<int>(max_positions));
  return Environment::of(info.Env()).submit(info.Env(), std::move(job), info.Env().Undefined());
}

SessionObject::SessionObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!info[0].IsExternal()) throw make_error(info.Env(), "BAD_ARGUMENT", "Use createSession() to make a Session.");
  const SessionSeed& seed = *info[0].As<Napi::External<SessionSeed>>().Data();
  thread_ = Environment::of(info.Env()).thread();
  slot_ = seed.slot;
  reported_bytes_ = seed.bytes;
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), reported_bytes_);
}

SessionObject::~SessionObject() { release(Env()); }

void SessionObject::release(Napi::Env env) {
  if (!slot_) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, -reported_bytes_);
  // Behind the jobs that still use it.
  thread_->post([slot = std::move(slot_)] { slot->when_free([slot] { slot->session.reset(); }); });
}

const std::shared_ptr<SessionSlot>& SessionObject::slot() const {
  if (!slot_) throw EngineError(ErrorCode::bad_argument, "The session was disposed.");
  return slot_;
}

Napi::Value SessionObject::position(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), slot()->position.load()); });
}

Napi::Value SessionObject::generate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Fields fields(info[0], "request");
    auto job = std::make_shared<GenerationJob>(Environment::of(env).batcher(), slot(), generation_request(env, fields),
                                               StopFlagObject::of(env, fields.value("stop")));
    return Environment::of(env).submit(env, std::move(job), info[1]);
  });
}

Napi::Value SessionObject::evaluate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Fields fields(info[0], "request");
    if (!info[1].IsFunction()) throw EngineError(ErrorCode::bad_argument, "onRows: expected a function.");
    auto job = std::make_shared<EvaluationJob>(slot(), fields.tokens("tokens"), fields.boolean("hidden"),
                                               StopFlagObject::of(env, fields.value("stop")));
    return Environment::of(env).submit(env, std::move(job), info[1]);
  });
}

Napi::Value SessionObject::logits(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto row = std::make_shared<std::vector<float>>();
    auto job = std::make_shared<SessionJob>(
        slot(),
        [row](Session& session) {
          const auto logits = session.logits();
          row->assign(logits.begin(), logits.end());
        },
        [row](Napi::Env e) -> Napi::Value { return copy_to_js<Napi::Float32Array>(e, row->data(), row->size()); });
    return Environment::of(env).submit(env, std::move(job), env.Undefined());
  });
}

Napi::Value SessionObject::save(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto checkpoint = std::make_shared<Checkpoint>();
    auto job = std::make_shared<SessionJob>(
        slot(), [checkpoint](Session& session) { *checkpoint = session.save(); },
        [checkpoint](Napi::Env e) -> Napi::Value {
          return Environment::of(e).checkpoint_class.New({Napi::External<Checkpoint>::New(e, checkpoint.get())});
        });
    return Environment::of(env).submit(env, std::move(job), env.Undefined());
  });
}

Napi::Value SessionObject::restore(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto job = std::make_shared<SessionJob>(
        slot(), [checkpoint = CheckpointObject::of(env, info[0])](Session& session) { session.restore(checkpoint); },
        [](Napi::Env e) -> Napi::Value { return e.Undefined(); });
    return Environment::of(env).submit(env, std::move(job), env.Undefined());
  });
}

Napi::Value SessionObject::reset(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto job = std::make_shared<SessionJob>(
        slot(), [](Session& session) { session.reset(); }, [](Napi::Env e) -> Napi::Value { return e.Undefined(); });
    return Environment::of(env).submit(env, std::move(job), env.Undefined());
  });
}

Napi::Value SessionObject::dispose(const Napi::CallbackInfo& info) {
  release(info.Env());
  return info.Env().Undefined();
}

Napi::Function CheckpointObject::define(Napi::Env env) {
  return DefineClass(env, "Checkpoint",
                     {
                         InstanceAccessor<&CheckpointObject::position>("position"),
                         InstanceAccessor<&CheckpointObject::bytes>("bytes"),
                         InstanceMethod<&CheckpointObject::dispose>("dispose"),
                     });
}

Checkpoint CheckpointObject::of(Napi::Env env, const Napi::Value& value) {
  const Napi::FunctionReference& type = Environment::of(env).checkpoint_class;
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(type.Value())) {
    throw EngineError(ErrorCode::bad_argument, "checkpoint: expected a Checkpoint.");
  }
  const Checkpoint& checkpoint = Unwrap(value.As<Napi::Object>())->checkpoint_;
  if (!checkpoint) throw EngineError(ErrorCode::bad_argument, "The checkpoint was disposed.");
  return checkpoint;
}

CheckpointObject::CheckpointObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!info[0].IsExternal()) throw make_error(info.Env(), "BAD_ARGUMENT", "Use save() to make a Checkpoint.");
  checkpoint_ = *info[0].As<Napi::External<Checkpoint>>().Data();
  reported_bytes_ = checkpoint_.bytes();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), reported_bytes_);
}

CheckpointObject::~CheckpointObject() { release(Env()); }

void CheckpointObject::release(Napi::Env env) {
  if (!checkpoint_) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, -reported_bytes_);
  checkpoint_ = Checkpoint();
}

Napi::Value CheckpointObject::position(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), checkpoint_ ? checkpoint_.position() : 0);
}

Napi::Value CheckpointObject::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(checkpoint_ ? checkpoint_.bytes() : 0));
}

Napi::Value CheckpointObject::dispose(const Napi::CallbackInfo& info) {
  release(info.Env());
  return info.Env().Undefined();
}

}  // namespace nf::addon
