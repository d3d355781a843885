// Everything the collector remembers, in one SQLite file: keys and their answers, the bodies that are not in the lake
// yet, the lake's files, the arrivals and the counts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batch_key.hpp"
#include "sentence.hpp"
#include "signature.hpp"

struct sqlite3;

namespace collector {

// The store could not do what was asked: the disk is full, the file is damaged, another collector has it.
class StoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct RejectedLine {
  std::int64_t line = 0;  // from 1
  std::string id;         // empty where it could not be read
  std::string reason;
  std::string bytes;
};

struct GoodLine {
  SentenceId id{};
  std::uint64_t fingerprint = 0;
  bool is_ledger = false;
};

// One arrived request, before anybody asked whether it came already.
struct Arrival {
  std::int64_t at_unix_ms = 0;
  std::string key;
  Sha256 gzip_digest{};
  std::int64_t lines = 0;
};

// A judged batch, ready to be stored.
struct JudgedBatch {
  BatchKey key;
  Sha256 digest{};                          // of the inflated body
  std::vector<std::uint64_t> fingerprints;  // of every line, in order
  std::string gzip;
  std::int64_t received_unix_ms = 0;
  std::string clock_offset_ms;
  std::int64_t raw_bytes = 0;
  std::vector<GoodLine> good;
  std::vector<RejectedLine> rejected;        // those that no ancestor had
  std::vector<std::int64_t> left_out_lines;  // what does not go into the lake: rejected, or the ancestor had it; from 1
  std::int64_t lines_of_ancestor = 0;
  bool has_ancestor = false;
  std::string answer;
};

// What a done key remembers.
struct DoneBatch {
  std::string answer;
  std::vector<std::uint64_t> fingerprints;
};

struct Marking {
  enum class State {
    kMarked,    // go on, under `token`
    kDone,      // it came before with these lines: `done` has its answer
    kConflict,  // it came before with other lines
    kSplit,     // parts of it came before
    kBusy       // it, a part of it, or what it is a part of is being stored now
  };
  State state = State::kBusy;
  std::uint64_t token = 0;
  // The key itself, or with kMarked the nearest of what it is a part of; what that one had is not stored again.
  std::optional<DoneBatch> done;
};

// The body of one request as the lake writer needs it.
struct Segment {
  std::int64_t received_unix_ms = 0;
  std::string clock_offset_ms;
  std::vector<std::int64_t> left_out_lines;  // from 1, ascending
  std::string gzip;
};

struct LakeFile {
  std::int64_t number = 0;
  std::string name;  // relative to the lake
  std::int64_t lines = 0;
  bool written = false;
};

// What one answer for people shows at most, however long the lines are; escaped it may be six times as much.
constexpr std::size_t kShownBytesMax = 1024 * 1024;

struct BadLine {
  std::string key;
  RejectedLine line;
};

// Threads: any. Blocks: for one disk write, where not said otherwise.
class Store {
 public:
  // Opens or makes `<directory>/collector.db`; throws StoreError when another collector holds it, or a collector of
  // another version made it.
  explicit Store(const std::string& directory);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void log_arrival(const Arrival& arrival);
  // Lines that arrived and were neither stored nor answered from memory; ends in the count `unjudged`.
  void count_unjudged(std::int64_t lines);
  void count_replayed(std::int64_t lines);
  void count_conflict();
  void count_verdict(int status);

  // Puts an in-progress mark on the key for `lease_ms`, unless "The key" of CONTRACT.md forbids it. `digest` is of
  // the inflated body. Marks live in this process's memory: the file is held by one process alone, so a dead
  // collector's marks are gone with it.
  Marking mark(const BatchKey& key, const Sha256& digest, std::int64_t now_unix_ms, std::int64_t now_monotonic_ms,
               std::int64_t lease_ms);
  void unmark(const BatchKey& key, std::uint64_t token);
  // Lines, answer and "done" in one synced transaction. False, and nothing stored, when the token is no longer the
  // mark's.
  bool settle(const JudgedBatch& batch, std::uint64_t token);

  // Bytes of sentences no lake file has been cut for, and when the first of them came (0 when there is none).
  std::pair<std::int64_t, std::int64_t> waiting();
  // Fixes names and contents of files for everything waiting (or for whole files of `file_bytes` only), in a
  // transaction.
  void cut_files(std::int64_t file_bytes, bool also_the_rest);
  std::vector<LakeFile> files_to_write();
  // The next thousand behind a number, in order.
  std::vector<LakeFile> files_behind(std::int64_t number);
  std::vector<Segment> segments_of(std::int64_t file_number);
  // Bodies no file has been cut for yet, in order.
  std::vector<Segment> segments_waiting();
  void mark_written(std::int64_t file_number);

  std::map<std::string, std::int64_t> counts();
  std::vector<BadLine> bad_lines(std::int64_t limit, std::int64_t offset);
  // Forgets keys that are older than the contract asks for. Threads: any. Blocks: for many short writes, between which
  // others take their turn.
  void prune(std::int64_t now_unix_ms);
  // Forgets everything, marks included.
  void reset();

 private:
  class Statement;
  class Transaction;
  struct Mark {
    std::uint64_t token = 0;
    std::int64_t until_monotonic_ms = 0;
  };

  void check_version();
  void run(const char* sql);
  Statement prepared(const char* sql);
  void count(const std::string& name, std::int64_t by);
  bool is_in_progress(const BatchKey& key, const std::vector<std::string>& ancestors,
                      std::int64_t now_monotonic_ms) const;
  void note_id(const GoodLine& line, const std::string& uuid, std::int64_t day, std::map<std::string, std::int64_t>* n);

  std::mutex mutex_;
  sqlite3* database_ = nullptr;
  std::map<std::string, void*> statements_;
  std::map<std::string, Mark> marks_;
  std::uint64_t next_token_ = 1;
  std::int64_t waiting_bytes_ = 0;
  std::int64_t waiting_since_unix_ms_ = 0;
};

}  // namespace collector
