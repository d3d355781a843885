#include "hold/queue/ledger_commit.hpp"

#include "hold/queue/rows.hpp"

namespace yukha::hold {

bool LedgerCommit::commit() {
  rows::save_ledger(database_, ledger_);
  if (!transaction_.commit()) return false;
  published_ = ledger_;
  return true;
}

}  // namespace yukha::hold
