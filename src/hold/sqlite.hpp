// SQLite as values: a connection, a statement, a transaction. The only code that includes sqlite3.h stands behind this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace yukha::hold {

enum class Fault { none, busy, full, corrupt, read_only, cannot_open, out_of_memory, io, other };

// "yukh": what `file` and a curious person see of a database of ours.
constexpr std::int64_t application_id = 0x79756b68;
constexpr const char* sign_as_ours = "PRAGMA application_id=2037738344";
static_assert(application_id == 2037738344, "the number in the PRAGMA above");

// Whether a commit is on the disk when it returns, or only in the write-ahead log's pages.
enum class Durable { no, yes };

// Whether other connections may have the file meanwhile.
enum class Sharing {
  shared,
  exclusive,  // the file's lock is held from the first read until close()
};

// Whether the process's SQLite has locks of its own. Without them only one thread may be in it, whatever it does there.
// Threads: any. Blocks: never.
bool sqlite_has_locks() noexcept;

// A connection that remembers its first fault until clear(). After a fault every call does nothing and answers no, so
// that a row of calls can be judged once, at its end.
// Threads: one at a time.
class Database {
 public:
  Database() noexcept = default;
  ~Database() { close(); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Opens or creates.
  // Blocks: for the disk; not for another connection's lock when exclusive, up to a second otherwise.
  bool open(const std::string& path, const char* vfs, Sharing sharing);
  void close() noexcept;
  bool is_open() const noexcept { return handle_ != nullptr; }

  bool run(const char* sql);
  // The first column of the first row; `missing` when there is none.
  std::int64_t number(const char* sql, std::int64_t missing = 0);
  std::int64_t last_insert_id() const noexcept;
  bool begin(Durable durable);
  bool commit();
  // How many commits were synced so far. A commit that was not is on the disk once this has grown.
  std::uint64_t syncs() const noexcept { return syncs_; }
  void rollback() noexcept;
  // The next commit makes the database: it has a journal as soon as it has a length, so that a kill leaves nothing.
  void grows_by_itself() noexcept { bytes_reserved_ = INT64_MAX; }
  // The log is folded into the file by the commit after which it has so many bytes of pages.
  void checkpoint_every(std::size_t bytes) noexcept;
  // Makes the file as long as its content.
  bool vacuum();

  Fault fault() const noexcept { return fault_; }
  const std::string& fault_text() const noexcept { return fault_text_; }
  void clear() noexcept;
  // Damage, unless the schema has these statements, or some of them, and no others: what a stranger put there could
  // run, and go on for ever, at the first look. Before anything else is asked.
  void expect_schema(const char* const* first, const char* const* last);
  // A content that no version of ours writes counts as damage.
  void distrust(const char* why);

 private:
  friend class Statement;
  void note(int result) noexcept;
  static int give_up(void* self) noexcept;
  void set_fault(Fault fault, const char* why);
  // Has blocks for every page of the file as it is in this transaction.
  bool reserve_pages();

  sqlite3* handle_ = nullptr;
  Fault fault_ = Fault::none;
  std::string fault_text_;
  bool exclusive_ = false;
  int looks_ = 0;                    // of the progress handler's, in the present statement
  std::int64_t bytes_reserved_ = 0;  // of the file's, by this connection
  bool durable_ = true;
  std::uint64_t syncs_ = 0;
};

// One prepared statement. Values are borrowed until the statement's end.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind_blob(std::string_view bytes);

  // Goes to the next row; false at the end and after a fault.
  bool row();
  // Runs to the end; false after a fault.
  bool run();
  // Ready to bind and run again.
  void again();

  int columns() const noexcept;
  std::int64_t number(int column) const;
  std::string_view text(int column) const;  // borrowed until the next row
  std::string_view blob(int column) const;

 private:
  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
  int next_ = 1;
};

// Rolls back unless commit() was called and did well.
class Transaction {
 public:
  Transaction(Database& database, Durable durable) : database_(database), open_(database.begin(durable)) {}
  ~Transaction() {
    if (open_) database_.rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  bool commit() {
    if (!open_ || !database_.commit()) return false;
    open_ = false;
    return true;
  }

 private:
  Database& database_;
  bool open_;
};

}  // namespace yukha::hold
