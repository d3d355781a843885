#include "journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace replay {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t journal_bytes_max = 64 << 10;

struct Counter {
  const char* name;
  std::uint64_t yukha::Stats::*field;
};

constexpr Counter counters[] = {
    {"accepted", &yukha::Stats::accepted},
    {"delivered", &yukha::Stats::delivered},
    {"waiting", &yukha::Stats::waiting},
    {"quarantined", &yukha::Stats::quarantined},
    {"evicted", &yukha::Stats::evicted},
    {"erased", &yukha::Stats::erased},
    {"lost", &yukha::Stats::lost},
    {"refused", &yukha::Stats::refused},
    {"refused_invalid", &yukha::Stats::refused_invalid},
};

// A file descriptor that closes itself.
class Descriptor {
 public:
  // Never through a link that somebody planted there.
  Descriptor(const std::string& path, int flags)
      : number_(::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

bool write_synced(const std::string& path, const std::string& text) {
  ::unlink(path.c_str());  // of a run that was killed
  const Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (file.number() < 0) return false;
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(file.number(), text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    written += static_cast<std::size_t>(count);
  }
  return ::fsync(file.number()) == 0;
}

}  // namespace

std::string journal_path(const std::string& queue_dir) {
  return queue_dir + "/replay.json";
}

JournalRead read_journal(const std::string& path, Journal& journal, std::string& problem) {
  // A pipe or a device that somebody planted there would be waited for, or read without an end.
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);
  if (file.number() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return JournalRead::none;
    problem = path + " cannot be opened: " + std::strerror(errno);
    return JournalRead::unreadable;
  }
  struct stat about {};
  std::string text(journal_bytes_max + 1, '\0');
  const bool is_file = ::fstat(file.number(), &about) == 0 && S_ISREG(about.st_mode);
  const ssize_t size = is_file ? ::pread(file.number(), text.data(), text.size(), 0) : -1;
  if (size < 0 || static_cast<std::size_t>(size) > journal_bytes_max) {
    problem = path + " is no journal of yukha-replay";
    return JournalRead::unreadable;
  }
  text.resize(static_cast<std::size_t>(size));
  try {
    const Json json = Json::parse(text);
    if (json.at("format") != 1) {
      problem = path + " was written by a newer yukha-replay";
      return JournalRead::unreadable;
    }
    journal.input = json.at("input").get<std::string>();
    journal.input_sha256 = json.at("input_sha256").get<std::string>();
    journal.map_sha256 = json.at("map_sha256").get<std::string>();
    journal.finished = json.at("finished").get<bool>();
    for (const Counter& counter : counters) {
      journal.began.*counter.field = json.at("began").at(counter.name).get<std::uint64_t>();
    }
  } catch (const Json::exception& error) {
    problem = path + " is no journal of yukha-replay: " + error.what();
    return JournalRead::unreadable;
  }
  return JournalRead::found;
}

bool write_journal(const std::string& path, const Journal& journal, std::string& problem) {
  Json began;
  for (const Counter& counter : counters) began[counter.name] = journal.began.*counter.field;
  const Json json = {{"format", 1},
                     {"input", journal.input},
                     {"input_sha256", journal.input_sha256},
                     {"map_sha256", journal.map_sha256},
                     {"began", began},
                     {"finished", journal.finished}};
  // A path need not be UTF-8, and must not keep the journal from being written.
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::string beside = path + ".tmp";
  if (!write_synced(beside, text) || std::rename(beside.c_str(), path.c_str()) != 0) {
    problem = path + " cannot be written: " + std::strerror(errno);
    return false;
  }
  // Without this a power loss could take the rename back after rows were kept.
  const Descriptor directory(path.substr(0, path.find_last_of('/')), O_RDONLY);
  if (directory.number() < 0 || (::fsync(directory.number()) != 0 && errno != EINVAL)) {
    problem = path + " cannot be synced: " + std::strerror(errno);
    return false;
  }
  return true;
}

}  // namespace replay
