#include "time_text.hpp"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

namespace replay {

namespace {

constexpr std::int64_t seconds_a_day = 86'400;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr std::array<std::string_view, 12> months = {"january",   "february", "march",    "april",
                                                     "may",       "june",     "july",     "august",
                                                     "september", "october",  "november", "december"};
constexpr std::array<std::string_view, 7> weekdays = {"monday", "tuesday",  "wednesday", "thursday",
                                                      "friday", "saturday", "sunday"};

bool is_leap(std::int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int days_in_month(std::int64_t year, int month) {
  constexpr std::array<int, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[static_cast<std::size_t>(month - 1)];
}

// Days since 1970-01-01 in the Gregorian calendar. March begins the counted year, so that the leap day is its last.
std::int64_t days_since_1970(std::int64_t year, int month, int day) {
  const std::int64_t shifted = month > 2 ? year : year - 1;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const std::int64_t year_of_era = shifted - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

// What a text said, before it is known whether it is a day that exists.
struct Fields {
  std::int64_t year = 1970;
  int month = 1;
  int day = 1;
  int day_of_year = 0;  // 0: not said
  int hour = 0;
  int minute = 0;
  int second = 0;
  int ms = 0;
  bool twelve_hours = false;
  bool has_half = false;
  bool afternoon = false;
  bool has_zone = false;
  std::int64_t zone_seconds = 0;
  bool has_unix = false;
  std::int64_t unix_seconds = 0;

  // Without what `zone_seconds` says: where the text has no zone, the caller knows one.
  bool to_local_ms(std::int64_t& local_ms) const {
    std::int64_t seconds = 0;
    if (has_unix) {
      seconds = unix_seconds;
    } else {
      if (year < 1 || year > 9999 || hour > 23 || minute > 59 || second > 60) return false;
      if (twelve_hours && (hour < 1 || hour > 12)) return false;
      int hour_of_day = hour;
      if (twelve_hours) hour_of_day = hour % 12 + (has_half && afternoon ? 12 : 0);
      std::int64_t days = 0;
      if (day_of_year != 0) {
        if (day_of_year > (is_leap(year) ? 366 : 365)) return false;
        days = days_since_1970(year, 1, 1) + day_of_year - 1;
      } else {
        if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
        days = days_since_1970(year, month, day);
      }
      seconds = days * seconds_a_day + hour_of_day * 3600 + minute * 60 + second;
    }
    local_ms = seconds * 1000 + ms;
    return true;
  }
};

// Reads a text from left to right; every reader answers false where it finds something else.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool one(char expected) {
    if (at_end() || text_[at_] != expected) return false;
    ++at_;
    return true;
  }
  bool digits(int least, int most, int& value) {
    int count = 0;
    value = 0;
    while (count < most && !at_end() && is_digit(text_[at_])) {
      value = value * 10 + (text_[at_++] - '0');
      ++count;
    }
    return count >= least;
  }
  // A fraction of a second to the millisecond; what is finer is cut off.
  bool fraction(int& ms) {
    int count = 0;
    ms = 0;
    while (!at_end() && is_digit(text_[at_])) {
      if (count < 3) ms = ms * 10 + (text_[at_] - '0');
      ++at_;
      ++count;
    }
    for (int filled = count; filled < 3; ++filled) ms *= 10;
    return count >= 1;
  }
  bool zone(std::int64_t& seconds) {
    if (one('Z') || one('z')) {
      seconds = 0;
      return true;
    }
    const bool west = peek() == '-';
    if (!one('+') && !one('-')) return false;
    int hours = 0;
    int minutes = 0;
    if (!digits(2, 2, hours)) return false;
    one(':');
    if (is_digit(peek()) && !digits(2, 2, minutes)) return false;
    if (hours > 23 || minutes > 59) return false;
    seconds = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return true;
  }
  // The longest of `names` (or its first three letters) that stands here, in any case.
  template <std::size_t N>
  bool name(const std::array<std::string_view, N>& names, int& index) {
    for (std::size_t i = 0; i < N; ++i) {
      for (const std::size_t length : {names[i].size(), std::size_t{3}}) {
        if (!starts_with(names[i].substr(0, length))) continue;
        at_ += length;
        index = static_cast<int>(i) + 1;
        return true;
      }
    }
    return false;
  }
  bool starts_with(std::string_view low) const {
    if (text_.size() - at_ < low.size()) return false;
    for (std::size_t i = 0; i < low.size(); ++i) {
      if (lower(text_[at_ + i]) != low[i]) return false;
    }
    return true;
  }
  bool signed_integer(std::int64_t& value) {
    const bool negative = one('-');
    const std::size_t begin = at_;
    value = 0;
    while (!at_end() && is_digit(text_[at_]) && at_ - begin < 15) value = value * 10 + (text_[at_++] - '0');
    const bool read = at_ > begin;
    if (negative) value = -value;
    return read;
  }
  void spaces() {
    while (!at_end() && is_space(text_[at_])) ++at_;
  }
  void skip(std::size_t count) { at_ += count; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool read_directive(char directive, Cursor& cursor, Fields& fields) {
  const auto clock = [&] {
    return cursor.digits(1, 2, fields.hour) && cursor.one(':') && cursor.digits(1, 2, fields.minute) &&
           cursor.one(':') && cursor.digits(1, 2, fields.second);
  };
  int number = 0;
  switch (directive) {
    case 'Y':
      if (!cursor.digits(4, 4, number)) return false;
      fields.year = number;
      return true;
    case 'y':
      if (!cursor.digits(2, 2, number)) return false;
      fields.year = number < 69 ? 2000 + number : 1900 + number;  // the split POSIX chose
      return true;
    case 'm':
      return cursor.digits(1, 2, fields.month);
    case 'd':
      return cursor.digits(1, 2, fields.day);
    case 'e':
      cursor.spaces();
      return cursor.digits(1, 2, fields.day);
    case 'j':
      return cursor.digits(1, 3, fields.day_of_year) && fields.day_of_year > 0;
    case 'b':
    case 'B':
      return cursor.name(months, fields.month);
    case 'a':
    case 'A':
      return cursor.name(weekdays, number);
    case 'H':
      return cursor.digits(1, 2, fields.hour);
    case 'I':
      fields.twelve_hours = true;
      return cursor.digits(1, 2, fields.hour);
    case 'p':
      fields.has_half = true;
      fields.afternoon = cursor.starts_with("pm");
      if (!fields.afternoon && !cursor.starts_with("am")) return false;
      cursor.skip(2);
      return true;
    case 'M':
      return cursor.digits(1, 2, fields.minute);
    case 'S':
      return cursor.digits(1, 2, fields.second);
    case 'f':
      return cursor.fraction(fields.ms);
    case 'z':
      fields.has_zone = true;
      return cursor.zone(fields.zone_seconds);
    case 's':
      fields.has_unix = true;
      return cursor.signed_integer(fields.unix_seconds);
    case 'T':
      return clock();
    case 'F':
      if (!cursor.digits(4, 4, number)) return false;
      fields.year = number;
      return cursor.one('-') && cursor.digits(1, 2, fields.month) && cursor.one('-') && cursor.digits(1, 2, fields.day);
    case 'D':
      if (!cursor.digits(1, 2, fields.month) || !cursor.one('/') || !cursor.digits(1, 2, fields.day) ||
          !cursor.one('/') || !cursor.digits(2, 2, number)) {
        return false;
      }
      fields.year = number < 69 ? 2000 + number : 1900 + number;
      return true;
    case '%':
      return cursor.one('%');
    default:
      return false;
  }
}

}  // namespace

bool TimeFormat::add_unit(std::string_view unit) {
  Way way;
  if (unit == "rfc3339") {
    way.kind = Kind::rfc3339;
  } else if (unit == "excel" || unit == "excel1904") {
    way.kind = Kind::excel;
    // Excel's day 60 is a 29 February 1900 that was none, so its day 0 is a day earlier for all that come later.
    way.days_before_1970 = unit == "excel" ? 25'569 : 24'107;
  } else if (unit == "s" || unit == "ms" || unit == "us" || unit == "ns") {
    way.unit_exponent = unit == "s" ? 0 : unit == "ms" ? 3 : unit == "us" ? 6 : 9;
  } else {
    return false;
  }
  ways_.push_back(std::move(way));
  return true;
}

bool TimeFormat::add_pattern(std::string pattern, std::string& problem) {
  if (pattern.empty()) {
    problem = "an empty pattern";
    return false;
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') continue;
    const std::string_view known = "YymdejbBaAHIpMSfzTFDs%";
    if (++i == pattern.size() || known.find(pattern[i]) == std::string_view::npos) {
      problem = "\"" + pattern +
                "\" has a directive that is none of %Y %y %m %d %e %j %b %B %a %A %H %I %p %M %S %f %z %s "
                "%T %F %D %%";
      return false;
    }
  }
  Way way;
  way.kind = Kind::pattern;
  way.pattern = std::move(pattern);
  ways_.push_back(std::move(way));
  return true;
}

bool TimeFormat::set_zone(std::string_view zone, std::string& problem) {
  has_zone_ = true;
  zone_seconds_ = 0;
  if (zone == "UTC" || zone == "Z") return true;
  Cursor cursor(zone);
  if (cursor.zone(zone_seconds_) && cursor.at_end()) return true;
  zone_seconds_ = 0;
  try {
    place_ = date::locate_zone(std::string(zone));
    return true;
  } catch (const std::exception&) {
    problem = "\"" + std::string(zone.substr(0, 64)) +
              "\" is neither UTC nor an offset such as +06:00 nor a place of this system's tz database (tzdata), such "
              "as Europe/Berlin";
    return false;
  }
}

bool TimeFormat::is_number() const {
  return std::all_of(ways_.begin(), ways_.end(), [](const Way& way) { return way.kind == Kind::number; });
}

bool TimeFormat::read(std::string_view text, std::int64_t& unix_ms, ClockChange& change, std::string& problem) const {
  std::string pointed;
  if (has_decimal_comma_) {
    pointed = with_decimal_point(text);
    text = pointed;
  }
  change = ClockChange::none;
  for (const Way& way : ways_) {
    if (read_way(way, text, unix_ms, change)) return true;
  }
  problem = "the time \"" + std::string(text.substr(0, 64)) + "\" is not ";
  if (is_number()) {
    problem += "a number of the unit the mapping names";
  } else if (ways_.size() == 1 && ways_[0].kind == Kind::rfc3339) {
    problem += "RFC 3339 (2026-05-22T03:52:00.123Z), or the day does not exist";
  } else if (ways_.size() == 1 && ways_[0].kind == Kind::excel) {
    problem += "a day's number as a sheet has it";
  } else {
    problem += "as the mapping's format says, or the day does not exist";
  }
  return false;
}

bool TimeFormat::read_way(const Way& way, std::string_view text, std::int64_t& unix_ms, ClockChange& change) const {
  switch (way.kind) {
    case Kind::number:
      return decimal_to_ms(text, way.unit_exponent, unix_ms);
    case Kind::excel:
      return read_excel(way, text, unix_ms, change);
    case Kind::rfc3339:
      return read_rfc3339(text, unix_ms, change);
    case Kind::pattern:
      return read_pattern(way.pattern, text, unix_ms, change);
  }
  return false;
}

// A day has 86,400,000 ms, so the number is multiplied exactly and rounded to the nearest: a sheet's double cannot hold
// 08:05 as a fraction of a day.
bool TimeFormat::read_excel(const Way& way, std::string_view text, std::int64_t& unix_ms, ClockChange& change) const {
  constexpr std::int64_t day_ms = seconds_a_day * 1000;
  std::int64_t billionths = 0;
  // 10^-9 of a day: 86 microseconds.
  if (!decimal_to_ms(text, -6, billionths)) return false;
  const std::int64_t day = billionths / 1'000'000'000;
  if (billionths < 0 || day < (way.days_before_1970 == 25'569 ? 61 : 0) || day > 2'958'465) return false;
  const std::int64_t rest = billionths % 1'000'000'000;
  // To the second when it is within what the double cannot say.
  std::int64_t of_day = (rest * day_ms + 500'000'000) / 1'000'000'000;
  const std::int64_t second = (of_day + 500) / 1000 * 1000;
  if (second - of_day <= 1 && of_day - second <= 1) of_day = second;
  unix_ms = to_utc((day - way.days_before_1970) * day_ms + of_day, change);
  return true;
}

bool TimeFormat::read_rfc3339(std::string_view text, std::int64_t& unix_ms, ClockChange& change) const {
  Fields fields;
  Cursor cursor(text);
  int year = 0;
  if (!cursor.digits(4, 4, year) || !cursor.one('-') || !cursor.digits(2, 2, fields.month) || !cursor.one('-') ||
      !cursor.digits(2, 2, fields.day) || !(cursor.one('T') || cursor.one('t') || cursor.one(' ')) ||
      !cursor.digits(2, 2, fields.hour) || !cursor.one(':') || !cursor.digits(2, 2, fields.minute) ||
      !cursor.one(':') || !cursor.digits(2, 2, fields.second)) {
    return false;
  }
  fields.year = year;
  if (cursor.one('.') && !cursor.fraction(fields.ms)) return false;
  if (cursor.at_end()) {
    // A time without its offset means nothing by itself; the mapping's zone is the permission to read it.
    if (!has_zone_ || !fields.to_local_ms(unix_ms)) return false;
    unix_ms = to_utc(unix_ms, change);
    return true;
  }
  if (!cursor.zone(fields.zone_seconds) || !cursor.at_end() || !fields.to_local_ms(unix_ms)) return false;
  unix_ms -= fields.zone_seconds * 1000;
  return true;
}

bool TimeFormat::read_pattern(std::string_view pattern, std::string_view text, std::int64_t& unix_ms,
                              ClockChange& change) const {
  Fields fields;
  Cursor cursor(text);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '%') {
      if (!read_directive(pattern[++i], cursor, fields)) return false;
    } else if (is_space(c)) {
      cursor.spaces();
    } else if (!cursor.one(c)) {
      return false;
    }
  }
  if (!cursor.at_end() || !fields.to_local_ms(unix_ms)) return false;
  if (fields.has_zone) {
    unix_ms -= fields.has_unix ? 0 : fields.zone_seconds * 1000;
  } else if (!fields.has_unix) {
    unix_ms = to_utc(unix_ms, change);
  }
  return true;
}

std::int64_t TimeFormat::to_utc(std::int64_t local_ms, ClockChange& change) const {
  if (place_ == nullptr) return local_ms - zone_seconds_ * 1000;
  const std::chrono::milliseconds local(local_ms);
  const date::local_info info = place_->get_info(date::local_time<std::chrono::milliseconds>(local));
  if (info.result == date::local_info::ambiguous) change = ClockChange::twice;
  if (info.result == date::local_info::nonexistent) change = ClockChange::skipped;
  return local_ms - std::chrono::milliseconds(info.first.offset).count();
}

std::string with_decimal_point(std::string_view text) {
  std::string result;
  bool has_comma = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_digit(c) || (c == '-' && i == 0) || (c == '+' && i == 0)) {
      result.push_back(c);
    } else if (c == ',' && !has_comma) {
      has_comma = true;
      result.push_back('.');
    } else if (has_comma || (c != '.' && c != ' ' && c != '\'')) {
      return std::string(text);
    }
  }
  return result;
}

