#include "hold/directory.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <vector>

#include "hold/carried.hpp"
#include "hold/statements.hpp"
#include "system/crypto.hpp"
#include "system/uuid.hpp"

namespace yukha::hold {
namespace {

constexpr std::int64_t directory_version = 1;

constexpr const char* directory_tables[] = {
    "CREATE TABLE directory(one INTEGER PRIMARY KEY CHECK(one = 1), install_id TEXT NOT NULL,"
    " epoch INTEGER NOT NULL, consent INTEGER NOT NULL, failures INTEGER NOT NULL, rest_until INTEGER NOT NULL,"
    " rest_key INTEGER NOT NULL, platform TEXT NOT NULL)",
    "CREATE TABLE carried(lane TEXT PRIMARY KEY, ledger TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE note(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"};

// A copy of these files on another device must not be the same install; which device it is is nobody's to read.
std::string hashed_platform(const std::string& install_id, const std::string& platform_id) {
  return system::hex(system::hmac_sha256(install_id, platform_id));
}

// What damage, or an earlier version, left of who this was. An app's own file of such a name has no lock of ours beside
// it.
void remove_set_aside(system::Files& files, const std::string& directory) {
  std::vector<std::string> names;
  static_cast<void>(files.list(directory, names));
  for (const std::string& name : names) {
    const std::size_t dot = std::min(name.rfind('.'), name.size());
    const std::string ending = name.substr(dot);
    const bool is_ours =
        name == "directory.db.damaged" || std::count(names.begin(), names.end(), name.substr(0, dot) + ".lock") != 0;
    if (is_ours && (ending == ".damaged" || ending == ".damaged-wal"))
      static_cast<void>(files.remove(directory + "/" + name));
  }
}

}  // namespace

Status status_of(const Database& database, const std::string& path) {
  const std::string detail = path + ": " + database.fault_text();
  switch (database.fault()) {
    case Fault::none:
      return {};
    case Fault::busy:
      return {Code::lane_held, path};
    case Fault::full:
      return {Code::disk_full, detail};
    case Fault::out_of_memory:
      return {Code::out_of_memory, detail};
    case Fault::corrupt:
    case Fault::read_only:
    case Fault::cannot_open:
    case Fault::io:
    case Fault::other:
      break;
  }
  return {Code::disk_error, detail};
}

bool lies_at(system::Files& files, const std::string& path, std::uint64_t identity) noexcept {
  std::uint64_t now = identity;
  const system::Error error = files.identity(path, now);
  return error != ENOENT && error != ENOTDIR && now == identity;
}

bool Directory::is_at_its_place() const noexcept {
  return lies_at(*files_, path_, identity_);
}

Status Directory::status_of_fault(const std::string& doing) {
  Status status = status_of(database_, path_ + " (" + doing + ")");
  // Not a lane: another process was in it for too long.
  if (status == Code::lane_held) status = Status(Code::disk_error, path_ + " is busy");
  database_.clear();
  return status;
}

Status Directory::open(system::Files& files, const std::string& directory, system::Dice& dice,
                       const std::string& platform_id, Consent initial) {
  files_ = &files;
  dice_ = &dice;
  initial_ = initial;
  platform_id_ = platform_id;
  directory_ = directory;
  path_ = directory + "/directory.db";
  // Whatever has to be made, changed or removed is so under the lock: what another process is making looks like damage.
  // Without it a sound one can still be read.
  constexpr int patience_ms = 3'000;
  std::unique_ptr<system::File> lock;
  const std::string lock_path = directory + "/directory.lock";
  const system::Error lock_error = files.open(lock_path, system::OpenMode::create_if_missing, lock);
  changes_ = lock_error == 0 && lock->lock(patience_ms) != EWOULDBLOCK;
  const DirectoryState own = state_;
  damaged_ = wants_change_ = false;
  const bool is_read = changes_ || !is_written();
  Status status = is_read ? open_once(own, Before::as_it_is) : Status();
  if (!is_read || (!changes_ && (damaged_ || wants_change_)))
    return {Code::disk_error, lock_path + " (" + system::error_text(lock_error == 0 ? EBUSY : lock_error) + ")"};
  if (status || !damaged_) return status;
  // Nothing in it is worth more than working on: the directory gets a new install id, and nobody looks after one that
  // is set aside. Its journal must not be played into the new one.
  database_.close();
  if (const system::Error error = files.remove(path_))
    return {Code::disk_error, path_ + " (" + system::error_text(error) + ")"};
  static_cast<void>(files.remove(path_ + "-journal"));
  return open_once(own, Before::damaged);
}

Status Directory::open_once(const DirectoryState& own, Before before) {
  damaged_ = false;
  const std::string fresh_id = system::random_uuid(*dice_);
  if (fresh_id.empty()) return Code::no_randomness;
  Statements said;
  const bool is_ours = said.hear_files(*files_, directory_) || before == Before::damaged;
  std::uint64_t size = 0;
  if (files_->size(path_, size) != 0 && !changes_) return wants_change();
  connect();
  if (database_.number("PRAGMA user_version") > directory_version) return {Code::newer_format, path_};
  check_content();
  const bool is_whole = database_.number("PRAGMA user_version") == directory_version &&
                        database_.number("SELECT count(*) FROM sqlite_master WHERE name = 'note'") != 0;
  if (!changes_ && database_.fault() == Fault::none && !is_whole) return wants_change();
  if (!is_whole) make_tables(own, fresh_id, is_ours ? Owner::somebody : Owner::nobody, said);
  if (database_.fault() != Fault::none) return fault_of_opening();
  // Before a lane is made: without it what a lane holds would be somebody's whose consent nobody knows.
  static_cast<void>(files_->sync_directory(directory_));

  const std::uint64_t epoch = read().epoch;
  if (!settle_on_device(fresh_id)) return wants_change();
  said.hear(epoch, &state_.consents);
  hear_own(own, said);
  if (!catch_up(epoch, said, fresh_id)) return wants_change();
  return database_.fault() == Fault::none ? Status() : fault_of_opening();
}

void Directory::connect() {
  std::uint64_t size = 0;
  if (files_->size(path_, size) != 0) {
    // Made here, because SQLite would let everybody read it.
    std::unique_ptr<system::File> file;
    static_cast<void>(files_->open(path_, system::OpenMode::create_if_missing, file));
  }
  database_.open(path_, files_->sqlite_vfs(), Sharing::shared);
  if (files_->identity(path_, identity_) != 0) identity_ = 0;
  // FULL, for every commit: an epoch or a consent that was answered must not come back old after a power loss, and a
  // journal whose end is not synced may be played in part over a later commit.
  database_.run("PRAGMA synchronous=FULL");
  // Its rollback journal ends by being cut to nothing and synced. One that is unlinked may come back after a power
  // loss, and would then undo what came after it.
  database_.run("PRAGMA journal_mode=TRUNCATE");
  // An install id that was replaced must not stay in a page's free room.
  database_.run("PRAGMA secure_delete=ON");
}

void Directory::check_content() {
  database_.expect_schema(std::begin(directory_tables), std::end(directory_tables));
  if (database_.number("PRAGMA user_version") == directory_version &&
      database_.number("SELECT count(*) FROM directory WHERE length(install_id) = 36"
                       " AND epoch BETWEEN 1 AND 1099511627776") != 1) {
    database_.distrust("there is no install id or no epoch");
  }
  // It has three pages: looking at all of them is cheap, and a row that is written into a broken one is not found.
  Statement check(database_, "PRAGMA quick_check(1)");
  if (check.row() && check.text(0) != "ok") database_.distrust("it is damaged inside");
}

void Directory::make_tables(const DirectoryState& own, const std::string& fresh_id, Owner owner, Statements& said) {
  Transaction transaction(database_, Durable::yes);
  if (database_.number("PRAGMA user_version") == 0) {
    for (const char* table : {directory_tables[0], directory_tables[1]}) database_.run(table);
    // One that was removed while it was in use is made again as it was.
    said.hear(own.epoch, &own.consents);
    said.hear(1, nullptr);
    said.assume(consents_of(said, owner, initial_));
    const std::string& id = own.install_id.empty() ? fresh_id : own.install_id;
    Statement(database_, "INSERT OR REPLACE INTO directory VALUES(1, ?, ?, ?, 0, 0, 0, ?)")
        .bind(id)
        .bind(static_cast<std::int64_t>(said.epoch()))
        .bind(said.consents().packed())
        .bind(hashed_platform(id, platform_id_))
        .run();
    database_.run(sign_as_ours);
    database_.run("PRAGMA user_version=1");
  }
  database_.run(directory_tables[2]);
  transaction.commit();
}

// One that came from another device gets a new install id. False: it has to be changed, and may not be now.
bool Directory::settle_on_device(const std::string& fresh_id) {
  bool in_clear = false;
  const bool other_device = [this, &in_clear] {
    Statement statement(database_, "SELECT platform FROM directory");
    if (!statement.row() || statement.text(0) == hashed_platform(state_.install_id, platform_id_)) return false;
    // As an earlier version wrote it.
    in_clear = statement.text(0) == platform_id_;
    return !in_clear;
  }();
  if (!other_device && !in_clear) return true;
  if (!changes_) return false;
  Transaction transaction(database_, Durable::yes);
  put_install_id(other_device ? fresh_id : state_.install_id);
  transaction.commit();
  read();
  return true;
}

// An epoch of another directory, which had this one's name, would erase what others track here; what this process was
// told of consent it knows all the same.
void Directory::hear_own(const DirectoryState& own, Statements& said) const {
  if (own.epoch == 0) return;
  const bool same = own.install_id == state_.install_id;
  Consents its = own.consents;
  // How often it was said in another directory tells nothing of which was later: the stricter one counts.
  if (!same) its.times = said.consents().times;
  said.hear(same ? own.epoch : said.epoch(), &its);
}

// Where it is older than what lies beside it: a file of a backup, or what was said while it could not be written.
// False: it has to be changed, and may not be now.
bool Directory::catch_up(std::uint64_t epoch, Statements& said, const std::string& fresh_id) {
  if (database_.fault() != Fault::none || (said.epoch() == epoch && said.consents() == state_.consents)) return true;
  if (!changes_) return false;
  if (!said.knows_consents()) said.assume(consents_of(said, Owner::somebody, initial_));
  Transaction transaction(database_, Durable::yes);
  Statement(database_, "UPDATE directory SET epoch = ?, consent = ?")
      .bind(static_cast<std::int64_t>(said.epoch()))
      .bind(said.consents().packed())
      .run();
  const bool erased_since = said.epoch() != epoch;
  if (erased_since) put_install_id(fresh_id);
  transaction.commit();
  read();
  write_copy(*files_, directory_, state_.epoch, state_.consents);
  return true;
}

void Directory::put_install_id(const std::string& install_id) {
  Statement(database_, "UPDATE directory SET install_id = ?, platform = ?")
      .bind(install_id)
      .bind(hashed_platform(install_id, platform_id_))
      .run();
}

Status Directory::wants_change() {
  wants_change_ = true;
  database_.close();
  return {};
}

Consents Directory::consents_of(const Statements& said, Owner owner, Consent initial) {
  if (said.knows_consents()) return said.consents();
  Consents consents;
  consents.all = initial;
  if (owner == Owner::nobody) return consents;
  notice_ = "what was consented to cannot be read any more in " + directory_ +
            "; nothing is sent until set_consent() is called";
  return Consents::lost();
}

Status Directory::fault_of_opening() {
  damaged_ = database_.fault() == Fault::corrupt;
  return status_of_fault("opening");
}

void Directory::open_in_memory(system::Files& files, const std::string& directory, system::Dice& dice,
                               Consent initial) {
  dice_ = &dice;
  directory_ = directory;
  Statements said;
  std::uint64_t size = 0;
  // What was said while nothing could be written.
  said.hear(state_.epoch, &state_.consents);
  const bool is_ours =
      said.hear_files(files, directory) || (files.size(directory + "/directory.db", size) == 0 && size > 0);
  // It may be read where it cannot be written.
  database_.clear();
  if (!damaged_ && database_.is_open() && database_.number("PRAGMA user_version") == directory_version) {
    said.hear(refresh().epoch, &state_.consents);
  }
  database_.close();
  database_.clear();
  state_.install_id = system::random_uuid(dice);
  state_.consents = consents_of(said, is_ours ? Owner::somebody : Owner::nobody, initial);
  state_.epoch = std::max<std::uint64_t>(said.epoch(), 1);
}

const DirectoryState& Directory::refresh() {
  if (!database_.is_open()) return state_;
  const auto turn = take_turn();
  return turn == nullptr && is_written() ? state_ : read();
}

const DirectoryState& Directory::read() {
  {
    Statement statement(database_, "SELECT install_id, epoch, consent, failures, rest_until, rest_key FROM directory");
    if (statement.row()) {
      const Consents read = Consents::unpacked(statement.number(2));
      Statements said;
      // A file that somebody put in its place may be older than what is known.
      if (state_.install_id == statement.text(0)) said.hear(state_.epoch, &state_.consents);
      state_.install_id = statement.text(0);
      state_.epoch = static_cast<std::uint64_t>(statement.number(1));
      said.hear(state_.epoch, &read);
      state_.consents = said.knows_consents() ? said.consents() : read;
      state_.back_off.failures = statement.number(3);
      state_.back_off.until_unix_ms = statement.number(4);
      state_.back_off.key = static_cast<std::uint64_t>(statement.number(5));
    }
  }
  return state_;
}

void Directory::come_back(Remake remake) {
  if (!database_.is_open() || identity_ == 0) return;
  std::uint64_t there = identity_;
  const system::Error error = files_->identity(path_, there);
  const bool is_missing = error == ENOENT || error == ENOTDIR;
  if (!is_missing && there == identity_ && database_.fault() != Fault::corrupt) return;
  std::uint64_t beside = 0;
  if (is_missing && remake == Remake::file && files_->identity(directory_ + "/directory.lock", beside) != 0) return;
  database_.close();
  database_.clear();
  if (files_->make_directory(directory_) == 0)
    static_cast<void>(open(*files_, std::string(directory_), *dice_, std::string(platform_id_), initial_));
}

// SQLite's own locks are the process's: two SQLites of one process do not keep each other out, and whoever closes a
// descriptor of the file drops them; whoever reads then would roll a writer's journal back. Without a turn they have to
// do.
std::unique_ptr<system::File> Directory::take_turn() {
  constexpr int patience_ms = 1000;
  constexpr int turns_without_patience = 100;
  std::unique_ptr<system::File> lock;
  if (files_->open(directory_ + "/directory.lock", system::OpenMode::create_if_missing, lock) != 0) return nullptr;
  // Who holds it for so long may hold it for ever, and must not stop each step of ours.
  if (lock->lock(impatient_ > 0 ? 0 : patience_ms) == EWOULDBLOCK) {
    impatient_ = impatient_ > 0 ? impatient_ - 1 : turns_without_patience;
    return nullptr;
  }
  impatient_ = 0;
  return lock;
}

// Who has no turn must not read then: where SQLite's locks were dropped, a journal looks as if its writer had died, and
// is rolled back.
bool Directory::is_written() const {
  std::uint64_t size = 0;
  return files_->size(path_ + "-journal", size) == 0 && size > 0;
}

bool Directory::set_consent(const Purpose* purpose, Consent consent) {
  come_back(Remake::folder_too);
  if (!database_.is_open()) {
    state_.consents.say(purpose, consent);
    return true;
  }
  const auto turn = take_turn();
  Transaction transaction(database_, Durable::yes);
  // What another process said of another purpose stays.
  Consents consents = read().consents;
  consents.say(purpose, consent);
  Statement(database_, "UPDATE directory SET consent = ?").bind(consents.packed()).run();
  const bool saved = transaction.commit();
  // A denial that cannot be written holds in this process.
  if (saved || consent != Consent::granted) state_.consents = consents;
  if (!saved) return false;
  write_copy(*files_, directory_, state_.epoch, state_.consents);
  return true;
}

bool Directory::set_back_off(const BackOffMark& back_off) {
  if (database_.is_open()) {
    const auto turn = take_turn();
    Transaction transaction(database_, Durable::yes);
    Statement(database_, "UPDATE directory SET failures = ?, rest_until = ?, rest_key = ?")
        .bind(back_off.failures)
        .bind(back_off.until_unix_ms)
        .bind(static_cast<std::int64_t>(back_off.key))
        .run();
    if (!transaction.commit()) return false;
  }
  state_.back_off = back_off;
  return true;
}

bool Directory::begin_new_epoch(const std::string& lane, const Ledger& ledger) {
  const std::string install_id = system::random_uuid(*dice_);
  if (install_id.empty()) database_.distrust("the system gives no randomness");
  come_back(Remake::folder_too);
  if (database_.is_open()) {
    const auto turn = take_turn();
    Transaction transaction(database_, Durable::yes);
    const std::uint64_t before = read().epoch;
    if (before >= epoch_max) database_.distrust("no epoch is left");
    database_.run("UPDATE directory SET epoch = epoch + 1");
    put_install_id(install_id);
    if (!lane.empty()) put_carried(lane, ledger, before + 1);
    if (!transaction.commit()) return false;
    // Not read again: that may fail, and this is what it would find.
    state_.install_id = install_id;
    state_.epoch = before + 1;
    write_copy(*files_, directory_, state_.epoch, state_.consents);
    remove_set_aside(*files_, directory_);
    return true;
  }
  if (install_id.empty()) return false;
  state_.install_id = install_id;
  ++state_.epoch;
  return true;
}

void Directory::put_carried(const std::string& lane, const Ledger& ledger, std::uint64_t epoch) {
  const std::string text = carried_text(ledger, epoch);
  Statement(database_, "INSERT OR REPLACE INTO carried VALUES(?, ?)").bind(lane).bind(text).run();
}

std::string Directory::note(const std::string& name) {
  if (!database_.is_open()) return {};
  const auto turn = take_turn();
  Statement statement(database_, "SELECT value FROM note WHERE name = ?");
  return statement.bind(name).row() ? std::string(statement.text(0)) : std::string();
}

bool Directory::set_note(const std::string& name, const std::string& value) {
  if (!database_.is_open()) return true;
  const auto turn = take_turn();
  Transaction transaction(database_, Durable::yes);
  Statement(database_, "INSERT OR REPLACE INTO note VALUES(?, ?)").bind(name).bind(value).run();
  return transaction.commit();
}

bool Directory::carry(const std::string& lane, const Ledger& ledger) {
  if (!database_.is_open()) return true;
  const auto turn = take_turn();
  Transaction transaction(database_, Durable::yes);
  put_carried(lane, ledger, state_.epoch);
  return transaction.commit();
}

bool Directory::carried(const std::string& lane, Ledger& ledger, std::uint64_t& epoch) {
  if (!database_.is_open()) return false;
  const auto turn = take_turn();
  Statement statement(database_, "SELECT ledger FROM carried WHERE lane = ?");
  return statement.bind(lane).row() && read_carried(statement.text(0), ledger, epoch);
}

bool Directory::drop_carried(const std::string& lane) {
  if (!database_.is_open()) return true;
  const auto turn = take_turn();
  Transaction transaction(database_, Durable::yes);
  Statement(database_, "DELETE FROM carried WHERE lane = ?").bind(lane).run();
  return transaction.commit();
}

}  // namespace yukha::hold
