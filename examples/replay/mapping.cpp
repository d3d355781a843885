#include "mapping.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace replay {

namespace {

using Json = nlohmann::ordered_json;

bool is_member_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

class MappingReader {
 public:
  explicit MappingReader(std::string file) : file_(std::move(file)) {}

  Mapping read(std::string_view text) {
    const Json json = parse(text);
    if (!json.is_object()) fail("", "a mapping is a JSON object");
    only(json, "",
         {"app_id", "format", "delimiter", "columns", "time", "user", "device", "location", "content", "referral",
          "action", "skip", "critical", "comment"});
    mapping_.app_id = required_text(json, "app_id");
    read_input(json);
    read_time(json);
    if (json.contains("user")) mapping_.user = part(json["user"], "user", {}, {});
    if (json.contains("device")) {
      mapping_.device = part(json["device"], "device", {}, {"id", "run", "seq", "sdk", "contract", "clock_offset_ms"});
    }
    if (json.contains("location")) read_location(json["location"]);
    if (json.contains("content")) {
      mapping_.content = part(json["content"], "content", {"id"}, {});
      if (json["content"].contains("id")) mapping_.content_id = alternatives(json["content"]["id"], "content.id");
    }
    if (json.contains("referral")) mapping_.referral = alternatives(json["referral"], "referral");
    read_action(json);
    const std::size_t needed = mapping_.columns.names().size();
    if (json.contains("skip")) mapping_.skip = rule(json["skip"], "skip");
    if (json.contains("critical")) mapping_.critical = rule(json["critical"], "critical");
    for (std::size_t slot = needed; slot < mapping_.columns.names().size(); ++slot) {
      mapping_.optional_slots.push_back(slot);
    }
    return std::move(mapping_);
  }

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& what) const {
    throw MappingError(file_ + ": " + (place.empty() ? "" : place + ": ") + what);
  }

