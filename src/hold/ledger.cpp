#include "hold/ledger.hpp"

namespace yukha::hold {

bool adds_up(const Ledger& ledger) noexcept {
  constexpr std::uint64_t count_max = 1ULL << 62;
  if (ledger.accepted > count_max) return false;
  std::uint64_t left = ledger.accepted;
  for (const std::uint64_t part : {ledger.delivered, ledger.quarantined, ledger.evicted, ledger.erased, ledger.lost}) {
    if (part > left) return false;
    left -= part;
  }
  return true;
}

}  // namespace yukha::hold
