// Points in time, as data sets write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replay {

// How a data set writes time. Compiled once from the mapping file, used for every row.
class TimeFormat {
 public:
  TimeFormat() = default;

  // `unit`: s, ms, us, ns (since 1970) or rfc3339. Answers false for any other.
  bool set_unit(std::string_view unit);
  // One more pattern of %Y %y %m %d %e %j %b %B %a %A %H %I %p %M %S %f %z %T %F %D %s %%, tried in the order they were
  // added. Answers false and says what is wrong with it.
  bool add_pattern(std::string pattern, std::string& problem);
  // `zone`: UTC, Z, or +HH:MM. What a text without a zone of its own is to be read in. Answers false for any other.
  bool set_zone(std::string_view zone);

  bool is_number() const { return kind_ == Kind::number; }

  // Milliseconds since 1970, rounded down. Answers false and says why.
  bool read(std::string_view text, std::int64_t& unix_ms, std::string& problem) const;

 private:
  enum class Kind { none, number, rfc3339, patterns };
  bool read_rfc3339(std::string_view text, std::int64_t& unix_ms) const;
  bool read_pattern(std::string_view pattern, std::string_view text, std::int64_t& unix_ms) const;

  Kind kind_ = Kind::none;
  int unit_exponent_ = 0;  // a second has 10^this of the unit
  std::vector<std::string> patterns_;
  bool has_zone_ = false;
  std::int64_t zone_seconds_ = 0;
};

// A decimal number of units of 10^-exponent seconds, as milliseconds rounded down; digits and one point only, so that
// nothing passes through a double. Answers false when it is not such a number or does not fit.
bool decimal_to_ms(std::string_view text, int unit_exponent, std::int64_t& ms);

}  // namespace replay
