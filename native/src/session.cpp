#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "guard.h"
#include "sampler.h"
#include "session_impl.h"

namespace nf {
namespace {

[[noreturn]] void bad_argument(const std::string& what) { throw EngineError(ErrorCode::bad_argument, what); }

/// A prefill whose every logit is wanted keeps the rows of one chunk below this many floats.
constexpr int max_observed_floats = 1 << 24;

class ObserverTap : public Tap {
 public:
  ObserverTap(Observer* observer, int first_token, int n) : observer_(observer), first_token_(first_token), n_(n) {}
  void rows(int index, std::span<const float> rows) override { observer_->hidden(index, first_token_, n_, rows); }

 private:
  Observer* observer_;
  int first_token_, n_;
};

}  // namespace

Session::Impl::Impl(std::shared_ptr<const Model> shared_model, int n_positions)
    : model_owner(std::move(shared_model)),
      model(model_owner->impl()),
      backend(*model.backend),
      max_positions(n_positions) {
  const int n_memory = model.info.n_meta_tokens, granted = model.info.context_positions;
  if (max_positions <= n_memory || max_positions > granted) {
    bad_argument("a session of " + std::to_string(max_positions) +
                 " positions is not possible: the model was loaded for " + std::to_string(granted) +
                 ", of which its memory tokens take " + std::to_string(n_memory));
  }
  {
    const std::lock_guard lock(model.mutex);
    slot = backend.add_slot(max_positions);
  }
  try {
    restore(model.start);
  } catch (...) {
    const std::lock_guard lock(model.mutex);
    backend.remove_slot(slot);
    throw;
  }
}

Session::Impl::~Impl() {
  const std::lock_guard lock(model.mutex);
  backend.remove_slot(slot);
}

void Session::Impl::check_usable() const {
  if (is_broken) bad_argument("this session failed earlier; reset it or restore a checkpoint first");
}

/// Rows from `first` on are about to be overwritten.
void Session::Impl::forget_rows_from(int first) {
  while (held && held->end() > first) held = held->parent;
}

/// Whether these tokens can follow here.
void Session::Impl::check_prompt(std::span<const Token> tokens) const {
  check_usable();
  const int n = static_cast<int>(tokens.size());
  if (n > max_positions - position) {
    throw EngineError(ErrorCode::context_full, std::to_string(n) + " tokens do not fit: " + std::to_string(position) +
                                                   " of the session's " + std::to_string(max_positions) +
                                                   " positions are taken, " + std::to_string(max_positions - position) +
                                                   " are left");
  }
  for (const Token token : tokens) {
    if (token < 0 || token >= model.info.n_vocab) {
      bad_argument("token " + std::to_string(token) + " is outside the vocabulary of " +
                   std::to_string(model.info.n_vocab));
    }
  }
}

void Session::Impl::prefill(std::span<const Token> tokens, const StopFlag& stop,
                            const std::function<void(int, int)>& on_progress, Observer* observer) {
  check_prompt(tokens);
  pending = -1;
  const int n = static_cast<int>(tokens.size());
  for (int done = 0; done < n;) {
    int n_now = next_piece(n - done, true);
    if (observer) n_now = std::min(n_now, std::max(1, max_observed_floats / model.info.n_vocab));
    const LogitsWanted wanted = observer            ? LogitsWanted::all
                                : done + n_now == n ? LogitsWanted::last
                                                    : LogitsWanted::none;
    run_chunk(tokens.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(n_now)), wanted, stop, done,
              observer);
    done += n_now;
    if (on_progress) on_progress(done, n);
  }
}

int Session::Impl::next_piece(int n_left, bool alone) const {
  const int piece = backend.prompt_piece();
  if (!alone || n_left < piece) return std::min(n_left, piece);
  return std::min(n_left, backend.max_rows()) / piece * piece;
}

void Session::Impl::read(std::span<const Token> tokens, bool wants_logits, const StopFlag& stop) {
  check_prompt(tokens);
  if (tokens.size() > static_cast<std::size_t>(next_piece(static_cast<int>(tokens.size()), true))) {
    bad_argument("a piece of a prompt is too long");
  }
  run_chunk(tokens, wants_logits ? LogitsWanted::last : LogitsWanted::none, stop, 0, nullptr);
}

