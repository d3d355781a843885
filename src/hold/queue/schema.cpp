#include "hold/queue/schema.hpp"

#include <iterator>

namespace yukha::hold::schema {
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
    // Made when they are needed.
    "CREATE TABLE scope(tail TEXT PRIMARY KEY, sentence TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE scrub(one INTEGER)"};
constexpr int tables_at_first = 6;

void create(Database& database, std::uint64_t epoch, std::size_t reserve_bytes) {
  // One transaction without a log: a kill in the middle leaves an empty file, which is made again.
  database.run("PRAGMA page_size=4096");
  Transaction transaction(database, Durable::yes);
  for (int i = 0; i < tables_at_first; ++i) database.run(queue_tables[i]);
  // Given back when the disk is full: deliveries must still be settled then.
  Statement(database, "INSERT INTO reserve VALUES(zeroblob(?))").bind(static_cast<std::int64_t>(reserve_bytes)).run();
  Statement(database, "INSERT INTO state VALUES(1, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, 1, 0, '', 0, 0)")
      .bind(static_cast<std::int64_t>(epoch))
      .run();
  database.run(sign_as_ours);
  database.run("PRAGMA user_version=2");
  database.grows_by_itself();
  transaction.commit();
}

// Version 1 had one column less.
void add_refused_policy(Database& database) {
  if (database.number("SELECT count(*) FROM sqlite_master WHERE name = 'state' AND type = 'table'"
                      " AND sql NOT LIKE '%refused_policy%'") == 0) {
    return;
  }
  Transaction transaction(database, Durable::yes);
  database.run("ALTER TABLE state ADD COLUMN refused_policy INTEGER NOT NULL DEFAULT 0");
  database.run("PRAGMA user_version=2");
  // An index or trigger that somebody added may make this fail. Then the schema is not ours, which the check of the
  // schema finds out.
  if (!transaction.commit() && database.fault() == Fault::other) database.clear();
}

}  // namespace

Status prepare(Database& database, const std::string& path, std::uint64_t epoch, std::size_t reserve_bytes) {
  const std::int64_t version = database.number("PRAGMA user_version");
  if (version > queue_version) return {Code::newer_format, path};
  const bool ours = database.number("PRAGMA application_id") == application_id;
  if (database.fault() == Fault::none && !ours && database.number("SELECT count(*) FROM sqlite_master") != 0)
    return {Code::disk_error, path + " is a database of somebody else's"};
  if (version == 1) add_refused_policy(database);
  database.expect_schema(std::begin(queue_tables), std::end(queue_tables));
  if (version == 0) create(database, epoch, reserve_bytes);
  return {};
}

bool owes_scrub(Database& database) {
  return database.number("SELECT count(*) FROM sqlite_master WHERE name = 'scrub'") != 0;
}

void note_scrub(Database& database) {
  database.run("CREATE TABLE IF NOT EXISTS scrub(one INTEGER)");
}

void drop_scrub(Database& database) {
  database.run("DROP TABLE scrub");
}

}  // namespace yukha::hold::schema
