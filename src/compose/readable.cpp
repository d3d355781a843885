#include "compose/readable.hpp"

#include <cstdint>
#include <cstdlib>

#include "system/json.hpp"

namespace yukha::detail {
namespace {

using system::Json;

// app://shop/FEED?y=3&tab=2 as "FEED at y=3, tab=2"; any other URL as it is.
std::string place_of(const std::string& location) {
  if (location.rfind("app://", 0) != 0) return location;
  const std::size_t screen = location.find('/', 6);
  if (screen == std::string::npos) return location;
  std::string place = location.substr(screen + 1);
  bool first = true;
  for (std::size_t at = place.find_first_of("?&"); at != std::string::npos; at = place.find('&', at)) {
    place.replace(at, 1, first ? " at " : ", ");
    first = false;
  }
  return place;
}

}  // namespace

std::string readable(std::string_view line) {
  const Json sentence = system::read_json(line);
  const auto text = [&sentence](const char* part, const char* member) -> const std::string& {
    return sentence[part][member].text;
  };
  std::string said = text("user", "id");
  for (const char* device : {"model", "os"}) {
    if (text("device", device).empty()) continue;
    said += " on " + text("device", device);
    break;
  }
  const std::string& location = sentence["location"].text;
  if (!location.empty()) said += " in " + place_of(location);
  const std::string& referral = sentence["referral"].text;
  said += referral.empty() ? " did " : " came by " + referral + " and ";
  said += text("action", "type");
  if (!text("content", "id").empty()) said += " " + text("content", "id");
  const std::string& ms = sentence["action"]["duration_ms"].text;
  // Not by printf: the point would be the locale's.
  if (!ms.empty()) {
    const std::uint64_t tenths = (std::strtoull(ms.c_str(), nullptr, 10) + 50) / 100;
    said += " for " + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
  }
  const char* before = " with ";
  for (const Json& member : sentence["action"].inside) {
    if (member.name == "type" || member.name == "duration_ms") continue;
    said += before + member.name + "=" + member.text;
    before = ", ";
  }
  return said;
}

}  // namespace yukha::detail
