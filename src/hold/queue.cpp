#include "hold/queue.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "hold/directory.hpp"
#include "hold/queue/ledger_commit.hpp"
#include "system/json.hpp"

namespace yukha::hold {
namespace {

constexpr std::int64_t queue_version = 2;

constexpr const char* queue_tables[] = {
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), epoch INTEGER NOT NULL,"
    " ring_id INTEGER NOT NULL, ring_position INTEGER NOT NULL,"
    " accepted INTEGER NOT NULL, delivered INTEGER NOT NULL, quarantined INTEGER NOT NULL, evicted INTEGER NOT NULL,"
    " erased INTEGER NOT NULL, lost INTEGER NOT NULL, refused_ring_full INTEGER NOT NULL,"
    " refused_consent INTEGER NOT NULL, refused_invalid INTEGER NOT NULL, refused_closed INTEGER NOT NULL,"
    " run TEXT NOT NULL, last_seq INTEGER NOT NULL, closed INTEGER NOT NULL, ledger_sent INTEGER NOT NULL,"
    " place TEXT NOT NULL, copied_until INTEGER NOT NULL, refused_policy INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE opening(id INTEGER PRIMARY KEY, true_start INTEGER)",
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, priority INTEGER NOT NULL, lines INTEGER NOT NULL,"
    " own_lines INTEGER NOT NULL, bytes INTEGER NOT NULL, opening INTEGER NOT NULL, held INTEGER NOT NULL,"
    " body BLOB NOT NULL)",
    "CREATE TABLE batch(id INTEGER PRIMARY KEY, key TEXT NOT NULL, path TEXT NOT NULL, priority INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, own_lines INTEGER NOT NULL, bytes INTEGER NOT NULL, opening INTEGER NOT NULL,"
    " held INTEGER NOT NULL, bisect INTEGER NOT NULL, root_size INTEGER NOT NULL, body BLOB NOT NULL)",
    ("CREATE TABLE quarantine(id INTEGER PRIMARY KEY, sentence_id TEXT NOT NULL, reason TEXT NOT NULL,"
     " opening INTEGER NOT NULL, held INTEGER NOT NULL, line BLOB NOT NULL)"),
    "CREATE TABLE reserve(body BLOB NOT NULL)",
    // Not before they are needed.
    "CREATE TABLE scope(tail TEXT PRIMARY KEY, sentence TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE scrub(one INTEGER)"};
constexpr int tables_at_first = 6;

// What comes from the disk goes into a header and sizes memory: it is looked at first.
bool is_sane(const Batch& batch) noexcept {
  return batch.key.size() == 36 && batch.key.find_first_not_of("0123456789abcdef-") == std::string::npos &&
         batch.path.size() <= 16 && batch.path.find_first_not_of("01r") == std::string::npos && batch.lines >= 1 &&
         batch.lines <= 500 && batch.own_lines <= batch.lines && batch.bytes <= 1'000'000 &&
         batch.bisect <= Bisect::rest && batch.root_size <= batch.path.size();
}

// The lines of a damaged chunk that are still whole: half a sentence would be refused, and counted as one.
std::string whole_lines(std::string_view text, std::size_t& lines) {
  std::string whole;
  lines = 0;
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    const std::string_view line = text.substr(0, end);
    if (!system::read_json(line).is(system::Json::Kind::object)) continue;
    whole += text.substr(0, end + 1);
    ++lines;
  }
  return whole;
}

// What nobody can tell any more waits for a consent that few give.
Kind kind_of(std::int64_t value) noexcept {
  return value >= 0 && value < kind_count ? Kind::of(static_cast<int>(value)) : Kind::of(kind_count - 2);
}

}  // namespace

bool adds_up(const Ledger& ledger) noexcept {
  constexpr std::uint64_t count_max = 1ULL << 62;
  if (ledger.accepted > count_max) return false;
  std::uint64_t left = ledger.accepted;
  for (const std::uint64_t part : {ledger.delivered, ledger.quarantined, ledger.evicted, ledger.erased, ledger.lost}) {
    if (part > left) return false;
    left -= part;
  }
  return true;
}

std::vector<KeptScope> without_ended(std::vector<KeptScope> scopes, const std::vector<RingLine>& lines) {
  constexpr std::size_t id_end = 7 + 36;  // {"id":"…
  const auto is_over = [&lines](const KeptScope& scope) {
    return std::any_of(lines.begin(), lines.end(), [&scope](const RingLine& line) {
      return line.text.size() > id_end && line.text.substr(id_end - scope.tail.size(), scope.tail.size()) == scope.tail;
    });
  };
  scopes.erase(std::remove_if(scopes.begin(), scopes.end(), is_over), scopes.end());
  return scopes;
}

Drained Drained::of(const Ring& ring, std::vector<RingLine>&& lines, std::uint64_t accepted_before) {
  Drained drained;
  drained.lines = std::move(lines);
  const RingLine& last = drained.lines.back();
  drained.mark.ring_id = ring.id();
  drained.mark.position = Ring::end_of(last.position, last.text.size());
  drained.mark.accepted = last.ordinal;
  for (int i = 0; i < refusal_count; ++i) drained.mark.refused[i] = ring.refused(static_cast<Refusal>(i));
  drained.lost = last.ordinal - accepted_before - drained.lines.size();
  return drained;
}

Status Queue::status() {
  if (stale_ && database_.is_open() && database_.fault() == Fault::none) stale_ = !load(nullptr);
  Status status = status_of(database_, path_);
  if (database_.fault() == Fault::corrupt) damaged_ = true;
  if (database_.fault() == Fault::full) {
    database_.clear();
    // The log begins anew, so that all of its blocks are there for what comes next.
    database_.run("PRAGMA wal_checkpoint");
    if (!reserve_spent_) {
      // The pages of the reserve become free pages of the file, which need no space of the disk.
      Transaction transaction(database_, Durable::no);
      database_.run("DELETE FROM reserve");
      reserve_spent_ = transaction.commit();
    }
  }
  database_.clear();
  return status;
}

void Queue::close() noexcept {
  database_.close();
  lock_.reset();
}

void Queue::open_database() {
  close();
  if (path_ == ":memory:") {
    database_.open(path_, nullptr, false);
    return;
  }
  // Made here, because SQLite would let everybody read it; its log gets the same rights. And locked here: an SQLite
  // that found our log without a lock would fold it in and remove it while we write on.
  system::Error error = files_->open(path_, system::OpenMode::create_if_missing, lock_);
  if (error == 0) error = lock_->lock_database();
  database_.open(path_, error == 0 ? files_->sqlite_vfs_without_locks() : files_->sqlite_vfs(), true);
}

