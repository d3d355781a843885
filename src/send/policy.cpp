#include "send/policy.hpp"

#include <algorithm>
#include <cstdio>

namespace yukha::send {
namespace {

using system::Json;

// The contract's limits.
struct Number {
  const char* name;
  std::int64_t Policy::*into;
  std::uint64_t most;
};
constexpr Number numbers[] = {{"for_s", &Policy::for_s, 604'800},
                              {"pause_s", &Policy::pause_s, 86'400},
                              {"upload_interval_s", &Policy::upload_interval_s, 86'400},
                              {"share_percent", &Policy::share_percent, 100}};
constexpr std::size_t stops_max = 64;
constexpr std::size_t stop_bytes_max = 64;

}  // namespace

std::optional<Policy> Policy::told(const Json& json, std::int64_t now_unix_ms) {
  Policy policy;
  policy.arrived_unix_ms = now_unix_ms;
  for (const Number& number : numbers) {
    const Json& value = json[number.name];
    const auto whole = value.whole();
    if (whole && *whole <= number.most) {
      policy.*number.into = static_cast<std::int64_t>(*whole);
    } else if (!value.is(Json::Kind::none) || number.into == &Policy::for_s) {
      return std::nullopt;
    }
  }
  const Json& stop = json["stop"];
  if (policy.pause_s > policy.for_s || !(stop.is(Json::Kind::none) || stop.is(Json::Kind::array)) ||
      stop.inside.size() > stops_max) {
    return std::nullopt;
  }
  for (const Json& action : stop.inside) {
    const bool has_control =
        std::any_of(action.text.begin(), action.text.end(), [](char c) { return c >= 0 && c < ' '; });
    if (!action.is(Json::Kind::string) || action.text.empty() || action.text.size() > stop_bytes_max || has_control)
      return std::nullopt;
    policy.stop.push_back(action.text);
  }
  return policy;
}

std::optional<Policy> Policy::kept(std::string_view text) {
  const Json json = system::read_json(text);
  return told(json, static_cast<std::int64_t>(json["at"].whole().value_or(0)));
}

std::string Policy::text() const {
  char head[200];
  std::snprintf(head, sizeof head,
                R"({"at":%lld,"for_s":%lld,"pause_s":%lld,"upload_interval_s":%lld,"share_percent":%lld,"stop":[)",
                static_cast<long long>(arrived_unix_ms), static_cast<long long>(for_s), static_cast<long long>(pause_s),
                static_cast<long long>(upload_interval_s), static_cast<long long>(share_percent));
  std::string text = head;
  for (const std::string& action : stop) {
    if (text.back() != '[') text += ',';
    text += '"';
    for (const char c : action) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "]}";
}

std::int64_t Policy::left_ms(std::int64_t span_s, std::int64_t now_unix_ms) const noexcept {
  if (now_unix_ms < arrived_unix_ms) return 0;
  return std::max<std::int64_t>(span_s * 1000 - (now_unix_ms - arrived_unix_ms), 0);
}

}  // namespace yukha::send
