#include "hold/sqlite.hpp"

#include <algorithm>
#include <memory>

#include <sqlite3.h>

#include "system/files.hpp"

namespace yukha::hold {
namespace {

Fault fault_of(int result) noexcept {
  switch (result & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return Fault::none;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Fault::busy;
    case SQLITE_FULL:
      return Fault::full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
    // Our statements are right: where one is refused, tables or rows are not as we make them.
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_INTERRUPT:
    case SQLITE_AUTH:
      return Fault::corrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Fault::read_only;
    case SQLITE_CANTOPEN:
      return Fault::cannot_open;
    case SQLITE_NOMEM:
      return Fault::out_of_memory;
    case SQLITE_IOERR:
      return Fault::io;
    default:
      return Fault::other;
  }
}

// Whether more memory can be had than a sound queue ever asks for.
bool memory_is_left() noexcept {
  const std::unique_ptr<void, decltype(&sqlite3_free)> probe(sqlite3_malloc(8 << 20), &sqlite3_free);
  return probe != nullptr;
}

constexpr int instructions_a_look = 1'000'000;
constexpr int looks_max = 300;  // a million waiting batches take 30; what goes in circles, a second or two
constexpr int value_bytes_max = 8 << 20;

}  // namespace

bool sqlite_has_locks() noexcept {
  bool has = sqlite3_threadsafe() != 0;
  // Asked of a connection: the functions of the mutexes themselves are missing where it was compiled without. One that
  // was compiled not to start by itself does not.
  sqlite3* probe = nullptr;
  if (has && sqlite3_initialize() == SQLITE_OK &&
      sqlite3_open_v2(":memory:", &probe, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr) == SQLITE_OK) {
    has = sqlite3_db_mutex(probe) != nullptr;
  }
  sqlite3_close(probe);
  return has;
}

// Pages that lead to each other make a table without an end.
int Database::give_up(void* self) noexcept {
  return ++static_cast<Database*>(self)->looks_ > looks_max ? 1 : 0;
}

void Database::expect_schema(const char* const* first, const char* const* last) {
  Statement schema(*this, "SELECT sql FROM sqlite_master");
  while (schema.row()) {
    const std::string_view sql = schema.text(0);
    // ANALYZE, which a browser of databases may run.
    if (sql.rfind("CREATE TABLE sqlite_stat", 0) == 0) continue;
    if (std::none_of(first, last, [sql](const char* ours) { return sql == ours; })) {
      distrust("there is something in it that this library did not make");
      return;
    }
  }
}

void Database::note(int result) noexcept {
  if (fault_ != Fault::none) return;
  fault_ = fault_of(result);
  // A damaged row may claim to have gibibytes, which SQLite reports in the same way.
  if (fault_ == Fault::out_of_memory && memory_is_left()) fault_ = Fault::corrupt;
  if (fault_ == Fault::none) return;
  try {
    fault_text_ = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(result);
    fault_text_ += " (SQLite " + std::to_string(handle_ != nullptr ? sqlite3_extended_errcode(handle_) : result);
    // SQLite says "unable to open" to a missing right and to too many open files alike.
    if (const int error = handle_ != nullptr ? sqlite3_system_errno(handle_) : 0)
      fault_text_ += "; " + system::error_text(error);
    fault_text_ += ")";
  } catch (...) {
    // Without memory for the words the fault itself must do.
  }
}

void Database::distrust(const char* why) {
  set_fault(Fault::corrupt, why);
}

void Database::set_fault(Fault fault, const char* why) {
  if (fault_ != Fault::none) return;
  fault_ = fault;
  fault_text_ = why;
}

void Database::clear() noexcept {
  fault_ = Fault::none;
  fault_text_.clear();
}

bool Database::open(const std::string& path, const char* vfs, Sharing sharing) {
  close();
  clear();
  exclusive_ = sharing == Sharing::exclusive;
  // NOMUTEX: a connection is used by one thread at a time, which our own locks see to. PRIVATECACHE: an app that shares
  // its caches does not share ours, whose locks know no patience.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  const int result = sqlite3_open_v2(path.c_str(), &handle_, flags, vfs);
  if (result != SQLITE_OK) {
    note(result);
    close();
    return false;
  }
  sqlite3_extended_result_codes(handle_, 1);
  // A shared directory file may be in another process's hands for the length of a commit; a lane never is.
  sqlite3_busy_timeout(handle_, exclusive_ ? 0 : 1000);
  // Untrusted file content must not run code or crash the reader (sqlite.org/security.html).
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_limit(handle_, SQLITE_LIMIT_LENGTH, value_bytes_max);
  sqlite3_progress_handler(handle_, instructions_a_look, &Database::give_up, this);
  // Closing must be quick and must keep the log's blocks: on a full disk a log that has to grow cannot settle anything.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  int keep = 1;
  sqlite3_file_control(handle_, nullptr, SQLITE_FCNTL_PERSIST_WAL, &keep);
  // Of a mapped file a bad block would end the process. Some apps map all they open, and some systems' SQLite does.
  run("PRAGMA mmap_size=0");
  // Before anything that reads the file: a log opened under an exclusive lock needs no shared-memory file.
  if (exclusive_) run("PRAGMA locking_mode=EXCLUSIVE");
  // The file grows in steps, and each has its blocks before a page of it is committed; see reserve_pages().
  int chunk_bytes = 64 * 1024;
  if (exclusive_) sqlite3_file_control(handle_, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk_bytes);
  bytes_reserved_ = 0;
  // Said, not left to how this SQLite was built: some make NORMAL the default for a write-ahead log.
  run("PRAGMA synchronous=FULL");
  durable_ = true;
  // On Apple a plain fsync leaves the bytes in the drive's cache; elsewhere this changes nothing.
  run("PRAGMA fullfsync=1;PRAGMA checkpoint_fullfsync=1");
  return fault_ == Fault::none;
}

void Database::close() noexcept {
  if (handle_ != nullptr) sqlite3_close(handle_);
  handle_ = nullptr;
}

bool Database::run(const char* sql) {
  if (fault_ != Fault::none || handle_ == nullptr) return false;
  looks_ = 0;
  note(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr));
  return fault_ == Fault::none;
}