  // nlohmann_json keeps the last of two members with one name; a mapping that says a thing twice is a mistake, though.
  Json parse(std::string_view text) const {
    std::vector<std::set<std::string>> open;
    std::string repeated;
    const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::object_start) {
        open.emplace_back();
      } else if (event == Json::parse_event_t::object_end) {
        open.pop_back();
      } else if (event == Json::parse_event_t::key) {
        const auto name = parsed.get<std::string>();
        if (!open.back().insert(name).second && repeated.empty()) repeated = name;
      }
      return true;
    };
    Json json;
    try {
      json = Json::parse(text.begin(), text.end(), watch);
    } catch (const Json::exception& error) {
      fail("", std::string("not JSON: ") + error.what());
    }
    if (!repeated.empty()) fail("", "\"" + repeated + "\" stands twice in one object");
    return json;
  }

  void only(const Json& object, const std::string& place, std::initializer_list<std::string_view> known) const {
    for (const auto& item : object.items()) {
      if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
      std::string list;
      for (const std::string_view name : known) list += (list.empty() ? "" : ", ") + std::string(name);
      fail(place, "unknown member \"" + item.key() + "\"; known are " + list);
    }
  }

  std::string text_of(const Json& json, const std::string& place) const {
    if (!json.is_string()) fail(place, "must be a text in quotes");
    return json.get<std::string>();
  }

  std::string required_text(const Json& object, const std::string& name) const {
    if (!object.contains(name)) fail("", "\"" + name + "\" is missing");
    return text_of(object[name], name);
  }

  Template one_template(const Json& json, const std::string& place) {
    Template result;
    std::string problem;
    if (!read_template(text_of(json, place), mapping_.columns, result, problem)) fail(place, problem);
    if (result.pieces.empty()) fail(place, "must not be empty; leave it out instead");
    return result;
  }

  Alternatives alternatives(const Json& json, const std::string& place) {
    Alternatives result;
    if (!json.is_array()) {
      result.push_back(one_template(json, place));
      return result;
    }
    if (json.empty()) fail(place, "must not be an empty list; leave it out instead");
    for (std::size_t i = 0; i < json.size(); ++i) {
      result.push_back(one_template(json[i], place + "[" + std::to_string(i) + "]"));
    }
    return result;
  }

  Reference reference(const Json& json, const std::string& place) {
    std::string text = text_of(json, place);
    if (text.size() >= 2 && text.front() == '{' && text.back() == '}') text = text.substr(1, text.size() - 2);
    Reference result;
    std::string problem;
    if (!read_reference(text, mapping_.columns, result, problem)) fail(place, problem);
    return result;
  }

  void read_input(const Json& json) {
    if (json.contains("format")) {
      mapping_.records.format = format_named(text_of(json["format"], "format"));
      if (mapping_.records.format == Format::unknown) fail("format", "must be csv, tsv or jsonl");
    }
    if (json.contains("delimiter")) {
      const std::string delimiter = text_of(json["delimiter"], "delimiter");
      if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r" ||
          delimiter[0] == '\0') {
        fail("delimiter", "must be one ASCII character, and no quote or line end");
      }
      mapping_.records.delimiter = delimiter[0];
    }
    if (json.contains("columns")) {
      const Json& columns = json["columns"];
      if (!columns.is_array() || columns.empty()) fail("columns", "must be a list of the names of the columns");
      for (std::size_t i = 0; i < columns.size(); ++i) {
        mapping_.records.columns.push_back(text_of(columns[i], "columns[" + std::to_string(i) + "]"));
      }
    }
  }

  void read_time(const Json& json) {
    if (!json.contains("time")) {
      fail("", "\"time\" is missing; write \"now\" where the rows have none, and each gets the time it is tracked at");
    }
    const Json& time = json["time"];
    if (time.is_string() && time.get<std::string>() == "now") {
      mapping_.time_is_now = true;
      return;
    }
    if (!time.is_object()) fail("time", "must be an object such as {\"value\": \"{t}\", \"unit\": \"s\"}, or \"now\"");
    only(time, "time", {"value", "unit", "format", "zone"});
    if (!time.contains("value")) fail("time", "\"value\" is missing");
    mapping_.time.value = alternatives(time["value"], "time.value");
    TimeFormat& format = mapping_.time.format;
    if (time.contains("unit") == time.contains("format")) fail("time", "needs either \"unit\" or \"format\"");
    if (time.contains("unit") && !format.set_unit(text_of(time["unit"], "time.unit"))) {
      fail("time.unit", "must be s, ms, us, ns or rfc3339");
    }
    if (time.contains("format")) {
      const Json& patterns = time["format"];
      const Json list = patterns.is_array() ? patterns : Json::array({patterns});
      if (list.empty()) fail("time.format", "must not be an empty list");
      for (const Json& pattern : list) {
        std::string problem;
        if (!format.add_pattern(text_of(pattern, "time.format"), problem)) fail("time.format", problem);
      }
    }
    if (time.contains("zone")) {
      const std::string zone = text_of(time["zone"], "time.zone");
      if (!format.set_zone(zone)) {
        fail("time.zone", "must be UTC or an offset such as +06:00; names of places are not known here");
      }
      if (format.is_number() && zone != "UTC" && zone != "Z") fail("time.zone", "a number since 1970 is always UTC");
    }
  }

  // The members of a part, but for those of `apart`, which the caller reads itself.
  PartRule part(const Json& json, const std::string& place, std::initializer_list<std::string_view> apart,
                std::initializer_list<std::string_view> reserved) {
    if (!json.is_object()) fail(place, "must be an object of members");
    PartRule result;
    for (const auto& item : json.items()) {
      const std::string& name = item.key();
      if (std::find(apart.begin(), apart.end(), name) != apart.end()) continue;
      const std::string member_place = place + "." + name;
      if (name == "*") {
        read_flatten(item.value(), member_place, result);
        continue;
      }
      if (!is_member_name(name)) fail(member_place, "a member's name is [a-z][a-z0-9_]{0,63}");
      if (std::find(reserved.begin(), reserved.end(), name) != reserved.end()) {
        fail(member_place, "only the library writes this member");
      }
      result.members.push_back(MemberRule{name, alternatives(item.value(), member_place)});
    }
    return result;
  }

  void read_flatten(const Json& json, const std::string& place, PartRule& result) {
    const Json list = json.is_array() ? json : Json::array({json});
    for (const Json& one : list) {
      Flatten flatten;
      if (one.is_string()) {
        flatten.from = reference(one, place);
        result.flatten.push_back(std::move(flatten));
        continue;
      }
      if (!one.is_object()) fail(place, "must name a column that holds a JSON object, or be {\"from\": …}");
      only(one, place, {"from", "prefix", "except", "nested"});
      if (!one.contains("from")) fail(place, "\"from\" is missing");
      flatten.from = reference(one["from"], place + ".from");
      if (flatten.from.is_row_number) fail(place + ".from", "must be a column");
      if (one.contains("prefix")) {
        flatten.prefix = text_of(one["prefix"], place + ".prefix");
        if (!is_member_name(flatten.prefix)) fail(place + ".prefix", "must be [a-z][a-z0-9_]{0,63}");
      }
      if (one.contains("except")) {
        if (!one["except"].is_array()) fail(place + ".except", "must be a list of names");
        for (const Json& name : one["except"]) flatten.except.push_back(text_of(name, place + ".except"));
      }
      if (one.contains("nested")) {
        const std::string nested = text_of(one["nested"], place + ".nested");
        if (nested != "json" && nested != "flatten") fail(place + ".nested", "must be flatten or json");
        flatten.nested_as_json = nested == "json";
      }
      result.flatten.push_back(std::move(flatten));
    }
  }

  void read_location(const Json& json) {
    LocationRule& rule = mapping_.location;
    const auto add = [&](const Json& value, const std::string& place) {
      for (const Template& text : alternatives(value, place)) rule.alternatives.push_back(take_apart(text));
    };
    if (!json.is_object()) {
      add(json, "location");
      return;
    }
    if (!json.contains("screen")) fail("location", "\"screen\" is missing");
    add(json["screen"], "location.screen");
    for (const auto& item : json.items()) {
      if (item.key() == "screen") continue;
      const std::string place = "location." + item.key();
      if (!is_member_name(item.key())) fail(place, "a parameter's name is [a-z][a-z0-9_]{0,63}");
      rule.parameters.push_back(MemberRule{item.key(), alternatives(item.value(), place)});
    }
  }

  void read_action(const Json& json) {
    if (!json.contains("action")) fail("", "\"action\" is missing");
    const Json& action = json["action"];
    mapping_.action = part(action, "action", {"type", "duration_ms"}, {});
    if (!action.contains("type")) fail("action", "\"type\" is missing");
    mapping_.action_type = alternatives(action["type"], "action.type");
    if (!action.contains("duration_ms")) return;
    const Json& duration = action["duration_ms"];
    TimeRule rule;
    rule.format.set_unit("ms");
    if (duration.is_object()) {
      only(duration, "action.duration_ms", {"value", "unit"});
      if (!duration.contains("value")) fail("action.duration_ms", "\"value\" is missing");
      rule.value = alternatives(duration["value"], "action.duration_ms.value");
      if (duration.contains("unit") &&
          (!rule.format.set_unit(text_of(duration["unit"], "action.duration_ms.unit")) || !rule.format.is_number())) {
        fail("action.duration_ms.unit", "must be s, ms, us or ns");
      }
    } else {
      rule.value = alternatives(duration, "action.duration_ms");
    }
    mapping_.duration = std::move(rule);
  }

  Rule rule(const Json& json, const std::string& place) {
    Rule result;
    const Json list = json.is_array() ? json : Json::array({json});
    for (const Json& one : list) {
      if (!one.is_object())
        fail(place, "must be an object such as {\"column\": \"kind\", \"equals\": \"ping\"}, or a list of them");
      only(one, place, {"column", "exists", "empty", "equals", "matches"});
      if (!one.contains("column")) fail(place, "\"column\" is missing");
      const Reference from = reference(one["column"], place + ".column");
      std::vector<Condition> conditions;
      const auto flag = [&](const char* name, Condition::Test test) {
        if (!one.contains(name)) return;
        if (!one[name].is_boolean()) fail(place + "." + name, "must be true or false");
        Condition condition;
        condition.test = test;
        condition.wanted = one[name].get<bool>();
        conditions.push_back(std::move(condition));
      };
      flag("exists", Condition::Test::exists);
      flag("empty", Condition::Test::empty);
      if (one.contains("equals")) {
        Condition condition;
        condition.test = Condition::Test::equals;
        const Json values = one["equals"].is_array() ? one["equals"] : Json::array({one["equals"]});
        for (const Json& value : values) condition.values.push_back(text_of(value, place + ".equals"));
        conditions.push_back(std::move(condition));
      }
      if (one.contains("matches")) {
        Condition condition;
        condition.test = Condition::Test::matches;
        std::string problem;
        if (!condition.pattern.compile(text_of(one["matches"], place + ".matches"), problem)) {
          fail(place + ".matches", problem);
        }
        conditions.push_back(std::move(condition));
      }
      if (conditions.empty()) fail(place, "needs exists, empty, equals or matches");
      for (Condition& condition : conditions) condition.reference = from;
      result.push_back(std::move(conditions));
    }
    return result;
  }

  std::string file_;
  Mapping mapping_;
};

}  // namespace

Mapping read_mapping(std::string_view text, const std::string& name) {
  return MappingReader(name).read(text);
}

}  // namespace replay
