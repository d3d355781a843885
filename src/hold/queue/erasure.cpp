#include "hold/queue/erasure.hpp"

#include <algorithm>

namespace yukha::hold::erasure {

bool is_denied(const Consents& consents, Purpose purpose) noexcept {
  return consents.of(purpose) == Consent::denied;
}

std::vector<Denied> find(const OpenChunks& chunks, const BatchList& batches, const Consents& consents,
                         const std::vector<std::int64_t>& quarantined) {
  constexpr std::size_t quarantined_bytes = 8 << 10;  // about, of one row
  std::vector<Denied> denied;
  for (int i = 0; i < kind_count; ++i) {
    const Kind kind = Kind::of(i);
    if (!is_denied(consents, kind.purpose)) continue;
    for (const Chunk& chunk : chunks.of(kind))
      denied.push_back({rows::Table::chunk, chunk.id, chunk.lines - chunk.own_lines, chunk.bytes});
  }
  for (const Batch& batch : batches.all()) {
    if (is_denied(consents, batch.kind.purpose))
      denied.push_back({rows::Table::batch, batch.id, batch.lines - batch.own_lines, batch.body_bytes});
  }
  for (const std::int64_t id : quarantined) denied.push_back({rows::Table::quarantine, id, 1, quarantined_bytes});
  return denied;
}

std::size_t remove_some(Database& database, const std::vector<Denied>& rows, std::size_t next, std::size_t step_bytes,
                        Ledger& ledger) {
  // A page that is freed is written once more: half of a step keeps the log within the blocks it was given.
  for (std::size_t bytes = 0; next < rows.size() && bytes < step_bytes / 2; ++next) {
    const Denied& row = rows[next];
    rows::remove(database, row.table, row.id);
    ledger.erased += row.sentences;
    if (row.table == rows::Table::quarantine) ledger.quarantined -= std::min<std::uint64_t>(1, ledger.quarantined);
    bytes += row.bytes;
  }
  return next;
}

}  // namespace yukha::hold::erasure
