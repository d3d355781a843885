#include "compose/sentence_json.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>
#include <vector>

#include "compose/name_table.hpp"
#include "compose/parts.hpp"
#include "system/json.hpp"
#include "system/utf8.hpp"

namespace yukha {
namespace {

using system::Json;

constexpr Purpose purposes[] = {Purpose::analytics, Purpose::advertising, Purpose::personalization};
constexpr char scalar[] = "a text, a number or a boolean";

// "at byte 40 "ninth" …"
std::string place_of(const Json& value) {
  std::string name = value.name.substr(0, 80);
  system::make_readable(name);
  return "at byte " + std::to_string(value.at) + " \"" + name + "\"";
}

Status wrong(const Json& value, const char* what) {
  return {Code::not_a_sentence, place_of(value) + what};
}

bool is_scalar(const Json& value) noexcept {
  return value.is(Json::Kind::string) || value.is(Json::Kind::number) || value.is(Json::Kind::boolean);
}

Status check_names(const Json& object) {
  const std::vector<Json>& all = object.inside;
  std::size_t slots = 16;
  while (slots < 2 * all.size()) slots *= 2;
  std::vector<std::uint16_t> places(slots);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto same = [&](std::size_t place) { return all[place - 1].name == all[i].name; };
    if (compose::find_or_put(places.data(), slots, all[i].name, i + 1, same))
      return {Code::repeated_member, place_of(all[i])};
  }
  return {};
}

// A part's own words, and its further members. Borrows the texts.
struct PartText {
  Status read(const Json& part, std::initializer_list<const char*> own_words) {
    if (!part.is(Json::Kind::object)) return wrong(part, " must be an object");
    if (Status status = check_names(part); !status) return status;
    for (const Json& value : part.inside) {
      if (!is_scalar(value)) return {Code::not_a_sentence, place_of(value) + " must be " + scalar};
      const auto own = std::find(own_words.begin(), own_words.end(), value.name);
      if (own == own_words.end()) {
        members.push_back({value.name, value.text});
      } else {
        words[own - own_words.begin()] = &value;
      }
    }
    return {};
  }
  std::string_view word() const noexcept { return words[0] == nullptr ? std::string_view() : words[0]->text; }
  Members list() const noexcept { return {members.data(), members.size()}; }

  const Json* words[2] = {};
  std::vector<Member> members;
};

// Milliseconds are rounded, half a one away from zero: hosts that know one kind of number bring fractions and
// exponents. What is too large for any time becomes the lowest, which is none. `number` is one of JSON.
std::int64_t rounded(const std::string& number) noexcept {
  constexpr std::uint64_t whole_max = 100'000'000'000'000'000;
  const bool negative = number[0] == '-';
  const std::size_t end = std::min(number.find_first_of("eE"), number.size());
  const std::size_t point = std::min(number.find('.'), end);
  std::int64_t exponent = 0;
  if (end != number.size()) {
    const char* const from = number.data() + end + (number[end + 1] == '+' ? 2 : 1);
    if (std::from_chars(from, number.data() + number.size(), exponent).ec != std::errc() || exponent > INT32_MAX)
      exponent = *from == '-' ? INT32_MIN : INT32_MAX;
    exponent = std::max<std::int64_t>(exponent, INT32_MIN);
  }
  std::int64_t places = static_cast<std::int64_t>(point - (negative ? 1 : 0)) + exponent;  // of the whole part
  std::uint64_t whole = 0;
  for (std::size_t i = negative ? 1 : 0; i < end; ++i) {
    if (i == point) continue;
    const auto digit = static_cast<std::uint64_t>(number[i] - '0');
    if (--places < 0) {
      if (places == -1 && digit >= 5) ++whole;
      places = 0;
      break;
    }
    if (whole > whole_max) return INT64_MIN;
    whole = whole * 10 + digit;
  }
  for (; places > 0 && whole != 0; --places) {
    if (whole > whole_max) return INT64_MIN;
    whole *= 10;
  }
  const auto value = static_cast<std::int64_t>(whole);
  return negative ? -value : value;
}

}  // namespace

Status fill_from_json(std::string_view text, Event& event) {
  // What is longer than twice a line cannot become one.
  if (text.size() > 64 * 1024) return Code::sentence_too_large;
  const Json json = system::read_json(text);
  if (json.is(Json::Kind::none)) return {Code::not_a_sentence, "at byte " + std::to_string(json.at) + " " + json.text};
  if (!json.is(Json::Kind::object)) return Code::not_a_sentence;
  if (Status status = check_names(json); !status) return status;

  for (const Json& value : json.inside) {
    const std::string& name = value.name;
    PartText part;
    Status status;
    if (name == "user" || name == "device") {
      if (status = part.read(value, {}); !status) return status;
      if (name == "user") {
        event.user(part.list());
      } else {
        event.device(part.list());
      }
    } else if (name == "location") {
      if (is_scalar(value)) {
        event.location(value.text);
      } else if (status = part.read(value, {"screen"}); status) {
        event.location(part.word(), part.list());
      } else {
        return status;
      }
    } else if (name == "content") {
      if (status = part.read(value, {"id"}); !status) return status;
      event.content(part.word(), part.list());
    } else if (name == "referral") {
      if (!is_scalar(value)) return wrong(value, " must be a text");
      event.referral(value.text);
    } else if (name == "action") {
      if (status = part.read(value, {"type", "duration_ms"}); !status) return status;
      if (part.words[1] == nullptr) {
        event.action(part.word(), part.list());
      } else {
        // A text may hold the number, as everywhere.
        const Json& duration = *part.words[1];
        const Json number = duration.is(Json::Kind::string) ? system::read_json(duration.text) : duration;
        if (!number.is(Json::Kind::number)) return wrong(duration, " must be a number");
        event.action(part.word(), std::chrono::milliseconds(rounded(number.text)), part.list());
      }
    } else if (name == "at_unix_ms") {
      if (!value.is(Json::Kind::number)) return wrong(value, " must be a number");
      event.at_unix_ms(rounded(value.text));
    } else if (name == "critical") {
      if (!value.is(Json::Kind::boolean)) return wrong(value, " must be true or false");
      if (value.text == "true") event.critical();
    } else if (name == "purpose") {
      const auto one = std::find_if(std::begin(purposes), std::end(purposes),
                                    [&value](Purpose purpose) { return value.text == compose::purpose_name(purpose); });
      if (!value.is(Json::Kind::string) || one == std::end(purposes)) return wrong(value, " is no purpose");
      event.purpose(*one);
    } else {
      return wrong(value, " is no part");
    }
  }
  return {};
}

}  // namespace yukha
