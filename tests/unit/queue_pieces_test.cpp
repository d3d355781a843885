// The pieces of the queue that hold no SQL, as tables; and the ledger's commit.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "hold/queue/batch_list.hpp"
#include "hold/queue/ledger_commit.hpp"
#include "hold/queue/open_chunks.hpp"
#include "hold/queue/queue.hpp"
#include "hold/queue/rows.hpp"
#include "hold/queue/salvage.hpp"
#include "support.hpp"

using namespace yukha;
using namespace yukha::hold;

namespace {

const BatchLimits ten_lines{10, 1'000, 0};

// A chunk as a drain of that opening makes it; ids in the order of their making.
Chunk chunk_of(std::size_t lines, std::size_t line_bytes = 10, std::int64_t opening = 9) {
  static std::int64_t id = 0;
  Chunk chunk;
  chunk.id = ++id;
  chunk.lines = lines;
  chunk.bytes = lines * line_bytes;
  chunk.opening = opening;
  return chunk;
}

Drained lines_of(std::size_t count, std::string_view text) {
  Drained drained;
  for (std::size_t i = 0; i < count; ++i) drained.lines.push_back({0, 0, Kind(), text});
  return drained;
}

Batch batch_of(std::int64_t id, Priority priority = Priority::normal, Bisect bisect = Bisect::none,
               const std::string& key = "key", std::size_t root_size = 0) {
  Batch batch;
  batch.id = id;
  batch.kind = priority;
  batch.bisect = bisect;
  batch.key = key;
  batch.root_size = root_size;
  return batch;
}

std::vector<std::int64_t> ids_of(const BatchList& list) {
  std::vector<std::int64_t> ids;
  for (const Batch& batch : list.all()) ids.push_back(batch.id);
  return ids;
}

using Ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("the first batch is made of whole chunks up to a limit, and is full when none can be added") {
  struct Row {
    const char* what;
    std::vector<Chunk> chunks;
    std::size_t first;
    bool full;
  };
  constexpr std::int64_t copied = 3;  // an opening that came with a copy
  const std::vector<Row> table = {
      {"nothing waits", {}, 0, false},
      {"one line", {chunk_of(1)}, 1, false},
      {"one line less than a batch", {chunk_of(4), chunk_of(5)}, 2, false},
      {"exactly a batch", {chunk_of(4), chunk_of(6)}, 2, true},
      {"a chunk more", {chunk_of(4), chunk_of(6), chunk_of(1)}, 2, true},
      {"the next chunk has too many lines", {chunk_of(4), chunk_of(7)}, 1, true},
      {"the next chunk has too many bytes", {chunk_of(1, 900), chunk_of(1, 101)}, 1, true},
      {"the next chunk has as many bytes as there is room for", {chunk_of(1, 900), chunk_of(1, 100)}, 2, false},
      {"a chunk over the limits, which a larger limit made", {chunk_of(30), chunk_of(1)}, 1, true},
      {"a copy's chunk is full, for nothing will be added", {chunk_of(2, 10, copied)}, 1, true},
      {"a copy's chunks stand together", {chunk_of(2, 10, copied), chunk_of(3, 10, 2)}, 2, true},
      {"a copy's chunk and one of this place", {chunk_of(2, 10, copied), chunk_of(3)}, 1, true},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    OpenChunks chunks(ten_lines, copied);
    for (const Chunk& chunk : row.chunks) chunks.add(chunk);
    CHECK(chunks.first({}).chunks == row.first);
    CHECK(chunks.first({}).full == row.full);
    CHECK(chunks.empty({}) == row.chunks.empty());
  }
}

TEST_CASE("lines are cut where a batch ends, and the first piece goes on with the newest batch") {
  struct Row {
    const char* what;
    std::vector<Chunk> chunks;
    std::size_t lines;
    std::size_t line_bytes;
    std::vector<std::size_t> pieces;  // their lines
    bool joins;
    bool last_is_full;
    bool completes;  // the first piece all chunks that wait
  };
  const std::vector<Row> table = {
      {"one line and nothing waits", {}, 1, 9, {1}, false, false, false},
      {"exactly a batch", {}, 10, 9, {10}, false, true, false},
      {"two batches and a line", {}, 21, 9, {10, 10, 1}, false, false, false},
      {"what the newest batch lacks", {chunk_of(4)}, 6, 9, {6}, true, true, true},
      {"more than the newest batch lacks", {chunk_of(4)}, 8, 9, {6, 2}, true, false, true},
      {"the newest batch is full", {chunk_of(10)}, 3, 9, {3}, false, false, false},
      {"more waits than the newest batch", {chunk_of(10), chunk_of(4)}, 6, 9, {6}, true, true, false},
      {"as many bytes as there is room for", {chunk_of(1, 900)}, 1, 99, {1}, true, false, true},
      {"a byte more", {chunk_of(1, 900)}, 1, 100, {1}, false, false, false},
      {"a copy's chunk is not gone on with", {chunk_of(4, 10, 3)}, 6, 9, {6}, false, false, false},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    OpenChunks chunks(ten_lines, 3);
    for (const Chunk& chunk : row.chunks) chunks.add(chunk);
    const std::string text(row.line_bytes, 'x');
    const std::vector<Piece> pieces = chunks.cut(lines_of(row.lines, text), {}, 9);
    std::vector<std::size_t> lines;
    for (const Piece& piece : pieces) lines.push_back(piece.lines.lines);
    CHECK(lines == row.pieces);
    REQUIRE_FALSE(pieces.empty());
    CHECK(pieces.front().joins_newest == row.joins);
    CHECK(pieces.back().full == row.last_is_full);
    CHECK(chunks.are_completed_by(pieces.front()) == row.completes);
    for (const Piece& piece : pieces) CHECK((piece.full || &piece == &pieces.back()));
  }
}

TEST_CASE("a ledger sentence goes with the first kind only, and is not the app's") {
  const OpenChunks chunks(ten_lines, 0);
  Drained drained = lines_of(2, "line");
  drained.own_line = "own";
  const std::vector<Piece> pieces = chunks.cut(drained, {}, 9);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].lines.lines_text == "own\nline\nline\n");
  CHECK(pieces[0].lines.lines == 3);
  CHECK(pieces[0].lines.own_lines == 1);
  CHECK(chunks.cut(drained, Priority::critical, 9).empty());
}

