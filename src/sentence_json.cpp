#include "sentence_json.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "system/json.hpp"

namespace yukha {
namespace {

using Json = nlohmann::json;

// A scalar as its text. A number keeps its shortest exact text; one that must survive as written is a string.
bool text_of(const Json& value, std::string& text) {
  // A whole number beyond 64 bits has lost digits by now.
  if (value.is_number_float() && !(std::abs(value.get<double>()) < 9.0e18)) return false;
  if (value.is_string()) {
    text = value.get<std::string>();
  } else if (value.is_boolean() || value.is_number()) {
    text = value.dump();
  } else {
    return false;
  }
  return true;
}

// The members of a part apart from those with words of their own.
struct PartText {
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<Member> members;

  bool read(const Json& part, std::initializer_list<const char*> own_words) {
    if (!part.is_object()) return false;
    for (const auto& [name, value] : part.items()) {
      bool own = false;
      for (const char* word : own_words) own = own || name == word;
      if (own) continue;
      texts.emplace_back(name, "");
      if (!text_of(value, texts.back().second)) return false;
    }
    for (const auto& [name, value] : texts) members.push_back({name, value});
    return true;
  }
  Members list() const { return {members.data(), members.size()}; }
};

bool word(const Json& part, const char* name, std::string& text) {
  const auto found = part.find(name);
  return found == part.end() || text_of(*found, text);
}

Status wrong(const std::string& what) {
  return {Code::not_a_sentence, what};
}

}  // namespace

Status fill_from_json(std::string_view text, Event& event) {
  // What is longer than twice a line cannot become one.
  if (text.size() > 64 * 1024) return Code::sentence_too_large;
  std::string repeated;
  std::vector<std::vector<std::string>> seen;
  const auto no_repeats = [&](int, Json::parse_event_t kind, Json& parsed) {
    if (kind == Json::parse_event_t::object_start) seen.emplace_back();
    if (kind == Json::parse_event_t::object_end) seen.pop_back();
    if (kind == Json::parse_event_t::key) {
      const std::string& name = parsed.get_ref<const std::string&>();
      for (const std::string& other : seen.back()) {
        if (other == name) repeated = name;
      }
      seen.back().push_back(name);
    }
    return true;
  };
  const Json json = system::parse_json(text, no_repeats);
  if (!json.is_object()) return wrong("the text");
  if (!repeated.empty()) return {Code::repeated_member, repeated.substr(0, 80)};

  for (const auto& [name, value] : json.items()) {
    if (name == "user" || name == "device") {
      PartText part;
      if (!part.read(value, {})) return wrong(name);
      if (name == "user") {
        event.user(part.list());
      } else {
        event.device(part.list());
      }
    } else if (name == "location") {
      std::string screen;
      PartText part;
      if (value.is_object()) {
        if (!word(value, "screen", screen) || !part.read(value, {"screen"})) return wrong(name);
      } else if (!text_of(value, screen)) {
        return wrong(name);
      }
      event.location(screen, part.list());
    } else if (name == "content") {
      std::string id;
      PartText part;
      if (!part.read(value, {"id"}) || !word(value, "id", id)) return wrong(name);
      event.content(id, part.list());
    } else if (name == "referral") {
      std::string from;
      if (!text_of(value, from)) return wrong(name);
      event.referral(from);
    } else if (name == "action") {
      std::string type;
      PartText part;
      if (!part.read(value, {"type", "duration_ms"}) || !word(value, "type", type)) return wrong(name);
      const auto duration = value.find("duration_ms");
      if (duration == value.end()) {
        event.action(type, part.list());
      } else {
        std::string digits;
        const bool whole = text_of(*duration, digits) && !digits.empty() && digits.size() <= 18 &&
                           digits.find_first_not_of("0123456789", digits[0] == '-' ? 1 : 0) == std::string::npos &&
                           digits != "-";
        if (!whole) return wrong("action.duration_ms");
        event.action(type, std::chrono::milliseconds(std::stoll(digits)), part.list());
      }
    } else if (name == "at_unix_ms") {
      if (!value.is_number_integer()) return wrong(name);
      if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return Code::bad_time;
      event.at_unix_ms(value.get<std::int64_t>());
    } else if (name == "critical") {
      if (!value.is_boolean()) return wrong(name);
      if (value.get<bool>()) event.critical();
    } else {
      return wrong(name.substr(0, 80));
    }
  }
  return {};
}

}  // namespace yukha
