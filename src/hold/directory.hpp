// What all lanes of a queue directory share: who this install is, consent, the erase epoch, the endpoint's back-off.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <yukha/status.hpp>
#include <yukha/tracker.hpp>

#include "hold/consents.hpp"
#include "hold/ledger.hpp"
#include "hold/sqlite.hpp"
#include "system/dice.hpp"
#include "system/files.hpp"

namespace yukha::hold {

// The back-off after failures of the endpoint; survives the process.
struct BackOffMark {
  std::int64_t failures = 0;       // in a row
  std::int64_t until_unix_ms = 0;  // by the device's wall clock, the only one that survives a restart
  std::uint64_t key = 0;           // which endpoint
};

struct DirectoryState {
  std::string install_id;
  std::uint64_t epoch = 0;  // one more after each erase(); what is older is not moved and not sent
  Consents consents;
  BackOffMark back_off;

  bool operator==(const DirectoryState& other) const noexcept {
    return install_id == other.install_id && epoch == other.epoch && consents == other.consents;
  }
  bool operator!=(const DirectoryState& other) const noexcept { return !(*this == other); }
};

// What Directory::come_back() may make again.
enum class Remake {
  file,  // while other files of ours are there
  folder_too,
};

class Statements;

// directory.db: a small database that the processes of the directory read before they move or send, and write rarely.
// Owns the connection and what was last read. directory.lock keeps processes apart. Threads: one at a time.
class Directory {
 public:
  // Opens or makes it. One that came from another device gets a new install id. A new install begins with `initial`;
  // where there was one, and nothing of it can be read, the consent is pending.
  // Blocks: for the disk, up to three seconds for another process.
  Status open(system::Files& files, const std::string& directory, system::Dice& dice, const std::string& platform_id,
              Consent initial = Consent::granted);
  // For a directory that cannot be written. What it says of consent still counts.
  void open_in_memory(system::Files& files, const std::string& directory, system::Dice& dice,
                      Consent initial = Consent::granted);
  void close() noexcept { database_.close(); }
  // Its database is the one that was opened.
  bool is_at_its_place() const noexcept;

  bool is_open() const noexcept { return database_.is_open(); }
  // Where somebody removed or replaced it, or it is damaged by now, the one that is there is opened, or another one
  // made, with what this process knows.
  void come_back(Remake remake);

  // As it is on the disk now; unchanged when it cannot be read.
  const DirectoryState& refresh();
  const DirectoryState& state() const noexcept { return state_; }

  // To everything, or to one purpose.
  bool set_consent(const Purpose* purpose, Consent consent);
  bool set_back_off(const BackOffMark& back_off);
  // A new epoch and a new install id, on the disk before this returns true, and in the same commit the ledger of the
  // lane that begins it; a lane without a name has none to carry.
  bool begin_new_epoch(const std::string& lane = {}, const Ledger& ledger = {});

  // What else the directory remembers, by name; empty when there is nothing of that name, or it cannot be read.
  std::string note(const std::string& name);
  bool set_note(const std::string& name, const std::string& value);

  // The ledger of a lane whose files are about to be unlinked, for the present epoch. Kept until the lane has begun
  // anew, so that a kill in between loses no count.
  bool carry(const std::string& lane, const Ledger& ledger);
  bool carried(const std::string& lane, Ledger& ledger, std::uint64_t& epoch);
  bool drop_carried(const std::string& lane);

  // What the last opening found worth telling; empty when there is nothing.
  std::string take_notice() { return std::exchange(notice_, {}); }

  // The last call failed because another process was in the database for longer than a second.
  bool is_busy() const noexcept { return database_.fault() == Fault::busy; }
  // The status for the fault that the last failed call met, which is then forgotten.
  Status status_of_fault(const std::string& doing);

 private:
  // What was there before this look.
  enum class Before { as_it_is, damaged };
  // Whose files lie in the directory.
  enum class Owner { nobody, somebody };
  Status open_once(const DirectoryState& own, Before before);
  void connect();
  void check_content();
  void make_tables(const DirectoryState& own, const std::string& fresh_id, Owner owner, Statements& said);
  bool settle_on_device(const std::string& fresh_id);
  void hear_own(const DirectoryState& own, Statements& said) const;
  bool catch_up(std::uint64_t epoch, Statements& said, const std::string& fresh_id);
  Status wants_change();
  const DirectoryState& read();  // in a turn that the caller has
  // Among all trackers of all processes; given up with what is returned.
  std::unique_ptr<system::File> take_turn();
  bool is_written() const;
  void put_install_id(const std::string& install_id);
  Status fault_of_opening();
  void put_carried(const std::string& lane, const Ledger& ledger, std::uint64_t epoch);
  Consents consents_of(const Statements& said, Owner owner, Consent initial);

  Database database_;
  DirectoryState state_;
  system::Files* files_ = nullptr;
  system::Dice* dice_ = nullptr;
  std::string directory_;
  std::string path_;
  std::string platform_id_;
  std::uint64_t identity_ = 0;  // of the file that was opened; 0: nobody knows
  std::string notice_;
  Consent initial_ = Consent::granted;
  // Of the present look while opening.
  bool damaged_ = false;
  bool wants_change_ = false;
  bool changes_ = false;  // it may, under directory.lock
  int impatient_ = 0;     // turns for which nobody waits
};

// The file of that identity lies there, or nobody can tell.
bool lies_at(system::Files& files, const std::string& path, std::uint64_t identity) noexcept;

// The status for a fault of a database: which file, what happened, what to do.
Status status_of(const Database& database, const std::string& path);

}  // namespace yukha::hold