TEST_CASE("chunks that are sealed make room for others, and a copy's are set apart at once") {
  OpenChunks chunks(ten_lines, 0);
  for (const std::size_t lines : {std::size_t{10}, std::size_t{4}}) chunks.add(chunk_of(lines));
  chunks.remove_first({}, 1);
  CHECK(chunks.first({}).chunks == 1);
  CHECK_FALSE(chunks.first({}).full);
  CHECK(chunks.cut(lines_of(1, "x"), {}, 9).front().joins_newest);
  chunks.mark_copied(9);
  CHECK(chunks.first({}).full);
  CHECK_FALSE(chunks.cut(lines_of(1, "x"), {}, 10).front().joins_newest);
}

TEST_CASE("batches stand in the order of their turn, whatever is added, moved and removed") {
  struct Row {
    const char* what;
    void (*change)(BatchList& list);
    Ids ids;
  };
  const std::vector<Row> table = {
      {"as they were added, critical first", [](BatchList&) {}, {2, 4, 1, 3}},
      {"a normal one to the back", [](BatchList& list) { list.to_the_back(1); }, {2, 4, 3, 1}},
      {"a critical one behind its own only", [](BatchList& list) { list.to_the_back(2); }, {4, 2, 1, 3}},
      {"one that is not there", [](BatchList& list) { list.to_the_back(9); }, {2, 4, 1, 3}},
      {"one is removed", [](BatchList& list) { list.remove(4); }, {2, 1, 3}},
      {"parts stand first, in their order",
       [](BatchList& list) {
         list.add_first({{batch_of(5), ""}, {batch_of(6), ""}});
       },
       {2, 4, 5, 6, 1, 3}},
      {"critical parts before all",
       [](BatchList& list) {
         list.add_first({{batch_of(5, Priority::critical), ""}, {batch_of(6, Priority::critical), ""}});
       },
       {5, 6, 2, 4, 1, 3}},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    BatchList list;
    for (const std::int64_t id : {1, 2, 3, 4}) list.add(batch_of(id, id % 2 == 0 ? Priority::critical : Priority{}));
    row.change(list);
    CHECK(ids_of(list) == row.ids);
    for (const std::int64_t id : row.ids) CHECK(list.find(id)->id == id);
    CHECK(list.find(99) == nullptr);
  }
}

TEST_CASE("a part that is held back is freed when no part of its search is suspected") {
  struct Row {
    const char* what;
    Batch other;
    bool freed;
  };
  const std::vector<Row> table = {
      {"a suspect of its search", batch_of(2, {}, Bisect::suspect), false},
      {"a suspect of another batch", batch_of(2, {}, Bisect::suspect, "other"), true},
      {"a suspect of a search that began elsewhere", batch_of(2, {}, Bisect::suspect, "key", 1), true},
      {"a part that is no suspect", batch_of(2), true},
      {"another held back", batch_of(2, {}, Bisect::held_back), true},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    BatchList list;
    list.add(batch_of(1, {}, Bisect::held_back));
    list.add(row.other);
    CHECK(list.free_orphans() == row.freed);
    CHECK((list.find(1)->bisect == Bisect::none) == row.freed);
    CHECK_FALSE(list.free_orphans());
  }
}

