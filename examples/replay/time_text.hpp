// Points in time, as data sets write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace date {
class time_zone;
}

namespace replay {

// A time without an offset may fall into the hour that a zone's clocks were set over.
enum class ClockChange {
  none,
  twice,   // the clocks were set back, and showed it twice: the first time is taken
  skipped  // the clocks were set forward over it: it is read as if they had not been
};

// How a data set writes time. Compiled once from the mapping file, used for every row.
class TimeFormat {
 public:
  TimeFormat() = default;

  // One more way to read a time; they are tried in the order they were added. `unit`: s, ms, us, ns (since 1970),
  // excel, excel1904 (days, as a sheet has them) or rfc3339. Answers false for any other.
  bool add_unit(std::string_view unit);
  // A pattern of %Y %y %m %d %e %j %b %B %a %A %H %I %p %M %S %f %z %T %F %D %s %%. Answers false and says what is
  // wrong with it.
  bool add_pattern(std::string pattern, std::string& problem);
  // `zone`: UTC, Z, +HH:MM, or a name of the system's tz database (Europe/Berlin). What a text without a zone of its
  // own is to be read in. Answers false and says why.
  bool set_zone(std::string_view zone, std::string& problem);
  // Numbers may be written 1.234,5.
  void set_decimal_comma() { has_decimal_comma_ = true; }

  // All ways are numbers since 1970, which no zone says anything about.
  bool is_number() const;

  // Milliseconds since 1970, rounded down. Answers false and says why.
  bool read(std::string_view text, std::int64_t& unix_ms, ClockChange& change, std::string& problem) const;

 private:
  enum class Kind { number, excel, rfc3339, pattern };
  struct Way {
    Kind kind = Kind::number;
    int unit_exponent = 0;              // a second has 10^this of the unit
    std::int64_t days_before_1970 = 0;  // of a sheet's day 0
    std::string pattern;
  };
  bool read_way(const Way& way, std::string_view text, std::int64_t& unix_ms, ClockChange& change) const;
  bool read_excel(const Way& way, std::string_view text, std::int64_t& unix_ms, ClockChange& change) const;
  bool read_rfc3339(std::string_view text, std::int64_t& unix_ms, ClockChange& change) const;
  bool read_pattern(std::string_view pattern, std::string_view text, std::int64_t& unix_ms, ClockChange& change) const;
  std::int64_t to_utc(std::int64_t local_ms, ClockChange& change) const;

  std::vector<Way> ways_;
  bool has_decimal_comma_ = false;
  bool has_zone_ = false;
  std::int64_t zone_seconds_ = 0;
  const date::time_zone* place_ = nullptr;
};

// A decimal number of units of 10^-exponent seconds, as milliseconds rounded down; digits, one point and an exponent
// (1.7e9), and nothing passes through a double. Answers false when it is not such a number or does not fit.
bool decimal_to_ms(std::string_view text, int unit_exponent, std::int64_t& ms);

// "1.234,5" as "1234.5" (blanks and apostrophes group digits, too); anything else stays as it is.
std::string with_decimal_point(std::string_view text);

}  // namespace replay
