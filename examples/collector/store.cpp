#include "store.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace collector {
namespace {

constexpr std::int64_t kDayMs = 24 * 3600 * 1000;
constexpr std::int64_t kKeysKeptMs = 35 * kDayMs;  // CONTRACT.md, "The key"
constexpr std::int64_t kPrunedAtOnce = 1000;       // rows; a request waits for one such step at most
// A client gone wrong must not fill the disk with what was refused.
constexpr std::int64_t kBadLinesKept = 10'000;
constexpr std::size_t kBadLineBytesKept = 64 * 1024;

// What a key in the table is.
constexpr int kStateSeen = 0;
constexpr int kStateDone = 1;
constexpr int kStateSplit = 2;

// In PRAGMA user_version. 0 is a new file, or one of a collector that did not know conflicts.
constexpr std::int64_t kSchemaVersion = 2;

// Keys come in no order, so their rows are put one behind the other and only the small index is written all over.
// `gzip_digest` is of the bytes that came first under the key; the other three are there once it is done.
constexpr char kSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, state INTEGER NOT NULL,
  at_unix_ms INTEGER NOT NULL, gzip_digest BLOB, digest BLOB, answer TEXT, fingerprints BLOB);
CREATE INDEX IF NOT EXISTS keys_by_age ON keys (at_unix_ms);
CREATE TABLE IF NOT EXISTS sentences (id BLOB PRIMARY KEY, batch BLOB NOT NULL, fingerprint INTEGER NOT NULL,
  day INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sentences_by_age ON sentences (day);
CREATE TABLE IF NOT EXISTS segments (segment INTEGER PRIMARY KEY AUTOINCREMENT, received_unix_ms INTEGER NOT NULL,
  clock_offset_ms TEXT NOT NULL, left_out_lines TEXT NOT NULL, lines INTEGER NOT NULL, raw_bytes INTEGER NOT NULL,
  file INTEGER, gzip BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS segments_by_file ON segments (file);
CREATE TABLE IF NOT EXISTS files (file INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  lines INTEGER NOT NULL, written INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_to_write ON files (file) WHERE written = 0;
CREATE TABLE IF NOT EXISTS bad (bad INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, line INTEGER NOT NULL,
  id TEXT NOT NULL, reason TEXT NOT NULL, bytes BLOB NOT NULL);
)sql";

// A killed process leaves lines that arrived and are in no other count. What it stored it counted in the same
// transaction, so those were not stored.
constexpr char kCountWhatWasCutOff[] = R"sql(
INSERT INTO counts SELECT 'unjudged', cut_off FROM (
  SELECT sum(CASE WHEN name = 'arrived' THEN n WHEN name IN ('good', 'bad', 'replayed_same_key', 'unjudged') THEN -n
    ELSE 0 END) AS cut_off FROM counts) WHERE cut_off > 0
  ON CONFLICT (name) DO UPDATE SET n = n + excluded.n;
)sql";

[[noreturn]] void fail(sqlite3* database, const std::string& doing) {
  throw StoreError(doing + ": " + (database == nullptr ? "no memory" : sqlite3_errmsg(database)));
}

std::string blob_of(const std::vector<std::uint64_t>& fingerprints) {
  std::string bytes(fingerprints.size() * sizeof(std::uint64_t), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), fingerprints.data(), bytes.size());
  return bytes;
}

std::vector<std::uint64_t> fingerprints_from(const std::string& bytes) {
  std::vector<std::uint64_t> fingerprints(bytes.size() / sizeof(std::uint64_t));
  if (!fingerprints.empty())
    std::memcpy(fingerprints.data(), bytes.data(), fingerprints.size() * sizeof(std::uint64_t));
  return fingerprints;
}

std::string uuid_bytes(const std::string& uuid) {
  std::string bytes;
  int high = -1;
  for (const char c : uuid) {
    if (c == '-') continue;
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<char>(high * 16 + value));
      high = -1;
    }
  }
  return bytes;
}