bool decimal_to_ms(std::string_view text, int unit_exponent, std::int64_t& ms) {
  // More digits than any time has, and 10^40 is no time in any unit.
  constexpr std::size_t exponent_digits_max = 2;
  constexpr std::int64_t digits_max = 400;
  const std::size_t e = std::min(text.find_first_of("eE"), text.size());
  std::int64_t exponent = 0;
  if (e < text.size()) {
    std::string_view power = text.substr(e + 1);
    const bool is_negative = !power.empty() && power.front() == '-';
    if (is_negative || (!power.empty() && power.front() == '+')) power.remove_prefix(1);
    if (power.empty() || power.size() > exponent_digits_max) return false;
    for (const char c : power) {
      if (!is_digit(c)) return false;
      exponent = exponent * 10 + (c - '0');
    }
    if (is_negative) exponent = -exponent;
    text = text.substr(0, e);
  }
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view part = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty() || (point != std::string_view::npos && part.empty())) return false;
  if (static_cast<std::int64_t>(text.size()) > digits_max) return false;

  // The digits up to the millisecond make the number, whatever stands after them only decides about rounding down.
  const std::int64_t kept = static_cast<std::int64_t>(whole.size()) + exponent + 3 - unit_exponent;
  std::int64_t value = 0;
  bool remainder = false;
  std::int64_t at = 0;
  for (const std::string_view digits : {whole, part}) {
    for (const char digit : digits) {
      if (!is_digit(digit)) return false;
      if (at++ >= kept) {
        remainder = remainder || digit != '0';
      } else if (value > (INT64_MAX - 9) / 10) {
        return false;
      } else {
        value = value * 10 + (digit - '0');
      }
    }
  }
  for (; at < kept; ++at) {
    if (value > (INT64_MAX - 9) / 10) return false;
    value *= 10;
  }
  ms = negative ? -value - (remainder ? 1 : 0) : value;
  return true;
}

}  // namespace replay
