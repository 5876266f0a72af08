// What a load keeps for the next one: used when it is whole, made anew when it is not.
#include "weight_cache.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "checkpoint_writer.h"
#include "checksum.h"
#include "durable_file.h"
#include "nf/engine.h"
#include "support/check.h"
#include "support/paths.h"
#include "weight_cache_writer.h"

namespace nf::test {
namespace {

const StopFlag never{false};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A small model on disk and a place for its cache.
struct Library {
  ScratchDir dir;
  std::filesystem::path model = dir.path() / "model", cache = dir.path() / "cache";
  std::filesystem::path file = cache / "int4.nfweights";
  Library() { write_checkpoint(model, small_config(), 7); }

  std::shared_ptr<const Model> load(WeightFormat format = WeightFormat::int4,
                                    std::set<LoadPhase>* phases = nullptr) const {
    LoadOptions options;
    if (phases) options.on_progress = [phases](const LoadProgress& progress) { phases->insert(progress.phase); };
    options.source = model.string();
    options.format = format;
    options.max_positions = 64;
    options.cache_dir = cache;
    return Model::load(options, never);
  }
};

std::vector<float> logits_of(const std::shared_ptr<const Model>& model) {
  Session session(model, 64);
  const Token tokens[] = {3, 1, 4, 1, 5, 9, 2, 6};
  session.prefill(tokens, never);
  const auto row = session.logits();
  return {row.begin(), row.end()};
}

/// The next load must not trust the file, must say why, must answer the same, and must leave a whole file behind.
void check_rebuilt(const Library& library, const std::vector<float>& expected, const std::string& reason) {
  const auto rebuilt = library.load();
  CHECK(!rebuilt->info().from_cache);
  CHECK(rebuilt->info().cache_notice.find(reason) != std::string::npos);
  CHECK(logits_of(rebuilt) == expected);
  CHECK(library.load()->info().from_cache);
}

}  // namespace

TEST("the checksum is XXH64") {
  CHECK_EQ(checksum({}), 0xEF46DB3751D8E999u);
  CHECK_EQ(checksum(bytes_of("abc")), 0x44BC2CF5AD770999u);
  CHECK_EQ(checksum(bytes_of("Nobody inspects the spammish repetition")), 0xFBCEA83C8A378BF1u);
}

TEST("a second load takes its weights from the cache and answers the same") {
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8, WeightFormat::mixed, WeightFormat::int4}) {
    const Library library;
    const auto made = library.load(format);
    CHECK(!made->info().from_cache);
    CHECK_EQ(made->info().cache_notice, "");
    const auto found = library.load(format);
    CHECK(found->info().from_cache);
    CHECK_EQ(found->info().cache_notice, "");
    CHECK_EQ(found->info().weight_bytes, made->info().weight_bytes);
    CHECK(logits_of(found) == logits_of(made));
    CHECK(!std::filesystem::exists(library.file.string() + ".part"));
  }
}

TEST("a load from the cache computes neither weights nor memory tokens again") {
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8, WeightFormat::int4}) {
    const Library library;
    std::set<LoadPhase> first, second;
    const auto made = library.load(format, &first);
    CHECK(first.count(LoadPhase::warming) == 1);
    const auto found = library.load(format, &second);
    CHECK(second.count(LoadPhase::warming) + second.count(LoadPhase::quantising) == 0);
    CHECK(logits_of(found) == logits_of(made));
  }
}

TEST("made-up weights and float32 are not kept, but the first when it is asked for") {
  const Library library;
  library.load(WeightFormat::f32);
  LoadOptions options;
  options.source = "synthetic:tiny";
  options.format = WeightFormat::int4;
  options.cache_dir = library.cache;
  Model::load(options, never);
  CHECK(!std::filesystem::exists(library.cache));
  options.keep_made_up = true;
  const auto made = Model::load(options, never);
  CHECK(made->info().is_cached);
  const auto found = Model::load(options, never);
  CHECK(found->info().from_cache);
  CHECK(logits_of(found) == logits_of(made));
  options.source = "synthetic:tiny:1";
  CHECK(!Model::load(options, never)->info().from_cache);
}

TEST("one wrong byte anywhere in a cache is found, and the cache made anew") {
  const Library library;
  const auto expected = logits_of(library.load());
  const std::string whole = contents(library.file);
  const CacheTable table = parse_weight_cache(bytes_of(whole), "a cache");
  REQUIRE(table.sections.size() > 10);
  std::vector<std::size_t> places{0, 9, 17, 40, 60, whole.size() - 1, whole.size() - 40};  // head and table
  for (const auto& section : table.sections) {
    if (section.n_bytes > 0) places.push_back(section.offset), places.push_back(section.offset + section.n_bytes - 1);
  }
  for (const std::size_t place : places) {
    std::string damaged = whole;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x10);
    write_text(library.file, damaged);
    check_rebuilt(library, expected, "made anew");
  }
}

TEST("a cache that was cut short is made anew") {
  const Library library;
  const auto expected = logits_of(library.load());
  const std::string whole = contents(library.file);
  for (const std::size_t n : {std::size_t{0}, std::size_t{10}, std::size_t{64}, std::size_t{5000}, whole.size() - 1}) {
    write_text(library.file, whole.substr(0, n));
    check_rebuilt(library, expected, "made anew");
  }
}

TEST("a cache of other weights, another configuration or another format is not used") {
  const Library library;
  library.load();
  write_checkpoint(library.model, small_config(), 8);
  const Library fresh;
  write_checkpoint(fresh.model, small_config(), 8);
  check_rebuilt(library, logits_of(fresh.load()), "have changed");

  write_text(library.model / "config.json", small_config({{"max_position_embeddings", "256"}}));
  CHECK(!library.load()->info().from_cache);

  library.load(WeightFormat::int8);
  std::filesystem::copy_file(library.cache / "int8.nfweights", library.file,
                             std::filesystem::copy_options::overwrite_existing);
  const auto rebuilt = library.load();
  CHECK(!rebuilt->info().from_cache);
  CHECK(rebuilt->info().cache_notice.find("another version") != std::string::npos);
}

