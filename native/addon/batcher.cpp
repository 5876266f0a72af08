#include "batcher.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "generation.h"

namespace nf::addon {
namespace {

constexpr std::int64_t share_of_step = 4;
constexpr std::int64_t longest_wait_ns = 2'000'000;

}  // namespace

void Batcher::add(std::shared_ptr<GenerationJob> job) {
  running_.push_back({std::move(job), n_steps_});
  schedule();
}

/// Steps queue up behind what waits: new generations join, and short jobs are served, between two of them.
void Batcher::schedule() {
  if (is_scheduled_ || running_.empty()) return;
  is_scheduled_ = true;
  thread_.post([this] { step(); });
}

void Batcher::forget() {
  for (const Running& running : running_) running.job->forget_waiting();
  running_.clear();
}

void Batcher::step() {
  const std::int64_t begin_ns = steady_ns();
  is_scheduled_ = false;
  ++n_steps_;
  for (const Running& running : running_) running.job->look_at_stop();
  retire();
  if (running_.size() == 1) {
    running_.front().job->advance_alone();
  } else if (running_.size() > 1) {
    step_together();
  }
  const std::size_t n_coming = retire();
  // Who is held by a grammar hears in JavaScript what may come next, and would miss every other batch by a moment. The
  // others, and those who are held likewise, wait for that no longer than they hardly notice.
  if (n_coming > 0 && n_coming + running_.size() > 1) {
    const std::int64_t longest_ns = std::min<std::int64_t>((steady_ns() - begin_ns) / share_of_step, longest_wait_ns);
    thread_.wait_for(n_coming, std::chrono::nanoseconds(longest_ns));
  }
  schedule();
}

std::size_t Batcher::retire() {
  std::vector<std::shared_ptr<GenerationJob>> over;
  for (const Running& running : running_) {
    if (running.job->is_over()) over.push_back(running.job);
  }
  std::erase_if(running_, [](const Running& running) { return running.job->is_over(); });
  // One that ends lets the next of its session begin, which adds itself.
  std::size_t n_coming = 0;
  for (const auto& job : over) {
    job->end();
    if (job->comes_back()) ++n_coming;
  }
  return n_coming;
}

/// Everyone who writes; of those who read, in turn, as many as one piece of a prompt has room for, at least one.
std::vector<GenerationJob*> Batcher::choose() {
  std::vector<GenerationJob*> chosen;
  std::vector<Running*> readers;
  for (Running& running : running_) {
    if (running.job->reads()) {
      readers.push_back(&running);
    } else {
      chosen.push_back(running.job.get());
    }
  }
  if (readers.empty()) return chosen;
  std::stable_sort(readers.begin(), readers.end(),
                   [](const Running* a, const Running* b) { return a->read_at < b->read_at; });
  const int n_writers = static_cast<int>(chosen.size());
  const GenerationJob& first = *readers.front()->job;
  // A piece is never cut smaller for company: that would round differently. What does not fit takes turns.
  if (n_writers + first.next_piece(false) > first.max_batch_rows()) {
    writers_went_ = !writers_went_ && n_writers > 0;
    if (writers_went_) return chosen;
    chosen.clear();
  }
  int n_read = 0;
  for (Running* reader : readers) {
    const int n = reader->job->next_piece(false);
    if (n_read > 0 && n_read + n > std::min(reader->job->piece_limit(), first.max_batch_rows() - n_writers)) continue;
    n_read += n;
    reader->read_at = n_steps_;
    chosen.push_back(reader->job.get());
  }
  return chosen;
}

void Batcher::step_together() {
  const std::vector<GenerationJob*> jobs = choose();
  std::vector<SequenceWork> work;
  for (GenerationJob* job : jobs) work.push_back(job->next_work(false));
  try {
    run_together(work);
  } catch (...) {
    for (GenerationJob* job : jobs) job->fail(std::current_exception());
    return;
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i]->take(work[i]);
}

}  // namespace nf::addon