bool Queue::create(std::uint64_t epoch) {
  // One transaction without a log: a kill in the middle leaves an empty file, which is made again.
  database_.run("PRAGMA page_size=4096");
  Transaction transaction(database_, Durable::yes);
  for (int i = 0; i < tables_at_first; ++i) database_.run(queue_tables[i]);
  // Given back when the disk is full: deliveries must still be settled then.
  Statement(database_, "INSERT INTO reserve VALUES(zeroblob(?))")
      .bind(static_cast<std::int64_t>(limits_.step_bytes))
      .run();
  Statement(database_, "INSERT INTO state VALUES(1, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, 1, 0, '', 0, 0)")
      .bind(static_cast<std::int64_t>(epoch))
      .run();
  database_.run(sign_as_ours);
  database_.run("PRAGMA user_version=2");
  database_.grows_by_itself();
  return transaction.commit();
}

// Version 1 had one column less.
void Queue::bring_up_to_date() {
  if (database_.number("SELECT count(*) FROM sqlite_master WHERE name = 'state' AND type = 'table'"
                       " AND sql NOT LIKE '%refused_policy%'") == 0) {
    return;
  }
  Transaction transaction(database_, Durable::yes);
  database_.run("ALTER TABLE state ADD COLUMN refused_policy INTEGER NOT NULL DEFAULT 0");
  database_.run("PRAGMA user_version=2");
  // What somebody else put into it may stand in the way: then its schema is not ours, and it is set aside.
  if (!transaction.commit() && database_.fault() == Fault::other) database_.clear();
}

Status Queue::open(system::Files& files, const std::string& path, std::uint64_t epoch, const BatchLimits& limits) {
  files_ = &files;
  path_ = path;
  limits_ = limits;
  const bool in_memory = path == ":memory:";
  damaged_ = stale_ = false;
  std::fill_n(scoped_, purpose_count, false);
  open_database();
  const std::int64_t version = database_.number("PRAGMA user_version");
  if (version > queue_version) {
    database_.close();
    return {Code::newer_format, path};
  }
  const bool ours = database_.number("PRAGMA application_id") == application_id;
  if (database_.fault() == Fault::none && !ours && database_.number("SELECT count(*) FROM sqlite_master") != 0) {
    database_.close();
    return {Code::disk_error, path + " is a database of somebody else's"};
  }
  if (version == 1) bring_up_to_date();
  database_.expect_schema(std::begin(queue_tables), std::end(queue_tables));
  if (version == 0) create(epoch);
  const bool has_log = [this] {
    Statement mode(database_, "PRAGMA journal_mode");
    return mode.row() && mode.text(0) == "wal";
  }();
  database_.run("PRAGMA journal_mode=WAL");
  if (!has_log && !in_memory) {
    // The name must survive before anything does that is kept in the file, and the rollback journal of its making must
    // stay removed: back after a power loss it would undo what came later.
    static_cast<void>(files.sync_directory(path.substr(0, path.rfind('/'))));
  }
  // Long enough to be rare, short enough to keep the log inside its reserved blocks.
  database_.checkpoint_every(limits_.step_bytes);
  // A log that a large transaction made longer is cut back.
  database_.run("PRAGMA journal_size_limit=2097152");
  // What is deleted is overwritten with zeros. Some systems' SQLite does so of itself.
  database_.run("PRAGMA secure_delete=ON");
  // 512 KiB of pages are enough to seal one batch without reading twice.
  database_.run("PRAGMA cache_size=-512");
  load(&previous_run_);
  if (database_.fault() != Fault::none) {
    damaged_ = database_.fault() == Fault::corrupt;
    Status status = status_of(database_, path);
    database_.close();
    database_.clear();
    return status;
  }
  // What a killed process sealed may not have been synced.
  if (!batches_.empty()) sealed_at_sync_ = database_.syncs();
  reserve_log();
  return {};
}

Status Queue::open_damaged(system::Files& files, const std::string& path) {
  files_ = &files;
  path_ = path;
  open_database();
  // The lock comes with the first look.
  static_cast<void>(database_.number("PRAGMA user_version"));
  return database_.fault() == Fault::busy ? Status(Code::lane_held, path) : Status();
}

void Queue::reserve_log() {
  if (path_ == ":memory:") return;
  std::unique_ptr<system::File> log;
  if (files_->open(path_ + "-wal", system::OpenMode::existing, log) != 0) return;
  std::uint64_t size = 0;
  // Blocks behind the log's end are read as zeros, which end it. Where they cannot be had, it works without.
  const std::uint64_t wanted = 2 * limits_.step_bytes;
  if (log->size(size) == 0 && size < wanted) static_cast<void>(log->reserve(wanted));
}

// After a commit: what is here and what is there must be told apart until they are the same again.
bool Queue::reload() {
  stale_ = true;
  stale_ = !load(nullptr);
  return !stale_;
}

