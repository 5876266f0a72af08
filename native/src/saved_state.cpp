#include "saved_state.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "durable_file.h"
#include "guard.h"
#include "model_impl.h"
#include "weight_cache_format.h"

namespace nf {
namespace {

/// What must be the same for a state to go on: the weights, their format, and the arithmetic that made it.
CacheKey key_of(const Model::Impl& model) {
  const std::string& fingerprint = model.plan.fingerprint;
  return {fingerprint.empty() ? model.options.source : fingerprint, name_of(model.options.format),
          saved_state_layout + model.backend->arithmetic()};
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// The chain's rows and tokens from `first` on, as one segment would hold them: layer by layer.
std::pair<std::vector<std::byte>, std::vector<Token>> gather(const Segment* tail, int first, int n_layers) {
  std::vector<const Segment*> chain;
  for (const Segment* s = tail; s && s->first >= first; s = s->parent.get()) chain.insert(chain.begin(), s);
  std::pair<std::vector<std::byte>, std::vector<Token>> out;
  for (int layer = 0; layer < n_layers; ++layer) {
    for (const Segment* s : chain) {
      const auto of_layer = static_cast<std::ptrdiff_t>(s->rows.size()) / n_layers;
      const auto begin = s->rows.begin() + layer * of_layer;
      out.first.insert(out.first.end(), begin, begin + of_layer);
    }
  }
  for (const Segment* s : chain) out.second.insert(out.second.end(), s->tokens.begin(), s->tokens.end());
  return out;
}

/// Writes a file that appears whole or not at all. Returns why it could not be kept (full disk, read-only, being
/// written by another process) or an empty string. Throws cancelled.
std::string write_whole(const std::filesystem::path& path, const CacheKey& key,
                        const std::vector<CacheSection>& sections, const StopFlag& stop) {
  const std::string intro = utf8_of_path(path) + " could not be written: ";
  try {
    std::filesystem::create_directories(path.parent_path());
    std::vector<std::span<const std::byte>> spans;
    std::uint64_t n_bytes = 0;
    for (const CacheSection& section : sections) {
      spans.push_back(section.bytes);
      n_bytes += aligned_offset(section.bytes.size());
    }
    const std::string lack = lack_of_room(path.parent_path(), n_bytes);
    if (!lack.empty()) return intro + lack;
    DurableFile file(path);
    const auto checksums = section_checksums(spans, stop);
    write_cache_start(file);
    std::uint64_t offset = section_alignment;
    std::vector<CacheTable::Entry> entries;
    for (std::size_t i = 0; i < sections.size(); ++i) {
      const std::uint64_t end = offset + spans[i].size();
      entries.push_back({sections[i].name, offset, spans[i].size(), checksums[i]});
      file.write(spans[i]);
      write_padding(file, end);
      offset = aligned_offset(end);
    }
    write_cache_end(file, key, entries, offset);
    file.commit();
    return "";
  } catch (const std::system_error& error) {  // std::filesystem's are of this kind
    return intro + error.code().message();
  }
}

template <class T>
bool copy_section(const WeightCache& file, const char* name, std::vector<T>& out) {
  const std::byte* bytes = file.find(name, out.size() * sizeof(T));
  if (bytes) std::memcpy(out.data(), bytes, out.size() * sizeof(T));
  return bytes != nullptr;
}

Checkpoint from_file(const Model::Impl& model, const WeightCache& file, std::span<const Token> tokens,
                     std::string& why) {
  const int n_memory = model.info.n_meta_tokens, n = static_cast<int>(tokens.size());
  auto saved = std::make_shared<Checkpoint::Impl>();
  auto rows = std::make_shared<Segment>();
  std::vector<Token> own_tokens(tokens.size());
  std::vector<std::int32_t> n_prompt(1);
  saved->state.resize(static_cast<std::size_t>(model.layout.n_floats));
  saved->logits.resize(static_cast<std::size_t>(model.info.n_vocab));
  rows->rows.resize(static_cast<std::size_t>(n * model.backend->kv_bytes_per_position()));
  const bool is_whole = copy_section(file, "tokens", own_tokens) && copy_section(file, "n_prompt", n_prompt) &&
                        copy_section(file, "state", saved->state) && copy_section(file, "kv", rows->rows);
  if (!is_whole || !std::ranges::equal(own_tokens, tokens) || n_prompt[0] < 0 || n_prompt[0] > n) {
    why = "it belongs to another conversation";
    return {};
  }
  if (!copy_section(file, "logits", saved->logits)) saved->logits.clear();
  rows->parent = model.start->tail;
  rows->depth = rows->parent ? rows->parent->depth + 1 : 0;
  rows->first = n_memory;
  rows->n_rows = n;
  rows->tokens = std::move(own_tokens);
  saved->model = model.identity;
  saved->position = n_memory + n;
  saved->n_prompt = n_prompt[0];
  saved->own_row_bytes = static_cast<std::int64_t>(rows->rows.size());
  saved->tail = std::move(rows);
  return Checkpoint(std::move(saved));
}

}  // namespace

std::string write_checkpoint(const Model& model, const Checkpoint& checkpoint, const std::filesystem::path& file,
                             const StopFlag& stop) {
  return guarded([&] {
    const Model::Impl& impl = model.impl();
    const auto& saved = checkpoint.impl();
    if (!saved || saved->model != impl.identity || saved->position <= impl.info.n_meta_tokens) {
      throw EngineError(ErrorCode::bad_argument, "only a checkpoint of this model, with text in it, can be kept");
    }
    const auto [rows, tokens] = gather(saved->tail.get(), impl.info.n_meta_tokens, impl.plan.n_attention_layers);
    const std::vector<std::int32_t> n_prompt{saved->n_prompt};
    std::vector<CacheSection> sections{{"tokens", bytes_of(tokens)},
                                       {"n_prompt", bytes_of(n_prompt)},
                                       {"state", bytes_of(saved->state)},
                                       {"kv", bytes_of(rows)}};
    if (!saved->logits.empty()) sections.push_back({"logits", bytes_of(saved->logits)});
    return write_whole(file, key_of(impl), sections, stop);
  });
}

Checkpoint read_checkpoint(const Model& model, const std::filesystem::path& file, std::span<const Token> tokens,
                           const StopFlag& stop, std::string& why) {
  return guarded([&] {
    const auto opened = WeightCache::open(file, key_of(model.impl()), stop, {}, why);
    return opened ? from_file(model.impl(), *opened, tokens, why) : Checkpoint();
  });
}

}  // namespace nf
