// What a mapping file says, compiled.
#pragma once

#include <cstddef>
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

// Every member of a JSON object becomes a member of the part.
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

// True when all conditions of one of its lists hold; never when there is no list.
using Rule = std::vector<std::vector<Condition>>;

struct Mapping {
  std::string app_id;
  RecordOptions records;
  Columns columns;
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
  std::vector<std::size_t> optional_slots;  // columns that may be absent, because only a rule asks for them
};

// `name` is the file's, for the messages. Throws MappingError.
Mapping read_mapping(std::string_view text, const std::string& name);

}  // namespace replay
