#include "sentence_json.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>
#include <vector>

#include "compose/parts.hpp"
#include "system/json.hpp"

namespace yukha {
namespace {

using system::Json;

constexpr Purpose purposes[] = {Purpose::analytics, Purpose::advertising, Purpose::personalization};

// A scalar as its text.
bool text_of(const Json& value, std::string& text) {
  if (!value.is(Json::Kind::string) && !value.is(Json::Kind::number) && !value.is(Json::Kind::boolean)) return false;
  text = value.text;
  return true;
}

// The members of a part apart from those with words of their own.
struct PartText {
  std::vector<Member> members;

  // Borrows the texts.
  bool read(const Json& part, std::initializer_list<const char*> own_words) {
    if (!part.is(Json::Kind::object)) return false;
    for (const Json& value : part.inside) {
      bool own = false;
      for (const char* word : own_words) own = own || value.name == word;
      if (own) continue;
      std::string text;
      if (!text_of(value, text)) return false;
      members.push_back({value.name, value.text});
    }
    return true;
  }
  Members list() const { return {members.data(), members.size()}; }
};

bool word(const Json& part, const char* name, std::string& text) {
  const Json& found = part[name];
  return found.is(Json::Kind::none) || text_of(found, text);
}

// The name of a member that an object has twice.
const std::string* repeated(const Json& object) {
  for (auto one = object.inside.begin(); one != object.inside.end(); ++one) {
    if (object.is(Json::Kind::object)) {
      for (auto other = object.inside.begin(); other != one; ++other) {
        if (other->name == one->name) return &one->name;
      }
    }
    if (const std::string* inside = repeated(*one)) return inside;
  }
  return nullptr;
}

Status wrong(const std::string& what) {
  return {Code::not_a_sentence, what};
}

}  // namespace

Status fill_from_json(std::string_view text, Event& event) {
  // What is longer than twice a line cannot become one.
  if (text.size() > 64 * 1024) return Code::sentence_too_large;
  const Json json = system::read_json(text);
  if (!json.is(Json::Kind::object)) return wrong("the text");
  if (const std::string* name = repeated(json)) return {Code::repeated_member, name->substr(0, 80)};

  for (const Json& value : json.inside) {
    const std::string& name = value.name;
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
      if (value.is(Json::Kind::object)) {
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
      const Json& duration = value["duration_ms"];
      if (duration.is(Json::Kind::none)) {
        event.action(type, part.list());
      } else {
        std::string digits;
        const bool whole = text_of(duration, digits) && !digits.empty() && digits.size() <= 18 &&
                           digits.find_first_not_of("0123456789", digits[0] == '-' ? 1 : 0) == std::string::npos &&
                           digits != "-";
        if (!whole) return wrong("action.duration_ms");
        event.action(type, std::chrono::milliseconds(std::stoll(digits)), part.list());
      }
    } else if (name == "at_unix_ms") {
      std::int64_t unix_ms = 0;
      const char* const end = value.text.data() + value.text.size();
      const auto read = std::from_chars(value.text.data(), end, unix_ms);
      if (!value.is(Json::Kind::number) || read.ptr != end) return wrong(name);
      if (read.ec != std::errc()) return Code::bad_time;
      event.at_unix_ms(unix_ms);
    } else if (name == "critical") {
      if (!value.is(Json::Kind::boolean)) return wrong(name);
      if (value.text == "true") event.critical();
    } else if (name == "purpose") {
      const auto one = std::find_if(std::begin(purposes), std::end(purposes),
                                    [&value](Purpose purpose) { return value.text == compose::purpose_name(purpose); });
      if (!value.is(Json::Kind::string) || one == std::end(purposes)) return wrong(name);
      event.purpose(*one);
    } else {
      return wrong(name.substr(0, 80));
    }
  }
  return {};
}

}  // namespace yukha
