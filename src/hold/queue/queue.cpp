#include "hold/queue/queue.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "hold/queue/erasure.hpp"
#include "hold/queue/ledger_commit.hpp"
#include "hold/queue/quarantine.hpp"
#include "hold/queue/salvage.hpp"
#include "hold/queue/schema.hpp"

namespace yukha::hold {
namespace {

NewBatch batch_of(const Unsealed& unsealed, const std::string& key, const std::string& body) {
  NewBatch batch;
  batch.facts.key = key;
  batch.facts.kind = unsealed.kind;
  batch.facts.lines = unsealed.lines;
  batch.facts.own_lines = unsealed.own_lines;
  batch.facts.bytes = unsealed.lines_text.size();
  batch.facts.opening = unsealed.opening;
  batch.facts.held_ms = unsealed.held_ms;
  batch.body = body;
  return batch;
}

Chunk chunk_of(const Unsealed& lines) {
  Chunk chunk;
  chunk.kind = lines.kind;
  chunk.lines = lines.lines;
  chunk.own_lines = lines.own_lines;
  chunk.bytes = lines.lines_text.size();
  chunk.opening = lines.opening;
  chunk.held_ms = lines.held_ms;
  return chunk;
}

bool has_its_lines(const Unsealed& unsealed) {
  const std::string& text = unsealed.lines_text;
  return !text.empty() && text.back() == '\n' &&
         static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == unsealed.lines;
}

}  // namespace

// --- opening ---------------------------------------------------------------------------------------------------------

Status Queue::open(system::Files& files, const std::string& path, std::uint64_t epoch, const BatchLimits& limits) {
  limits_ = limits;
  stale_ = false;
  scopes_.note_none();
  if (Status status = file_.open(files, path, epoch, limits.step_bytes); !status) return status;
  if (!load()) return file_.fail_opening();
  previous_run_ = state_.run;
  // What a killed process sealed may not have been synced.
  if (!batches_.empty()) note_sealed();
  file_.reserve_log();
  return {};
}

Status Queue::status() {
  if (stale_ && is_open() && database().fault() == Fault::none) stale_ = !load();
  return file_.take_status();
}

// After a commit: memory and database must be told apart until they are the same again.
bool Queue::reload() {
  stale_ = true;
  stale_ = !load();
  return !stale_;
}

bool Queue::load() {
  // Into places of its own first: a fault half-way must not leave counters of zero to be written back.
  rows::State state;
  if (!rows::read_state(database(), state)) {
    database().distrust("there is no state");
    return false;
  }
  if (!adds_up(state.ledger)) {
    database().distrust("counters that do not add up");
    return false;
  }
  std::uint64_t waiting = 0;
  OpenChunks chunks(limits_, state.copied_until);
  for (const Chunk& chunk : rows::read_chunks(database())) {
    waiting += chunk.lines - chunk.own_lines;
    chunks.add(chunk);
  }
  std::list<Batch> batches = rows::read_batches(database());
  for (const Batch& batch : batches) waiting += batch.lines - batch.own_lines;
  const bool scrub_owed = schema::owes_scrub(database());
  scopes_.note(kept_scopes());
  const std::uint64_t quarantined = quarantine::count(database());
  const bool balanced = waiting == state.ledger.waiting() && quarantined == state.ledger.quarantined;
  if (database().fault() == Fault::none && !balanced)
    database().distrust("sentences that are not as many as the ledger says");
  if (database().fault() != Fault::none) return false;
  state_ = std::move(state);
  scrub_owed_ = scrub_owed;
  chunks_ = std::move(chunks);
  batches_.set(std::move(batches));
  return true;
}

bool Queue::restore(const Ledger& ledger) {
  if (!is_new()) return true;
  LedgerCommit change(database(), state_.ledger, Durable::yes);
  change.ledger() = ledger;
  if (!change.commit()) return false;
  state_.mark.accepted = ledger.accepted;
  std::copy(ledger.refused, ledger.refused + refusal_count, state_.mark.refused);
  return true;
}

bool Queue::begin_opening(const std::string& run) {
  Transaction transaction(database(), Durable::no);
  const std::int64_t opening = rows::insert_opening(database());
  rows::remove_unused_openings(database());
  if (!run.empty()) rows::begin_run(database(), run);
  if (!transaction.commit()) return false;
  opening_ = opening;
  true_start_ms_ = 0;
  return true;
}

bool Queue::settle_in(const std::string& place) {
  if (place == state_.place) return true;
  Transaction transaction(database(), Durable::yes);
  rows::save_place(database(), place);
  const bool copied = !state_.place.empty();
  std::int64_t opening = opening_;
  if (copied) {
    // What was open then ends where it was begun, not once more in each copy.
    scopes_.replace(database(), {});
    // What is tracked from now on belongs to another opening than what came with the copy.
    rows::save_copied_until(database(), opening_);
    opening = rows::insert_opening(database());
  }
  if (!transaction.commit()) return false;
  state_.place = place;
  if (!copied) return true;
  chunks_.mark_copied(opening_);
  opening_ = opening;
  return true;
}

bool Queue::end_run(std::uint64_t last_seq) {
  Transaction transaction(database(), Durable::no);
  rows::end_run(database(), last_seq);
  return transaction.commit();
}

bool Queue::learn_true_time(std::int64_t true_unix_ms, std::int64_t elapsed_ms) {
  constexpr std::int64_t another_ms = 60'000;
  const std::int64_t start_ms = true_unix_ms - elapsed_ms;
  if (std::abs(start_ms - true_start_ms_) < another_ms) return true;
  Transaction transaction(database(), Durable::no);
  rows::save_true_start(database(), opening_, start_ms);
  // Their ages count from now.
  rows::save_missing_true_starts(database(), true_unix_ms);
  if (!transaction.commit()) return false;
  true_start_ms_ = start_ms;
  return true;
}

bool Queue::keep_scopes(const std::vector<KeptScope>& scopes) {
  Transaction transaction(database(), Durable::no);
  scopes_.replace(database(), scopes);
  return transaction.commit();
}

// --- from the ring to batches ----------------------------------------------------------------------------------------

// What was committed counts, also when there is no memory to note it: then it is read again.
template <typename Change>
void Queue::follow(const Change& change) noexcept {
  try {
    change();
  } catch (...) {
    stale_ = true;
  }
}

// Puts the lines of the chunks that wait for this piece before its own. False when other chunks wait, too, or they
// cannot be read.
bool Queue::complete(Piece& piece) {
  if (!piece.joins_newest) return true;
  Unsealed before;
  if (!chunks_.are_completed_by(piece) || !next_unsealed(piece.lines.kind, Partial::yes, before)) return false;
  piece.lines.lines_text.insert(0, before.lines_text);
  piece.lines.lines += before.lines;
  piece.lines.own_lines += before.own_lines;
  piece.lines.chunks = std::move(before.chunks);
  return true;
}

// What the lines become, kind by kind; sealed where they fill a batch.
std::vector<Piece> Queue::pieces_of(const Drained& drained, const Sealer& seal) {
  bool present[kind_count] = {!drained.own_line.empty()};
  for (const RingLine& line : drained.lines) present[line.kind.index()] = true;
  std::vector<Piece> pieces;
  for (int i = 0; i < kind_count; ++i) {
    if (!present[i]) continue;
    for (Piece& piece : chunks_.cut(drained, Kind::of(i), opening_)) {
      std::string key;
      std::string body;
      if (seal && piece.full && complete(piece) && seal(piece.lines.lines_text, key, body))
        piece.batch = batch_of(piece.lines, key, body);
      pieces.push_back(std::move(piece));
    }
  }
  return pieces;
}

void Queue::write(Piece& piece) {
  for (const std::int64_t chunk : piece.lines.chunks) rows::remove(database(), rows::Table::chunk, chunk);
  if (!piece.batch.body.empty()) {
    rows::insert_batch(database(), piece.batch);
    return;
  }
  piece.chunk = chunk_of(piece.lines);
  rows::insert_chunk(database(), piece.chunk, piece.lines.lines_text);
}

bool Queue::take_over(const Drained& drained, std::uint64_t last_seq, std::int64_t now_unix_ms, const Sealer& seal) {
  std::vector<Piece> pieces = pieces_of(drained, seal);
  LedgerCommit change(database(), state_.ledger, Durable::yes);
  for (Piece& piece : pieces) write(piece);
  if (drained.scopes != nullptr) scopes_.replace(database(), *drained.scopes);
  rows::save_ring_mark(database(), drained.mark, last_seq);
  if (!drained.own_line.empty()) rows::save_ledger_sent(database(), now_unix_ms);
  Ledger& ledger = change.ledger();
  ledger.accepted = drained.mark.accepted;
  ledger.lost += drained.lost;
  std::copy(drained.mark.refused, drained.mark.refused + refusal_count, ledger.refused);
  if (!change.commit()) return false;

  state_.mark = drained.mark;
  if (!drained.own_line.empty()) state_.ledger_sent_unix_ms = now_unix_ms;
  follow([&] {
    for (const Piece& piece : pieces) {
      if (!piece.lines.chunks.empty()) chunks_.remove_first(piece.lines.kind, piece.lines.chunks.size());
      if (piece.batch.body.empty()) {
        chunks_.add(piece.chunk);
      } else {
        batches_.add(piece.batch.facts);
      }
    }
  });
  return true;
}

bool Queue::next_unsealed(Kind kind, Partial partial, Unsealed& unsealed) {
  unsealed = {};
  unsealed.kind = kind;
  const OpenChunks::First first = chunks_.first(kind);
  if (first.chunks == 0 || (!first.full && partial == Partial::no)) return false;
  rows::ChunkReader reader(database());
  for (std::size_t i = 0; i < first.chunks; ++i) {
    Chunk chunk;
    std::string_view lines;
    if (!reader.read(chunks_.of(kind)[i].id, chunk, lines)) return false;
    // The batch is as old as its youngest sentence: none is given up before its time.
    unsealed.opening = chunk.opening;
    unsealed.held_ms = chunk.held_ms;
    unsealed.chunks.push_back(chunk.id);
    unsealed.lines += chunk.lines;
    unsealed.own_lines += chunk.own_lines;
    unsealed.lines_text += lines;
  }
  if (database().fault() == Fault::none && !has_its_lines(unsealed))
    database().distrust("a chunk whose lines are not as many as it says");
  return database().fault() == Fault::none;
}

bool Queue::seal(const Unsealed& unsealed, const std::string& key, const std::string& body) {
  NewBatch batch = batch_of(unsealed, key, body);
  Transaction transaction(database(), Durable::no);
  // First the chunks go: the batch then fits into their pages, also when the disk is full.
  for (const std::int64_t chunk : unsealed.chunks) rows::remove(database(), rows::Table::chunk, chunk);
  rows::insert_batch(database(), batch);
  if (!transaction.commit()) return false;
  note_sealed();
  follow([&] {
    chunks_.remove_first(unsealed.kind, unsealed.chunks.size());
    batches_.add(batch.facts);
  });
  return true;
}

bool Queue::make_durable() {
  if (sealed_at_sync_ == UINT64_MAX || database().syncs() > sealed_at_sync_) return true;
  Transaction transaction(database(), Durable::yes);
  // A commit that writes nothing syncs nothing.
  database().run("UPDATE state SET one = 1");
  return transaction.commit();
}

// --- batches and their answers ---------------------------------------------------------------------------------------

bool Queue::body(std::int64_t id, std::string& body) {
  rows::read_body(database(), id, body);
  // The list names a batch that has no body: this is damage, or it would be asked for again and again, and block the
  // queue. Not where the list could not be read again after rows were given up.
  if (database().fault() == Fault::none && body.empty() && !stale_) database().distrust("a batch has no body");
  return database().fault() == Fault::none && !body.empty();
}

bool Queue::settle(std::int64_t id, const std::vector<Rejected>& rejected) {
  const Batch* batch = batches_.find(id);
  if (batch == nullptr) return false;
  const std::size_t quarantined = quarantine::count_of_app(rejected);
  LedgerCommit change(database(), state_.ledger, Durable::no);
  change.ledger().quarantined += quarantined;
  change.ledger().delivered += batch->lines - batch->own_lines - quarantined;
  quarantine::insert(database(), rejected, batch->opening, batch->held_ms);
  rows::remove(database(), rows::Table::batch, id);
  if (!change.commit()) return false;
  batches_.remove(id);
  return true;
}

bool Queue::replace(const std::vector<std::int64_t>& ids, std::vector<NewBatch>& parts,
                    const std::vector<Rejected>& rejected) {
  const Batch* first = ids.empty() ? nullptr : batches_.find(ids.front());
  if (first == nullptr) return false;
  LedgerCommit change(database(), state_.ledger, Durable::no);
  change.ledger().quarantined += quarantine::count_of_app(rejected);
  quarantine::insert(database(), rejected, first->opening, first->held_ms);
  for (const std::int64_t id : ids) rows::remove(database(), rows::Table::batch, id);
  for (NewBatch& part : parts) rows::insert_batch(database(), part);
  if (!change.commit()) return false;
  note_sealed();
  follow([&] {
    for (const std::int64_t id : ids) batches_.remove(id);
    batches_.add_first(parts);
  });
  return true;
}

bool Queue::set_bisect(std::int64_t id, Bisect bisect) {
  Transaction transaction(database(), Durable::no);
  rows::save_bisect(database(), id, bisect);
  if (!transaction.commit()) return false;
  batches_.set_bisect(id, bisect);
  return true;
}

// --- quarantine ------------------------------------------------------------------------------------------------------

bool Queue::next_quarantined(std::int64_t after, std::int64_t& number, Rejected& rejected) {
  return quarantine::next(database(), after, number, rejected);
}

bool Queue::unquarantine(const std::vector<std::int64_t>& numbers, NewBatch& batch) {
  LedgerCommit change(database(), state_.ledger, Durable::no);
  change.ledger().quarantined -= std::min<std::uint64_t>(numbers.size(), state_.ledger.quarantined);
  batch.facts.opening = opening_;
  for (const std::int64_t number : numbers) rows::remove(database(), rows::Table::quarantine, number);
  rows::insert_batch(database(), batch);
  if (!change.commit()) return false;
  note_sealed();
  follow([&] { batches_.add(batch.facts); });
  return true;
}

bool Queue::erase_quarantined(const std::vector<std::int64_t>& numbers) {
  LedgerCommit change(database(), state_.ledger, Durable::yes);
  const auto gone = std::min<std::uint64_t>(numbers.size(), state_.ledger.quarantined);
  change.ledger().quarantined -= gone;
  change.ledger().erased += gone;
  for (const std::int64_t number : numbers) rows::remove(database(), rows::Table::quarantine, number);
  return change.commit();
}

// --- what takes sentences away ---------------------------------------------------------------------------------------

bool Queue::evict_older_than(std::int64_t true_unix_ms, std::int64_t in_flight, Extent extent) {
  const retention::Oldest oldest = retention::older_than(database(), true_unix_ms, in_flight, extent);
  return oldest.empty() ? database().fault() == Fault::none : evict(oldest);
}

bool Queue::evict_bytes(std::uint64_t bytes_to_free, std::int64_t in_flight) {
  const retention::Oldest oldest = retention::for_room(database(), chunks_, batches_, bytes_to_free, in_flight);
  return oldest.empty() ? database().fault() == Fault::none : evict(oldest);
}

bool Queue::evict(const retention::Oldest& oldest) {
  LedgerCommit change(database(), state_.ledger, Durable::no);
  retention::give_up(database(), oldest, change.ledger());
  return change.commit() && reload();
}

bool Queue::erase_denied(const Consents& consents, const std::vector<std::int64_t>& refused,
                         const std::vector<KeptScope>& scopes, Scrub owed, bool& erased) {
  erased = false;
  if (stale_ && !reload()) return false;
  const std::vector<erasure::Denied> denied = erasure::find(chunks_, batches_, consents, refused);
  bool scoped = false;
  for (int i = 0; i < purpose_count; ++i) {
    const auto purpose = static_cast<Purpose>(i);
    scoped = scoped || (scopes_.may_have(purpose) && erasure::is_denied(consents, purpose));
  }
  if (denied.empty() && !scoped && owed == Scrub::if_erased) return true;
  scopes_.note_none();
  std::size_t next = 0;
  do {
    LedgerCommit change(database(), state_.ledger, Durable::yes);
    schema::note_scrub(database());
    scopes_.replace(database(), scopes);
    next = erasure::remove_some(database(), denied, next, limits_.step_bytes, change.ledger());
    if (!change.commit()) break;
    erased = true;
  } while (next < denied.size());
  const bool all = next == denied.size() && database().fault() == Fault::none;
  if (!all) scopes_.note_all();
  return erased ? reload() && all : all;
}

bool Queue::scrub() {
  if (!scrub_owed_) return true;
  // Freed pages are zeros by now; the log still has what they were.
  if (!file_.cut_log()) return false;
  Transaction transaction(database(), Durable::yes);
  schema::drop_scrub(database());
  if (!transaction.commit()) return false;
  scrub_owed_ = false;
  return true;
}

// --- salvage ---------------------------------------------------------------------------------------------------------

bool Queue::salvage_from(Queue& damaged, Origin origin, std::uint64_t& sentences) {
  Database& old = damaged.database();
  rows::State state = salvage::read_state(old);
  // Rows of an unknown epoch may be from before an erase: then they are not brought back.
  const bool trusted = state.epoch != 0 || epoch() == 1;
  // A later one is another directory's, where this lane lay before.
  if (state.epoch == 0 || state.epoch > epoch() || origin == Origin::elsewhere) state.epoch = epoch();
  LedgerCommit change(database(), state_.ledger, Durable::yes);
  opening_ = rows::insert_opening(database());
  if (schema::owes_scrub(old)) schema::note_scrub(database());
  old.clear();
  salvage::Found found;
  if (trusted) found = salvage::copy_rows(old, database(), opening_);
  rows::save_salvaged(database(), state);
  change.ledger() = salvage::balanced(state.ledger, found);
  sentences = found.waiting + found.quarantined;
  return change.commit();
}

}  // namespace yukha::hold
