#include "hold/carried.hpp"

#include <vector>

#include "system/json.hpp"

namespace yukha::hold {

std::string carried_text(const Ledger& ledger, std::uint64_t epoch) {
  std::string text;
  const auto add = [&text](const char* before, std::uint64_t value) {
    text += before;
    text += std::to_string(value);
  };
  add("{\"epoch\":", epoch);
  add(",\"accepted\":", ledger.accepted);
  add(",\"delivered\":", ledger.delivered);
  add(",\"quarantined\":", ledger.quarantined);
  add(",\"evicted\":", ledger.evicted);
  add(",\"erased\":", ledger.erased);
  add(",\"lost\":", ledger.lost);
  for (int i = 0; i < refusal_count; ++i) add(i == 0 ? ",\"refused\":[" : ",", ledger.refused[i]);
  return text + "]}";
}

bool read_carried(std::string_view text, Ledger& ledger, std::uint64_t& epoch) {
  const system::Json json = system::read_json(text);
  if (!json.is(system::Json::Kind::object)) return false;
  const auto number = [&json](const char* name) { return json[name].whole().value_or(0); };
  epoch = number("epoch");
  ledger.accepted = number("accepted");
  ledger.delivered = number("delivered");
  ledger.quarantined = number("quarantined");
  ledger.evicted = number("evicted");
  ledger.erased = number("erased");
  ledger.lost = number("lost");
  const std::vector<system::Json>& refused = json["refused"].inside;
  for (std::size_t i = 0; i < refused.size() && i < static_cast<std::size_t>(refusal_count); ++i) {
    ledger.refused[i] = refused[i].whole().value_or(0);
  }
  return adds_up(ledger);
}

}  // namespace yukha::hold
