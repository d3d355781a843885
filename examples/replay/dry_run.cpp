#include "dry_run.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace replay {

namespace {

// Batches are the library's own, of at most 1 MB, so what they hold needs no limit.
std::string inflated(std::string_view body) {
  std::string text;
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return text;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  std::array<char, 65536> buffer;
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return text;
}

// The library's own counters are no row.
bool is_ledger(std::string_view line) {
  return line.find("\"action\":{\"type\":\"yukha_ledger\"") != std::string_view::npos;
}

}  // namespace

DryRun::~DryRun() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

const std::string& DryRun::folder() {
  if (!folder_.empty()) return folder_;
  std::error_code error;
  std::string name = (std::filesystem::temp_directory_path(error) / "yukha-dry-run-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("no directory for the dry run's queue can be made in $TMPDIR or /tmp");
  }
  folder_ = name;
  return folder_;
}

void DryRun::hear(std::string_view text) {
  const std::lock_guard lock(mutex_);
  // What is refused is told with its row already.
  if (words_.size() < sentences_max_ && text.substr(0, 9) != "refused: ") words_.emplace_back(text);
}

void DryRun::print(bool json_only) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    std::printf("%s\n", lines_[i].c_str());
    if (!json_only && i < words_.size()) std::printf("  %s\n", words_[i].c_str());
  }
}

void DryRun::start(const yukha::HttpRequest& request) {
  const std::string text = inflated(request.body);
  const std::lock_guard lock(mutex_);
  accepted_ = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++accepted_;
    if (lines_.size() < sentences_max_ && !is_ledger(line)) lines_.emplace_back(line);
  }
  is_asked_ = true;
}

bool DryRun::poll(std::chrono::milliseconds timeout, yukha::HttpAnswer& answer) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return is_asked_ || awake_; };
  if (timeout.count() < 0) {
    changed_.wait(lock, ready);
  } else {
    changed_.wait_for(lock, timeout, ready);
  }
  awake_ = false;
  if (!is_asked_) return false;
  is_asked_ = false;
  answer = yukha::HttpAnswer{};
  answer.status = 200;
  answer.headers.push_back({"content-type", "application/json"});
  answer.body = "{\"accepted\":" + std::to_string(accepted_) + ",\"rejected\":[]}";
  return true;
}

void DryRun::wake() {
  const std::lock_guard lock(mutex_);
  awake_ = true;
  changed_.notify_all();
}

void DryRun::cancel() {
  const std::lock_guard lock(mutex_);
  is_asked_ = false;
}

}  // namespace replay