std::string_view view_of(const SentenceId& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}
std::string_view view_of(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

// A prepared statement, kept for the next time; resetting it when done lets go of its locks.
class Store::Statement {
 public:
  Statement(sqlite3* database, sqlite3_stmt* handle) : database_(database), handle_(handle) {}
  ~Statement() {
    sqlite3_reset(handle_);
    sqlite3_clear_bindings(handle_);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& text(std::string_view value) {
    sqlite3_bind_text64(handle_, ++bound_, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Statement& blob(std::string_view value) {
    sqlite3_bind_blob64(handle_, ++bound_, value.data(), value.size(), SQLITE_STATIC);
    return *this;
  }
  Statement& number(std::int64_t value) {
    sqlite3_bind_int64(handle_, ++bound_, value);
    return *this;
  }
  bool step() {
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(database_, "the collector's database");
    return false;
  }
  // For a statement run again with other values.
  void again() {
    sqlite3_reset(handle_);
    bound_ = 0;
  }
  std::int64_t column_number(int column) { return sqlite3_column_int64(handle_, column); }
  std::string column_bytes(int column) {
    const void* data = sqlite3_column_blob(handle_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
    return size == 0 ? std::string() : std::string(static_cast<const char*>(data), size);
  }

 private:
  sqlite3* database_;
  sqlite3_stmt* handle_;
  int bound_ = 0;
};

class Store::Transaction {
 public:
  enum class Durable {
    kOverProcess,  // survives the death of this process; a power loss may take it
    kOverPower     // synced before commit returns
  };
  Transaction(Store* store, Durable durable) : store_(store) {
    // The pragma belongs to the connection and may only change between transactions.
    store_->run(durable == Durable::kOverPower ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    store_->run("BEGIN IMMEDIATE");
  }
  ~Transaction() {
    if (!committed_) sqlite3_exec(store_->database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    store_->run("COMMIT");
    committed_ = true;
  }

 private:
  Store* store_;
  bool committed_ = false;
};

Store::Store(const std::string& directory) {
  // No link in place of the file; SQLite would not have one above it either.
  const std::string path = std::filesystem::canonical(directory) / "collector.db";
  if (sqlite3_open_v2(path.c_str(), &database_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                      nullptr) != SQLITE_OK) {
    const std::string why = database_ == nullptr ? "no memory" : sqlite3_errmsg(database_);
    sqlite3_close(database_);
    throw StoreError("cannot open " + path + ": " + why);
  }
  ::chmod(path.c_str(), 0600);  // the log beside it gets the same
  try {
    // Exclusive before WAL: no shared memory file, a second collector is refused, and a dead one's lock is free at
    // once.
    run("PRAGMA locking_mode=EXCLUSIVE");
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA wal_autocheckpoint=4000");  // pages; 16 MiB, so that a busy hour checkpoints now and then only
    run("PRAGMA cache_size=-65536");        // KiB; the index over sentence ids is what profits
    run("PRAGMA temp_store=MEMORY");
    run("BEGIN EXCLUSIVE");
    check_version();
    run(kSchema);
    run(kCountWhatWasCutOff);
    run(("PRAGMA user_version=" + std::to_string(kSchemaVersion)).c_str());
    run("COMMIT");
    Statement left = prepared(
        "SELECT coalesce(sum(raw_bytes), 0), coalesce(min(received_unix_ms), 0) FROM segments WHERE file IS NULL");
    left.step();
    waiting_bytes_ = left.column_number(0);
    waiting_since_unix_ms_ = left.column_number(1);
  } catch (const StoreError& fault) {
    const bool is_held = (sqlite3_errcode(database_) & 0xff) == SQLITE_BUSY;
    for (auto& [sql, handle] : statements_) sqlite3_finalize(static_cast<sqlite3_stmt*>(handle));
    sqlite3_close(database_);
    if (is_held) throw StoreError("another collector holds this lake (" + path + " is locked)");
    throw StoreError(path + ": " + fault.what());
  }
}

Store::~Store() {
  for (auto& [sql, handle] : statements_) sqlite3_finalize(static_cast<sqlite3_stmt*>(handle));
  sqlite3_close(database_);
}

void Store::check_version() {
  Statement version = prepared("SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version");
  version.step();
  const bool is_new = version.column_number(0) == 0 && version.column_number(1) == 0;
  if (is_new || version.column_number(0) == kSchemaVersion) return;
  throw StoreError("a collector of another version made it (schema " + std::to_string(version.column_number(0)) +
                   ", this one has " + std::to_string(kSchemaVersion) +
                   "), and its keys do not say which lines they are for; end that collector with SIGTERM, so that its "
                   "lake is complete, then choose another --lake or move the database away");
}

void Store::run(const char* sql) {
  if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(database_, "the collector's database");
}

Store::Statement Store::prepared(const char* sql) {
  void*& handle = statements_[sql];
  if (handle == nullptr) {
    sqlite3_stmt* fresh = nullptr;
    if (sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &fresh, nullptr) != SQLITE_OK) {
      fail(database_, std::string("preparing ") + sql);
    }
    handle = fresh;
  }
  return Statement(database_, static_cast<sqlite3_stmt*>(handle));
}

void Store::count(const std::string& name, std::int64_t by) {
  if (by == 0) return;
  prepared("INSERT INTO counts VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n")
      .text(name)
      .number(by)
      .step();
}

void Store::log_arrival(const Arrival& arrival) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Transaction transaction(this, Transaction::Durable::kOverProcess);
  // The first arrival says what the key's bytes are, for ever. A key that was only marked split has none yet.
  prepared(
      "INSERT INTO keys (key, state, at_unix_ms, gzip_digest) VALUES (?1, ?2, ?3, ?4) "
      "ON CONFLICT (key) DO UPDATE SET gzip_digest = excluded.gzip_digest WHERE gzip_digest IS NULL")
      .text(arrival.key)
      .number(kStateSeen)
      .number(arrival.at_unix_ms)
      .blob(view_of(arrival.gzip_digest))
      .step();
  if (sqlite3_changes(database_) == 0) {
    Statement first = prepared("SELECT gzip_digest FROM keys WHERE key = ?1");
    if (first.text(arrival.key).step() && first.column_bytes(0) != view_of(arrival.gzip_digest)) {
      count("bytes_differ_under_same_key", 1);
    }
  }
  count("arrived", arrival.lines);
  transaction.commit();
}

void Store::count_unjudged(std::int64_t lines) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Transaction transaction(this, Transaction::Durable::kOverProcess);
  count("unjudged", lines);
  transaction.commit();
}

void Store::count_replayed(std::int64_t lines) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Transaction transaction(this, Transaction::Durable::kOverProcess);
  count("replayed_same_key", lines);
  transaction.commit();
}

void Store::count_conflict() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Transaction transaction(this, Transaction::Durable::kOverProcess);
  count("conflicts", 1);
  transaction.commit();
}

void Store::count_verdict(int status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Transaction transaction(this, Transaction::Durable::kOverProcess);
  count("requests", 1);
  count("status " + std::to_string(status), 1);
  transaction.commit();
}

bool Store::is_in_progress(const BatchKey& key, const std::vector<std::string>& ancestors,
                           std::int64_t now_monotonic_ms) const {
  const auto busy = [&](const std::string& text) {
    const auto mark = marks_.find(text);
    return mark != marks_.end() && mark->second.until_monotonic_ms > now_monotonic_ms;
  };
  if (busy(key.text) || std::any_of(ancestors.begin(), ancestors.end(), busy)) return true;
  for (auto mark = marks_.upper_bound(key.text); mark != marks_.end(); ++mark) {
    if (mark->first.compare(0, key.text.size(), key.text) != 0) break;
    if (key.has_part(mark->first) && mark->second.until_monotonic_ms > now_monotonic_ms) return true;
  }
  return false;
}

Marking Store::mark(const BatchKey& key, const Sha256& digest, std::int64_t now_unix_ms, std::int64_t now_monotonic_ms,
                    std::int64_t lease_ms) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Marking marking;
  const std::vector<std::string> ancestors = key.ancestors();
  if (is_in_progress(key, ancestors, now_monotonic_ms)) return marking;

  bool is_split = false;
  {
    Statement row = prepared("SELECT state, digest, answer FROM keys WHERE key = ?1");
    if (row.text(key.text).step()) {
      is_split = row.column_number(0) == kStateSplit;
      if (row.column_number(0) == kStateDone) {
        const bool same_lines = row.column_bytes(1) == view_of(digest);
        marking.state = same_lines ? Marking::State::kDone : Marking::State::kConflict;
        if (same_lines) marking.done = DoneBatch{row.column_bytes(2), {}};
        return marking;
      }
    }
  }
  for (auto ancestor = ancestors.rbegin(); ancestor != ancestors.rend() && !marking.done; ++ancestor) {
    Statement row = prepared("SELECT answer, fingerprints FROM keys WHERE key = ?1 AND state = ?2");
    if (row.text(*ancestor).number(kStateDone).step()) {
      marking.done = DoneBatch{row.column_bytes(0), fingerprints_from(row.column_bytes(1))};
    }
  }
  if (is_split && !marking.done) {
    marking.state = Marking::State::kSplit;
    return marking;
  }

  if (!ancestors.empty()) {
    // A mark whose lease ran out loses its token here, so that its slow owner cannot store the whole after the part.
    for (const std::string& ancestor : ancestors) marks_.erase(ancestor);
    Transaction transaction(this, Transaction::Durable::kOverProcess);
    for (const std::string& ancestor : ancestors) {
      prepared(
          "INSERT INTO keys (key, state, at_unix_ms) VALUES (?1, ?2, ?3) "
          "ON CONFLICT (key) DO UPDATE SET state = excluded.state WHERE state = ?4")
          .text(ancestor)
          .number(kStateSplit)
          .number(now_unix_ms)
          .number(kStateSeen)
          .step();
    }
    transaction.commit();
  }
  marking.state = Marking::State::kMarked;
  marking.token = next_token_++;
  marks_[key.text] = Mark{marking.token, now_monotonic_ms + lease_ms};
  return marking;
}

void Store::unmark(const BatchKey& key, std::uint64_t token) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto mark = marks_.find(key.text);
  if (mark != marks_.end() && mark->second.token == token) marks_.erase(mark);
}

