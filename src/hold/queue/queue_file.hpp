// The file of a lane's database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <yukha/status.hpp>

#include "hold/sqlite.hpp"
#include "system/files.hpp"

namespace yukha::hold {

// Locks and opens the file, reserves blocks for its log, gives the reserve back on a full disk, and measures. Knows
// nothing of what the rows mean.
// Owns the lock and the connection. No lock of its own: the queue's thread.
class QueueFile {
 public:
  // Opens or makes the database. lane_held: another tracker has it. newer_format: left as it is. disk_error with
  // damaged() true: its content cannot be trusted.
  // Blocks: for the disk.
  Status open(system::Files& files, const std::string& path, std::uint64_t epoch, std::size_t step_bytes);
  // The same for a file that open() found damaged, so that nobody else has it while it is read from.
  Status open_damaged(system::Files& files, const std::string& path);
  void close() noexcept;
  // Closes it. The status for the fault that was met, which is forgotten.
  Status fail_opening();

  Database& database() noexcept { return database_; }
  const Database& database() const noexcept { return database_; }
  bool damaged() const noexcept { return damaged_; }
  // The status for the fault that was met, which is forgotten. Makes room where the disk is full.
  Status take_status();

  // The log has blocks for two steps, where they can be had.
  void reserve_log();
  // The log is empty, and what was in it overwritten. False: not yet.
  bool cut_log();
  // Folds the log into the file, which is then whole by itself.
  bool fold_log();
  // Every commit so far is on the disk, also one that an earlier process could not sync. Blocks: for one sync.
  system::Error sync_log();
  // Gives the blocks of what is gone back to the system, when there are many of them and little is left to be moved.
  bool give_back();
  // Bytes that sentences take, without what every lane takes even when it is empty.
  bool bytes_used(std::uint64_t& used);

  // How much an empty lane's database and log are given at most.
  static constexpr std::uint64_t database_bytes_empty = 1'200'000;
  static constexpr std::uint64_t log_bytes_kept = 2 << 20;

 private:
  bool is_in_memory() const noexcept { return path_ == ":memory:"; }
  void connect();
  void set_up_log();

  std::unique_ptr<system::File> lock_;  // of the database's file
  Database database_;
  system::Files* files_ = nullptr;
  std::string path_;
  std::size_t step_bytes_ = 0;  // what one transaction may write on a full disk
  bool reserve_spent_ = false;
  bool damaged_ = false;
};

}  // namespace yukha::hold