/// Consumes one chunk, or leaves the session where it was.
void Session::Impl::run_chunk(std::span<const Token> tokens, LogitsWanted wanted, const StopFlag& stop, int first_token,
                              Observer* observer) {
  const int n = static_cast<int>(tokens.size());
  history.reserve(history.size() + tokens.size());  // so that nothing can fail once the state has moved
  const std::lock_guard lock(model.mutex);
  const auto check_stop = [&] {
    if (stop.load(std::memory_order_relaxed)) throw EngineError(ErrorCode::cancelled, "the prefill was cancelled");
  };
  check_stop();
  backend.keep_state(slot);
  forget_rows_from(position);
  has_logits = false;
  try {
    const Slice slice{slot, position, tokens, wanted};
    ObserverTap tap(observer, first_token, n);
    backend.forward({{&slice, 1}}, stop, observer && observer->wants_hidden() ? &tap : nullptr);
    if (observer) observer->logits(first_token, n, backend.logits());
  } catch (...) {
    is_broken = true;  // unless the kept state can be put back
    backend.undo_state(slot);
    is_broken = false;
    throw;
  }
  position += n;
  pending = -1;
  history.insert(history.end(), tokens.begin(), tokens.end());
  n_prompt = static_cast<int>(history.size());
  has_logits = wanted != LogitsWanted::none;
}

std::size_t Session::Impl::decode(const Sampling& sampling, std::span<Step> out, const StopFlag& stop) {
  check_usable();
  check_sampling(sampling, model.info.n_vocab);
  if (pending < 0 && !has_logits) bad_argument("nothing to continue: prefill at least one token before decode()");
  // The last token returned needs no position of its own until it is consumed.
  const int room = max_positions - position + (pending < 0 ? 1 : 0);
  out = out.first(std::min(out.size(), static_cast<std::size_t>(room)));
  if (out.empty()) return 0;
  history.reserve(history.size() + out.size() + 1);

  const std::lock_guard lock(model.mutex);
  if (pending >= 0 || out.size() > 1) forget_rows_from(position);
  int n_consumed = 0;
  is_broken = true;  // until the backend says how far it came
  backend.trace_stages(trace);
  backend.stamp_classes(stamp);
  const std::size_t n = backend.decode(slot, position, pending, sampling, {history, n_prompt}, out, stop, n_consumed);
  is_broken = false;
  if (trace) {
    const auto ns = backend.stage_ns();
    stage_ns.assign(ns.begin(), ns.end());
  }

  // Consumed were: the token left over, then those of `out`, all but the last.
  int left = n_consumed;
  const auto consume = [&](Token token) {
    if (left == 0) return false;
    --left;
    history.push_back(token);
    return true;
  };
  if (pending >= 0 && consume(pending)) pending = -1;
  for (std::size_t i = 0; i < n; ++i) {
    if (!consume(out[i].token)) pending = out[i].token;
  }
  position += n_consumed;
  has_logits = true;
  return n;
}

std::span<const float> Session::Impl::logits() {
  check_usable();
  if (!has_logits) bad_argument("there are no logits yet: prefill at least one token");
  logits_copy.resize(static_cast<std::size_t>(model.info.n_vocab));
  const std::lock_guard lock(model.mutex);
  backend.read_logits(slot, logits_copy);
  return logits_copy;
}

/// The rows since the last checkpoint of this history as a segment; null when there are none. Needs the lock.
SegmentPtr Session::Impl::own_segment() {
  const int first = tail ? tail->end() : 0;
  if (first == position) return nullptr;
  auto segment = std::make_shared<Segment>();
  segment->parent = tail;
  segment->depth = tail ? tail->depth + 1 : 0;
  segment->first = first;
  segment->n_rows = position - first;
  segment->rows.resize(static_cast<std::size_t>(segment->n_rows * backend.kv_bytes_per_position()));
  backend.read_kv(slot, first, segment->n_rows, segment->rows);
  segment->tokens.assign(history.end() - segment->n_rows, history.end());
  return segment;
}

