// A disk that remembers what was synced and what was not, and a process on it that can be killed at any operation.
#pragma once

#include <cstdint>
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

// A file's bytes as a running system sees them, and as they are on the platter.
struct Inode {
  std::vector<char> bytes;
  std::vector<char> durable;
  std::set<std::size_t> dirty;  // pages written since the last sync; unused once mapped
  bool mapped = false;
  bool name_durable = false;
  std::uint64_t number = 0;

  // SQLite's locks: which handle holds what.
  std::map<const void*, int> locks;
};

class Disk {
 public:
  // Everything unsynced may be there, be missing or be torn at a sector; what was synced is there.
  void lose_power(Chance& chance);
  // A killed process: the bytes stay as they are, but nothing the old handles do reaches them any more.
  void cut_loose();

  std::map<std::string, std::shared_ptr<Inode>> names;
  std::map<std::string, std::shared_ptr<Inode>> durable_names;
  std::uint64_t next_number = 1;
  std::uint64_t bytes_max = UINT64_MAX;  // a full disk
  bool reserves = true;                  // whether mapped rings are possible
  std::uint64_t used() const;

  // Counted for the report.
  std::uint64_t syncs = 0;
  std::uint64_t operations = 0;
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
  // Killed when so many more operations were asked for; 0 for never.
  void kill_after(std::uint64_t operations) { kill_in_ = operations; }
  // Called at the beginning of every operation.
  void operation();
  // The next write answers this errno.
  bool write_fault();
  std::uint64_t fault_one_in = 0;

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
  bool fits(const Inode& inode, std::uint64_t end) const;
  static void write_to(Inode& inode, std::uint64_t offset, const void* from, std::size_t size);
  void sync(Inode& inode);
  Chance& chance() noexcept { return chance_; }
  VirtualTime& time() noexcept { return time_; }

 private:
  Disk& disk_;
  Chance& chance_;
  VirtualTime& time_;
  bool alive_ = true;
  std::uint64_t kill_in_ = 0;
  std::string vfs_name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace yukha::simulation
