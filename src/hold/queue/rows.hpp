// The statements of a lane's tables, and how a row becomes an object and back: the one place that knows the columns.
// They begin no transaction. A fault stands in the database; what a read returned then is not to be used.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "hold/ledger.hpp"
#include "hold/queue/batch.hpp"
#include "hold/ring.hpp"
#include "hold/sqlite.hpp"

namespace yukha::hold {

// The run that wrote before this one, for the ledger sentence.
struct RunMark {
  std::string run;
  std::uint64_t last_seq = 0;
  bool closed = false;  // it ended with close()
};

namespace rows {

enum class Table { chunk, batch, quarantine };

// The only row of `state`.
struct State {
  std::uint64_t epoch = 0;
  Ledger ledger;
  RingMark mark;  // committed together with the chunks up to there
  RunMark run;
  std::int64_t ledger_sent_unix_ms = 0;
  std::string place;
  std::int64_t copied_until = 0;  // the last opening whose chunks came with a copy
};

// False when there is none, or it cannot be read.
bool read_state(Database& database, State& state);
void save_ledger(Database& database, const Ledger& ledger);
void save_ledger_sent(Database& database, std::int64_t unix_ms);
void save_ring_mark(Database& database, const RingMark& mark, std::uint64_t last_seq);
void save_place(Database& database, const std::string& place);
void save_copied_until(Database& database, std::int64_t opening);
void begin_run(Database& database, const std::string& run);
void end_run(Database& database, std::uint64_t last_seq);
// What a salvaged state has besides its ledger: epoch, run, and how far the ring was taken over.
void save_salvaged(Database& database, const State& state);

// An opening is one life of the lane. Returns its id.
std::int64_t insert_opening(Database& database);
// Those of which nothing waits any more, but for the newest.
void remove_unused_openings(Database& database);
void save_true_start(Database& database, std::int64_t opening, std::int64_t true_start_ms);
// For openings that never learnt it: only that they are over is known.
void save_missing_true_starts(Database& database, std::int64_t true_unix_ms);

// All of a table as it lies in the database, in the order of their turn. A row that this library cannot have written
// counts as damage.
std::vector<Chunk> read_chunks(Database& database);
std::list<Batch> read_batches(Database& database);

// Reads chunks with their lines, one by one.
class ChunkReader {
 public:
  explicit ChunkReader(Database& database);
  // False when it is not there, or cannot be read. `lines` are borrowed until the next read.
  bool read(std::int64_t id, Chunk& chunk, std::string_view& lines);

 private:
  Statement statement_;
};
bool read_batch(Database& database, std::int64_t id, NewBatch& batch);
// Empty when it is not there.
void read_body(Database& database, std::int64_t id, std::string& body);
// Facts from a damaged database go into a header and size memory: they are looked at first.
bool is_sane(const Batch& batch) noexcept;

// Both set the row's id.
void insert_chunk(Database& database, Chunk& chunk, std::string_view lines);
void insert_batch(Database& database, NewBatch& batch);
void save_bisect(Database& database, std::int64_t id, Bisect bisect);
void remove(Database& database, Table table, std::int64_t id);
// Removes a chunk or a batch. Returns how many of the app's sentences it had.
std::uint64_t remove_counted(Database& database, Table table, std::int64_t id);

}  // namespace rows
}  // namespace yukha::hold
