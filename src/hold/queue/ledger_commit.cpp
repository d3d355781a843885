#include "hold/queue/ledger_commit.hpp"

namespace yukha::hold {
namespace {

void save(Database& database, const Ledger& ledger) {
  const auto signed_number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  Statement statement(
      database,
      "UPDATE state SET accepted = ?, delivered = ?, quarantined = ?, evicted = ?, erased = ?, lost = ?,"
      " refused_ring_full = ?, refused_consent = ?, refused_invalid = ?, refused_closed = ?, refused_policy = ?");
  statement.bind(signed_number(ledger.accepted))
      .bind(signed_number(ledger.delivered))
      .bind(signed_number(ledger.quarantined))
      .bind(signed_number(ledger.evicted))
      .bind(signed_number(ledger.erased))
      .bind(signed_number(ledger.lost));
  for (const std::uint64_t refused : ledger.refused) statement.bind(signed_number(refused));
  statement.run();
}

}  // namespace

bool LedgerCommit::commit() {
  save(database_, ledger_);
  if (!transaction_.commit()) return false;
  published_ = ledger_;
  return true;
}

}  // namespace yukha::hold
