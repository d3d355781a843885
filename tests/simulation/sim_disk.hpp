// A disk that remembers what was synced and what was not, and a process on it that can be killed at any operation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "system/files.hpp"

struct sqlite3_vfs;

namespace yukha::simulation {

using Chance = std::mt19937_64;

inline std::uint64_t throw_up_to(Chance& chance, std::uint64_t limit) {
  return chance() % (limit + 1);
}
inline bool one_in(Chance& chance, std::uint64_t n) {
  return chance() % n == 0;
}

constexpr std::size_t sim_page = 4096;
constexpr std::size_t sim_sector = 512;

struct Handle;

// A file's bytes as a running system sees them, and as they are on the platter.
struct Inode {
  std::vector<char> bytes;
  std::vector<char> durable;
  std::set<std::size_t> dirty;  // pages written since the last sync; unused once mapped
  bool mapped = false;
  bool unreadable = false;  // nobody of ours may open it
  std::uint64_t number = 0;
  std::map<const Handle*, int> locks;  // SQLite's: which handle holds what
};

// What can go wrong with an operation, apart from being the last one.
enum class Fault { full, write_error, short_write, read_error, sync_error, open_error };
constexpr int fault_count = 6;
const char* fault_name(Fault fault);

class Disk {
 public:
  // Everything unsynced may be there, be missing or be torn at a sector; what was synced is there. No process lives.
  void lose_power(Chance& chance);
  // The system writes back what the dead left behind.
  void write_back();
  // As a backup or a clone has it: the same names and bytes, other files.
  Disk copy() const;
  std::uint64_t used() const;
  bool is_unreadable(const std::string& path) const;

  std::map<std::string, std::shared_ptr<Inode>> names;
  std::map<std::string, std::shared_ptr<Inode>> durable_names;
  std::uint64_t next_number = 1;
  std::uint64_t bytes_max = UINT64_MAX;  // a full disk
  bool reserves = true;                  // whether mapped rings are possible
  bool gives_blocks_ahead = false;       // for what SQLite says that a file is going to have
  std::uint64_t fault_one_in = 0;        // of the operations that could have the present fault; 0 for none
  Fault fault = Fault::write_error;
  std::uint64_t set_aside = 0;  // files that somebody took for damaged
  std::uint64_t directories_set_aside = 0;
  std::uint64_t* faults = nullptr;  // counted by kind, for the report
};

// One process's way to the disk. After kill() it works on a ghost of the disk, which nobody sees.
class Process final : public system::Files {
 public:
  Process(Disk& disk, Chance& chance, class VirtualTime& time);
  ~Process() override;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool alive() const noexcept { return alive_; }
  void kill();
  std::int64_t died_ms() const noexcept { return died_ms_; }
  // Killed when so many more operations were asked for; 0 for never.
  void kill_after(std::uint64_t operations) { kill_in_ = operations; }
  // Called at the beginning of every operation.
  void operation();
  // Runs inside of operations, for what else goes on in the world meanwhile.
  std::function<void()> meanwhile;
  // Lets others go on for that long; without it time passes, and nobody moves.
  std::function<void(std::int64_t wait_ms)> wait;
  // Whether this operation has this fault.
  bool fails(Fault fault);
  // How many of the bytes a failing write leaves behind.
  std::size_t cut_short(std::size_t size);

  system::Error open(const std::string& path, system::OpenMode mode,
                     std::unique_ptr<system::File>& file) noexcept override;
  system::Error make_directory(const std::string& path) noexcept override;
  system::Error remove(const std::string& path) noexcept override;
  system::Error rename(const std::string& from, const std::string& to) noexcept override;
  system::Error sync_directory(const std::string& path) noexcept override;
  system::Error list(const std::string& path, std::vector<std::string>& names) noexcept override;
  system::Error size(const std::string& path, std::uint64_t& bytes) noexcept override;
  system::Error identity(const std::string& path, std::uint64_t& identity) noexcept override;
  const char* sqlite_vfs() const noexcept override { return vfs_name_.c_str(); }

  std::shared_ptr<Inode> find(const std::string& path) const;
  std::shared_ptr<Inode> create(const std::string& path);
  bool fits(const Inode& inode, std::uint64_t end);
  bool gives_blocks_ahead() const noexcept { return disk_.gives_blocks_ahead; }
  static void write_to(Inode& inode, std::uint64_t offset, const void* from, std::size_t size);
  void sync(Inode& inode);
  Chance& chance() noexcept { return chance_; }
  VirtualTime& time() noexcept { return time_; }
  std::set<Handle*>& handles() noexcept { return handles_; }

 private:
  Disk& disk_;
  Chance& chance_;
  VirtualTime& time_;
  bool alive_ = true;
  std::int64_t died_ms_ = 0;
  bool inside_ = false;
  std::uint64_t kill_in_ = 0;
  std::set<Handle*> handles_;
  std::string vfs_name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

// An open file of a process.
struct Handle {
  Handle(Process& of, std::shared_ptr<Inode> at) : process(of), inode(std::move(at)) { process.handles().insert(this); }
  ~Handle() {
    inode->locks.erase(this);
    process.handles().erase(this);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  Process& process;
  std::shared_ptr<Inode> inode;
  bool mapped = false;
};

}  // namespace yukha::simulation