void Store::note_id(const GoodLine& line, const std::string& uuid, std::int64_t day,
                    std::map<std::string, std::int64_t>* n) {
  const auto print = static_cast<std::int64_t>(line.fingerprint);
  prepared("INSERT OR IGNORE INTO sentences VALUES (?1, ?2, ?3, ?4)")
      .blob(view_of(line.id))
      .blob(uuid)
      .number(print)
      .number(day)
      .step();
  if (sqlite3_changes(database_) == 1) return;
  Statement earlier = prepared("SELECT batch, fingerprint FROM sentences WHERE id = ?1");
  earlier.blob(view_of(line.id)).step();
  if (earlier.column_bytes(0) != uuid) {
    ++(*n)["duplicate_id_under_other_key"];
    return;
  }
  ++(*n)["duplicate_id_under_same_key"];
  if (earlier.column_number(1) != print) ++(*n)["bytes_differ_under_same_key"];
}

bool Store::settle(const JudgedBatch& batch, std::uint64_t token) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto mark = marks_.find(batch.key.text);
  if (mark == marks_.end() || mark->second.token != token) return false;

  Transaction transaction(this, Transaction::Durable::kOverPower);
  std::map<std::string, std::int64_t> n;
  n["good"] = static_cast<std::int64_t>(batch.good.size());
  n["bad"] = static_cast<std::int64_t>(batch.rejected.size());
  n["replayed_same_key"] = batch.lines_of_ancestor;
  if (batch.has_ancestor) n["new_in_part"] = n["good"] + n["bad"];

  const std::string uuid = uuid_bytes(batch.key.uuid);
  for (const GoodLine& line : batch.good) {
    if (line.is_ledger) ++n["ledger"];
    note_id(line, uuid, batch.received_unix_ms / kDayMs, &n);
  }
  for (const RejectedLine& line : batch.rejected) {
    prepared("INSERT INTO bad (key, line, id, reason, bytes) VALUES (?1, ?2, ?3, ?4, ?5)")
        .text(batch.key.text)
        .number(line.line)
        .text(line.id)
        .text(line.reason)
        .blob(std::string_view(line.bytes).substr(0, kBadLineBytesKept))
        .step();
  }
  if (!batch.rejected.empty()) {
    prepared("DELETE FROM bad WHERE bad <= (SELECT max(bad) FROM bad) - ?1").number(kBadLinesKept).step();
  }
  const std::string fingerprints = blob_of(batch.fingerprints);
  // The arrival made the row, unless it went with others that were too old.
  prepared(
      "INSERT INTO keys (key, state, at_unix_ms, digest, answer, fingerprints) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
      "ON CONFLICT (key) DO UPDATE SET state = excluded.state, at_unix_ms = excluded.at_unix_ms, "
      "digest = excluded.digest, answer = excluded.answer, fingerprints = excluded.fingerprints")
      .text(batch.key.text)
      .number(kStateDone)
      .number(batch.received_unix_ms)
      .blob(view_of(batch.digest))
      .text(batch.answer)
      .blob(fingerprints)
      .step();
  if (!batch.good.empty()) {
    const std::string left_out = nlohmann::json(batch.left_out_lines).dump();
    prepared(
        "INSERT INTO segments (received_unix_ms, clock_offset_ms, left_out_lines, lines, raw_bytes, gzip) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .number(batch.received_unix_ms)
        .text(batch.clock_offset_ms)
        .text(left_out)
        .number(static_cast<std::int64_t>(batch.good.size()))
        .number(batch.raw_bytes)
        .blob(batch.gzip)
        .step();
  }
  for (const auto& [name, by] : n) count(name, by);
  transaction.commit();

  marks_.erase(batch.key.text);
  if (!batch.good.empty()) {
    waiting_bytes_ += batch.raw_bytes;
    if (waiting_since_unix_ms_ == 0) waiting_since_unix_ms_ = batch.received_unix_ms;
  }
  return true;
}