TEST_CASE("a ledger is saved and published by the commit, and by nothing else") {
  const test::TempDirectory directory;
  const std::string path = directory / "lane.queue";
  Queue queue;
  REQUIRE(queue.open(system::system_files(), path, 1, {}));
  queue.close();
  Database database;
  REQUIRE(database.open(path, nullptr, Sharing::shared));
  Ledger published;
  published.accepted = 5;
  {
    LedgerCommit change(database, published, Durable::no);
    change.ledger().delivered = 2;
    CHECK(published.delivered == 0);
  }
  CHECK(published.delivered == 0);
  CHECK(database.number("SELECT accepted FROM state") == 0);
  {
    LedgerCommit change(database, published, Durable::no);
    change.ledger().delivered = 3;
    REQUIRE(change.commit());
  }
  CHECK(published.delivered == 3);
  CHECK(database.number("SELECT accepted FROM state") == 5);
  CHECK(database.number("SELECT delivered FROM state") == 3);
  {
    LedgerCommit change(database, published, Durable::no);
    change.ledger().delivered = 4;
    database.distrust("a fault before the commit");
    CHECK_FALSE(change.commit());
  }
  database.clear();
  CHECK(published.delivered == 3);
  CHECK(database.number("SELECT delivered FROM state") == 3);
}

TEST_CASE("a salvaged ledger balances: what was accepted stands, and what is missing is lost") {
  struct Row {
    const char* what;
    Ledger read;
    salvage::Found found;
    Ledger balanced;
  };
  const auto ledger = [](std::uint64_t accepted, std::uint64_t delivered, std::uint64_t quarantined,
                         std::uint64_t evicted, std::uint64_t erased, std::uint64_t lost) {
    Ledger one;
    one.accepted = accepted;
    one.delivered = delivered;
    one.quarantined = quarantined;
    one.evicted = evicted;
    one.erased = erased;
    one.lost = lost;
    return one;
  };
  const std::vector<Row> table = {
      {"nothing at all", {}, {0, 0}, {}},
      {"rows without a state", {}, {7, 2}, ledger(9, 0, 2, 0, 0, 0)},
      {"all rows are there", ledger(10, 4, 1, 0, 0, 0), {5, 1}, ledger(10, 4, 1, 0, 0, 0)},
      {"rows are missing", ledger(10, 4, 1, 0, 0, 0), {2, 0}, ledger(10, 4, 0, 0, 0, 4)},
      {"rows are there again that were delivered", ledger(10, 8, 0, 1, 0, 0), {5, 0}, ledger(10, 4, 0, 1, 0, 0)},
      {"more rows than were accepted", ledger(10, 8, 0, 1, 0, 0), {12, 1}, ledger(13, 0, 1, 0, 0, 0)},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    const Ledger now = salvage::balanced(row.read, row.found);
    CHECK(now.accepted == row.balanced.accepted);
    CHECK(now.delivered == row.balanced.delivered);
    CHECK(now.quarantined == row.balanced.quarantined);
    CHECK(now.evicted == row.balanced.evicted);
    CHECK(now.erased == row.balanced.erased);
    CHECK(now.lost == row.balanced.lost);
    CHECK(adds_up(now));
    CHECK(now.waiting() == row.found.waiting);
  }
}

TEST_CASE("a damaged queue of version 1 is read like any other") {
  const test::TempDirectory directory;
  const std::string path = directory / "lane.queue";
  {
    Queue queue;
    REQUIRE(queue.open(system::system_files(), path, 7, {}));
    REQUIRE(queue.begin_opening("run"));
  }
  Database database;
  REQUIRE(database.open(path, nullptr, Sharing::shared));
  REQUIRE(database.run("UPDATE state SET accepted = 12, delivered = 5"));
  REQUIRE(database.run("ALTER TABLE state DROP COLUMN refused_policy"));
  const rows::State state = salvage::read_state(database);
  CHECK(database.fault() == Fault::none);
  CHECK(state.epoch == 7);
  CHECK(state.ledger.accepted == 12);
  CHECK(state.ledger.delivered == 5);
  CHECK(state.run.run == "run");
}
