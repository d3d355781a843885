// What several unit tests stand on: a directory of their own, files and time that do as told, an endpoint in memory.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <yukha/yukha.hpp>

#include "send/gzip.hpp"
#include "system/clock.hpp"
#include "system/crypto.hpp"
#include "system/dice.hpp"
#include "system/files.hpp"
#include "system/uuid.hpp"

namespace yukha::test {

// A directory that is gone with its owner.
class TempDirectory {
 public:
  TempDirectory()
      : path_((std::filesystem::temp_directory_path() / ("yukha-" + system::random_uuid(system::system_dice())))
                  .string()) {
    std::filesystem::create_directories(path_);
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const noexcept { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
// Always a new file: one that is cut and written again is flushed by some file systems, which costs a test its speed.
inline void write_file(const std::string& path, std::string_view bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// The same chance in every run (splitmix64 by Vigna).
class SeededDice final : public system::Dice {
 public:
  explicit SeededDice(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t limit) noexcept { return static_cast<std::size_t>(next() % limit); }
  bool fill(void* into, std::size_t size) noexcept override {
    for (std::size_t i = 0; i < size; ++i) static_cast<unsigned char*>(into)[i] = static_cast<unsigned char>(next());
    return true;
  }

 private:
  std::uint64_t state_;
};

// Time that moves only when it is told to.
class StillClock final : public system::Clock {
 public:
  std::int64_t monotonic_ms() noexcept override { return monotonic; }
  std::int64_t unix_ms() noexcept override { return unix_at_zero + monotonic; }
  std::int64_t monotonic = 1'000'000;
  std::int64_t unix_at_zero = 1'779'421'925'301 - 1'000'000;
};

// The system's files, for those that change a few of its answers.
class FilesUnder : public system::Files {
 public:
  system::Error open(const std::string& path, system::OpenMode mode,
                     std::unique_ptr<system::File>& file) noexcept override {
    return under_.open(path, mode, file);
  }
  system::Error make_directory(const std::string& path) noexcept override { return under_.make_directory(path); }
  system::Error make_absolute(std::string& path) noexcept override { return under_.make_absolute(path); }
  system::Error make_private(const std::string& path, bool& narrowed) noexcept override {
    return under_.make_private(path, narrowed);
  }
  system::Error remove(const std::string& path) noexcept override { return under_.remove(path); }
  system::Error rename(const std::string& from, const std::string& to) noexcept override {
    return under_.rename(from, to);
  }
  system::Error sync_directory(const std::string& path) noexcept override { return under_.sync_directory(path); }
  system::Error list(const std::string& path, std::vector<std::string>& names) noexcept override {
    return under_.list(path, names);
  }
  system::Error size(const std::string& path, std::uint64_t& bytes) noexcept override {
    return under_.size(path, bytes);
  }
  system::Error identity(const std::string& path, std::uint64_t& identity) noexcept override {
    return under_.identity(path, identity);
  }
  const char* sqlite_vfs() const noexcept override { return under_.sqlite_vfs(); }
  const char* sqlite_vfs_without_locks() const noexcept override { return under_.sqlite_vfs_without_locks(); }

 private:
  system::Files& under_ = system::system_files();
};

// For a process that dies in the middle of them.
class DyingFiles final : public FilesUnder {
 public:
  // At so many operations from now; -1: never.
  int dies_at = -1;
  int operations = 0;
  system::Error open(const std::string& path, system::OpenMode mode,
                     std::unique_ptr<system::File>& file) noexcept override {
    operation();
    return FilesUnder::open(path, mode, file);
  }
  system::Error remove(const std::string& path) noexcept override {
    operation();
    return FilesUnder::remove(path);
  }
  system::Error rename(const std::string& from, const std::string& to) noexcept override {
    operation();
    return FilesUnder::rename(from, to);
  }
  system::Error sync_directory(const std::string& path) noexcept override {
    operation();
    return FilesUnder::sync_directory(path);
  }

 private:
  void operation() noexcept {
    if (operations++ == dies_at) _exit(0);
  }
};

// The system's files without reserved blocks, so that a ring is written and not mapped; reading may be made to fail,
// a write at one place to be refused, and the next write to be answered with an error once it is done.
class UnreservedFiles final : public FilesUnder {
 public:
  bool reading_fails = false;
  bool next_write_fails_late = false;
  std::uint64_t refuses_writes_at = UINT64_MAX;
  system::Error open(const std::string& path, system::OpenMode mode,
                     std::unique_ptr<system::File>& file) noexcept override {
    std::unique_ptr<system::File> inner;
    if (const system::Error error = FilesUnder::open(path, mode, inner)) return error;
    file = std::make_unique<Unreserved>(std::move(inner), *this);
    return 0;
  }

 private:
  class Unreserved final : public system::File {
   public:
    Unreserved(std::unique_ptr<system::File> under, UnreservedFiles& files) : under_(std::move(under)), files_(files) {}
    system::Error read(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) noexcept override {
      got = 0;
      return files_.reading_fails ? EIO : under_->read(offset, into, size, got);
    }
    system::Error write(std::uint64_t offset, const void* from, std::size_t size) noexcept override {
      if (offset == files_.refuses_writes_at) return EIO;
      const system::Error error = under_->write(offset, from, size);
      return std::exchange(files_.next_write_fails_late, false) ? ENOSPC : error;
    }
    system::Error sync() noexcept override { return under_->sync(); }
    system::Error size(std::uint64_t& bytes) noexcept override { return under_->size(bytes); }
    system::Error resize(std::uint64_t bytes) noexcept override { return under_->resize(bytes); }
    system::Error reserve(std::uint64_t) noexcept override { return EOPNOTSUPP; }
    char* map(std::size_t) noexcept override { return nullptr; }
    system::Error lock(int patience_ms) noexcept override { return under_->lock(patience_ms); }
    bool is_at(const std::string& path) noexcept override { return under_->is_at(path); }

   private:
    std::unique_ptr<system::File> under_;
    UnreservedFiles& files_;
  };
};

inline std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

inline bool is_ledger_line(std::string_view line) {
  return line.find("\"seq\":\"0000000000\"") != std::string_view::npos;
}

// The key of a batch whose key, quoted as it was sent, brought other lines.
inline std::string renewed_key(const std::string& quoted, const std::vector<std::string>& lines) {
  std::string text = quoted.substr(1, quoted.size() - 2) + "\n";
  for (const std::string& line : lines) text += line + "\n";
  std::string key(system::uuid_text_size, '\0');
  system::write_uuid(system::sha256(text).data(), 8, key.data());
  return key;
}

inline HttpAnswer all_accepted(std::size_t lines) {
  HttpAnswer answer;
  answer.status = 200;
  answer.body = "{\"accepted\":" + std::to_string(lines) + ",\"rejected\":[]}";
  return answer;
}

// The same answer from a server whose clock says that.
inline HttpAnswer dated(HttpAnswer answer, std::int64_t unix_ms) {
  const std::time_t now = static_cast<std::time_t>(unix_ms / 1000);
  char date[64];
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  answer.headers.push_back({"date", date});
  return answer;
}

// An endpoint in memory that stands in for the network; it takes everything unless `answer` says otherwise. With a
// clock it never waits, and moves that clock instead.
class FakeEndpoint final : public HttpTransport {
 public:
  struct Request {
    HttpRequest head;
    std::string body;
    std::vector<std::string> lines;
    std::string header(std::string_view name) const {
      for (const HttpHeader& one : head.headers) {
        if (one.name == name) return one.value;
      }
      return {};
    }
  };

  explicit FakeEndpoint(StillClock* clock = nullptr) : clock_(clock) {}
  std::function<HttpAnswer(const Request&)> answer;  // empty: all accepted
  std::vector<Request> requests;                     // read it when nothing runs
  bool silent = false;                               // never answers

  // Lines of apps, without the library's own, as they came.
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const Request& request : requests) {
      for (const std::string& line : request.lines) {
        if (!is_ledger_line(line)) all.push_back(line);
      }
    }
    return all;
  }

  void start(const HttpRequest& request) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    Request seen;
    seen.head = request;
    seen.body = std::string(request.body);
    std::string text;
    if (send::gunzip(seen.body, 4 << 20, text)) seen.lines = split_lines(text);
    requests.push_back(std::move(seen));
    running_ = true;
  }
  bool poll(std::chrono::milliseconds timeout, HttpAnswer& into) override {
    std::unique_lock<std::mutex> lock(mutex_);
    if (running_ && !silent) {
      running_ = false;
      const Request& request = requests.back();
      into = answer ? answer(request) : all_accepted(request.lines.size());
      return true;
    }
    if (clock_ != nullptr) {
      if (timeout.count() > 0) clock_->monotonic += timeout.count();
    } else if (timeout.count() < 0) {
      woken_.wait(lock, [this] { return awake_; });
    } else {
      woken_.wait_for(lock, timeout, [this] { return awake_; });
    }
    awake_ = false;
    return false;
  }
  void wake() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    awake_ = true;
    woken_.notify_all();
  }
  void cancel() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    running_ = false;
  }

 private:
  StillClock* clock_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;
  bool running_ = false;
};

// A configuration that works, without a thread and without a network.
inline Config plain_config(const TempDirectory& directory) {
  Config config;
  config.app_id = "shop";
  config.queue_dir = directory.path();
  config.use_thread = false;
  config.collect_device_facts = false;
  config.transport = std::make_shared<FakeEndpoint>();
  return config;
}

// The same with an endpoint in memory to send to.
inline Config sending_config(const TempDirectory& directory, const std::shared_ptr<FakeEndpoint>& endpoint) {
  Config config = plain_config(directory);
  config.endpoint = "https://collect.example.com";
  config.transport = endpoint;
  return config;
}

}  // namespace yukha::test