std::pair<std::int64_t, std::int64_t> Store::waiting() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {waiting_bytes_, waiting_since_unix_ms_};
}

void Store::cut_files(std::int64_t file_bytes, bool also_the_rest) {
  const std::lock_guard<std::mutex> lock(mutex_);
  struct Row {
    std::int64_t segment, received_unix_ms, lines, raw_bytes;
  };
  std::vector<Row> rows;
  {
    Statement select = prepared(
        "SELECT segment, received_unix_ms, lines, raw_bytes FROM segments WHERE file IS NULL ORDER BY segment");
    while (select.step()) {
      rows.push_back(
          {select.column_number(0), select.column_number(1), select.column_number(2), select.column_number(3)});
    }
  }
  if (rows.empty()) return;

  Transaction transaction(this, Transaction::Durable::kOverPower);
  std::size_t begin = 0;
  while (begin < rows.size()) {
    // A file ends when it is full or the hour of arrival ends.
    const std::int64_t hour = rows[begin].received_unix_ms / (3600 * 1000);
    std::int64_t bytes = 0;
    std::int64_t lines = 0;
    std::size_t end = begin;
    while (end < rows.size() && bytes < file_bytes && rows[end].received_unix_ms / (3600 * 1000) == hour) {
      bytes += rows[end].raw_bytes;
      lines += rows[end].lines;
      ++end;
    }
    if (bytes < file_bytes && end == rows.size() && !also_the_rest) break;
    const std::string first = rfc3339_ms(rows[begin].received_unix_ms);
    prepared("INSERT INTO files (name, lines, written) VALUES (?1, ?2, 0)").text("").number(lines).step();
    const std::int64_t number = sqlite3_last_insert_rowid(database_);
    std::string digits = std::to_string(number);
    digits.insert(0, digits.size() < 9 ? 9 - digits.size() : 0, '0');
    // Colons are no friend of file names; the number makes the name unique.
    std::string moment = first.substr(0, 19);
    moment.erase(std::remove_if(moment.begin(), moment.end(), [](char c) { return c == ':' || c == '-'; }),
                 moment.end());
    const std::string name =
        "dt=" + first.substr(0, 10) + "/hour=" + first.substr(11, 2) + "/yukha-" + moment + "Z-" + digits + ".json.gz";
    prepared("UPDATE files SET name = ?1 WHERE file = ?2").text(name).number(number).step();
    for (std::size_t i = begin; i < end; ++i) {
      prepared("UPDATE segments SET file = ?1 WHERE segment = ?2").number(number).number(rows[i].segment).step();
    }
    begin = end;
  }
  transaction.commit();

  waiting_bytes_ = 0;
  waiting_since_unix_ms_ = begin < rows.size() ? rows[begin].received_unix_ms : 0;
  for (std::size_t i = begin; i < rows.size(); ++i) waiting_bytes_ += rows[i].raw_bytes;
}

