#include "hold/queue/queue_file.hpp"

#include "hold/directory.hpp"
#include "hold/queue/schema.hpp"

namespace yukha::hold {

Status QueueFile::open(system::Files& files, const std::string& path, std::uint64_t epoch, std::size_t step_bytes) {
  files_ = &files;
  path_ = path;
  step_bytes_ = step_bytes;
  damaged_ = reserve_spent_ = false;
  connect();
  if (Status status = schema::prepare(database_, path_, epoch, step_bytes_); !status) {
    database_.close();
    return status;
  }
  set_up_log();
  return {};
}

Status QueueFile::open_damaged(system::Files& files, const std::string& path) {
  files_ = &files;
  path_ = path;
  connect();
  // The lock comes with the first look.
  static_cast<void>(database_.number("PRAGMA user_version"));
  return database_.fault() == Fault::busy ? Status(Code::lane_held, path) : Status();
}

void QueueFile::connect() {
  close();
  if (is_in_memory()) {
    database_.open(path_, nullptr, Sharing::shared);
    return;
  }
  // Made here, because SQLite would let everybody read it; its log gets the same rights. And locked here: an SQLite
  // that found our log without a lock would fold it in and remove it while we write on.
  system::Error error = files_->open(path_, system::OpenMode::create_if_missing, lock_);
  if (error == 0) error = lock_->lock_database();
  database_.open(path_, error == 0 ? files_->sqlite_vfs_without_locks() : files_->sqlite_vfs(), Sharing::exclusive);
}

void QueueFile::set_up_log() {
  const bool has_log = [this] {
    Statement mode(database_, "PRAGMA journal_mode");
    return mode.row() && mode.text(0) == "wal";
  }();
  database_.run("PRAGMA journal_mode=WAL");
  if (!has_log && !is_in_memory()) {
    // The name must survive before anything does that is kept in the file, and the rollback journal of its making must
    // stay removed: back after a power loss it would undo what came later.
    static_cast<void>(files_->sync_directory(path_.substr(0, path_.rfind('/'))));
  }
  // Long enough to be rare, short enough to keep the log inside its reserved blocks.
  database_.checkpoint_every(step_bytes_);
  // A log that a large transaction made longer is cut back.
  database_.run("PRAGMA journal_size_limit=2097152");
  // What is deleted is overwritten with zeros. Some systems' SQLite does so of itself.
  database_.run("PRAGMA secure_delete=ON");
  // 512 KiB of pages are enough to seal one batch without reading twice.
  database_.run("PRAGMA cache_size=-512");
}

void QueueFile::close() noexcept {
  database_.close();
  lock_.reset();
}

Status QueueFile::fail_opening() {
  damaged_ = database_.fault() == Fault::corrupt;
  Status status = status_of(database_, path_);
  database_.close();
  database_.clear();
  return status;
}

Status QueueFile::take_status() {
  Status status = status_of(database_, path_);
  if (database_.fault() == Fault::corrupt) damaged_ = true;
  if (database_.fault() == Fault::full) {
    database_.clear();
    // The log begins anew, so that all of its blocks are there for what comes next.
    database_.run("PRAGMA wal_checkpoint");
    if (!reserve_spent_) {
      // The pages of the reserve become free pages of the file, which need no space of the disk.
      Transaction transaction(database_, Durable::no);
      database_.run("DELETE FROM reserve");
      reserve_spent_ = transaction.commit();
    }
  }
  database_.clear();
  return status;
}

void QueueFile::reserve_log() {
  if (is_in_memory()) return;
  std::unique_ptr<system::File> log;
  if (files_->open(path_ + "-wal", system::OpenMode::existing, log) != 0) return;
  std::uint64_t size = 0;
  // Blocks behind the log's end are read as zeros, which end it. Where they cannot be had, it works without.
  const std::uint64_t wanted = 2 * step_bytes_;
  if (log->size(size) == 0 && size < wanted) static_cast<void>(log->reserve(wanted));
}

bool QueueFile::cut_log() {
  {
    Statement checkpoint(database_, "PRAGMA wal_checkpoint(TRUNCATE)");
    if (!checkpoint.row() || checkpoint.number(0) != 0) return false;
  }
  reserve_log();
  return true;
}

bool QueueFile::fold_log() {
  return database_.run("PRAGMA journal_mode=DELETE");
}

system::Error QueueFile::sync_log() {
  std::unique_ptr<system::File> log;
  const system::Error error = files_->open(path_ + "-wal", system::OpenMode::existing, log);
  return error != 0 ? error : log->sync();
}

bool QueueFile::give_back() {
  const auto free_pages_min = static_cast<std::int64_t>(4 * step_bytes_ / 4096);
  const std::int64_t free_pages = database_.number("PRAGMA freelist_count");
  if (is_in_memory() || free_pages < free_pages_min || free_pages < database_.number("PRAGMA page_count") * 3 / 4)
    return database_.fault() == Fault::none;
  if (!database_.vacuum()) return false;
  // The log was cut to nothing, too.
  reserve_log();
  return true;
}

bool QueueFile::bytes_used(std::uint64_t& used) {
  const std::int64_t pages = database_.number("PRAGMA page_count") - database_.number("PRAGMA freelist_count");
  // Nothing is evicted because of a header that cannot be true.
  if (pages < 0) database_.distrust("more free pages than there are");
  if (database_.fault() != Fault::none) return false;
  const std::uint64_t bytes = static_cast<std::uint64_t>(pages) * 4096;
  std::uint64_t log = 0;
  if (!is_in_memory()) static_cast<void>(files_->size(path_ + "-wal", log));
  used = (bytes > database_bytes_empty ? bytes - database_bytes_empty : 0) +
         (log > log_bytes_kept ? log - log_bytes_kept : 0);
  return true;
}

}  // namespace yukha::hold
