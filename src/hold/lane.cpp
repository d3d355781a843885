#include "hold/lane.hpp"

#include <algorithm>
#include <cerrno>

namespace yukha::hold {
namespace {

constexpr std::string_view database_ending = ".queue";
constexpr std::size_t first_second_bytes = 32 * 1024;  // what a game may track before the first drain

std::uint64_t random_id(system::Dice& dice) {
  std::uint64_t id = 0;
  // Zero stands for "no ring yet" in the database.
  while (id == 0) dice.fill(&id, sizeof id);
  return id;
}

}  // namespace

std::set<std::string> Lane::list(system::Files& files, const std::string& directory) {
  std::vector<std::string> names;
  std::set<std::string> lanes;
  static_cast<void>(files.list(directory, names));
  for (const std::string& name : names) {
    const bool is_database =
        name.size() > database_ending.size() &&
        name.compare(name.size() - database_ending.size(), std::string::npos, database_ending) == 0;
    if (is_database) lanes.insert(name.substr(0, name.size() - database_ending.size()));
  }
  return lanes;
}

Status Lane::open(const std::string& name, const std::string& run) {
  name_ = name;
  in_memory_ = false;
  if (Status status = open_queue(); !status) return status;
  const std::uint64_t epoch = directory_.state().epoch;
  if (queue_.epoch() < epoch) {
    // An erase happened that this lane did not see, or one was killed midway.
    Ledger carried;
    std::uint64_t carried_for = 0;
    const bool found_carried = directory_.carried(name_, carried, carried_for);
    if (Status status = directory_.status_of_fault("reading"); !status) return status;
    // A new queue has not got the counters of an earlier erase yet: they are carried on as they are.
    const bool only_carried = queue_.is_new() && carried.accepted > 0;
    if (!found_carried || (carried_for != epoch && !only_carried)) {
      Ledger ledger = queue_.ledger();
      RingFound found;
      Ring old;
      // The ring is read once more only to count what it holds.
      static_cast<void>(old.open(files_, path(".ring"), settings_.ring_bytes, queue_.epoch(), random_id(dice_),
                                 queue_.ring_mark(), found));
      ledger.accepted = found.accepted;
      ledger.lost += found.lost;
      std::copy(found.refused, found.refused + refusal_count, ledger.refused);
      ledger.erased += ledger.waiting() + ledger.quarantined;
      ledger.quarantined = 0;
      if (!directory_.carry(name_, ledger)) return directory_.status_of_fault("writing");
    }
    if (Status status = unlink_files(); !status) return status;
    if (Status status = open_queue(); !status) return status;
  }
  Status status = open_ring(run);
  if (!status && queue_.damaged()) {
    // Some damage shows only when the table it lies in is written to.
    ring_.close();
    status = salvage();
    if (status) status = open_queue();
    if (status) status = open_ring(run);
  }
  return status;
}

Status Lane::open_queue() {
  std::uint64_t size = 0;
  const bool saved_is_whole = files_.size(path(".queue"), size) != 0 && files_.size(path(".salvage"), size) == 0;
  if (saved_is_whole) finish_salvage();
  Status status = queue_.open(files_, path(".queue"), directory_.state().epoch, settings_.batches);
  if (!status && queue_.damaged()) {
    if (Status saved = salvage(); !saved) return saved;
    status = queue_.open(files_, path(".queue"), directory_.state().epoch, settings_.batches);
  }
  // Whatever erase left them behind: a database that has counters keeps its own.
  if (!status || !queue_.is_new() || queue_.epoch() != directory_.state().epoch) return status;
  Ledger carried;
  std::uint64_t carried_for = 0;
  if (directory_.carried(name_, carried, carried_for)) {
    if (!queue_.restore(carried)) return queue_.status();
    // Kept until here, so that a kill before the new database had the counters would have found them.
    static_cast<void>(directory_.drop_carried(name_));
  } else {
    status = directory_.status_of_fault("reading");
  }
  return status;
}

Status Lane::salvage() {
  // What can be read goes into a new file beside the damaged one. Only a whole new file takes its name: until then a
  // kill or a fault leaves the damaged one where it is, and the next open() begins again. Its lock is held until then,
  // the new one's from then on: another process that took the name in between would share the ring.
  if (!queue_.is_open()) {
    if (Status held = queue_.open_damaged(files_, path(".queue")); !held) return held;
  }
  const std::string fresh_path = path(".salvage");
  for (const char* ending : {".salvage", ".salvage-wal", ".salvage-journal"})
    static_cast<void>(files_.remove(path(ending)));
  Queue fresh;
  if (Status status = fresh.open(files_, fresh_path, directory_.state().epoch, settings_.batches); !status)
    return status;
  std::uint64_t rows = 0;
  if (!fresh.salvage_from(queue_, rows) || !fresh.fold_log()) return fresh.status();
  finish_salvage();
  queue_.close();
  notice_ =
      "the queue " + path(".queue") + " was damaged and set aside; sentences saved from it: " + std::to_string(rows);
  return {};
}

void Lane::finish_salvage() {
  // The damaged file is kept for whoever wants to look at it, once: a second damage replaces the first. Its log must be
  // gone before another file takes the name, or it would be played into that one.
  std::uint64_t size = 0;
  if (files_.size(path(".queue"), size) == 0) static_cast<void>(files_.rename(path(".queue"), path(".damaged")));
  if (files_.size(path(".queue-wal"), size) == 0)
    static_cast<void>(files_.rename(path(".queue-wal"), path(".damaged-wal")));
  static_cast<void>(files_.sync_directory(settings_.directory));
  static_cast<void>(files_.rename(path(".salvage"), path(".queue")));
  static_cast<void>(files_.sync_directory(settings_.directory));
}

Status Lane::repair() {
  if (Status status = salvage(); !status) return status;
  if (Status status = open_queue(); !status) return status;
  return queue_.begin_opening("") ? Status() : queue_.status();
}

Status Lane::open_ring(const std::string& run) {
  if (!queue_.begin_opening(run)) return queue_.status();
  // Twice at the most: the second time the file is new.
  SessionMark session;
  for (int attempt = 0; attempt < 2; ++attempt) {
    RingFound found;
    const system::Error error = ring_.open(files_, path(".ring"), settings_.ring_bytes, queue_.epoch(),
                                           random_id(dice_), queue_.ring_mark(), found);
    if (error != 0) {
      queue_.close();
      const std::string detail = path(".ring") + " (" + system::error_text(error) + ")";
      return {error == ENOSPC || error == EDQUOT ? Code::disk_full : Code::disk_error, detail};
    }
    const bool new_counts = found.accepted != queue_.ledger().accepted ||
                            !std::equal(found.refused, found.refused + refusal_count, queue_.ledger().refused);
    if (!found.lines.empty() || new_counts) {
      Drained drained;
      drained.lines = found.lines;
      drained.mark.ring_id = ring_.id();
      drained.mark.position = found.next_position;
      drained.mark.accepted = found.accepted;
      std::copy(found.refused, found.refused + refusal_count, drained.mark.refused);
      drained.lost = found.lost;
      const std::vector<KeptScope> scopes = without_ended(queue_.kept_scopes(), found.lines);
      drained.scopes = &scopes;
      queue_.previous_run_went_on(found.lines.size() + found.lost);
      if (!queue_.take_over(drained, run.empty() ? queue_.previous_run().last_seq : 0, 0)) {
        Status status = queue_.status();
        // On a full disk the ring keeps what it has, and the drain tries again later.
        if (status.code() != Code::disk_full || (found.mark_unsure && queue_.sync_log() != 0)) return status;
        return {};
      }
      ring_.release(found.next_position);
    } else if (found.mark_unsure) {
      // Room behind a mark is only free once the mark is synced: what a power loss throws back must still be here.
      if (const system::Error unsynced = queue_.sync_log()) {
        queue_.close();
        return {Code::disk_error, path(".queue-wal") + " (" + system::error_text(unsynced) + ")"};
      }
      ring_.release(found.next_position);
    }
    if (found.damaged)
      notice_ =
          "the ring " + path(".ring") + " was damaged; sentences found in it: " + std::to_string(found.lines.size());
    if (session.ordinal != 0) ring_.note_session(session);
    if (!found.begin_anew) {
      if (!run.empty()) ring_.warm(first_second_bytes);
      return settle_in();
    }
    // Its number goes on; the session itself does not, because its id is made of the ring's.
    if (!found.damaged) session.ordinal = ring_.session().ordinal;
    static_cast<void>(files_.remove(path(".ring")));
  }
  return {};
}

// After what the ring held is in the database, before anything can be tracked.
Status Lane::settle_in() {
  std::uint64_t identity = 0;
  if (files_.identity(path(".queue"), identity) != 0) return {};
  // Another device may give its files the same numbers, but not the same install id.
  if (queue_.settle_in(std::to_string(identity) + " " + directory_.state().install_id)) return {};
  Status status = queue_.status();
  // What a full disk cannot note is found out again by the next open().
  return status.code() == Code::disk_full ? Status() : status;
}

Status Lane::open_any(const std::string& run) {
  std::vector<std::string> candidates;
  for (const std::string& name : list(files_, settings_.directory)) {
    // Named lanes belong to whoever names them; they are adopted, never taken.
    if (name.rfind("lane-", 0) == 0) candidates.push_back(name);
  }
  for (int i = 0; i < lanes_max; ++i) {
    const std::string name = "lane-" + std::string(i < 10 ? "0" : "") + std::to_string(i);
    if (std::find(candidates.begin(), candidates.end(), name) == candidates.end()) candidates.push_back(name);
  }
  for (const std::string& name : candidates) {
    Status status = open(name, run);
    if (status.code() != Code::lane_held) return status;
  }
  return {Code::no_free_lane, settings_.directory};
}

Status Lane::open_in_memory(const std::string& run) {
  in_memory_ = true;
  name_ = "memory";
  if (Status status = queue_.open(files_, ":memory:", directory_.state().epoch, settings_.batches); !status)
    return status;
  if (!queue_.begin_opening(run)) return queue_.status();
  ring_.open_in_memory(settings_.ring_bytes, random_id(dice_), queue_.ring_mark());
  return {};
}

// Under the database's lock until its name is gone: another process that finishes the same erase must not have begun
// anew, and taken the carried counters, before this one removes what it takes for the old files.
Status Lane::unlink_files() {
  // The ring first: a database that is new beside an old ring would take its lines for its own.
  for (const char* ending : {".ring", ".queue-wal", ".queue", ".queue-journal", ".damaged", ".damaged-wal", ".salvage",
                             ".salvage-wal", ".salvage-journal"}) {
    if (const system::Error error = files_.remove(path(ending))) {
      queue_.close();
      return {Code::disk_error, path(ending) + " (" + system::error_text(error) + ")"};
    }
  }
  queue_.close();
  static_cast<void>(files_.sync_directory(settings_.directory));
  return {};
}

Status Lane::erase(const std::string& run, bool next_epoch) {
  Ledger ledger = queue_.ledger();
  ledger.accepted = ring_.accepted();
  for (int i = 0; i < refusal_count; ++i) ledger.refused[i] = ring_.refused(static_cast<Refusal>(i));
  ledger.erased += ledger.waiting() + ledger.quarantined;
  ledger.quarantined = 0;
  const bool told = next_epoch   ? directory_.begin_new_epoch(in_memory_ ? std::string() : name_, ledger)
                    : in_memory_ ? true
                                 : directory_.carry(name_, ledger);
  Status status;
  if (!told) {
    const bool is_busy = directory_.is_busy();
    status = directory_.status_of_fault("writing");
    if (next_epoch || is_busy) return status;
  }
  ring_.close();
  if (in_memory_ || !told) {
    queue_.close();
  } else {
    status = unlink_files();
    if (status) status = open_queue();
    if (status) status = open_ring(run);
    if (status) return {};
  }
  // The disk cannot be told the counters, does not let go of the old files, or gives no new ones. Nothing more goes
  // there; what is tracked from now on lives in memory, and the next open() finishes the erase.
  in_memory_ = true;
  if (Status memory = queue_.open(files_, ":memory:", directory_.state().epoch, settings_.batches); !memory)
    return memory;
  if (!queue_.restore(ledger) || !queue_.begin_opening(run)) return queue_.status();
  ring_.open_in_memory(settings_.ring_bytes, random_id(dice_), queue_.ring_mark());
  return status;
}

void Lane::remove_set_aside() {
  if (in_memory_) return;
  for (const char* ending : {".damaged", ".damaged-wal"}) static_cast<void>(files_.remove(path(ending)));
}

std::string Lane::take_notice() {
  std::string notice;
  notice.swap(notice_);
  return notice;
}

}  // namespace yukha::hold
