// Scopes that a queue keeps, should the process end before they do.
#pragma once

#include <string>
#include <vector>

#include "hold/consents.hpp"
#include "hold/ring.hpp"
#include "hold/sqlite.hpp"

namespace yukha::hold {

// A sentence about something that still goes on, should the process end before it does: the tail of the id that its own
// end would have, and the six parts as JSON.
struct KeptScope {
  std::string tail;
  std::string sentence;
  Purpose purpose = Purpose::analytics;
};

// Those whose own end is not among the lines.
std::vector<KeptScope> without_ended(std::vector<KeptScope> scopes, const std::vector<RingLine>& lines);

// The table of kept scopes, and for which purposes it may ever have had one. Begins no transaction: the caller does.
// Owns three flags. No lock: the queue's thread.
class KeptScopes {
 public:
  static std::vector<KeptScope> read(Database& database);
  // Replaces all that are kept.
  void replace(Database& database, const std::vector<KeptScope>& scopes);

  // A scope for this purpose may lie in the files, as a row or as what is left of one.
  bool may_have(Purpose purpose) const noexcept { return had_[static_cast<int>(purpose)]; }
  void note(const std::vector<KeptScope>& scopes) noexcept;
  void note_none() noexcept;
  // Also what cannot be read.
  void note_all() noexcept;

 private:
  bool had_[purpose_count] = {};
};

}  // namespace yukha::hold
