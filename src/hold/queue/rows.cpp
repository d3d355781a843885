#include "hold/queue/rows.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace yukha::hold::rows {
namespace {

constexpr std::size_t lines_max = 500;
constexpr std::size_t bytes_max = 1'000'000;

// The body of a row, or its length, stands behind these.
constexpr const char* chunk_columns = "id, priority, lines, own_lines, bytes, opening, held, ";
constexpr int chunk_body = 7;
constexpr const char* batch_columns =
    "id, key, path, priority, lines, own_lines, bytes, opening, held, bisect, root_size, ";
constexpr int batch_body = 11;

std::string select(const char* columns, const char* body, const char* from) {
  return std::string("SELECT ") + columns + body + " FROM " + from;
}

// An unreadable kind gets the purpose that the fewest apps' users consent to, so that nothing leaves without consent.
Kind kind_of(std::int64_t value) noexcept {
  return value >= 0 && value < kind_count ? Kind::of(static_cast<int>(value)) : Kind::of(kind_count - 2);
}

std::size_t size(const Statement& row, int column) {
  return static_cast<std::size_t>(row.number(column));
}

Chunk chunk_of(const Statement& row) {
  Chunk chunk;
  chunk.id = row.number(0);
  chunk.kind = kind_of(row.number(1));
  chunk.lines = size(row, 2);
  chunk.own_lines = size(row, 3);
  chunk.bytes = size(row, 4);
  chunk.opening = row.number(5);
  chunk.held_ms = row.number(6);
  return chunk;
}

Batch batch_of(const Statement& row) {
  Batch batch;
  batch.id = row.number(0);
  batch.key = row.text(1);
  batch.path = row.text(2);
  batch.kind = kind_of(row.number(3));
  batch.lines = size(row, 4);
  batch.own_lines = size(row, 5);
  batch.bytes = size(row, 6);
  batch.opening = row.number(7);
  batch.held_ms = row.number(8);
  batch.bisect = static_cast<Bisect>(row.number(9));
  batch.root_size = size(row, 10);
  return batch;
}

bool is_sane(const Chunk& chunk) noexcept {
  return chunk.lines >= 1 && chunk.lines <= lines_max && chunk.own_lines <= chunk.lines && chunk.bytes >= 1 &&
         chunk.bytes <= bytes_max;
}

const char* name_of(Table table) noexcept {
  return table == Table::chunk ? "chunk" : table == Table::batch ? "batch" : "quarantine";
}

std::int64_t as_signed(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value);
}

}  // namespace

bool is_sane(const Batch& batch) noexcept {
  return batch.key.size() == 36 && batch.key.find_first_not_of("0123456789abcdef-") == std::string::npos &&
         batch.path.size() <= 16 && batch.path.find_first_not_of("01r") == std::string::npos && batch.lines >= 1 &&
         batch.lines <= lines_max && batch.own_lines <= batch.lines && batch.bytes <= bytes_max &&
         batch.bisect <= Bisect::held_back && batch.root_size <= batch.path.size();
}

bool read_state(Database& database, State& state) {
  // In the order in which the table was made, so that one of version 1 is read as well: it ends before refused_policy.
  constexpr int columns_1 = 20;
  Statement row(database, "SELECT * FROM state");
  if (!row.row() || row.columns() < columns_1) return false;
  const auto number = [&row](int column) { return static_cast<std::uint64_t>(row.number(column)); };
  state.epoch = number(1);
  state.mark.ring_id = number(2);
  state.mark.position = number(3);
  Ledger& ledger = state.ledger;
  ledger.accepted = state.mark.accepted = number(4);
  ledger.delivered = number(5);
  ledger.quarantined = number(6);
  ledger.evicted = number(7);
  ledger.erased = number(8);
  ledger.lost = number(9);
  for (int i = 0; i < refusal_count - 1; ++i) ledger.refused[i] = number(10 + i);
  if (row.columns() > columns_1) ledger.refused[refusal_count - 1] = number(columns_1);
  std::copy(ledger.refused, ledger.refused + refusal_count, state.mark.refused);
  state.run.run = row.text(14);
  state.run.last_seq = number(15);
  state.run.closed = row.number(16) != 0;
  state.ledger_sent_unix_ms = row.number(17);
  state.place = row.text(18);
  state.copied_until = row.number(19);
  return true;
}

void save_ledger(Database& database, const Ledger& ledger) {
  Statement statement(
      database,
      "UPDATE state SET accepted = ?, delivered = ?, quarantined = ?, evicted = ?, erased = ?, lost = ?,"
      " refused_ring_full = ?, refused_consent = ?, refused_invalid = ?, refused_closed = ?, refused_policy = ?");
  statement.bind(as_signed(ledger.accepted))
      .bind(as_signed(ledger.delivered))
      .bind(as_signed(ledger.quarantined))
      .bind(as_signed(ledger.evicted))
      .bind(as_signed(ledger.erased))
      .bind(as_signed(ledger.lost));
  for (const std::uint64_t refused : ledger.refused) statement.bind(as_signed(refused));
  statement.run();
}

void save_ring_mark(Database& database, const RingMark& mark, std::uint64_t last_seq) {
  Statement(database, "UPDATE state SET ring_id = ?, ring_position = ?, last_seq = ?")
      .bind(as_signed(mark.ring_id))
      .bind(as_signed(mark.position))
      .bind(as_signed(last_seq))
      .run();
}

void save_ledger_sent(Database& database, std::int64_t unix_ms) {
  Statement(database, "UPDATE state SET ledger_sent = ?").bind(unix_ms).run();
}

void save_place(Database& database, const std::string& place) {
  Statement(database, "UPDATE state SET place = ?").bind(place).run();
}

