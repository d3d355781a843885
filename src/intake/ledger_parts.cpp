#include "intake/ledger_parts.hpp"

#include <cstdint>

#include "compose/parts.hpp"
#include "compose/text.hpp"

namespace yukha::detail {

std::string ledger_parts(const hold::Ledger& ledger, const hold::RunMark& previous) {
  std::string store;
  const auto add = [&store](Part part, const char* name, const std::string& value) {
    static_cast<void>(compose::append_member(store, part, name, value));
  };
  const auto number = [&add](const char* name, std::uint64_t value) {
    add(Part::content, name, std::to_string(value));
  };
  add(Part::content, "id", "ledger");
  number("accepted", ledger.accepted);
  number("delivered", ledger.delivered);
  number("waiting", ledger.waiting());
  number("quarantined", ledger.quarantined);
  number("evicted", ledger.evicted);
  number("erased", ledger.erased);
  number("lost", ledger.lost);
  number("refused_ring_full", ledger.refused[0]);
  number("refused_consent", ledger.refused[1]);
  number("refused_invalid", ledger.refused[2]);
  if (ledger.refused[3] != 0) number("refused_sampled", ledger.refused[3]);
  if (ledger.refused[4] != 0) number("refused_policy", ledger.refused[4]);
  if (!previous.run.empty()) {
    add(Part::content, "previous_run", previous.run);
    number("previous_last_seq", previous.last_seq);
    add(Part::content, "previous_closed", previous.closed ? "true" : "false");
  }
  add(Part::action, "type", "yukha_ledger");
  return store;
}

}  // namespace yukha::detail