std::vector<LakeFile> Store::files_to_write() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<LakeFile> found;
  Statement select = prepared("SELECT file, name, lines FROM files WHERE written = 0 ORDER BY file");
  while (select.step()) {
    found.push_back({select.column_number(0), select.column_bytes(1), select.column_number(2), false});
  }
  return found;
}

std::vector<LakeFile> Store::files_behind(std::int64_t number) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<LakeFile> found;
  Statement select = prepared("SELECT file, name, lines, written FROM files WHERE file > ?1 ORDER BY file LIMIT 1000");
  select.number(number);
  while (select.step()) {
    found.push_back(
        {select.column_number(0), select.column_bytes(1), select.column_number(2), select.column_number(3) != 0});
  }
  return found;
}

namespace {

Segment segment_from(std::int64_t received_unix_ms, std::string offset, const std::string& left_out, std::string gzip) {
  Segment segment;
  segment.received_unix_ms = received_unix_ms;
  segment.clock_offset_ms = std::move(offset);
  segment.left_out_lines = nlohmann::json::parse(left_out).get<std::vector<std::int64_t>>();
  segment.gzip = std::move(gzip);
  return segment;
}

}  // namespace

std::vector<Segment> Store::segments_of(std::int64_t file_number) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Segment> found;
  Statement select = prepared(
      "SELECT received_unix_ms, clock_offset_ms, left_out_lines, gzip FROM segments WHERE file = ?1 ORDER BY segment");
  select.number(file_number);
  while (select.step()) {
    found.push_back(
        segment_from(select.column_number(0), select.column_bytes(1), select.column_bytes(2), select.column_bytes(3)));
  }
  return found;
}

