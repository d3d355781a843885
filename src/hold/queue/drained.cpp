#include "hold/queue/drained.hpp"

#include <utility>

namespace yukha::hold {

Drained Drained::of(const Ring& ring, std::vector<RingLine>&& lines, std::uint64_t accepted_before) {
  Drained drained;
  drained.lines = std::move(lines);
  const RingLine& last = drained.lines.back();
  drained.mark.ring_id = ring.id();
  drained.mark.position = Ring::end_of(last.position, last.text.size());
  drained.mark.accepted = last.ordinal;
  for (int i = 0; i < refusal_count; ++i) drained.mark.refused[i] = ring.refused(static_cast<Refusal>(i));
  drained.lost = last.ordinal - accepted_before - drained.lines.size();
  return drained;
}

}  // namespace yukha::hold
