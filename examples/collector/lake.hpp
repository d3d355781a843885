// Turns stored bodies into lake files: lake/dt=YYYY-MM-DD/hour=HH/*.json.gz, by arrival, UTC.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "clock.hpp"
#include "store.hpp"

namespace collector {

struct LakeLimits {
  std::int64_t file_bytes = 5'000'000;  // of sentences, before compression
  double file_seconds = 2;              // how long a line waits for its file at most
};

class Lake {
 public:
  // Writes at once what an earlier collector left: files it had named and not finished, and lines it had no file for.
  Lake(std::string directory, Store* store, LakeLimits limits);
  ~Lake();
  Lake(const Lake&) = delete;
  Lake& operator=(const Lake&) = delete;

  // Something waits. Threads: any. Blocks: never.
  void wake();
  // Writes everything that waits and ends the thread. Called twice it does nothing more.
  void close();
  // Deletes the lake files that the store names and empties the store, so that neither is seen without the other. What
  // else lies in the lake stays.
  void reset();

  // Stored lines in the order they came, each without its newline; kShownBytesMax of them at most.
  std::vector<std::string> lines(std::int64_t limit, std::int64_t offset);

 private:
  void run();
  void write_waiting(bool also_the_rest);
  void write_file(const LakeFile& file);
  std::string content_of(const LakeFile& file);

  const std::string directory_;
  Store* const store_;
  const LakeLimits limits_;

  std::mutex writing_;  // held while files are written, read or deleted
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  bool woken_ = false;
  std::thread thread_;
};

}  // namespace collector
