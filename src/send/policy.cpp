#include "send/policy.hpp"

#include <algorithm>
#include <cstdio>

namespace yukha::send {
namespace {

using system::Json;

// The contract's limits.
constexpr std::int64_t for_s_max = 604'800;
constexpr std::int64_t wait_s_max = 86'400;
constexpr std::size_t stops_max = 64;
constexpr std::size_t stop_bytes_max = 64;

bool read_number(const Json& json, const char* name, std::int64_t most, std::int64_t& into) {
  const Json& value = json[name];
  if (value.is(Json::Kind::none)) return true;
  const auto number = value.whole();
  if (!number || *number > static_cast<std::uint64_t>(most)) return false;
  into = static_cast<std::int64_t>(*number);
  return true;
}

bool is_fit(const Policy& policy) noexcept {
  const auto is_action = [](const std::string& action) {
    return !action.empty() && action.size() <= stop_bytes_max &&
           std::none_of(action.begin(), action.end(), [](char c) { return c >= 0 && c < ' '; });
  };
  return policy.for_s >= 0 && policy.for_s <= for_s_max && policy.pause_s >= 0 && policy.pause_s <= wait_s_max &&
         policy.pause_s <= policy.for_s && policy.upload_interval_s >= 0 && policy.upload_interval_s <= wait_s_max &&
         policy.share_percent >= 0 && policy.share_percent <= 100 && policy.stop.size() <= stops_max &&
         std::all_of(policy.stop.begin(), policy.stop.end(), is_action);
}

}  // namespace

std::optional<Policy> Policy::told(const Json& json, std::int64_t now_unix_ms) {
  Policy policy;
  policy.arrived_unix_ms = now_unix_ms;
  const Json& stop = json["stop"];
  if (json["for_s"].is(Json::Kind::none) || !read_number(json, "for_s", for_s_max, policy.for_s) ||
      !read_number(json, "pause_s", wait_s_max, policy.pause_s) ||
      !read_number(json, "upload_interval_s", wait_s_max, policy.upload_interval_s) ||
      !read_number(json, "share_percent", 100, policy.share_percent) ||
      !(stop.is(Json::Kind::none) || stop.is(Json::Kind::array)) || stop.inside.size() > stops_max) {
    return std::nullopt;
  }
  for (const Json& action : stop.inside) {
    if (!action.is(Json::Kind::string)) return std::nullopt;
    policy.stop.push_back(action.text);
  }
  if (!is_fit(policy)) return std::nullopt;
  return policy;
}

// Four numbers behind the time of its arrival, then an action in each line.
std::string Policy::text() const {
  char numbers[120];
  std::snprintf(numbers, sizeof numbers, "%lld %lld %lld %lld %lld", static_cast<long long>(arrived_unix_ms),
                static_cast<long long>(for_s), static_cast<long long>(pause_s),
                static_cast<long long>(upload_interval_s), static_cast<long long>(share_percent));
  std::string text = numbers;
  for (const std::string& action : stop) text += "\n" + action;
  return text;
}

std::optional<Policy> Policy::kept(std::string_view text) {
  long long numbers[5] = {};
  std::size_t end = std::min(text.find('\n'), text.size());
  if (std::sscanf(std::string(text.substr(0, end)).c_str(), "%lld %lld %lld %lld %lld", &numbers[0], &numbers[1],
                  &numbers[2], &numbers[3], &numbers[4]) != 5) {
    return std::nullopt;
  }
  Policy policy;
  policy.arrived_unix_ms = numbers[0];
  policy.for_s = numbers[1];
  policy.pause_s = numbers[2];
  policy.upload_interval_s = numbers[3];
  policy.share_percent = numbers[4];
  while (end < text.size() && policy.stop.size() <= stops_max) {
    text.remove_prefix(end + 1);
    end = std::min(text.find('\n'), text.size());
    policy.stop.emplace_back(text.substr(0, end));
  }
  if (!is_fit(policy)) return std::nullopt;
  return policy;
}

std::string Policy::words() const {
  if (for_s == 0) return "the endpoint's policy ends";
  std::string words = "the endpoint asks for " + std::to_string(for_s) + " s:";
  if (pause_s > 0) words += " no upload for " + std::to_string(pause_s) + " s,";
  if (upload_interval_s > 0) words += " uploads " + std::to_string(upload_interval_s) + " s apart,";
  if (share_percent < 100) words += " " + std::to_string(share_percent) + " % of the users,";
  for (const std::string& action : stop) words += " no " + action + ",";
  words.pop_back();
  return words;
}

std::int64_t Policy::left_ms(std::int64_t span_s, std::int64_t now_unix_ms) const noexcept {
  if (now_unix_ms < arrived_unix_ms) return 0;
  return std::max<std::int64_t>(span_s * 1000 - (now_unix_ms - arrived_unix_ms), 0);
}

}  // namespace yukha::send
