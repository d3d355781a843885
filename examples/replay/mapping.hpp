// What a mapping file says, compiled.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "location.hpp"
#include "pattern.hpp"
#include "records.hpp"
#include "template.hpp"
#include "time_text.hpp"

namespace replay {

// A mapping that cannot be used; what() names the place and the cure.
class MappingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The first of them that is not empty counts.
using Alternatives = std::vector<Template>;

struct MemberRule {
  std::string name;
  Alternatives value;
};

// Every member of a JSON object, or every column of the row, becomes a member of the part.
struct Flatten {
  Reference from;
  std::string prefix;
  std::vector<std::string> except;  // names as the object has them
  bool nested_as_json = false;      // false: nested members join their names with '_'
};

struct PartRule {
  std::vector<MemberRule> members;
  std::vector<Flatten> flatten;
};

struct LocationRule {
  std::vector<Location> alternatives;
  std::vector<MemberRule> parameters;  // only with a screen's name
};

struct TimeRule {
  Alternatives value;
  TimeFormat format;
};

struct Condition {
  enum class Test { exists, empty, equals, matches };
  Reference reference;
  Test test = Test::exists;
  bool wanted = true;
  std::vector<std::string> values;
  Pattern pattern;
};

// Made of a row's columns before anything else is, and named like one of them in the templates.
struct Field {
  std::string name;
  std::size_t slot = 0;
  Alternatives value;
  std::vector<std::string> nulls;
  std::optional<Pattern> capture;
  std::vector<std::size_t> groups;  // for each of the pattern's groups, its slot
  bool has_decimal_comma = false;
  std::map<std::string, std::string, std::less<>> lookup;
  Alternatives otherwise;  // when it is empty, or not in `lookup`
};

// True when all conditions of one of its lists hold; never when there is no list.
using Rule = std::vector<std::vector<Condition>>;

struct Mapping {
  std::string app_id;
  RecordOptions records;
  Columns columns;
  std::vector<std::string> nulls;  // values that mean none, in any column
  std::vector<Field> fields;
  bool cuts = false;  // what is too long for a sentence, instead of leaving the row out
  bool time_is_now = false;
  TimeRule time;
  PartRule user;
  PartRule device;
  LocationRule location;
  Alternatives content_id;
  PartRule content;
  Alternatives referral;
  Alternatives action_type;
  std::optional<TimeRule> duration;
  PartRule action;
  Rule skip;
  Rule critical;
  // Columns, and ways into JSON, from these on may be in no row: only rules ask for them.
  std::size_t needed_columns = 0;
  std::size_t needed_watched = 0;
};

// A person wrote it; a lookup table of thousands of values fits.
constexpr std::size_t mapping_bytes_max = 1024 * 1024;

// `name` is the file's, for the messages. Throws MappingError.
Mapping read_mapping(std::string_view text, const std::string& name);

}  // namespace replay