bool Queue::load(RunMark* previous_run) {
  // Into places of its own first: a fault half-way must not leave counters of zero to be written back.
  Ledger ledger;
  RingMark mark;
  RunMark run;
  std::uint64_t epoch = 0;
  std::int64_t ledger_sent = 0;
  std::string place;
  std::int64_t copied_until = 0;
  std::vector<Chunk> open[kind_count];
  std::list<Batch> batches;
  {
    Statement state(
        database_,
        "SELECT epoch, ring_id, ring_position, accepted, delivered, quarantined, evicted, erased, lost,"
        " refused_ring_full, refused_consent, refused_invalid, refused_closed, refused_policy, run, last_seq,"
        " closed, ledger_sent, place, copied_until FROM state");
    if (!state.row()) {
      database_.distrust("there is no state");
      return false;
    }
    const auto number = [&state](int column) { return static_cast<std::uint64_t>(state.number(column)); };
    epoch = number(0);
    mark.ring_id = number(1);
    mark.position = number(2);
    ledger.accepted = mark.accepted = number(3);
    ledger.delivered = number(4);
    ledger.quarantined = number(5);
    ledger.evicted = number(6);
    ledger.erased = number(7);
    ledger.lost = number(8);
    for (int i = 0; i < refusal_count; ++i) ledger.refused[i] = mark.refused[i] = number(9 + i);
    run.run = state.text(14);
    run.last_seq = number(15);
    run.closed = state.number(16) != 0;
    ledger_sent = state.number(17);
    place = state.text(18);
    copied_until = state.number(19);
  }
  if (!adds_up(ledger)) {
    database_.distrust("counters that do not add up");
    return false;
  }
  std::uint64_t waiting = 0;
  {
    Statement chunks(database_,
                     "SELECT id, priority, lines, bytes, own_lines, length(body), opening FROM chunk ORDER BY id");
    while (chunks.row()) {
      if (chunks.number(2) < 1 || chunks.number(2) > 500 || chunks.number(3) < 1 || chunks.number(3) > 1'000'000 ||
          chunks.number(4) < 0 || chunks.number(4) > chunks.number(2) || chunks.number(5) != chunks.number(3)) {
        database_.distrust("a chunk that this library did not write");
        return false;
      }
      waiting += static_cast<std::uint64_t>(chunks.number(2) - chunks.number(4));
      open[kind_of(chunks.number(1)).index()].push_back(
          {chunks.number(0), static_cast<std::size_t>(chunks.number(2)), static_cast<std::size_t>(chunks.number(4)),
           static_cast<std::size_t>(chunks.number(3)), chunks.number(6) <= copied_until});
    }
  }
  Statement rows(database_,
                 "SELECT id, key, path, priority, lines, own_lines, bytes, opening, held, bisect, root_size,"
                 " length(body) FROM batch ORDER BY priority % 2 DESC, id");
  while (rows.row()) {
    Batch batch;
    batch.id = rows.number(0);
    batch.key = rows.text(1);
    batch.path = rows.text(2);
    batch.kind = kind_of(rows.number(3));
    batch.lines = static_cast<std::size_t>(rows.number(4));
    batch.own_lines = static_cast<std::size_t>(rows.number(5));
    batch.bytes = static_cast<std::size_t>(rows.number(6));
    batch.opening = rows.number(7);
    batch.held_ms = rows.number(8);
    batch.bisect = static_cast<Bisect>(rows.number(9));
    batch.root_size = static_cast<std::size_t>(rows.number(10));
    batch.body_bytes = static_cast<std::size_t>(rows.number(11));
    if (!is_sane(batch)) {
      database_.distrust("a batch that this library did not write");
      return false;
    }
    waiting += batch.lines - batch.own_lines;
    batches.push_back(batch);
  }
  const bool scrub_owed = database_.number("SELECT count(*) FROM sqlite_master WHERE name = 'scrub'") != 0;
  for (const KeptScope& scope : kept_scopes()) scoped_[static_cast<int>(scope.purpose)] = true;
  const auto quarantined = static_cast<std::uint64_t>(database_.number("SELECT count(*) FROM quarantine"));
  if (database_.fault() == Fault::none && (waiting != ledger.waiting() || quarantined != ledger.quarantined)) {
    database_.distrust("sentences that are not as many as the ledger says");
  }
  if (database_.fault() != Fault::none) return false;
  if (previous_run != nullptr) *previous_run = run;
  epoch_ = epoch;
  ledger_ = ledger;
  mark_ = mark;
  ledger_sent_unix_ms_ = ledger_sent;
  place_ = place;
  copied_until_ = copied_until;
  scrub_owed_ = scrub_owed;
  batches_.swap(batches);
  for (int i = 0; i < kind_count; ++i) {
    open_[i].swap(open[i]);
    recount_fill(Kind::of(i));
  }
  return true;
}

bool Queue::restore(const Ledger& ledger) {
  if (!is_new()) return true;
  LedgerCommit change(database_, ledger_, Durable::yes);
  change.ledger() = ledger;
  if (!change.commit()) return false;
  mark_.accepted = ledger.accepted;
  std::copy(ledger.refused, ledger.refused + refusal_count, mark_.refused);
  return true;
}

bool Queue::begin_opening(const std::string& run) {
  Transaction transaction(database_, Durable::no);
  Statement(database_, "INSERT INTO opening VALUES(NULL, NULL)").run();
  const std::int64_t opening = database_.last_insert_id();
  database_.run(
      "DELETE FROM opening WHERE id NOT IN (SELECT opening FROM chunk UNION SELECT opening FROM batch"
      " UNION SELECT opening FROM quarantine UNION SELECT max(id) FROM opening)");
  if (!run.empty()) Statement(database_, "UPDATE state SET run = ?, last_seq = 0, closed = 0").bind(run).run();
  if (!transaction.commit()) return false;
  opening_ = opening;
  true_start_ms_ = 0;
  return true;
}

bool Queue::settle_in(const std::string& place) {
  if (place == place_) return true;
  Transaction transaction(database_, Durable::yes);
  Statement(database_, "UPDATE state SET place = ?").bind(place).run();
  const bool copied = !place_.empty();
  if (copied) {
    // What was open then ends where it was begun, not once more in each copy.
    put_scopes({});
    // What is tracked from now on belongs to another opening than what came with the copy.
    Statement(database_, "UPDATE state SET copied_until = ?").bind(opening_).run();
    Statement(database_, "INSERT INTO opening VALUES(NULL, NULL)").run();
  }
  const std::int64_t opening = copied ? database_.last_insert_id() : opening_;
  if (!transaction.commit()) return false;
  place_ = place;
  if (!copied) return true;
  copied_until_ = opening_;
  opening_ = opening;
  for (int i = 0; i < kind_count; ++i) {
    for (Chunk& chunk : open_[i]) chunk.copied = true;
    recount_fill(Kind::of(i));
  }
  return true;
}

bool Queue::end_run(std::uint64_t last_seq) {
  Transaction transaction(database_, Durable::no);
  Statement(database_, "UPDATE state SET last_seq = ?, closed = 1").bind(static_cast<std::int64_t>(last_seq)).run();
  return transaction.commit();
}

bool Queue::learn_true_time(std::int64_t true_unix_ms, std::int64_t elapsed_ms) {
  constexpr std::int64_t another_ms = 60'000;
  const std::int64_t start_ms = true_unix_ms - elapsed_ms;
  if (std::abs(start_ms - true_start_ms_) < another_ms) return true;
  Transaction transaction(database_, Durable::no);
  Statement(database_, "UPDATE opening SET true_start = ? WHERE id = ?").bind(start_ms).bind(opening_).run();
  // Openings that never learnt it: nothing is known but that they are over, so their age counts from now.
  Statement(database_, "UPDATE opening SET true_start = ? WHERE true_start IS NULL").bind(true_unix_ms).run();
  if (!transaction.commit()) return false;
  true_start_ms_ = start_ms;
  return true;
}

bool Queue::insert_chunk(Kind kind, std::string_view text, std::size_t lines, std::size_t own_lines,
                         std::int64_t held_ms, std::vector<Chunk>& made) {
  Statement(database_, "INSERT INTO chunk VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)")
      .bind(kind.index())
      .bind(static_cast<std::int64_t>(lines))
      .bind(static_cast<std::int64_t>(own_lines))
      .bind(static_cast<std::int64_t>(text.size()))
      .bind(opening_)
      .bind(held_ms)
      .bind_blob(text)
      .run();
  made.push_back({database_.last_insert_id(), lines, own_lines, text.size(), false});
  return database_.fault() == Fault::none;
}

// What was committed counts, also when there is no memory to note it: then it is read again.
template <typename Change>
void Queue::follow(const Change& change) noexcept {
  try {
    change();
  } catch (...) {
    stale_ = true;
  }
}

