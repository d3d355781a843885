// One process's place in a queue directory: a ring and a queue under one lock.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include <yukha/status.hpp>

#include "hold/directory.hpp"
#include "hold/queue/queue.hpp"
#include "hold/ring.hpp"
#include "system/dice.hpp"
#include "system/files.hpp"

namespace yukha::hold {

constexpr int lanes_max = 16;

// In which of the directory's epochs an erased lane begins anew.
enum class Epoch {
  present,
  next,  // which begins with it
};

struct LaneSettings {
  std::string directory;
  std::size_t ring_bytes = 0;
  BatchLimits batches;
};

// Opens, erases, repairs and makes again the files of one lane, in an order that a kill may cut off anywhere:
// <name>.lock, whose holder alone touches the others; <name>.queue with its log; <name>.ring. Owns ring, queue and lock
// file. No lock of its own. Threads: those of Ring and Queue.
class Lane {
 public:
  Lane(system::Files& files, system::Dice& dice, Directory& directory, const LaneSettings& settings)
      : files_(files), dice_(dice), directory_(directory), settings_(settings) {}

  // Takes the lane and brings everything its ring still holds into its database. What an erase left behind is removed,
  // a damaged database is set aside after its readable rows were saved.
  // `run` names the life that begins, so that the next one can report it; empty for a lane that is only emptied.
  // lane_held when another tracker has it. Blocks: for the disk.
  Status open(const std::string& name, const std::string& run);
  // The first free lane of the directory, existing ones first, or a new one.
  Status open_any(const std::string& run);
  // Neither files nor lock: sentences live in memory and end with the process.
  Status open_in_memory(const std::string& run);
  // Gives files and lock back, as the end of the process would. Only open() may follow.
  void close() noexcept {
    ring_.close();
    queue_.close();
    lock_.reset();
  }

  // Sets a database that turned out to be damaged aside and goes on with what could be read of it. The ring stays.
  // Where that fails the damaged one stays as it was, unless the disk does not give it back: then the lane is no longer
  // held, queue().is_open() is false, and only close() may follow.
  Status repair();

  // Unlinks the lane's files and begins anew; in memory when the disk refuses. The counters go on. When a next epoch
  // cannot begin, or another process has the directory for too long, everything stays as it was.
  Status erase(const std::string& run, Epoch epoch);

  // What was set aside of a damaged database is gone.
  void remove_set_aside();

  // The lane's files are not the ones that were opened: somebody removed them, or the directory.
  bool is_gone();
  // Its database is the one that was opened.
  bool queue_is_at_its_place();
  // Makes a gone lane's files again, with what waits. Where that fails it goes on with the files that only this process
  // still sees, as if in memory. Nothing may be tracked meanwhile. What the ring has is as old as `held_ms` says.
  Status make_again(std::uint64_t run_base, std::int64_t held_ms);

  // Takes from others the right to read or write our files of the directory; `notice` says when somebody had it.
  static Status make_private(system::Files& files, const std::string& directory, std::string& notice);
  // Names of the directory's lanes, in order.
  static std::set<std::string> list(system::Files& files, const std::string& directory);

  const std::string& name() const noexcept { return name_; }
  Ring& ring() noexcept { return ring_; }
  const Ring& ring() const noexcept { return ring_; }
  Queue& queue() noexcept { return queue_; }
  bool in_memory() const noexcept { return in_memory_; }
  std::uint64_t ring_file_bytes() const noexcept { return in_memory_ ? 0 : ring_.capacity() + 4096; }
  // What opening had to repair, told once; empty when there was nothing.
  std::string take_notice();

 private:
  std::string path(const char* ending) const { return settings_.directory + "/" + name_ + ending; }
  Status take_lock();
  Status open_held(const std::string& run);
  Status open_again(std::uint64_t run_base, std::int64_t held_ms);
  Status take_ring_over(std::uint64_t run_base, std::int64_t held_ms);
  Status open_queue();
  Status finish_erase();
  Status open_ring(const std::string& run);
  Status open_ring_file(RingFound& found);
  Status take_found_over(const RingFound& found, const std::string& run, bool& waits);
  Status settle_in();
  enum class Damaged {
    stays_until_whole,  // under its name, until the new file takes it
    is_gone,            // its name is free
  };
  Status salvage(Damaged damaged, Origin origin);
  void finish_salvage();
  Status unlink_files();

  system::Files& files_;
  system::Dice& dice_;
  Directory& directory_;
  LaneSettings settings_;
  std::string name_;
  Queue queue_;
  Ring ring_;
  std::unique_ptr<system::File> lock_;
  std::uint64_t queue_identity_ = 0;
  bool in_memory_ = false;
  std::string notice_;
};

}  // namespace yukha::hold
