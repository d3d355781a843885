// Which rows are given up for age or for room: the oldest.
#pragma once

#include <cstdint>
#include <vector>

#include "hold/ledger.hpp"
#include "hold/queue/batch_list.hpp"
#include "hold/queue/open_chunks.hpp"
#include "hold/sqlite.hpp"

namespace yukha::hold {

// How much an eviction by age takes at once.
enum class Extent {
  all,
  one_of_each,  // one chunk and one batch, nothing of the quarantine: while the time may be wrong
};

// Chooses rows, then removes them in the caller's transaction. A batch in flight is never chosen.
namespace retention {

struct Oldest {
  std::vector<std::int64_t> chunks;
  std::vector<std::int64_t> batches;
  std::vector<std::int64_t> quarantined;

  bool empty() const noexcept { return chunks.empty() && batches.empty() && quarantined.empty(); }
};

// Held before that time. Openings whose true time nobody knows yet have no age.
Oldest older_than(Database& database, std::int64_t true_unix_ms, std::int64_t in_flight, Extent extent);
// Until so many bytes are free: first the quarantine, for the endpoint has seen it; then normal before critical, chunks
// before batches.
Oldest for_room(Database& database, const OpenChunks& chunks, const BatchList& batches, std::uint64_t bytes_to_free,
                std::int64_t in_flight);
void give_up(Database& database, const Oldest& oldest, Ledger& ledger);

}  // namespace retention
}  // namespace yukha::hold
