#include "policy.hpp"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>

#include "text.hpp"

namespace collector {
namespace {

constexpr std::size_t kStopsMax = 64;
constexpr std::size_t kActionBytesMax = 64;

struct NumberMember {
  const char* name;
  std::int64_t most;
};
constexpr NumberMember kNumbers[] = {
    {"for_s", 604'800}, {"pause_s", 86'400}, {"upload_interval_s", 86'400}, {"share_percent", 100}};

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20;
}

// What is wrong with the list; empty when nothing is.
std::string fault_of_stop(const nlohmann::json& list) {
  if (!list.is_array() || list.size() > kStopsMax) return "\"stop\" wants an array of at most 64 action types";
  for (const auto& action : list) {
    if (!action.is_string()) return "\"stop\" wants texts";
    const auto& text = action.get_ref<const std::string&>();
    if (text.empty() || text.size() > kActionBytesMax) return "\"stop\" wants action types of 1 to 64 bytes";
    const bool has_control = std::any_of(text.begin(), text.end(), is_control);
    if (has_control) return "an action type in \"stop\" has no control characters";
  }
  return "";
}

std::string fault_of_number(const std::string& name, const nlohmann::json& value, std::int64_t most) {
  if (value.is_number_integer() && value >= 0 && value <= most) return "";
  return "\"" + name + "\" wants a whole number from 0 to " + std::to_string(most);
}

std::string fault_of(const std::string& name, const nlohmann::json& value) {
  if (name == "stop") return fault_of_stop(value);
  for (const NumberMember& number : kNumbers) {
    if (name == number.name) return fault_of_number(name, value, number.most);
  }
  return "a policy has no member \"" + name + "\"";
}

}  // namespace

std::optional<std::string> policy_from(std::string_view json, std::string* error) {
  std::set<std::string> names;
  std::string twice;
  const auto note_name = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& name) {
    const bool is_name = event == nlohmann::json::parse_event_t::key && depth == 1;
    if (is_name && !names.insert(name.get<std::string>()).second) twice = name.get<std::string>();
    return true;
  };
  const bool is_text = is_utf8(json) && control_character_in(json) == std::string_view::npos;
  const auto policy = is_text ? nlohmann::json::parse(json, note_name, false) : nlohmann::json();
  if (!policy.is_object()) {
    *error = "a policy is a JSON object";
    return std::nullopt;
  }
  if (!twice.empty()) {
    *error = "\"" + twice + "\" stands twice";
    return std::nullopt;
  }
  for (const auto& [name, value] : policy.items()) {
    *error = fault_of(name, value);
    if (!error->empty()) return std::nullopt;
  }
  if (!policy.contains("for_s")) {
    *error = "\"for_s\" is missing: how many seconds it holds";
    return std::nullopt;
  }
  if (policy.value("pause_s", std::int64_t{0}) > policy["for_s"].get<std::int64_t>()) {
    *error = "\"pause_s\" is above \"for_s\"";
    return std::nullopt;
  }
  return policy.dump();
}

}  // namespace collector