void save_copied_until(Database& database, std::int64_t opening) {
  Statement(database, "UPDATE state SET copied_until = ?").bind(opening).run();
}

void begin_run(Database& database, const std::string& run) {
  Statement(database, "UPDATE state SET run = ?, last_seq = 0, closed = 0").bind(run).run();
}

void end_run(Database& database, std::uint64_t last_seq) {
  Statement(database, "UPDATE state SET last_seq = ?, closed = 1").bind(as_signed(last_seq)).run();
}

void save_salvaged(Database& database, const State& state) {
  Statement(database, "UPDATE state SET ring_id = ?, ring_position = ?, epoch = ?, run = ?, last_seq = ?, closed = ?")
      .bind(as_signed(state.mark.ring_id))
      .bind(as_signed(state.mark.position))
      .bind(as_signed(state.epoch))
      .bind(state.run.run)
      .bind(as_signed(state.run.last_seq))
      .bind(state.run.closed ? 1 : 0)
      .run();
}

std::int64_t insert_opening(Database& database) {
  Statement(database, "INSERT INTO opening VALUES(NULL, NULL)").run();
  return database.last_insert_id();
}

void remove_unused_openings(Database& database) {
  database.run(
      "DELETE FROM opening WHERE id NOT IN (SELECT opening FROM chunk UNION SELECT opening FROM batch"
      " UNION SELECT opening FROM quarantine UNION SELECT max(id) FROM opening)");
}

void save_true_start(Database& database, std::int64_t opening, std::int64_t true_start_ms) {
  Statement(database, "UPDATE opening SET true_start = ? WHERE id = ?").bind(true_start_ms).bind(opening).run();
}

void save_missing_true_starts(Database& database, std::int64_t true_unix_ms) {
  Statement(database, "UPDATE opening SET true_start = ? WHERE true_start IS NULL").bind(true_unix_ms).run();
}

std::vector<Chunk> read_chunks(Database& database) {
  std::vector<Chunk> chunks;
  Statement rows(database, select(chunk_columns, "length(body)", "chunk ORDER BY id"));
  while (rows.row()) {
    const Chunk chunk = chunk_of(rows);
    if (!is_sane(chunk) || size(rows, chunk_body) != chunk.bytes) {
      database.distrust("a chunk that this library did not write");
      break;
    }
    chunks.push_back(chunk);
  }
  return chunks;
}

std::list<Batch> read_batches(Database& database) {
  std::list<Batch> batches;
  Statement rows(database, select(batch_columns, "length(body)", "batch ORDER BY priority % 2 DESC, id"));
  while (rows.row()) {
    Batch batch = batch_of(rows);
    batch.body_bytes = size(rows, batch_body);
    if (!is_sane(batch)) {
      database.distrust("a batch that this library did not write");
      break;
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

ChunkReader::ChunkReader(Database& database)
    : statement_(database, select(chunk_columns, "body", "chunk WHERE id = ?")) {}

bool ChunkReader::read(std::int64_t id, Chunk& chunk, std::string_view& lines) {
  statement_.again();
  if (!statement_.bind(id).row()) return false;
  chunk = chunk_of(statement_);
  lines = statement_.blob(chunk_body);
  return true;
}

bool read_batch(Database& database, std::int64_t id, NewBatch& batch) {
  Statement row(database, select(batch_columns, "body", "batch WHERE id = ?"));
  if (!row.bind(id).row()) return false;
  batch.facts = batch_of(row);
  batch.body = row.blob(batch_body);
  return true;
}

void read_body(Database& database, std::int64_t id, std::string& body) {
  Statement row(database, "SELECT body FROM batch WHERE id = ?");
  body.clear();
  if (row.bind(id).row()) body = row.blob(0);
}

void insert_chunk(Database& database, Chunk& chunk, std::string_view lines) {
  Statement(database, "INSERT INTO chunk VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)")
      .bind(chunk.kind.index())
      .bind(as_signed(chunk.lines))
      .bind(as_signed(chunk.own_lines))
      .bind(as_signed(chunk.bytes))
      .bind(chunk.opening)
      .bind(chunk.held_ms)
      .bind_blob(lines)
      .run();
  chunk.id = database.last_insert_id();
}

void insert_batch(Database& database, NewBatch& batch) {
  Batch& facts = batch.facts;
  Statement(database, "INSERT INTO batch VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(facts.key)
      .bind(facts.path)
      .bind(facts.kind.index())
      .bind(as_signed(facts.lines))
      .bind(as_signed(facts.own_lines))
      .bind(as_signed(facts.bytes))
      .bind(facts.opening)
      .bind(facts.held_ms)
      .bind(static_cast<std::int64_t>(facts.bisect))
      .bind(as_signed(facts.root_size))
      .bind_blob(batch.body)
      .run();
  facts.id = database.last_insert_id();
  facts.body_bytes = batch.body.size();
}

void save_bisect(Database& database, std::int64_t id, Bisect bisect) {
  Statement(database, "UPDATE batch SET bisect = ? WHERE id = ?")
      .bind(static_cast<std::int64_t>(bisect))
      .bind(id)
      .run();
}

void remove(Database& database, Table table, std::int64_t id) {
  const std::string sql = std::string("DELETE FROM ") + name_of(table) + " WHERE id = ?";
  Statement(database, sql).bind(id).run();
}

std::uint64_t remove_counted(Database& database, Table table, std::int64_t id) {
  std::uint64_t sentences = 0;
  {
    const std::string sql = std::string("SELECT lines - own_lines FROM ") + name_of(table) + " WHERE id = ?";
    Statement lines(database, sql);
    if (lines.bind(id).row()) sentences = static_cast<std::uint64_t>(lines.number(0));
  }
  remove(database, table, id);
  return sentences;
}

}  // namespace yukha::hold::rows
