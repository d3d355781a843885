// What a drain of the ring hands to the queue.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hold/queue/kept_scopes.hpp"
#include "hold/ring.hpp"

namespace yukha::hold {

// Lines and the ring's position and counters, which are committed together.
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

}  // namespace yukha::hold
