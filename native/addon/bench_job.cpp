#include "bench_job.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "convert.h"
#include "environment.h"
#include "errors.h"
#include "nf/bench.h"
#include "stop_flag_object.h"

namespace nf::addon {
namespace {

class BenchJob : public Job {
 public:
  BenchJob(BenchOptions options, std::shared_ptr<StopFlag> stop) : Job(std::move(stop)), options_(std::move(options)) {}

  void run() override {
    options_.on_progress = [this](const std::string& what) {
      {
        const std::lock_guard lock(mutex_);
        news_.push_back(what);
      }
      wake();
    };
    for (const BenchRow& row : run_bench(options_, stop_flag())) rows_.push_back(json_of(row));
  }

  void deliver(Napi::Env env, const Napi::Function& callback) override {
    std::vector<std::string> news;
    {
      const std::lock_guard lock(mutex_);
      news.swap(news_);
    }
    for (const std::string& what : news) callback.Call({Napi::String::New(env, what)});
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Array rows = Napi::Array::New(env, rows_.size());
    for (std::uint32_t i = 0; i < rows_.size(); ++i) rows.Set(i, rows_[i]);
    return rows;
  }

 private:
  BenchOptions options_;
  std::vector<std::string> rows_;
  std::mutex mutex_;
  std::vector<std::string> news_;
};

}  // namespace

Napi::Value bench(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Fields fields(info[0], "options");
    BenchOptions options;
    options.load = load_options(fields);
    options.contexts = fields.wholes("contexts");
    options.n_tokens = static_cast<int>(fields.whole("tokens", 1, 1 << 20));
    options.n_repeats = static_cast<int>(fields.whole("repeats", 1, 1000));
    options.anatomy = fields.boolean("anatomy");
    auto job = std::make_shared<BenchJob>(std::move(options), StopFlagObject::of(env, fields.value("stop")));
    return Environment::of(env).submit(env, std::move(job), info[1]);
  });
}

}  // namespace nf::addon