std::vector<Segment> Store::segments_waiting() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Segment> found;
  Statement select = prepared(
      "SELECT received_unix_ms, clock_offset_ms, left_out_lines, gzip FROM segments WHERE file IS NULL ORDER BY "
      "segment");
  while (select.step()) {
    found.push_back(
        segment_from(select.column_number(0), select.column_bytes(1), select.column_bytes(2), select.column_bytes(3)));
  }
  return found;
}

void Store::mark_written(std::int64_t file_number) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Losing this to a power cut only means writing the same file once more.
  Transaction transaction(this, Transaction::Durable::kOverProcess);
  prepared("UPDATE files SET written = 1 WHERE file = ?1").number(file_number).step();
  prepared("DELETE FROM segments WHERE file = ?1").number(file_number).step();
  transaction.commit();
}

std::map<std::string, std::int64_t> Store::counts() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, std::int64_t> found;
  Statement select = prepared("SELECT name, n FROM counts");
  while (select.step()) found[select.column_bytes(0)] = select.column_number(1);
  return found;
}

std::vector<BadLine> Store::bad_lines(std::int64_t limit, std::int64_t offset) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<BadLine> found;
  Statement select = prepared("SELECT key, line, id, reason, bytes FROM bad ORDER BY bad LIMIT ?1 OFFSET ?2");
  select.number(limit).number(offset);
  std::size_t bytes = 0;
  while (bytes < kShownBytesMax && select.step()) {
    BadLine bad;
    bad.key = select.column_bytes(0);
    bad.line.line = select.column_number(1);
    bad.line.id = select.column_bytes(2);
    bad.line.reason = select.column_bytes(3);
    bad.line.bytes = select.column_bytes(4);
    bytes += bad.line.bytes.size() + bad.line.reason.size();
    found.push_back(std::move(bad));
  }
  return found;
}

void Store::prune(std::int64_t now_unix_ms) {
  const std::int64_t before = now_unix_ms - kKeysKeptMs;
  const auto prune_all = [&](const char* some_rows, std::int64_t limit) {
    for (;;) {
      const std::lock_guard<std::mutex> lock(mutex_);
      Transaction transaction(this, Transaction::Durable::kOverProcess);
      prepared(some_rows).number(limit).number(kPrunedAtOnce).step();
      const bool is_more = sqlite3_changes(database_) == kPrunedAtOnce;
      transaction.commit();
      if (!is_more) return;
    }
  };
  prune_all("DELETE FROM keys WHERE number IN (SELECT number FROM keys WHERE at_unix_ms < ?1 LIMIT ?2)", before);
  prune_all("DELETE FROM sentences WHERE id IN (SELECT id FROM sentences WHERE day < ?1 LIMIT ?2)", before / kDayMs);
}

void Store::reset() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Transaction transaction(this, Transaction::Durable::kOverPower);
  for (const char* table : {"counts", "keys", "sentences", "segments", "files", "bad"}) {
    run((std::string("DELETE FROM ") + table).c_str());
  }
  transaction.commit();
  marks_.clear();
  waiting_bytes_ = 0;
  waiting_since_unix_ms_ = 0;
}

}  // namespace collector
