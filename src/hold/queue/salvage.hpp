// What can still be read of a damaged database goes into a new one.
#pragma once

#include <cstdint>

#include "hold/ledger.hpp"
#include "hold/queue/rows.hpp"
#include "hold/sqlite.hpp"

// Each read begins without the fault that the one before it met: what cannot be read of one row must not end the
// others.
namespace yukha::hold::salvage {

// How many of the app's sentences came.
struct Found {
  std::uint64_t waiting = 0;
  std::uint64_t quarantined = 0;
};

// Zeros where it cannot be read, and counters of zero where they do not add up.
rows::State read_state(Database& damaged);
// Copies each row that is whole, as held when `opening` began.
Found copy_rows(Database& damaged, Database& fresh, std::int64_t opening);
// The counters go on: what was accepted stands, for the ring counts on from there, and what the file could not give is
// counted lost.
Ledger balanced(Ledger ledger, const Found& found) noexcept;

}  // namespace yukha::hold::salvage
