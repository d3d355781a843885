// Where sentences wait: chunks of lines as they came from the ring, sealed batches, quarantine and the ledger, in one
// SQLite database a lane. FORMAT.md describes the tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <yukha/status.hpp>

#include "hold/consents.hpp"
#include "hold/ledger.hpp"
#include "hold/ring.hpp"
#include "hold/sqlite.hpp"
#include "system/files.hpp"

namespace yukha::hold {

struct BatchLimits {
  std::size_t lines_max = 500;
  std::size_t bytes_max = 1'000'000;  // of lines and their line ends, before compression
  // What one transaction may write on a full disk: the reserve has as much, and the log twice that.
  std::size_t step_bytes = 1 << 20;
};

// What a batch has to do with a search for the sentence that makes the endpoint refuse it.
enum class Bisect : std::uint8_t {
  none = 0,     // sent in its turn
  suspect = 1,  // the part the search looks at; sent in its turn
  rest = 2,     // held back until the search of its family ends
};

// A sealed batch without its body. Its bytes never change; its key never returns with other bytes.
struct Batch {
  std::int64_t id = 0;
  std::string key;   // uuid
  std::string path;  // "" or one letter a level: the part's place in the split batch
  Kind kind;
  std::size_t lines = 0;
  std::size_t own_lines = 0;  // ledger sentences among them, in neither accepted nor delivered
  std::size_t bytes = 0;      // before compression
  std::size_t body_bytes = 0;
  std::int64_t opening = 0;  // when it was held: the opening, and how long after its start
  std::int64_t held_ms = 0;
  Bisect bisect = Bisect::none;
  std::size_t root_size = 0;  // of the path's letters, those of the batch in which the search began
};

// A batch that does not exist yet.
struct NewBatch {
  Batch facts;
  std::string body;  // gzip
};

// A line that goes to quarantine.
struct Rejected {
  std::string sentence_id;
  std::string reason;
  std::string line;
  bool own = false;
};

// Chunks that will become one batch: their lines, each with its line end.
struct Unsealed {
  Kind kind;
  std::vector<std::int64_t> chunks;
  std::string lines_text;
  std::size_t lines = 0;
  std::size_t own_lines = 0;
  std::int64_t opening = 0;
  std::int64_t held_ms = 0;
};

// A sentence about something that still goes on, should the process end before it does: the tail of the id that its own
// end would have, and the six parts as JSON.
struct KeptScope {
  std::string tail;
  std::string sentence;
  Purpose purpose = Purpose::analytics;
};

// Those whose own end is not among the lines.
std::vector<KeptScope> without_ended(std::vector<KeptScope> scopes, const std::vector<RingLine>& lines);

// What the drain brings: lines and the ring's position and counters, which are committed together.
struct Drained {
  std::vector<RingLine> lines;
  std::string own_line;  // a ledger sentence; empty for none
  RingMark mark;
  std::uint64_t lost = 0;
  std::int64_t held_ms = 0;  // since the opening
  // What is open now that the lines were read: an end that is among them must not be told again. Null: as before.
  const std::vector<KeptScope>* scopes = nullptr;

  // What Ring::read() found, which is not nothing, where the database knows of `accepted_before` sentences.
  static Drained of(const Ring& ring, std::vector<RingLine>&& lines, std::uint64_t accepted_before);
};

// The run that wrote before this one, for the ledger sentence.
struct RunMark {
  std::string run;
  std::uint64_t last_seq = 0;
  bool closed = false;  // it ended with close()
};

// Threads: one at a time. Every call that changes something is one transaction; false means that nothing changed, and
// status() says why.
class Queue {
 public:
  // Opens or makes the database. lane_held: another tracker has it. newer_format: left as it is. disk_error with
  // damaged() true: its content cannot be trusted.
  // Blocks: for the disk.
  Status open(system::Files& files, const std::string& path, std::uint64_t epoch, const BatchLimits& limits);
  // The same for a file that open() found damaged, so that nobody else has it while it is read from.
  Status open_damaged(system::Files& files, const std::string& path);
  void close() noexcept;
  bool is_open() const noexcept { return database_.is_open(); }
  bool damaged() const noexcept { return damaged_; }
  Status status();

  std::uint64_t epoch() const noexcept { return epoch_; }
  const Ledger& ledger() const noexcept { return ledger_; }
  const RingMark& ring_mark() const noexcept { return mark_; }
  const RunMark& previous_run() const noexcept { return previous_run_; }
  std::int64_t ledger_sent_unix_ms() const noexcept { return ledger_sent_unix_ms_; }

  // It has no counters yet, nor a ring that could know more.
  bool is_new() const noexcept { return ledger_.accepted == 0 && mark_.ring_id == 0; }
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
  std::vector<KeptScope> kept_scopes();

  // The chunks that fill a batch, or with `partial` whatever waits; false when there are none or they cannot be read.
  bool next_unsealed(Kind kind, bool partial, Unsealed& unsealed);
  bool has_full(Kind kind) const noexcept;
  bool has_unsealed(Kind kind) const noexcept { return !open_[kind.index()].empty(); }
  // Not synced: until make_durable() a power loss makes chunks of it again.
  bool seal(const Unsealed& unsealed, const std::string& key, const std::string& body);

  // Every batch is on the disk under its key when this returns true: only then may one leave. Costs a sync only when
  // none came since the last seal, so that under load many batches share one.
  bool make_durable();