Checkpoint Session::Impl::save() {
  check_usable();
  auto saved = std::make_shared<Checkpoint::Impl>();
  saved->model = model.identity;
  saved->position = position;
  saved->n_prompt = n_prompt;
  saved->state.resize(static_cast<std::size_t>(model.layout.n_floats));
  if (has_logits) saved->logits.resize(static_cast<std::size_t>(model.info.n_vocab));
  const std::lock_guard lock(model.mutex);
  backend.save_state(slot, saved->state);
  if (has_logits) backend.read_logits(slot, saved->logits);
  if (SegmentPtr segment = own_segment()) {
    saved->own_row_bytes = static_cast<std::int64_t>(segment->rows.size());
    tail = held = std::move(segment);
  }
  saved->tail = tail;
  return Checkpoint(std::move(saved));
}

void Session::Impl::restore(const std::shared_ptr<const Checkpoint::Impl>& saved) {
  if (!saved) bad_argument("an empty checkpoint cannot be restored");
  if (saved->model != model.identity)
    bad_argument("the checkpoint belongs to another model, or to an earlier load of it");
  if (saved->position > max_positions) {
    throw EngineError(ErrorCode::context_full, "the checkpoint has " + std::to_string(saved->position) +
                                                   " positions, the session only " + std::to_string(max_positions));
  }
  const Segment* shared = common_ancestor(held.get(), saved->tail.get());
  std::vector<const Segment*> missing;  // last first
  for (const Segment* s = saved->tail.get(); s != shared; s = s->parent.get()) missing.push_back(s);
  std::vector<const Segment*> chain;
  for (const Segment* s = saved->tail.get(); s; s = s->parent.get()) chain.push_back(s);
  std::vector<Token> tokens;
  for (auto s = chain.rbegin(); s != chain.rend(); ++s) {
    tokens.insert(tokens.end(), (*s)->tokens.begin(), (*s)->tokens.end());
  }

  const std::lock_guard lock(model.mutex);
  is_broken = true;
  if (!missing.empty()) forget_rows_from(missing.back()->first);
  for (auto s = missing.rbegin(); s != missing.rend(); ++s) {
    backend.write_kv(slot, (*s)->first, (*s)->n_rows, (*s)->rows);
  }
  backend.load_state(slot, saved->state);
  if (!saved->logits.empty()) backend.set_logits(slot, saved->logits);
  tail = saved->tail;
  if (!missing.empty()) held = saved->tail;
  position = saved->position;
  n_prompt = saved->n_prompt;
  history = std::move(tokens);
  has_logits = !saved->logits.empty();
  pending = -1;
  is_broken = false;
}

Session::Session(std::shared_ptr<const Model> model, int max_positions)
    : impl_(guarded([&] { return std::make_unique<Impl>(std::move(model), max_positions); })) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

void Session::prefill(std::span<const Token> tokens, const StopFlag& stop,
                      const std::function<void(int, int)>& on_progress, Observer* observer) {
  guarded([&] { impl_->prefill(tokens, stop, on_progress, observer); });
}

void Session::read(std::span<const Token> tokens, bool wants_logits, const StopFlag& stop) {
  guarded([&] { impl_->read(tokens, wants_logits, stop); });
}

int Session::piece_limit() const noexcept { return impl_->backend.prompt_piece(); }
int Session::next_piece(int n_left, bool alone) const noexcept { return impl_->next_piece(n_left, alone); }
int Session::max_batch_rows() const noexcept { return impl_->backend.max_rows(); }

std::size_t Session::decode(const Sampling& sampling, std::span<Step> out, const StopFlag& stop) {
  return guarded([&] { return impl_->decode(sampling, out, stop); });
}

std::span<const float> Session::logits() {
  return guarded([&] { return impl_->logits(); });
}

int Session::position() const noexcept { return impl_->position; }
int Session::max_positions() const noexcept { return impl_->max_positions; }

Checkpoint Session::save() {
  return guarded([&] { return impl_->save(); });
}

void Session::restore(const Checkpoint& checkpoint) {
  guarded([&] { impl_->restore(checkpoint.impl()); });
}

void Session::reset() {
  guarded([&] { impl_->restore(impl_->model.start); });
}

void Session::trace_stages(bool on) { impl_->trace = on; }
std::span<const std::int64_t> Session::stage_ns() const noexcept { return impl_->stage_ns; }
void Session::stamp_classes(bool on) { impl_->stamp = on; }

}  // namespace nf