// Lines that go into the database together: a chunk, or with the chunks they complete a batch.
struct Queue::Piece {
  Unsealed lines;
  bool goes_on = false;  // with the newest open batch
  bool full = false;
  NewBatch batch;  // with a body once it is sealed
};

// Where a batch ends a piece ends, for sealing joins whole chunks. `fill` goes from the newest open batch to that after
// the last piece.
std::vector<Queue::Piece> Queue::cut(const Drained& drained, Kind kind, Fill& fill) const {
  std::vector<Piece> pieces(1);
  pieces.back().goes_on = fill.lines > 0;
  const auto add = [&](std::string_view line, bool own) {
    if (!fits(fill, line.size() + 1)) {
      pieces.back().full = true;
      pieces.emplace_back();
      fill = {};
    }
    Unsealed& lines = pieces.back().lines;
    lines.lines_text += line;
    lines.lines_text += '\n';
    ++lines.lines;
    lines.own_lines += own ? 1 : 0;
    ++fill.lines;
    fill.bytes += line.size() + 1;
  };
  if (kind.index() == 0 && !drained.own_line.empty()) add(drained.own_line, true);
  for (const RingLine& line : drained.lines) {
    if (line.kind.index() == kind.index()) add(line.text, false);
  }
  pieces.back().full = fill.lines >= limits_.lines_max;
  // The newest batch may have been full already.
  pieces.erase(std::remove_if(pieces.begin(), pieces.end(), [](const Piece& one) { return one.lines.lines == 0; }),
               pieces.end());
  for (Piece& piece : pieces) {
    piece.lines.kind = kind;
    piece.lines.opening = opening_;
    piece.lines.held_ms = drained.held_ms;
  }
  return pieces;
}

// Puts what waits for this piece before it. False when something else waits, too, or it cannot be read.
bool Queue::complete(Piece& piece) {
  if (!piece.goes_on) return true;
  const auto& open = open_[piece.lines.kind.index()];
  std::size_t lines = 0;
  for (const Chunk& chunk : open) lines += chunk.lines;
  Unsealed before;
  if (open.empty() || open.front().copied || lines != fill_[piece.lines.kind.index()].lines ||
      !next_unsealed(piece.lines.kind, true, before)) {
    return false;
  }
  piece.lines.lines_text.insert(0, before.lines_text);
  piece.lines.lines += before.lines;
  piece.lines.own_lines += before.own_lines;
  piece.lines.chunks = std::move(before.chunks);
  return true;
}

void Queue::put_scopes(const std::vector<KeptScope>& scopes) {
  // Few apps have scopes, and a queue from before there were any has no table for them.
  database_.run("CREATE TABLE IF NOT EXISTS scope(tail TEXT PRIMARY KEY, sentence TEXT NOT NULL) WITHOUT ROWID");
  database_.run("DELETE FROM scope");
  Statement insert(database_, "INSERT OR REPLACE INTO scope VALUES(?, ?)");
  for (const KeptScope& scope : scopes) {
    std::string tail = scope.tail;
    scoped_[static_cast<int>(scope.purpose)] = true;
    if (scope.purpose != Purpose::analytics) tail += static_cast<char>('0' + static_cast<int>(scope.purpose));
    insert.bind(tail).bind(scope.sentence).run();
    insert.again();
  }
}

bool Queue::keep_scopes(const std::vector<KeptScope>& scopes) {
  Transaction transaction(database_, Durable::no);
  put_scopes(scopes);
  return transaction.commit();
}

std::vector<KeptScope> Queue::kept_scopes() {
  std::vector<KeptScope> scopes;
  if (database_.number("SELECT count(*) FROM sqlite_master WHERE name = 'scope'") == 0) return scopes;
  // What is not of our making is as if it were not there.
  Statement rows(database_,
                 "SELECT substr(tail, 1, 17), sentence, substr(tail, 18) FROM scope"
                 " WHERE length(CAST(tail AS BLOB)) IN (17, 18)"
                 " AND length(CAST(sentence AS BLOB)) <= 65536 ORDER BY tail LIMIT 1024");
  while (rows.row()) {
    const std::int64_t purpose = std::clamp<std::int64_t>(rows.number(2), 0, purpose_count - 1);
    scopes.push_back({std::string(rows.text(0)), std::string(rows.text(1)), static_cast<Purpose>(purpose)});
  }
  return scopes;
}

bool Queue::take_over(const Drained& drained, std::uint64_t last_seq, std::int64_t now_unix_ms, const Sealer& seal) {
  Fill fills[kind_count];
  std::vector<Piece> pieces[kind_count];
  bool present[kind_count] = {!drained.own_line.empty()};
  for (const RingLine& line : drained.lines) present[line.kind.index()] = true;
  for (int i = 0; i < kind_count; ++i) {
    fills[i] = fill_[i];
    if (!present[i]) continue;
    auto& some = pieces[i] = cut(drained, Kind::of(i), fills[i]);
    for (Piece& piece : some) {
      if (!seal || !piece.full || !complete(piece)) continue;
      std::string key;
      std::string body;
      if (!seal(piece.lines.lines_text, key, body)) continue;
      piece.batch = batch_of(piece.lines, key, body);
      if (&piece == &some.back()) fills[i] = {};
    }
  }
  std::vector<Chunk> made[kind_count];
  LedgerCommit change(database_, ledger_, Durable::yes);
  for (int i = 0; i < kind_count; ++i) {
    for (Piece& piece : pieces[i]) {
      const Unsealed& lines = piece.lines;
      for (const std::int64_t chunk : lines.chunks) remove_row("chunk", chunk);
      if (piece.batch.body.empty()) {
        insert_chunk(lines.kind, lines.lines_text, lines.lines, lines.own_lines, lines.held_ms, made[i]);
      } else {
        insert_batch(piece.batch);
      }
    }
  }
  if (drained.scopes != nullptr) put_scopes(*drained.scopes);
  Statement(database_, "UPDATE state SET ring_id = ?, ring_position = ?, last_seq = ?")
      .bind(static_cast<std::int64_t>(drained.mark.ring_id))
      .bind(static_cast<std::int64_t>(drained.mark.position))
      .bind(static_cast<std::int64_t>(last_seq))
      .run();
  if (!drained.own_line.empty()) Statement(database_, "UPDATE state SET ledger_sent = ?").bind(now_unix_ms).run();
  Ledger& ledger = change.ledger();
  ledger.accepted = drained.mark.accepted;
  ledger.lost += drained.lost;
  std::copy(drained.mark.refused, drained.mark.refused + refusal_count, ledger.refused);
  if (!change.commit()) return false;

  mark_ = drained.mark;
  if (!drained.own_line.empty()) ledger_sent_unix_ms_ = now_unix_ms;
  follow([&] {
    for (int i = 0; i < kind_count; ++i) {
      fill_[i] = fills[i];
      for (const Piece& piece : pieces[i]) {
        if (!piece.lines.chunks.empty()) open_[i].clear();
        if (!piece.batch.body.empty()) remember_batch(piece.batch.facts);
      }
      for (const Chunk& chunk : made[i]) open_[i].push_back(chunk);
    }
  });
  return true;
}