  // Those that wait, in the order of their next turn.
  const std::list<Batch>& batches() const noexcept { return batches_; }
  bool body(std::int64_t id, std::string& body);
  // Delivered, except for those rejected by name. Not synced: the same key would come again.
  bool settle(std::int64_t id, const std::vector<Rejected>& rejected);
  // In its place come parts, quarantined lines, or both. Not synced, as seal().
  bool replace(const std::vector<std::int64_t>& ids, std::vector<NewBatch>& parts,
               const std::vector<Rejected>& rejected);
  bool set_bisect(std::int64_t id, Bisect bisect);
  // Parts held back for a search that no longer has a suspect, because a kill or a fault came between two of its steps,
  // are sent as any others. True when there were such.
  bool free_orphans();
  // Behind all others of its priority.
  void to_the_back(std::int64_t id);

  // The first quarantined line with a number above `after`; false when there is none, or it cannot be read.
  bool next_quarantined(std::int64_t after, std::int64_t& number, Rejected& rejected);
  // Quarantined lines wait again, as the one batch that `batch` is. Not synced, as seal().
  bool unquarantine(const std::vector<std::int64_t>& numbers, NewBatch& batch);
  // They are gone, and counted as erased. Synced when it returns true.
  bool erase_quarantined(const std::vector<std::int64_t>& numbers);

  // Whatever waits without the consent it needs, and what is `refused` in quarantine, is gone, and counted as erased;
  // `scopes` are kept from now on; `erased` says whether there was any of it. Goes in steps that a full disk has room
  // for; false may mean that some were taken. With `also_gone` a scrub is owed though nothing is taken any more. Synced
  // when it returns true.
  bool erase_denied(const Consents& consents, const std::vector<std::int64_t>& refused,
                    const std::vector<KeptScope>& scopes, bool also_gone, bool& erased);
  // Bytes of what erase_denied() took may still lie in the files, also since an earlier process.
  bool owes_scrub() const noexcept { return scrub_owed_; }
  // They do not any more, as far as database and log go. Synced when it returns true.
  bool scrub();

  // Gives up what is older than allowed, or the oldest until `bytes_to_free` are free; never `in_flight`. `most` of
  // each, batches and unsealed chunks, and nothing of the quarantine; negative: all.
  bool evict_older_than(std::int64_t true_unix_ms, std::int64_t in_flight, int most = -1);
  bool evict_bytes(std::uint64_t bytes_to_free, std::int64_t in_flight);

  // Takes over every row that can still be read from a damaged database; `sentences` says how many came. What the
  // damaged file counted goes on; what it could not give is counted lost. Synced when it returns true. Rows that come
  // from `elsewhere` are of this database's epoch.
  bool salvage_from(Queue& damaged, bool elsewhere, std::uint64_t& sentences);
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
  struct Chunk {
    std::int64_t id;
    std::size_t lines;
    std::size_t own_lines;
    std::size_t bytes;
    bool copied;  // it came with a copy of the directory: sealed apart
  };
  struct Fill {  // of the batch that the newest chunks are going to be
    std::size_t lines = 0;
    std::size_t bytes = 0;
  };
  bool fits(const Fill& fill, std::size_t line_bytes) const noexcept {
    return fill.lines + 1 <= limits_.lines_max && fill.bytes + line_bytes <= limits_.bytes_max;
  }

  struct Piece;
  bool create(std::uint64_t epoch);
  void bring_up_to_date();
  void reserve_log();
  bool reload();
  std::vector<Piece> cut(const Drained& drained, Kind kind, Fill& fill) const;
  bool complete(Piece& piece);
  template <typename Change>
  void follow(const Change& change) noexcept;
  static NewBatch batch_of(const Unsealed& unsealed, const std::string& key, const std::string& body);
  bool load(RunMark* previous_run);
  bool insert_chunk(Kind kind, std::string_view text, std::size_t lines, std::size_t own_lines, std::int64_t held_ms,
                    std::vector<Chunk>& made);
  void put_scopes(const std::vector<KeptScope>& scopes);
  bool insert_batch(NewBatch& batch);
  bool insert_rejected(const std::vector<Rejected>& rejected, std::int64_t opening, std::int64_t held_ms);
  bool remove_row(const char* table, std::int64_t id);
  const Batch* find(std::int64_t id) const noexcept;
  std::list<Batch>::iterator first_normal() noexcept;
  std::list<Batch>::iterator place_of(std::int64_t id) noexcept;
  void forget_batch(std::int64_t id);
  void remember_batch(const Batch& batch);
  void recount_fill(Kind kind);
  std::size_t count_of_first_fill(Kind kind, bool& full) const noexcept;

  void open_database();

  std::unique_ptr<system::File> lock_;  // of the database's file
  Database database_;
  system::Files* files_ = nullptr;
  std::string path_;
  BatchLimits limits_;
  std::uint64_t epoch_ = 0;
  Ledger ledger_;
  RingMark mark_;
  RunMark previous_run_;
  std::int64_t opening_ = 0;
  std::int64_t copied_until_ = 0;  // the last opening whose chunks came with a copy
  std::string place_;
  std::int64_t ledger_sent_unix_ms_ = 0;
  std::int64_t true_start_ms_ = 0;  // of this opening; 0: not known
  bool reserve_spent_ = false;
  bool scrub_owed_ = false;
  bool scoped_[purpose_count] = {};            // a scope for it may lie in the files
  std::uint64_t sealed_at_sync_ = UINT64_MAX;  // how many syncs there were at the last seal or split; none yet
  bool damaged_ = false;
  bool stale_ = false;  // chunks and batches here are not those of the database
  std::vector<Chunk> open_[kind_count];
  Fill fill_[kind_count];
  std::list<Batch> batches_;
};

}  // namespace yukha::hold