TEST("a kill in the middle of writing leaves nothing that is trusted") {
  const Library library;
  const auto expected = logits_of(library.load());
  const std::string whole = contents(library.file);
  std::filesystem::remove(library.file);
  write_text(library.file.string() + ".part", whole.substr(0, whole.size() / 2));
  const auto rebuilt = library.load();
  CHECK(!rebuilt->info().from_cache);
  CHECK(logits_of(rebuilt) == expected);
  CHECK(contents(library.file) == whole);
  CHECK(!std::filesystem::exists(library.file.string() + ".part"));
}

namespace {

/// Stops a load before the cache is whole.
bool stop_conversion(const Library& library) {
  StopFlag stop{false};
  LoadOptions options;
  options.source = library.model.string();
  options.format = WeightFormat::int4;
  options.max_positions = 64;
  options.cache_dir = library.cache;
  options.on_progress = [&](const LoadProgress& progress) {
    if (progress.phase == LoadPhase::saving) stop = true;
  };
  try {
    Model::load(options, stop);
    return false;
  } catch (const EngineError& error) {
    return error.code() == ErrorCode::cancelled;
  }
}

std::string part_of(const Library& library) { return library.file.string() + ".part"; }
std::string journal_of(const Library& library) { return library.file.string() + ".journal"; }

std::size_t n_lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST("a conversion that was stopped goes on where it was, to the same bytes") {
  const Library library;
  const auto expected = logits_of(library.load());
  const std::string whole = contents(library.file);
  std::filesystem::remove(library.file);

  REQUIRE(stop_conversion(library));
  const std::string part = contents(part_of(library)), journal = contents(journal_of(library));
  CHECK(!std::filesystem::exists(library.file));
  REQUIRE(n_lines(journal) > 10);

  // Killed anywhere: the journal and the part end in the middle of something.
  for (const std::size_t n_of_part : {std::size_t{0}, std::size_t{100}, part.size() / 3, part.size() - 1}) {
    for (const std::size_t n_of_journal : {std::size_t{0}, std::size_t{20}, journal.size() / 2, journal.size()}) {
      write_text(part_of(library), part.substr(0, n_of_part));
      write_text(journal_of(library), journal.substr(0, n_of_journal));
      const auto resumed = library.load();
      CHECK_EQ(resumed->info().cache_notice, "");
      CHECK(logits_of(resumed) == expected);
      CHECK(contents(library.file) == whole);
      CHECK(!std::filesystem::exists(part_of(library)) && !std::filesystem::exists(journal_of(library)));
      std::filesystem::remove(library.file);
    }
  }
}

TEST("what a stopped conversion left is taken, and no byte of it that is wrong") {
  const Library library;
  library.load();
  const std::string whole = contents(library.file);
  const CacheTable table = parse_weight_cache(bytes_of(whole), "a cache");
  const CacheKey key{table.source, table.format, table.layout};
  const CacheTable::Entry &first = table.sections[0], &second = table.sections[1];
  std::vector<std::byte> found(first.n_bytes), found_next(second.n_bytes);
  const auto section = [&](const CacheTable::Entry& entry) {
    return CacheSection{entry.name, bytes_of(whole).subspan(entry.offset, entry.n_bytes)};
  };
  const auto leave_two = [&] {
    std::filesystem::remove(part_of(library));
    std::filesystem::remove(journal_of(library));
    WeightCacheWriter writer(library.file, key);
    writer.add(section(first));
    writer.add(section(second));
  };
  leave_two();
  {
    WeightCacheWriter writer(library.file, key);
    CHECK(writer.take(first.name, found));
    CHECK(std::equal(found.begin(), found.end(), section(first).bytes.begin()));
    CHECK(writer.take(second.name, found_next));
    CHECK(!writer.take(second.name, found_next));
  }
  for (const std::uint64_t place : {second.offset, second.offset + second.n_bytes - 1}) {
    leave_two();
    std::string damaged = contents(part_of(library));
    damaged[place] = static_cast<char>(damaged[place] ^ 1);
    write_text(part_of(library), damaged);
    WeightCacheWriter writer(library.file, key);
    CHECK(writer.take(first.name, found));
    CHECK(!writer.take(second.name, found_next));
  }
  leave_two();
  for (const CacheKey& other : {CacheKey{"x", key.format, key.layout}, CacheKey{key.source, "int8", key.layout}}) {
    leave_two();
    WeightCacheWriter writer(library.file, other);
    CHECK(!writer.take(first.name, found));
  }
  CHECK(!std::filesystem::exists(part_of(library)));  // nothing in it is of use to anybody
}

TEST("a cache that cannot be written is a notice, not a failure") {
  const Library library;
  write_text(library.cache, "a file where the folder should be");
  const auto model = library.load();
  CHECK(!model->info().from_cache);
  CHECK(model->info().cache_notice.find("could not be written") != std::string::npos);
  CHECK(!logits_of(model).empty());
}

TEST("two processes do not write one cache at the same time") {
  const Library library;
  std::filesystem::create_directories(library.cache);
  {
    DurableFile other(library.file);
    CHECK(library.load()->info().cache_notice.find("could not be written") != std::string::npos);
  }
  CHECK(!std::filesystem::exists(library.file));
  CHECK_EQ(library.load()->info().cache_notice, "");
  CHECK(library.load()->info().from_cache);
}

}  // namespace nf::test