std::size_t Queue::count_of_first_fill(Kind kind, bool& full) const noexcept {
  Fill fill;
  std::size_t count = 0;
  full = false;
  for (const Chunk& chunk : open_[kind.index()]) {
    const bool fits = fill.lines + chunk.lines <= limits_.lines_max && fill.bytes + chunk.bytes <= limits_.bytes_max;
    if (count > 0 && (!fits || chunk.copied != open_[kind.index()].front().copied)) {
      full = true;
      break;
    }
    // Nothing will be added to what came with a copy.
    if (chunk.copied) full = true;
    fill.lines += chunk.lines;
    fill.bytes += chunk.bytes;
    ++count;
  }
  if (fill.lines >= limits_.lines_max) full = true;
  return count;
}

void Queue::recount_fill(Kind kind) {
  Fill fill;
  for (const Chunk& chunk : open_[kind.index()]) {
    if (chunk.copied) continue;
    if (fill.lines + chunk.lines > limits_.lines_max || fill.bytes + chunk.bytes > limits_.bytes_max) fill = {};
    fill.lines += chunk.lines;
    fill.bytes += chunk.bytes;
  }
  fill_[kind.index()] = fill;
}

bool Queue::has_full(Kind kind) const noexcept {
  bool full = false;
  count_of_first_fill(kind, full);
  return full;
}

bool Queue::next_unsealed(Kind kind, bool partial, Unsealed& unsealed) {
  unsealed = {};
  unsealed.kind = kind;
  bool full = false;
  const std::size_t count = count_of_first_fill(kind, full);
  if (count == 0 || (!full && !partial)) return false;
  Statement statement(database_, "SELECT lines, own_lines, opening, held, body FROM chunk WHERE id = ?");
  for (std::size_t i = 0; i < count; ++i) {
    const Chunk& chunk = open_[kind.index()][i];
    statement.again();
    if (!statement.bind(chunk.id).row()) return false;
    // The batch is as old as its youngest sentence: none is given up before its time.
    unsealed.opening = statement.number(2);
    unsealed.held_ms = statement.number(3);
    unsealed.chunks.push_back(chunk.id);
    unsealed.lines += static_cast<std::size_t>(statement.number(0));
    unsealed.own_lines += static_cast<std::size_t>(statement.number(1));
    unsealed.lines_text += statement.blob(4);
  }
  if (database_.fault() == Fault::none &&
      (unsealed.lines_text.empty() || unsealed.lines_text.back() != '\n' ||
       static_cast<std::size_t>(std::count(unsealed.lines_text.begin(), unsealed.lines_text.end(), '\n')) !=
           unsealed.lines)) {
    database_.distrust("a chunk whose lines are not as many as it says");
  }
  return database_.fault() == Fault::none;
}

bool Queue::insert_batch(NewBatch& batch) {
  const Batch& facts = batch.facts;
  Statement(database_, "INSERT INTO batch VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(facts.key)
      .bind(facts.path)
      .bind(facts.kind.index())
      .bind(static_cast<std::int64_t>(facts.lines))
      .bind(static_cast<std::int64_t>(facts.own_lines))
      .bind(static_cast<std::int64_t>(facts.bytes))
      .bind(facts.opening)
      .bind(facts.held_ms)
      .bind(static_cast<std::int64_t>(facts.bisect))
      .bind(static_cast<std::int64_t>(facts.root_size))
      .bind_blob(batch.body)
      .run();
  batch.facts.id = database_.last_insert_id();
  batch.facts.body_bytes = batch.body.size();
  return database_.fault() == Fault::none;
}

bool Queue::insert_rejected(const std::vector<Rejected>& rejected, std::int64_t opening, std::int64_t held_ms) {
  for (const Rejected& one : rejected) {
    if (one.own) continue;  // a ledger sentence is made again; it is not the app's
    Statement(database_, "INSERT INTO quarantine VALUES(NULL, ?, ?, ?, ?, ?)")
        .bind(one.sentence_id)
        .bind(one.reason)
        .bind(opening)
        .bind(held_ms)
        .bind_blob(one.line)
        .run();
  }
  return database_.fault() == Fault::none;
}

bool Queue::remove_row(const char* table, std::int64_t id) {
  const std::string sql = std::string("DELETE FROM ") + table + " WHERE id = ?";
  return Statement(database_, sql).bind(id).run();
}

NewBatch Queue::batch_of(const Unsealed& unsealed, const std::string& key, const std::string& body) {
  NewBatch batch;
  batch.facts.key = key;
  batch.facts.kind = unsealed.kind;
  batch.facts.lines = unsealed.lines;
  batch.facts.own_lines = unsealed.own_lines;
  batch.facts.bytes = unsealed.lines_text.size();
  batch.facts.opening = unsealed.opening;
  batch.facts.held_ms = unsealed.held_ms;
  batch.body = body;
  return batch;
}

bool Queue::seal(const Unsealed& unsealed, const std::string& key, const std::string& body) {
  NewBatch batch = batch_of(unsealed, key, body);
  Transaction transaction(database_, Durable::no);
  // First the chunks go: the batch then fits into their pages, also when the disk is full.
  for (const std::int64_t chunk : unsealed.chunks) remove_row("chunk", chunk);
  insert_batch(batch);
  if (!transaction.commit()) return false;
  sealed_at_sync_ = database_.syncs();
  follow([&] {
    auto& open = open_[unsealed.kind.index()];
    open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(unsealed.chunks.size()));
    recount_fill(unsealed.kind);
    remember_batch(batch.facts);
  });
  return true;
}

bool Queue::make_durable() {
  if (sealed_at_sync_ == UINT64_MAX || database_.syncs() > sealed_at_sync_) return true;
  Transaction transaction(database_, Durable::yes);
  // A commit that writes nothing syncs nothing.
  database_.run("UPDATE state SET one = 1");
  return transaction.commit();
}

const Batch* Queue::find(std::int64_t id) const noexcept {
  for (const Batch& batch : batches_) {
    if (batch.id == id) return &batch;
  }
  return nullptr;
}

std::list<Batch>::iterator Queue::place_of(std::int64_t id) noexcept {
  return std::find_if(batches_.begin(), batches_.end(), [id](const Batch& batch) { return batch.id == id; });
}

// What is delivered stands at the front, so this seldom looks further.
void Queue::forget_batch(std::int64_t id) {
  if (const auto found = place_of(id); found != batches_.end()) batches_.erase(found);
}

