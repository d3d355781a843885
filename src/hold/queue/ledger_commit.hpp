// A change of a lane's database that moves sentences from one counter of the ledger to another.
#pragma once

#include "hold/ledger.hpp"
#include "hold/sqlite.hpp"

namespace yukha::hold {

// A transaction and a copy of the ledger. The caller changes rows and the copy; commit() saves the copy in the same
// transaction, and publishes it when the transaction is done. Without that, database and published ledger stay as they
// were, so that the counters always say what the rows are.
// Owns the transaction; borrows database and published ledger. No lock: the queue's thread.
class LedgerCommit {
 public:
  LedgerCommit(Database& database, Ledger& published, Durable durable)
      : database_(database), published_(published), ledger_(published), transaction_(database, durable) {}

  // The copy.
  Ledger& ledger() noexcept { return ledger_; }
  // False: nothing changed.
  [[nodiscard]] bool commit();

 private:
  Database& database_;
  Ledger& published_;
  Ledger ledger_;
  Transaction transaction_;
};

}  // namespace yukha::hold