std::int64_t Database::number(const char* sql, std::int64_t missing) {
  Statement statement(*this, sql);
  return statement.row() ? statement.number(0) : missing;
}

std::int64_t Database::last_insert_id() const noexcept {
  return handle_ == nullptr ? 0 : sqlite3_last_insert_rowid(handle_);
}

bool Database::begin(Durable durable) {
  // FULL syncs the log at this commit, and with it all commits before it; NORMAL leaves it to the next sync.
  if (durable_ != (durable == Durable::yes)) {
    if (!run(durable == Durable::yes ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL")) return false;
    durable_ = durable == Durable::yes;
  }
  return run("BEGIN IMMEDIATE");
}

bool Database::reserve_pages() {
  if (!exclusive_) return true;
  sqlite3_int64 bytes = number("PRAGMA page_count") * 4096;
  if (fault_ != Fault::none || bytes <= bytes_reserved_) return fault_ == Fault::none;
  const sqlite3_int64 wanted = bytes;
  const int result = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_SIZE_HINT, &bytes);
  if (result != SQLITE_OK && result != SQLITE_NOTFOUND) {
    // SQLite calls it an I/O error; what it tried was to have blocks.
    set_fault(Fault::full, sqlite3_errstr(SQLITE_FULL));
    return false;
  }
  bytes_reserved_ = wanted;
  return true;
}

bool Database::commit() {
  // A checkpoint that finds no block for a page keeps the log from being begun anew, and on a full disk nothing could
  // be settled any more: what is committed has its blocks.
  if (!reserve_pages() || !run("COMMIT")) return false;
  if (bytes_reserved_ == INT64_MAX) bytes_reserved_ = 0;
  if (durable_) ++syncs_;
  return true;
}

void Database::checkpoint_every(std::size_t bytes) noexcept {
  if (handle_ != nullptr) sqlite3_wal_autocheckpoint(handle_, static_cast<int>(bytes / 4096));
}

bool Database::vacuum() {
  bytes_reserved_ = 0;
  // What it moves goes through a temporary database, which would lie elsewhere on the disk.
  return run("PRAGMA temp_store=MEMORY") && run("VACUUM") && run("PRAGMA wal_checkpoint(TRUNCATE)");
}

void Database::rollback() noexcept {
  if (handle_ != nullptr && sqlite3_get_autocommit(handle_) == 0) {
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  if (database.fault_ != Fault::none || database.handle_ == nullptr) return;
  database.looks_ = 0;
  database.note(sqlite3_prepare_v2(database.handle_, sql.data(), static_cast<int>(sql.size()), &handle_, nullptr));
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

Statement& Statement::bind(std::int64_t value) {
  if (handle_ != nullptr) database_.note(sqlite3_bind_int64(handle_, next_++, value));
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  if (handle_ != nullptr) {
    database_.note(sqlite3_bind_text64(handle_, next_++, text.data() == nullptr ? "" : text.data(), text.size(),
                                       SQLITE_STATIC, SQLITE_UTF8));
  }
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  if (handle_ != nullptr) {
    database_.note(sqlite3_bind_blob64(handle_, next_++, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                                       SQLITE_STATIC));
  }
  return *this;
}

bool Statement::row() {
  if (handle_ == nullptr || database_.fault_ != Fault::none) return false;
  const int result = sqlite3_step(handle_);
  database_.note(result);
  return result == SQLITE_ROW;
}

bool Statement::run() {
  while (row()) {
  }
  return database_.fault_ == Fault::none;
}

void Statement::again() {
  if (handle_ == nullptr) return;
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  next_ = 1;
}

int Statement::columns() const noexcept {
  return sqlite3_column_count(handle_);
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(handle_, column);
}

std::string_view Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return text == nullptr ? std::string_view()
                         : std::string_view(text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

std::string_view Statement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

}  // namespace yukha::hold