// Critical ones stand before all normal ones.
std::list<Batch>::iterator Queue::first_normal() noexcept {
  return std::find_if(batches_.begin(), batches_.end(),
                      [](const Batch& batch) { return batch.kind.priority == Priority::normal; });
}

void Queue::remember_batch(const Batch& batch) {
  batches_.insert(batch.kind.priority == Priority::critical ? first_normal() : batches_.end(), batch);
}

void Queue::to_the_back(std::int64_t id) {
  const auto found = place_of(id);
  if (found == batches_.end()) return;
  const auto place = found->kind.priority == Priority::critical ? first_normal() : batches_.end();
  batches_.splice(place, batches_, found);
}

bool Queue::body(std::int64_t id, std::string& body) {
  Statement statement(database_, "SELECT body FROM batch WHERE id = ?");
  body.clear();
  if (statement.bind(id).row()) body = statement.blob(0);
  // Listed, and not there: it would be asked for again and again, before all that can be read. But for a list that
  // could not be read anew after rows were given up.
  if (database_.fault() == Fault::none && body.empty() && !stale_) database_.distrust("a batch has no body");
  return database_.fault() == Fault::none && !body.empty();
}

bool Queue::settle(std::int64_t id, const std::vector<Rejected>& rejected) {
  const Batch* batch = find(id);
  if (batch == nullptr) return false;
  const auto quarantined = static_cast<std::uint64_t>(
      std::count_if(rejected.begin(), rejected.end(), [](const Rejected& one) { return !one.own; }));
  LedgerCommit change(database_, ledger_, Durable::no);
  change.ledger().quarantined += quarantined;
  change.ledger().delivered += batch->lines - batch->own_lines - quarantined;
  insert_rejected(rejected, batch->opening, batch->held_ms);
  remove_row("batch", id);
  if (!change.commit()) return false;
  forget_batch(id);
  return true;
}

bool Queue::replace(const std::vector<std::int64_t>& ids, std::vector<NewBatch>& parts,
                    const std::vector<Rejected>& rejected) {
  const Batch* first = ids.empty() ? nullptr : find(ids.front());
  if (first == nullptr) return false;
  LedgerCommit change(database_, ledger_, Durable::no);
  for (const Rejected& one : rejected) change.ledger().quarantined += one.own ? 0 : 1;
  insert_rejected(rejected, first->opening, first->held_ms);
  for (const std::int64_t id : ids) remove_row("batch", id);
  for (NewBatch& part : parts) insert_batch(part);
  if (!change.commit()) return false;
  sealed_at_sync_ = database_.syncs();
  follow([&] {
    for (const std::int64_t id : ids) forget_batch(id);
    // Parts are tried before other batches of their kind: what is left of a split should not outlive it long.
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      const bool normal = part->facts.kind.priority == Priority::normal;
      batches_.insert(normal ? first_normal() : batches_.begin(), part->facts);
    }
  });
  return true;
}

bool Queue::next_quarantined(std::int64_t after, std::int64_t& number, Rejected& rejected) {
  Statement next(database_, "SELECT id, sentence_id, reason, line FROM quarantine WHERE id > ? ORDER BY id LIMIT 1");
  if (!next.bind(after).row()) return false;
  number = next.number(0);
  rejected = {std::string(next.text(1)), std::string(next.text(2)), std::string(next.blob(3)), false};
  return database_.fault() == Fault::none;
}

bool Queue::unquarantine(const std::vector<std::int64_t>& numbers, NewBatch& batch) {
  LedgerCommit change(database_, ledger_, Durable::no);
  change.ledger().quarantined -= std::min<std::uint64_t>(numbers.size(), ledger_.quarantined);
  batch.facts.opening = opening_;
  for (const std::int64_t number : numbers) remove_row("quarantine", number);
  insert_batch(batch);
  if (!change.commit()) return false;
  sealed_at_sync_ = database_.syncs();
  follow([&] { remember_batch(batch.facts); });
  return true;
}

bool Queue::erase_quarantined(const std::vector<std::int64_t>& numbers) {
  LedgerCommit change(database_, ledger_, Durable::yes);
  const auto gone = std::min<std::uint64_t>(numbers.size(), ledger_.quarantined);
  change.ledger().quarantined -= gone;
  change.ledger().erased += gone;
  for (const std::int64_t number : numbers) remove_row("quarantine", number);
  return change.commit();
}

bool Queue::set_bisect(std::int64_t id, Bisect bisect) {
  Transaction transaction(database_, Durable::no);
  Statement(database_, "UPDATE batch SET bisect = ? WHERE id = ?")
      .bind(static_cast<std::int64_t>(bisect))
      .bind(id)
      .run();
  if (!transaction.commit()) return false;
  for (Batch& batch : batches_) {
    if (batch.id == id) batch.bisect = bisect;
  }
  return true;
}

bool Queue::free_orphans() {
  bool freed = false;
  for (Batch& batch : batches_) {
    if (batch.bisect != Bisect::rest) continue;
    const bool searched = std::any_of(batches_.begin(), batches_.end(), [&batch](const Batch& other) {
      return other.bisect == Bisect::suspect && other.key == batch.key && other.root_size == batch.root_size;
    });
    if (searched) continue;
    batch.bisect = Bisect::none;
    freed = true;
  }
  return freed;
}

bool Queue::evict_older_than(std::int64_t true_unix_ms, std::int64_t in_flight, int most) {
  std::vector<std::int64_t> chunks;
  std::vector<std::int64_t> batches;
  std::uint64_t lines = 0;
  {
    Statement old(database_,
                  "SELECT c.id, c.lines - c.own_lines FROM chunk c JOIN opening o ON o.id = c.opening"
                  " WHERE o.true_start + c.held < ? ORDER BY c.id LIMIT ?");
    old.bind(true_unix_ms).bind(static_cast<std::int64_t>(most));
    while (old.row()) {
      chunks.push_back(old.number(0));
      lines += static_cast<std::uint64_t>(old.number(1));
    }
    Statement old_batches(database_,
                          "SELECT b.id, b.lines - b.own_lines FROM batch b JOIN opening o ON o.id = b.opening"
                          " WHERE o.true_start + b.held < ? ORDER BY b.id LIMIT ?");
    old_batches.bind(true_unix_ms).bind(static_cast<std::int64_t>(most));
    while (old_batches.row()) {
      if (old_batches.number(0) == in_flight) continue;
      batches.push_back(old_batches.number(0));
      lines += static_cast<std::uint64_t>(old_batches.number(1));
    }
  }
  const auto refused = [&] {
    if (most >= 0) return std::uint64_t{0};
    Statement count(database_,
                    "SELECT count(*) FROM quarantine q JOIN opening o ON o.id = q.opening"
                    " WHERE o.true_start + q.held < ?");
    return count.bind(true_unix_ms).row() ? static_cast<std::uint64_t>(count.number(0)) : 0;
  }();
  if (chunks.empty() && batches.empty() && refused == 0) return database_.fault() == Fault::none;
  LedgerCommit change(database_, ledger_, Durable::no);
  change.ledger().evicted += lines + refused;
  change.ledger().quarantined -= std::min(refused, ledger_.quarantined);
  if (refused > 0) {
    Statement(database_,
              "DELETE FROM quarantine WHERE opening IN (SELECT id FROM opening WHERE true_start + quarantine.held < ?)")
        .bind(true_unix_ms)
        .run();
  }
  for (const std::int64_t id : chunks) remove_row("chunk", id);
  for (const std::int64_t id : batches) remove_row("batch", id);
  return change.commit() && reload();
}

