// Where sentences wait: chunks of lines as they came from the ring, sealed batches, quarantine and the ledger, in one
// SQLite database a lane. FORMAT.md describes the tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include <yukha/status.hpp>

#include "hold/consents.hpp"
#include "hold/ledger.hpp"
#include "hold/queue/batch.hpp"
#include "hold/queue/batch_list.hpp"
#include "hold/queue/drained.hpp"
#include "hold/queue/kept_scopes.hpp"
#include "hold/queue/open_chunks.hpp"
#include "hold/queue/queue_file.hpp"
#include "hold/queue/retention.hpp"
#include "hold/queue/rows.hpp"
#include "hold/ring.hpp"
#include "system/files.hpp"

namespace yukha::hold {

// Whether a batch may be made of fewer lines than fill one.
enum class Partial { no, yes };

// When an erasure owes a scrub of the files.
enum class Scrub {
  if_erased,
  always,  // what it was to erase may have gone another way before, and lie in the files
};

// Where a damaged database comes from.
enum class Origin {
  this_directory,
  elsewhere,  // its epochs are another directory's
};

// The transactions of a lane's database. Every call that changes something is one transaction: it changes rows, the
// ledger with them, and then what the queue knows of them in memory. false means that nothing changed, and status()
// says why.
// Owns the file, and in memory the state row, the open chunks and the list of batches.
// Threads: one at a time. No lock of its own: that of the lane's owner.
class Queue {
 public:
  // Opens or makes the database. lane_held: another tracker has it. newer_format: left as it is. disk_error with
  // damaged() true: its content cannot be trusted.
  // Blocks: for the disk.
  Status open(system::Files& files, const std::string& path, std::uint64_t epoch, const BatchLimits& limits);
  // The same for a file that open() found damaged, so that nobody else has it while it is read from.
  Status open_damaged(system::Files& files, const std::string& path) { return file_.open_damaged(files, path); }
  void close() noexcept { file_.close(); }
  bool is_open() const noexcept { return file_.database().is_open(); }
  bool damaged() const noexcept { return file_.damaged(); }
  // The status for the fault that was met, which is forgotten. Makes room where the disk is full.
  Status status();

  // As in QueueFile.
  bool fold_log() { return file_.fold_log(); }
  system::Error sync_log() { return file_.sync_log(); }
  bool give_back() { return file_.give_back(); }
  bool bytes_used(std::uint64_t& used) { return file_.bytes_used(used); }

  std::uint64_t epoch() const noexcept { return state_.epoch; }
  const Ledger& ledger() const noexcept { return state_.ledger; }
  const RingMark& ring_mark() const noexcept { return state_.mark; }
  const RunMark& previous_run() const noexcept { return previous_run_; }
  std::int64_t ledger_sent_unix_ms() const noexcept { return state_.ledger_sent_unix_ms; }

  // It has no counters yet, nor a ring that could know more.
  bool is_new() const noexcept { return state_.ledger.accepted == 0 && state_.mark.ring_id == 0; }
  // Gives a new queue the counters of the one that was erased; any other keeps its own.
  bool restore(const Ledger& ledger);
  // Begins a life of the lane; an empty `run` leaves the name of the last one.
  bool begin_opening(const std::string& run);
  // `place` says where the lane lies. When it lay elsewhere, it came from a backup or a clone: what it brought is
  // sealed without anything that is tracked here, so that all its copies make the same keys. Synced when it returns
  // true.
  bool settle_in(const std::string& place);
  // The run before this one came further than its last drain told.
  void previous_run_went_on(std::uint64_t sentences) noexcept { previous_run_.last_seq += sentences; }
  // Remembers how far the run came and that it ended in good order.
  bool end_run(std::uint64_t last_seq);
  // What the endpoint's answers say about the true time: ages are counted from then on. `elapsed_ms` since the opening.
  // Told again, it costs nothing unless it is another time.
  bool learn_true_time(std::int64_t true_unix_ms, std::int64_t elapsed_ms);

  // Makes key and body of a batch's lines; false when it cannot.
  using Sealer = std::function<bool(std::string_view lines, std::string& key, std::string& body)>;
  // Synced when it returns. `now_unix_ms` is remembered when there is a ledger sentence. What fills a batch is sealed
  // at once where there is a sealer, and never lies in the database uncompressed.
  bool take_over(const Drained& drained, std::uint64_t last_seq, std::int64_t now_unix_ms,
                 const Sealer& seal = nullptr);

