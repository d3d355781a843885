// Which rows are erased because their purpose is denied, and how many at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hold/consents.hpp"
#include "hold/ledger.hpp"
#include "hold/queue/batch_list.hpp"
#include "hold/queue/open_chunks.hpp"
#include "hold/queue/rows.hpp"
#include "hold/sqlite.hpp"

namespace yukha::hold::erasure {

struct Denied {
  rows::Table table;
  std::int64_t id;
  std::size_t sentences;  // of the app
  std::size_t bytes;
};

bool is_denied(const Consents& consents, Purpose purpose) noexcept;
// All that waits without the consent it needs, and the quarantined rows of these ids.
std::vector<Denied> find(const OpenChunks& chunks, const BatchList& batches, const Consents& consents,
                         const std::vector<std::int64_t>& quarantined);
// Removes rows from the `next` one on, as many as one commit may when the disk is full. Returns which one is next.
std::size_t remove_some(Database& database, const std::vector<Denied>& rows, std::size_t next, std::size_t step_bytes,
                        Ledger& ledger);

}  // namespace yukha::hold::erasure
