#include "hold/queue/retention.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "hold/queue/rows.hpp"

namespace yukha::hold::retention {
namespace {

std::vector<std::int64_t> ids_older_than(Database& database, const char* table, std::int64_t true_unix_ms,
                                         Extent extent) {
  const std::string sql = std::string("SELECT t.id FROM ") + table +
                          " t JOIN opening o ON o.id = t.opening WHERE o.true_start + t.held < ? ORDER BY t.id LIMIT ?";
  Statement old(database, sql);
  old.bind(true_unix_ms).bind(extent == Extent::all ? std::int64_t{-1} : std::int64_t{1});
  std::vector<std::int64_t> ids;
  while (old.row()) ids.push_back(old.number(0));
  return ids;
}

// Rows by their ids, of which the older has the smaller one, until enough is freed.
class Budget {
 public:
  explicit Budget(std::uint64_t bytes) : left_(bytes) {}
  bool is_met() const noexcept { return left_ == 0; }
  void take(std::int64_t id, std::uint64_t bytes, std::vector<std::int64_t>& taken) {
    taken.push_back(id);
    left_ -= std::min(left_, bytes);
  }
  void take_oldest(const std::map<std::int64_t, std::size_t>& bytes_of, std::vector<std::int64_t>& taken) {
    for (const auto& [id, bytes] : bytes_of) {
      if (is_met()) return;
      take(id, bytes, taken);
    }
  }

 private:
  std::uint64_t left_;
};

}  // namespace

Oldest older_than(Database& database, std::int64_t true_unix_ms, std::int64_t in_flight, Extent extent) {
  Oldest oldest;
  oldest.chunks = ids_older_than(database, "chunk", true_unix_ms, extent);
  oldest.batches = ids_older_than(database, "batch", true_unix_ms, extent);
  oldest.batches.erase(std::remove(oldest.batches.begin(), oldest.batches.end(), in_flight), oldest.batches.end());
  if (extent == Extent::all) oldest.quarantined = ids_older_than(database, "quarantine", true_unix_ms, extent);
  return oldest;
}

Oldest for_room(Database& database, const OpenChunks& chunks, const BatchList& batches, std::uint64_t bytes_to_free,
                std::int64_t in_flight) {
  constexpr std::uint64_t row_bytes = 100;  // about, besides the line
  Oldest oldest;
  Budget budget(bytes_to_free);
  {
    Statement rows(database, "SELECT id, length(line) FROM quarantine ORDER BY id");
    while (!budget.is_met() && rows.row())
      budget.take(rows.number(0), static_cast<std::uint64_t>(rows.number(1)) + row_bytes, oldest.quarantined);
  }
  for (const Priority priority : {Priority::normal, Priority::critical}) {
    std::map<std::int64_t, std::size_t> bytes_of;
    for (int i = 0; i < kind_count; ++i) {
      if (Kind::of(i).priority != priority) continue;
      for (const Chunk& chunk : chunks.of(Kind::of(i))) bytes_of[chunk.id] = chunk.bytes;
    }
    budget.take_oldest(bytes_of, oldest.chunks);
    bytes_of.clear();
    for (const Batch& batch : batches.all()) {
      if (batch.kind.priority == priority && batch.id != in_flight) bytes_of[batch.id] = batch.body_bytes;
    }
    budget.take_oldest(bytes_of, oldest.batches);
  }
  return oldest;
}

void give_up(Database& database, const Oldest& oldest, Ledger& ledger) {
  for (const std::int64_t id : oldest.quarantined) rows::remove(database, rows::Table::quarantine, id);
  ledger.quarantined -= std::min<std::uint64_t>(oldest.quarantined.size(), ledger.quarantined);
  ledger.evicted += oldest.quarantined.size();
  for (const std::int64_t id : oldest.chunks) ledger.evicted += rows::remove_counted(database, rows::Table::chunk, id);
  for (const std::int64_t id : oldest.batches) ledger.evicted += rows::remove_counted(database, rows::Table::batch, id);
}

}  // namespace yukha::hold::retention
