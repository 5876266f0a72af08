#include "weight_cache_writer.h"

#include <charconv>
#include <system_error>
#include <utility>

#include "checksum.h"
#include "mapped_file.h"
#include "weight_cache_format.h"

namespace nf {
namespace {

const StopFlag never{false};  // a section, once made, is kept
constexpr std::size_t max_journal_bytes = 16 << 20;

std::filesystem::path journal_of(std::filesystem::path path) { return path += ".journal"; }

std::uint64_t checksum_of(std::string_view text) {
  return checksum(std::as_bytes(std::span(text.data(), text.size())));
}

std::uint64_t checksum_of(std::span<const std::byte> section) { return section_checksums({section}, never).front(); }

/// "CHECKSUM TEXT", the checksum in decimal.
std::string line_of(const std::string& text) { return std::to_string(checksum_of(text)) + " " + text + "\n"; }

/// The text of a line that is whole; empty otherwise.
std::string_view text_of_line(std::string_view line) {
  std::uint64_t wanted = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), wanted);
  if (error != std::errc{} || end == line.data() + line.size() || *end != ' ') return {};
  const std::string_view text = line.substr(static_cast<std::size_t>(end - line.data()) + 1);
  return checksum_of(text) == wanted ? text : std::string_view{};
}

std::string key_line(const CacheKey& key) {
  return "1 " + key.source + " | " + key.format + " | " + key.layout;  // the first word: version of the journal
}

}  // namespace

WeightCacheWriter::WeightCacheWriter(const std::filesystem::path& path, const CacheKey& key)
    : path_(path), journal_path_(journal_of(path)), key_(key), offset_(section_alignment) {
  attempt([&] {
    std::filesystem::create_directories(path_.parent_path());
    file_ = std::make_unique<DurableFile>(path_, DurableFile::Part::kept);
    read_journal();
  });
}

WeightCacheWriter::~WeightCacheWriter() {
  if (file_ && sections_.empty() && left_.empty()) give_up("nothing was written");
}

/// What goes wrong ends the writing. A part of which nothing is known to be whole does not stay.
template <class Work>
void WeightCacheWriter::attempt(const Work& work) {
  if (!problem_.empty()) return;
  try {
    work();
  } catch (const std::system_error& error) {  // std::filesystem's are of this kind
    give_up(error.code().message());
  }
}

void WeightCacheWriter::give_up(const std::string& why) {
  problem_ = utf8_of_path(path_) + " could not be written: " + why;
  journal_.close();
  if (!file_) return;  // perhaps another process writes it, and its journal
  file_->discard();
  file_.reset();
  std::error_code ignored;
  std::filesystem::remove(journal_path_, ignored);
}

/// Believes its lines up to the first that is not whole; of what they say, take() believes what it has checked.
void WeightCacheWriter::read_journal() {
  std::error_code error;
  if (!std::filesystem::exists(journal_path_, error)) return;
  try {
    const std::string journal = read_text_file(journal_path_, max_journal_bytes);
    std::uint64_t expected = section_alignment;
    bool is_first = true;
    for (std::size_t at = 0, end = 0; (end = journal.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string_view text = text_of_line(std::string_view(journal).substr(at, end - at));
      if (text.empty() || (is_first && text != key_line(key_))) return;
      if (!std::exchange(is_first, false)) {
        left_.push_back(parse_cache_entry(text, utf8_of_path(journal_path_)));
        if (left_.back().offset != expected) return left_.pop_back();
        expected = aligned_offset(expected + left_.back().n_bytes);
      }
    }
  } catch (const EngineError&) {  // an unreadable journal says nothing, and is written anew
  }
}

void WeightCacheWriter::expect(std::uint64_t n_bytes) {
  attempt([&] {
    const std::uint64_t end = left_.empty() ? 0 : left_.back().offset + left_.back().n_bytes;
    const std::string lack = lack_of_room(path_.parent_path(), n_bytes > end ? n_bytes - end : 0);
    if (!lack.empty()) give_up(lack);
  });
}

bool WeightCacheWriter::take(const std::string& name, std::span<std::byte> out) {
  if (left_.empty()) return false;
  bool is_taken = false;
  attempt([&] {
    const CacheTable::Entry& next = left_.front();
    try {
      if (next.name == name && next.n_bytes == out.size()) {
        file_->read_at(next.offset, out);
        is_taken = checksum_of(out) == next.checksum;
      }
    } catch (const std::system_error&) {  // shorter than its journal says
    }
    if (!is_taken) return left_.clear();
    sections_.push_back(next);
    offset_ = aligned_offset(next.offset + next.n_bytes);
    left_.erase(left_.begin());
  });
  return is_taken;
}

/// Part and journal end behind what was taken.
void WeightCacheWriter::write_journal() {
  left_.clear();
  if (sections_.empty()) {
    file_->resume_at(0);
    write_cache_start(*file_);
  } else {
    // The padding behind a section may be missing.
    const std::uint64_t end = sections_.back().offset + sections_.back().n_bytes;
    file_->resume_at(end);
    write_padding(*file_, end);
  }
  journal_.open(journal_path_, std::ios::binary | std::ios::trunc);
  journal_ << line_of(key_line(key_));
  for (const CacheTable::Entry& entry : sections_) journal_ << line_of(text_of(entry));
  is_appending_ = true;
}

void WeightCacheWriter::add(const CacheSection& section) {
  attempt([&] {
    if (!is_appending_) write_journal();
    const CacheTable::Entry entry{section.name, offset_, section.bytes.size(), checksum_of(section.bytes)};
    file_->write(section.bytes);
    write_padding(*file_, offset_ + entry.n_bytes);
    journal_ << line_of(text_of(entry)) << std::flush;
    if (!journal_) throw std::system_error(std::make_error_code(std::errc::io_error));
    sections_.push_back(entry);
    offset_ = aligned_offset(offset_ + entry.n_bytes);
  });
}

std::string WeightCacheWriter::finish() {
  attempt([&] {
    if (!is_appending_) write_journal();
    write_cache_end(*file_, key_, sections_, offset_);
    file_->commit();
    file_.reset();
    journal_.close();
    std::error_code ignored;
    std::filesystem::remove(journal_path_, ignored);
  });
  return problem_;
}

}  // namespace nf
