// The file system as the library sees it. SQLite reaches the disk through its own seam, the VFS that sqlite_vfs()
// names.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace yukha::system {

// 0, the system's errno, or one of these.
using Error = int;
constexpr Error others_can_write = -1;
constexpr Error is_somebody_elses = -2;
constexpr Error is_no_plain_file = -3;  // a link, a device, or a file that has other names, too

// The errno's name, what it means here and the way out, for a message: "ENOSPC, no space is left; free some".
std::string error_text(Error error);

// Threads: one, but for what map() gave, which is memory. All of it closes on exec.
class File {
 public:
  virtual ~File() = default;
  // Reads up to `size` bytes; `got` is less only at the end of the file.
  virtual Error read(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) noexcept = 0;
  // Writes all of it or answers an error; what was written by then stays.
  virtual Error write(std::uint64_t offset, const void* from, std::size_t size) noexcept = 0;
  // What was written or stored in the mapping is on the disk when this returns 0. Blocks: for the disk.
  virtual Error sync() noexcept = 0;
  virtual Error size(std::uint64_t& bytes) noexcept = 0;
  virtual Error resize(std::uint64_t bytes) noexcept = 0;
  // Sets blocks aside so that later stores into a mapping cannot fail for want of space. EOPNOTSUPP where the file
  // system is not known to honour it.
  virtual Error reserve(std::uint64_t bytes) noexcept = 0;
  // The first `size` bytes as shared memory that outlives the process in the page cache; nullptr when that cannot be
  // had. Unmapped with the file.
  virtual char* map(std::size_t size) noexcept = 0;
  // Takes the file's lock, which nobody else in any process has then, nor this process through another File. It is lost
  // with the File, not with another descriptor of the same file, and a forked child has no share in it. EWOULDBLOCK
  // when somebody has it for longer than `patience_ms`, EOPNOTSUPP where the system has no such locks.
  virtual Error lock(int patience_ms) noexcept {
    static_cast<void>(patience_ms);
    return EOPNOTSUPP;
  }
  // Takes the locks that an SQLite takes which has a database for itself, with lock()'s properties and answers: also
  // for an SQLite of this process, whose own would be lost when anybody here closes a descriptor of the file.
  virtual Error lock_database() noexcept { return EOPNOTSUPP; }
  // Whether this is what `path` names: not when it was removed or replaced.
  virtual bool is_at(const std::string& path) noexcept {
    static_cast<void>(path);
    return true;
  }
  // Lets the system do now what the next stores into these bytes of the mapping would wait for. A hint, without effect
  // where the system has no such thing.
  virtual void warm(std::size_t offset, std::size_t size) noexcept {
    static_cast<void>(offset);
    static_cast<void>(size);
  }
};

enum class OpenMode { existing, create_if_missing, replace };

// Threads: any. Blocks: for the disk.
class Files {
 public:
  virtual ~Files() = default;
  virtual Error open(const std::string& path, OpenMode mode, std::unique_ptr<File>& file) noexcept = 0;
  // Makes the path one that a change of the working directory does not touch, without links as far as it exists.
  virtual Error make_absolute(std::string& path) noexcept {
    static_cast<void>(path);
    return 0;
  }
  // What `path` names, if anything, is a plain file of this user's under this name alone, which nobody else can read:
  // wider rights are taken back and `narrowed` says so. Otherwise nothing is to touch it.
  virtual Error make_private(const std::string& path, bool& narrowed) noexcept {
    static_cast<void>(path);
    narrowed = false;
    return 0;
  }
  // Makes the directory and those above it; 0 when it is there already, belongs to this user and nobody else can write
  // in it.
  virtual Error make_directory(const std::string& path) noexcept = 0;
  // Removing what is not there is no error.
  virtual Error remove(const std::string& path) noexcept = 0;
  virtual Error rename(const std::string& from, const std::string& to) noexcept = 0;
  // Makes creations, removals and renames in the directory survive a power loss.
  virtual Error sync_directory(const std::string& path) noexcept = 0;
  // Names without the path, in no order.
  virtual Error list(const std::string& path, std::vector<std::string>& names) noexcept = 0;
  virtual Error size(const std::string& path, std::uint64_t& bytes) noexcept = 0;
  // What tells this file from its copy: a number that a copy, a restore or a move to another device changes.
  virtual Error identity(const std::string& path, std::uint64_t& identity) noexcept = 0;
  // The name of the SQLite VFS to open databases with; nullptr for SQLite's own.
  virtual const char* sqlite_vfs() const noexcept { return nullptr; }
  // One that takes no locks, for a database that lock_database() has locked.
  virtual const char* sqlite_vfs_without_locks() const noexcept { return sqlite_vfs(); }
};

Files& system_files() noexcept;

}  // namespace yukha::system