bool Queue::evict_bytes(std::uint64_t bytes_to_free, std::int64_t in_flight) {
  std::vector<std::int64_t> chunks;
  std::vector<std::int64_t> batches;
  std::vector<std::int64_t> refused;
  std::uint64_t freed = 0;
  {
    // What the endpoint refused goes before what it has not seen.
    Statement rows(database_, "SELECT id, length(line) FROM quarantine ORDER BY id");
    while (freed < bytes_to_free && rows.row()) {
      refused.push_back(rows.number(0));
      freed += static_cast<std::uint64_t>(rows.number(1)) + 100;
    }
  }
  using Sizes = std::map<std::int64_t, std::size_t>;  // bytes by a row's id; what is older has the smaller one
  const auto take_oldest = [&freed, bytes_to_free](const Sizes& rows, std::vector<std::int64_t>& taken) {
    for (const auto& [id, bytes] : rows) {
      if (freed >= bytes_to_free) break;
      taken.push_back(id);
      freed += bytes;
    }
  };
  for (const Priority priority : {Priority::normal, Priority::critical}) {
    Sizes rows;
    for (int i = 0; i < kind_count; ++i) {
      if (Kind::of(i).priority != priority) continue;
      for (const Chunk& chunk : open_[i]) rows[chunk.id] = chunk.bytes;
    }
    take_oldest(rows, chunks);
    rows.clear();
    for (const Batch& batch : batches_) {
      if (batch.kind.priority == priority && batch.id != in_flight) rows[batch.id] = batch.body_bytes;
    }
    take_oldest(rows, batches);
  }
  if (chunks.empty() && batches.empty() && refused.empty()) return true;
  LedgerCommit change(database_, ledger_, Durable::no);
  Ledger& ledger = change.ledger();
  for (const std::int64_t id : refused) remove_row("quarantine", id);
  ledger.quarantined -= std::min<std::uint64_t>(refused.size(), ledger.quarantined);
  ledger.evicted += refused.size();
  const auto remove = [&](const char* table, std::int64_t id) {
    const std::string sql = std::string("SELECT lines - own_lines FROM ") + table + " WHERE id = ?";
    Statement lines(database_, sql);
    if (lines.bind(id).row()) ledger.evicted += static_cast<std::uint64_t>(lines.number(0));
    lines.again();
    remove_row(table, id);
  };
  for (const std::int64_t id : chunks) remove("chunk", id);
  for (const std::int64_t id : batches) remove("batch", id);
  return change.commit() && reload();
}

bool Queue::erase_denied(const Consents& consents, const std::vector<std::int64_t>& refused,
                         const std::vector<KeptScope>& scopes, bool also_gone, bool& erased) {
  // A page that is freed is written once more: so many that the log stays within the blocks it was given.
  const std::size_t step_bytes = limits_.step_bytes / 2;
  constexpr std::size_t refused_bytes = 8 << 10;  // about, of one row
  struct Row {
    const char* table;
    std::int64_t id;
    std::size_t lines;
    std::size_t bytes;
  };
  erased = false;
  if (stale_ && !reload()) return false;
  const auto is_denied = [&consents](Purpose purpose) { return consents.of(purpose) == Consent::denied; };
  std::vector<Row> rows;
  for (int i = 0; i < kind_count; ++i) {
    if (!is_denied(Kind::of(i).purpose)) continue;
    for (const Chunk& chunk : open_[i]) rows.push_back({"chunk", chunk.id, chunk.lines - chunk.own_lines, chunk.bytes});
  }
  for (const Batch& batch : batches_) {
    if (is_denied(batch.kind.purpose))
      rows.push_back({"batch", batch.id, batch.lines - batch.own_lines, batch.body_bytes});
  }
  for (const std::int64_t id : refused) rows.push_back({"quarantine", id, 1, refused_bytes});
  bool scoped = false;
  for (int i = 0; i < purpose_count; ++i) scoped = scoped || (scoped_[i] && is_denied(static_cast<Purpose>(i)));
  if (rows.empty() && !scoped && !also_gone) return true;
  std::fill_n(scoped_, purpose_count, false);
  std::size_t next = 0;
  do {
    LedgerCommit change(database_, ledger_, Durable::yes);
    Ledger& ledger = change.ledger();
    database_.run("CREATE TABLE IF NOT EXISTS scrub(one INTEGER)");
    put_scopes(scopes);
    for (std::size_t bytes = 0; next < rows.size() && bytes < step_bytes; ++next) {
      const Row& row = rows[next];
      remove_row(row.table, row.id);
      ledger.erased += row.lines;
      if (row.table == std::string_view("quarantine"))
        ledger.quarantined -= std::min<std::uint64_t>(1, ledger.quarantined);
      bytes += row.bytes;
    }
    if (!change.commit()) break;
    erased = true;
  } while (next < rows.size());
  const bool all = next == rows.size() && database_.fault() == Fault::none;
  if (!all) std::fill_n(scoped_, purpose_count, true);
  return erased ? reload() && all : all;
}

bool Queue::scrub() {
  if (!scrub_owed_) return true;
  {
    // Freed pages are zeros by now; the log still has what they were.
    Statement checkpoint(database_, "PRAGMA wal_checkpoint(TRUNCATE)");
    if (!checkpoint.row() || checkpoint.number(0) != 0) return false;
  }
  reserve_log();
  Transaction transaction(database_, Durable::yes);
  database_.run("DROP TABLE scrub");
  if (!transaction.commit()) return false;
  scrub_owed_ = false;
  return true;
}

