#include "lake.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "files.hpp"
#include "gzip.hpp"
#include "sentence.hpp"
#include "text.hpp"

namespace collector {
namespace {

constexpr std::size_t kStoredBodyBytesMax = 4 * 1024 * 1024;  // what the endpoint let in
constexpr int kLakeLevel = 3;  // half of level 6's time for a tenth more bytes; the sender pays for neither

// "dt=…/hour=…/….json.gz", as the store makes them.
struct LakePath {
  explicit LakePath(const std::string& name) {
    const std::size_t day_end = name.find('/');
    const std::size_t hour_end = name.find('/', day_end + 1);
    if (hour_end == std::string::npos || name.compare(0, 3, "dt=") != 0 || name.compare(day_end + 1, 5, "hour=") != 0 ||
        name.find('/', hour_end + 1) != std::string::npos) {
      throw StoreError("\"" + name + "\" is no lake file's name");
    }
    day = name.substr(0, day_end);
    hour = name.substr(day_end + 1, hour_end - day_end - 1);
    file = name.substr(hour_end + 1);
    // A name no reader of *.gz takes for a finished file.
    unfinished = file + ".tmp";
  }
  std::string day, hour, file, unfinished;
};

void remove_file(const Folder& lake, const std::string& name) {
  const LakePath path(name);
  const auto day = lake.found(path.day);
  const auto hour = day ? day->found(path.hour) : std::nullopt;
  if (!hour) return;
  hour->remove(path.file);
  hour->remove(path.unfinished);
  day->remove_empty(path.hour);
  lake.remove_empty(path.day);
}

void append_segment(const Segment& segment, std::string* out) {
  const Inflated body = inflate_one_member(segment.gzip, kStoredBodyBytesMax);
  if (body.outcome != Inflated::Outcome::kWhole) throw StoreError("a stored body is damaged");
  const std::string received_at = rfc3339_ms(segment.received_unix_ms);
  auto left_out = segment.left_out_lines.begin();
  std::int64_t number = 0;
  for (const std::string_view line : lines_of(body.bytes)) {
    ++number;
    if (left_out != segment.left_out_lines.end() && *left_out == number) {
      ++left_out;
      continue;
    }
    std::string own_offset;
    if (line.find("clock_offset_ms") != std::string_view::npos) {
      static const SchemaJudge kJudge;
      SentenceFacts facts;
      if (auto usual = read_usual_sentence(line)) {
        own_offset = usual->clock_offset_ms;
      } else if (!kJudge.refusal_of(line, &facts)) {
        own_offset = facts.clock_offset_ms;
      }
    }
    append_lake_line(line, own_offset.empty() ? segment.clock_offset_ms : own_offset, received_at, out);
  }
}

}  // namespace

Lake::Lake(std::string directory, Store* store, LakeLimits limits)
    : directory_(std::move(directory)), store_(store), limits_(limits) {
  // Also what an earlier collector was writing when it died: its content is still in the database.
  write_waiting(true);
  thread_ = std::thread([this] { run(); });
}

Lake::~Lake() {
  try {
    close();
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "yukha-collector: %s; the next start writes the file\n", fault.what());
  }
}

void Lake::wake() {
  const std::lock_guard<std::mutex> lock(mutex_);
  woken_ = true;
  changed_.notify_one();
}

void Lake::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return;
    closing_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  write_waiting(true);
}

void Lake::run() {
  const auto patience = std::chrono::milliseconds(static_cast<std::int64_t>(limits_.file_seconds * 1000));
  auto oldest = std::chrono::steady_clock::time_point::max();
  for (;;) {
    bool is_due = false;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      const auto ready = [this] { return closing_ || woken_; };
      if (oldest == std::chrono::steady_clock::time_point::max()) {
        changed_.wait(lock, ready);
      } else {
        changed_.wait_until(lock, oldest + patience, ready);
      }
      if (closing_) return;
      woken_ = false;
      const auto now = std::chrono::steady_clock::now();
      if (oldest == std::chrono::steady_clock::time_point::max()) oldest = now;
      is_due = now >= oldest + patience;
    }
    try {
      if (is_due || store_->waiting().first >= limits_.file_bytes) {
        write_waiting(is_due);
        // Lines that are too few for a file of their own keep the time they already waited.
        if (is_due || store_->waiting().first == 0) oldest = std::chrono::steady_clock::time_point::max();
      }
    } catch (const std::exception& fault) {
      // The lines are safe in the database; a disk that is full now may have room later.
      std::fprintf(stderr, "yukha-collector: %s; trying again\n", fault.what());
      oldest = std::chrono::steady_clock::now();
    }
  }
}

void Lake::write_waiting(bool also_the_rest) {
  const std::lock_guard<std::mutex> lock(writing_);
  store_->cut_files(limits_.file_bytes, also_the_rest);
  for (const LakeFile& file : store_->files_to_write()) write_file(file);
}

void Lake::write_file(const LakeFile& file) {
  std::string content;
  for (const Segment& segment : store_->segments_of(file.number)) append_segment(segment, &content);

  const LakePath path(file.name);
  Folder(directory_)
      .made(path.day)
      .made(path.hour)
      .write(path.file, path.unfinished, deflate_one_member(content, kLakeLevel));
  store_->mark_written(file.number);
}

void Lake::reset() {
  const std::lock_guard<std::mutex> lock(writing_);
  // The files first: after a kill in between the database still names what is left.
  const Folder lake(directory_);
  std::int64_t number = 0;
  for (auto files = store_->files_behind(number); !files.empty(); files = store_->files_behind(number)) {
    for (const LakeFile& file : files) remove_file(lake, file.name);
    number = files.back().number;
  }
  store_->reset();
}

std::string Lake::content_of(const LakeFile& file) {
  std::string content;
  if (!file.written) {
    for (const Segment& segment : store_->segments_of(file.number)) append_segment(segment, &content);
    return content;
  }
  constexpr std::size_t kFileBytesMax = std::size_t{1} << 30;
  const LakePath path(file.name);
  const auto day = Folder(directory_).found(path.day);
  const auto hour = day ? day->found(path.hour) : std::nullopt;
  const std::string gzip = hour ? hour->read(path.file, kFileBytesMax).value_or("") : "";
  return inflate_one_member(gzip, kFileBytesMax).bytes;  // empty when somebody took the file away
}

std::vector<std::string> Lake::lines(std::int64_t limit, std::int64_t offset) {
  const std::lock_guard<std::mutex> lock(writing_);
  std::vector<std::string> found;
  std::size_t bytes = 0;
  const auto is_full = [&] { return static_cast<std::int64_t>(found.size()) == limit || bytes >= kShownBytesMax; };
  const auto take = [&](std::string_view content) {
    for (const std::string_view line : lines_of(content)) {
      if (is_full()) return;
      if (offset > 0) {
        --offset;
        continue;
      }
      found.emplace_back(line);
      bytes += line.size();
    }
  };
  std::int64_t number = 0;
  for (auto files = store_->files_behind(number); !files.empty(); files = store_->files_behind(number)) {
    for (const LakeFile& file : files) {
      if (is_full()) return found;
      if (offset >= file.lines) {
        offset -= file.lines;
      } else {
        take(content_of(file));
      }
    }
    number = files.back().number;
  }
  for (const Segment& segment : store_->segments_waiting()) {
    if (is_full()) break;
    std::string content;
    append_segment(segment, &content);
    take(content);
  }
  return found;
}

}  // namespace collector
