// The sentences that the endpoint refused by name or alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hold/queue/batch.hpp"
#include "hold/sqlite.hpp"

// The table `quarantine`. Begins no transaction: the caller does, and changes the ledger with it.
namespace yukha::hold::quarantine {

// Ledger sentences are left out: they are the library's, and are made again.
std::size_t count_of_app(const std::vector<Rejected>& rejected) noexcept;
void insert(Database& database, const std::vector<Rejected>& rejected, std::int64_t opening, std::int64_t held_ms);
std::uint64_t count(Database& database);

// The row of that id; false when there is none, or it cannot be read.
bool read(Database& database, std::int64_t id, Rejected& rejected);
// The first row with an id above `after`.
bool next(Database& database, std::int64_t after, std::int64_t& id, Rejected& rejected);

}  // namespace yukha::hold::quarantine
