#include "hold/lane.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "system/device.hpp"

namespace yukha::hold {
namespace {

constexpr const char* our_endings[] = {".queue",   "-wal",     "-journal", ".ring", ".lock",
                                       ".salvage", ".damaged", ".db",      ".copy", ".new"};
constexpr std::size_t first_second_bytes = 32 * 1024;  // what a game may track before the first drain

bool ends_with(const std::string& name, std::string_view ending) {
  return name.size() > ending.size() && name.compare(name.size() - ending.size(), std::string::npos, ending) == 0;
}

Status status_of(system::Error error, const std::string& path) {
  return {error == ENOSPC || error == EDQUOT ? Code::disk_full : Code::disk_error,
          path + " (" + system::error_text(error) + ")"};
}

std::string lane_name(int number) {
  return "lane-" + std::string(number < 10 ? "0" : "") + std::to_string(number);
}

std::uint64_t random_id(system::Dice& dice) {
  std::uint64_t id = 0;
  // Zero stands for "no ring yet" in the database, and here for a system that gives no chance.
  while (id == 0 && dice.fill(&id, sizeof id)) {
  }
  return id;
}

}  // namespace

std::set<std::string> Lane::list(system::Files& files, const std::string& directory) {
  std::vector<std::string> names;
  std::set<std::string> lanes;
  static_cast<void>(files.list(directory, names));
  for (const std::string& name : names) {
    // A ring alone has what was tracked before somebody removed the database.
    if (ends_with(name, ".queue") || ends_with(name, ".ring")) lanes.insert(name.substr(0, name.rfind('.')));
  }
  return lanes;
}

Status Lane::make_private(system::Files& files, const std::string& directory, std::string& notice) {
  std::vector<std::string> names;
  static_cast<void>(files.list(directory, names));
  for (const std::string& name : names) {
    if (std::none_of(std::begin(our_endings), std::end(our_endings),
                     [&name](const char* ending) { return ends_with(name, ending); })) {
      continue;
    }
    const std::string path = directory + "/" + name;
    bool narrowed = false;
    if (const system::Error error = files.make_private(path, narrowed)) return status_of(error, path);
    if (narrowed) notice = "others could read " + path + " or files beside it; they cannot any more";
  }
  return {};
}

Status Lane::take_lock() {
  const std::string its_path = path(".lock");
  constexpr int attempts = 4;  // somebody may remove it between the two
  for (int attempt = 0; attempt < attempts; ++attempt) {
    std::unique_ptr<system::File> file;
    if (const system::Error error = files_.open(its_path, system::OpenMode::create_if_missing, file))
      return status_of(error, its_path);
    // Where there are no such locks SQLite's own has to do.
    if (file->lock(0) == EWOULDBLOCK) break;
    if (!file->is_at(its_path)) continue;
    lock_ = std::move(file);
    return {};
  }
  return {Code::lane_held, its_path};
}

Status Lane::open(const std::string& name, const std::string& run) {
  name_ = name;
  in_memory_ = false;
  Status status = take_lock();
  if (!status) return status;
  status = open_held(run);
  if (!status) close();
  return status;
}

Status Lane::open_held(const std::string& run) {
  if (Status status = open_queue(); !status) return status;
  if (queue_.epoch() < directory_.state().epoch) {
    if (Status status = finish_erase(); !status) return status;
    if (Status status = open_queue(); !status) return status;
  }
  Status status = open_ring(run);
  if (!status && queue_.damaged()) {
    // Some damage shows only when the table it lies in is written to.
    ring_.close();
    status = salvage(Damaged::stays_until_whole, Origin::this_directory);
    if (status) status = open_queue();
    if (status) status = open_ring(run);
  }
  return status;
}

// An erase happened that this lane did not see, or one was killed midway: its counters are carried on, its files go.
Status Lane::finish_erase() {
  Ledger carried;
  std::uint64_t carried_for = 0;
  const bool found_carried = directory_.carried(name_, carried, carried_for);
  if (Status status = directory_.status_of_fault("reading"); !status) return status;
  // A new queue has not got the counters of an earlier erase yet: they are carried on as they are.
  const bool only_carried = queue_.is_new() && carried.accepted > 0;
  const bool is_carried = found_carried && (carried_for == directory_.state().epoch || only_carried);
  Ledger ledger = is_carried ? carried : queue_.ledger();
  RingFound found;
  Ring old;
  // The ring is read once more only to count what it holds.
  static_cast<void>(old.open(files_, path(".ring"), settings_.ring_bytes, queue_.epoch(), random_id(dice_),
                             queue_.ring_mark(), found));
  // A commit that failed may be on the disk all the same: whoever made it went on with the old files.
  if (!is_carried || found.accepted > carried.accepted) {
    ledger.lost += is_carried ? 0 : found.lost;
    ledger.accepted = found.accepted;
    std::copy(found.refused, found.refused + refusal_count, ledger.refused);
    ledger.erased += ledger.waiting() + ledger.quarantined;
    ledger.quarantined = 0;
    if (!directory_.carry(name_, ledger)) return directory_.status_of_fault("writing");
  }
  return unlink_files();
}

Status Lane::open_queue() {
  std::uint64_t size = 0;
  const bool saved_is_whole = files_.size(path(".queue"), size) != 0 && files_.size(path(".salvage"), size) == 0;
  if (saved_is_whole) finish_salvage();
  Status status = queue_.open(files_, path(".queue"), directory_.state().epoch, settings_.batches);
  if (!status && queue_.damaged()) {
    if (Status saved = salvage(Damaged::stays_until_whole, Origin::this_directory); !saved) return saved;
    status = queue_.open(files_, path(".queue"), directory_.state().epoch, settings_.batches);
  }
  if (status && files_.identity(path(".queue"), queue_identity_) != 0) queue_identity_ = 0;
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

Status Lane::salvage(Damaged damaged, Origin origin) {
  // What can be read goes into a new file beside the damaged one. Only a whole new file takes its name: until then a
  // kill or a fault leaves the damaged one where it is, and the next open() begins again. Its lock is held until then,
  // the new one's from then on: another process that took the name in between would share the ring.
  if (!queue_.is_open()) {
    if (Status held = queue_.open_damaged(files_, path(".queue")); !held) return held;
  }
  // Where the old file is gone the new one has its name from the start: a .salvage without a queue beside it is taken
  // for whole, also when a kill cut its making off.
  const bool stays = damaged == Damaged::stays_until_whole;
  const std::string fresh_path = path(stays ? ".salvage" : ".queue");
  if (stays) {
    for (const char* ending : {".salvage", ".salvage-wal", ".salvage-journal"})
      static_cast<void>(files_.remove(path(ending)));
  }
  Queue fresh;
  if (Status status = fresh.open(files_, fresh_path, directory_.state().epoch, settings_.batches); !status)
    return status;
  std::uint64_t rows = 0;
  if (!fresh.salvage_from(queue_, origin, rows) || !fresh.fold_log()) return fresh.status();
  if (stays) finish_salvage();
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
  if (Status status = salvage(Damaged::stays_until_whole, Origin::this_directory); !status) return status;
  if (Status status = open_queue(); !status) return status;
  return queue_.begin_opening("") ? Status() : queue_.status();
}

// Brings what the ring's file still held into the database, and frees its room. `waits`: the disk is full, the ring
// keeps what it has, and the drain tries again later.
Status Lane::take_found_over(const RingFound& found, const std::string& run, bool& waits) {
  waits = false;
  const bool new_counts = found.accepted != queue_.ledger().accepted ||
                          !std::equal(found.refused, found.refused + refusal_count, queue_.ledger().refused);
  if (found.lines.empty() && !new_counts) {
    if (!found.mark_unsure) return {};
    // Room behind a mark is only free once the mark is synced: what a power loss throws back must still be here.
    if (const system::Error unsynced = queue_.sync_log()) {
      queue_.close();
      return status_of(unsynced, path(".queue-wal"));
    }
    ring_.release(found.next_position);
    return {};
  }
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
    waits = status == Code::disk_full && (!found.mark_unsure || queue_.sync_log() == 0);
    return status;
  }
  ring_.release(found.next_position);
  return {};
}

Status Lane::open_ring_file(RingFound& found) {
  const std::uint64_t new_id = random_id(dice_);
  if (new_id == 0) return Code::no_randomness;
  const system::Error error =
      ring_.open(files_, path(".ring"), settings_.ring_bytes, queue_.epoch(), new_id, queue_.ring_mark(), found);
  return error == 0 ? Status() : status_of(error, path(".ring"));
}

Status Lane::open_ring(const std::string& run) {
  if (!queue_.begin_opening(run)) return queue_.status();
  // Twice at the most: the second time the file is new.
  SessionMark session;
  std::optional<Consents> consents;
  for (int attempt = 0; attempt < 2; ++attempt) {
    RingFound found;
    if (Status status = open_ring_file(found); !status) {
      queue_.close();
      return status;
    }
    if (!consents) consents = ring_.consents();
    if (!ring_.consents()) ring_.note_consents(consents.value_or(directory_.state().consents));
    bool waits = false;
    if (Status status = take_found_over(found, run, waits); !status) return waits ? Status() : status;
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
    const std::string name = lane_name(i);
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

bool Lane::is_gone() {
  if (in_memory_ || !lock_) return false;
  return !queue_is_at_its_place() || !lock_->is_at(path(".lock")) || !ring_.is_at(path(".ring"));
}

bool Lane::queue_is_at_its_place() {
  if (in_memory_) return true;
  return lies_at(files_, path(".queue"), queue_identity_);
}

// Everything that was tracked is in the database.
Status Lane::take_ring_over(std::uint64_t run_base, std::int64_t held_ms) {
  std::string text;
  while (ring_.used() != 0) {
    std::vector<RingLine> lines;
    ring_.read(ring_.tail(), ring_.head(), ring_.capacity(), text, lines);
    if (lines.empty()) {
      ring_.release(ring_.head());
      break;
    }
    Drained drained = Drained::of(ring_, std::move(lines), queue_.ledger().accepted);
    drained.held_ms = held_ms;
    if (!queue_.take_over(drained, drained.mark.accepted - run_base, 0)) return queue_.status();
    ring_.release(drained.mark.position);
  }
  return {};
}

Status Lane::make_again(std::uint64_t run_base, std::int64_t held_ms) {
  const std::string gone = path(".queue");
  Status status = open_again(run_base, held_ms);
  in_memory_ = !status && queue_.is_open();
  notice_ = gone + " was removed or replaced; " +
            (status       ? "what waits is in " + (path(".queue") == gone ? "one made again" : path(".queue"))
             : in_memory_ ? "what waits is kept in memory: " + status.message()
                          : status.message());
  return status;
}

Status Lane::open_again(std::uint64_t run_base, std::int64_t held_ms) {
  // The files that were removed are there for as long as they are open.
  Status status = ring_.is_mine() ? take_ring_over(run_base, held_ms) : Status();
  if (!status) return status;
  if (queue_is_at_its_place()) {
    // Nobody else had the database meanwhile: it is locked by itself, too.
    if (!lock_->is_at(path(".lock"))) status = take_lock();
    ring_.close();
    return status ? open_ring("") : status;
  }
  const std::string& directory = settings_.directory;
  if (const system::Error error = files_.make_directory(directory)) return status_of(error, directory);
  // An erase in another directory concerns nothing that lies here.
  const bool erased_elsewhere = queue_.epoch() == directory_.state().epoch && !directory_.is_at_its_place();
  directory_.close();
  status = directory_.open(files_, directory, dice_, system::platform_id());
  if (!status) return status;
  // Under a name that nobody's files have.
  const std::string before = name_;
  status = Code::no_free_lane;
  for (int i = -1; i < lanes_max && !status; ++i) {
    if (i >= 0) name_ = lane_name(i);
    std::uint64_t size = 0;
    const bool has_ring = files_.size(path(".ring"), size) != ENOENT;
    if (files_.size(path(".queue"), size) != ENOENT || (has_ring && (i >= 0 || !ring_.is_at(path(".ring"))))) continue;
    status = i < 0 && lock_->is_at(path(".lock")) ? Status() : take_lock();
  }
  if (status) status = salvage(Damaged::is_gone, erased_elsewhere ? Origin::elsewhere : Origin::this_directory);
  if (!status) {
    name_ = before;
    return status;
  }
  ring_.close();
  status = open_queue();
  return status ? open_ring("") : status;
}

// Under the lane's lock until all names are gone: another process that finishes the same erase must not have begun
// anew, and taken the carried counters, before this one removes what it takes for the old files.
Status Lane::unlink_files() {
  if (is_gone()) {
    queue_.close();
    return {Code::disk_error, settings_.directory + " was moved or replaced"};
  }
  // The ring first: a database that is new beside an old ring would take its lines for its own.
  for (const char* ending : {".ring", ".queue-wal", ".queue", ".queue-journal", ".damaged", ".damaged-wal", ".salvage",
                             ".salvage-wal", ".salvage-journal"}) {
    if (const system::Error error = files_.remove(path(ending))) {
      queue_.close();
      return status_of(error, path(ending));
    }
  }
  queue_.close();
  static_cast<void>(files_.sync_directory(settings_.directory));
  return {};
}

Status Lane::erase(const std::string& run, Epoch epoch) {
  Ledger ledger = queue_.ledger();
  ledger.accepted = ring_.accepted();
  for (int i = 0; i < refusal_count; ++i) ledger.refused[i] = ring_.refused(static_cast<Refusal>(i));
  ledger.erased += ledger.waiting() + ledger.quarantined;
  ledger.quarantined = 0;
  const bool told = epoch == Epoch::next ? directory_.begin_new_epoch(in_memory_ ? std::string() : name_, ledger)
                    : in_memory_         ? true
                                         : directory_.carry(name_, ledger);
  Status status;
  if (!told) {
    const bool is_busy = directory_.is_busy();
    status = directory_.status_of_fault("writing");
    if (epoch == Epoch::next || is_busy) return status;
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
  if (in_memory_ || is_gone()) return;
  for (const char* ending : {".damaged", ".damaged-wal"}) static_cast<void>(files_.remove(path(ending)));
}

std::string Lane::take_notice() {
  std::string notice;
  notice.swap(notice_);
  return notice;
}

}  // namespace yukha::hold