  // Replaces the scopes that are kept. Not synced.
  bool keep_scopes(const std::vector<KeptScope>& scopes);
  std::vector<KeptScope> kept_scopes() { return KeptScopes::read(file_.database()); }

  // The chunks that make the next batch; false when there are none or they cannot be read.
  bool next_unsealed(Kind kind, Partial partial, Unsealed& unsealed);
  bool has_full(Kind kind) const noexcept { return chunks_.first(kind).full; }
  bool has_unsealed(Kind kind) const noexcept { return !chunks_.empty(kind); }
  // Not synced: until make_durable() a power loss makes chunks of it again.
  bool seal(const Unsealed& unsealed, const std::string& key, const std::string& body);

  // Every batch is on the disk under its key when this returns true: only then may one leave. Costs a sync only when
  // none came since the last seal, so that under load many batches share one.
  bool make_durable();

  // Those that wait, in the order of their next turn.
  const std::list<Batch>& batches() const noexcept { return batches_.all(); }
  bool body(std::int64_t id, std::string& body);
  // Delivered, except for those rejected by name. Not synced: the same key would come again.
  bool settle(std::int64_t id, const std::vector<Rejected>& rejected);
  // In its place come parts, quarantined lines, or both. Not synced, as seal().
  bool replace(const std::vector<std::int64_t>& ids, std::vector<NewBatch>& parts,
               const std::vector<Rejected>& rejected);
  bool set_bisect(std::int64_t id, Bisect bisect);
  // Parts held back for a search that no longer has a suspect, because a kill or a fault came between two of its steps,
  // are sent as any others. True when there were such.
  bool free_orphans() noexcept { return batches_.free_orphans(); }
  // Behind all others of its priority.
  void to_the_back(std::int64_t id) noexcept { batches_.to_the_back(id); }

  // The first quarantined line with a number above `after`; false when there is none, or it cannot be read.
  bool next_quarantined(std::int64_t after, std::int64_t& number, Rejected& rejected);
  // Quarantined lines wait again, as the one batch that `batch` is. Not synced, as seal().
  bool unquarantine(const std::vector<std::int64_t>& numbers, NewBatch& batch);
  // They are gone, and counted as erased. Synced when it returns true.
  bool erase_quarantined(const std::vector<std::int64_t>& numbers);

  // Whatever waits without the consent it needs, and what is `refused` in quarantine, is gone, and counted as erased;
  // `scopes` are kept from now on; `erased` says whether there was any of it. Goes in steps that a full disk has room
  // for; false may mean that some were taken. Synced when it returns true.
  bool erase_denied(const Consents& consents, const std::vector<std::int64_t>& refused,
                    const std::vector<KeptScope>& scopes, Scrub owed, bool& erased);
  // Bytes of what erase_denied() took may still lie in the files, also since an earlier process.
  bool owes_scrub() const noexcept { return scrub_owed_; }
  // They do not any more, as far as database and log go. Synced when it returns true.
  bool scrub();

  // Gives up what is older than allowed, or the oldest until `bytes_to_free` are free; never `in_flight`.
  bool evict_older_than(std::int64_t true_unix_ms, std::int64_t in_flight, Extent extent);
  bool evict_bytes(std::uint64_t bytes_to_free, std::int64_t in_flight);

  // Takes over every row that can still be read from a damaged database; `sentences` says how many came. What the
  // damaged file counted goes on; what it could not give is counted lost. Synced when it returns true.
  bool salvage_from(Queue& damaged, Origin origin, std::uint64_t& sentences);

 private:
  Database& database() noexcept { return file_.database(); }
  bool load();
  bool reload();
  template <typename Change>
  void follow(const Change& change) noexcept;
  std::vector<Piece> pieces_of(const Drained& drained, const Sealer& seal);
  bool complete(Piece& piece);
  void write(Piece& piece);
  bool evict(const retention::Oldest& oldest);
  void note_sealed() noexcept { sealed_at_sync_ = database().syncs(); }

  QueueFile file_;
  BatchLimits limits_;
  rows::State state_;
  RunMark previous_run_;
  std::int64_t opening_ = 0;
  std::int64_t true_start_ms_ = 0;  // of this opening; 0: not known
  OpenChunks chunks_;
  BatchList batches_;
  KeptScopes scopes_;
  bool scrub_owed_ = false;
  std::uint64_t sealed_at_sync_ = UINT64_MAX;  // how many syncs there were at the last seal or split; none yet
  bool stale_ = false;                         // chunks and batches here are not those of the database
};

}  // namespace yukha::hold