bool Queue::salvage_from(Queue& damaged, bool elsewhere, std::uint64_t& sentences) {
  Database& old = damaged.database_;
  old.clear();
  // Each row is read for itself: what cannot be read of one must not end the others. The ids are asked for from both
  // ends, so that a damaged page hides only what lies in it.
  const auto each = [&old](const char* columns, const char* table, const std::function<void(const Statement&)>& take) {
    std::set<std::int64_t> ids;
    for (const char* order : {" ORDER BY id", " ORDER BY id DESC"}) {
      old.clear();
      Statement rows(old, std::string("SELECT id FROM ") + table + order);
      while (rows.row()) ids.insert(rows.number(0));
    }
    for (const std::int64_t id : ids) {
      old.clear();
      Statement row(old, std::string("SELECT ") + columns + " FROM " + table + " WHERE id = ?");
      if (row.bind(id).row()) take(row);
    }
    old.clear();
  };
  Ledger ledger;
  RunMark run;
  std::uint64_t epoch = 0;
  const auto number = [](const Statement& rows, int column) { return static_cast<std::uint64_t>(rows.number(column)); };
  {
    Statement rows(old,
                   "SELECT accepted, delivered, quarantined, evicted, erased, lost, ring_id, ring_position, epoch, run,"
                   " last_seq, closed FROM state");
    if (rows.row()) {
      ledger.accepted = number(rows, 0);
      ledger.delivered = number(rows, 1);
      ledger.quarantined = number(rows, 2);
      ledger.evicted = number(rows, 3);
      ledger.erased = number(rows, 4);
      ledger.lost = number(rows, 5);
      mark_.ring_id = number(rows, 6);
      mark_.position = number(rows, 7);
      epoch = number(rows, 8);
      run.run = rows.text(9);
      run.last_seq = number(rows, 10);
      run.closed = rows.number(11) != 0;
    }
  }
  if (!adds_up(ledger)) ledger = {};
  // Rows of an unknown epoch may be from before an erase: then they are not brought back.
  const bool trusted = epoch != 0 || epoch_ == 1;
  // A later one is another directory's, where this lane lay before.
  if (epoch == 0 || epoch > epoch_ || elsewhere) epoch = epoch_;
  std::uint64_t waiting = 0;
  std::uint64_t quarantined = 0;
  LedgerCommit change(database_, ledger_, Durable::yes);
  Statement(database_, "INSERT INTO opening VALUES(NULL, NULL)").run();
  opening_ = database_.last_insert_id();
  std::vector<Chunk> made[kind_count];
  if (old.number("SELECT count(*) FROM sqlite_master WHERE name = 'scrub'") != 0)
    database_.run("CREATE TABLE scrub(one INTEGER)");
  old.clear();
  if (trusted) {
    each("priority, lines, own_lines, body", "chunk", [&](const Statement& rows) {
      std::size_t lines = 0;
      const std::string text = whole_lines(rows.blob(3), lines);
      if (lines == 0) return;
      const auto own = std::min(static_cast<std::size_t>(rows.number(2)), lines);
      const Kind kind = kind_of(rows.number(0));
      insert_chunk(kind, text, lines, own, 0, made[kind.index()]);
      waiting += lines - own;
    });
    each("key, path, priority, lines, own_lines, bytes, bisect, root_size, body", "batch", [&](const Statement& rows) {
      NewBatch batch;
      batch.facts.key = rows.text(0);
      batch.facts.path = rows.text(1);
      batch.facts.kind = kind_of(rows.number(2));
      batch.facts.lines = static_cast<std::size_t>(rows.number(3));
      batch.facts.own_lines = static_cast<std::size_t>(rows.number(4));
      batch.facts.bytes = static_cast<std::size_t>(rows.number(5));
      batch.facts.bisect = static_cast<Bisect>(rows.number(6));
      batch.facts.root_size = static_cast<std::size_t>(rows.number(7));
      batch.facts.opening = opening_;
      batch.body = rows.blob(8);
      if (!is_sane(batch.facts) || batch.body.empty()) return;
      insert_batch(batch);
      waiting += batch.facts.lines - batch.facts.own_lines;
    });
    each("sentence_id, reason, line", "quarantine", [&](const Statement& rows) {
      insert_rejected({{std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.blob(2)), false}},
                      opening_, 0);
      ++quarantined;
    });
  }
  ledger.quarantined = quarantined;
  if (ledger.accepted == 0) {
    // The counters of a file that lost its state row are rebuilt from what was found.
    ledger.accepted = waiting + quarantined;
  } else {
    // What was accepted stands, for the ring counts on from there. Of rows that are there once more, as many were not
    // delivered or given up after all.
    std::uint64_t room = ledger.accepted - std::min(ledger.accepted, waiting + quarantined);
    for (std::uint64_t* part : {&ledger.lost, &ledger.erased, &ledger.evicted, &ledger.delivered}) {
      *part = std::min(*part, room);
      room -= *part;
    }
    ledger.lost += room;
    ledger.accepted = std::max(ledger.accepted, waiting + quarantined);
  }
  Statement(database_, "UPDATE state SET ring_id = ?, ring_position = ?, epoch = ?, run = ?, last_seq = ?, closed = ?")
      .bind(static_cast<std::int64_t>(mark_.ring_id))
      .bind(static_cast<std::int64_t>(mark_.position))
      .bind(static_cast<std::int64_t>(epoch))
      .bind(run.run)
      .bind(static_cast<std::int64_t>(run.last_seq))
      .bind(run.closed ? 1 : 0)
      .run();
  sentences = waiting + quarantined;
  change.ledger() = ledger;
  return change.commit();
}

system::Error Queue::sync_log() {
  std::unique_ptr<system::File> log;
  const system::Error error = files_->open(path_ + "-wal", system::OpenMode::existing, log);
  return error != 0 ? error : log->sync();
}

bool Queue::fold_log() {
  return database_.run("PRAGMA journal_mode=DELETE");
}

bool Queue::give_back() {
  const auto free_pages_min = static_cast<std::int64_t>(4 * limits_.step_bytes / 4096);
  const std::int64_t free_pages = database_.number("PRAGMA freelist_count");
  if (path_ == ":memory:" || free_pages < free_pages_min || free_pages < database_.number("PRAGMA page_count") * 3 / 4)
    return database_.fault() == Fault::none;
  if (!database_.vacuum()) return false;
  // The log was cut to nothing by the way.
  reserve_log();
  return true;
}

bool Queue::bytes_used(std::uint64_t& used) {
  const std::int64_t pages = database_.number("PRAGMA page_count") - database_.number("PRAGMA freelist_count");
  // Nothing is evicted because of a header that cannot be true.
  if (pages < 0) database_.distrust("more free pages than there are");
  if (database_.fault() != Fault::none) return false;
  const std::uint64_t bytes = static_cast<std::uint64_t>(pages) * 4096;
  std::uint64_t log = 0;
  if (path_ != ":memory:") static_cast<void>(files_->size(path_ + "-wal", log));
  used = (bytes > database_bytes_empty ? bytes - database_bytes_empty : 0) +
         (log > log_bytes_kept ? log - log_bytes_kept : 0);
  return true;
}

}  // namespace yukha::hold
