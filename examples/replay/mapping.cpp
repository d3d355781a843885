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
    only(json, "", {"app_id",   "format",  "delimiter", "quote",    "row_lines_max", "columns",  "encoding",
                    "rows",     "null",    "fields",    "too_long", "time",          "user",     "device",
                    "location", "content", "referral",  "action",   "skip",          "critical", "comment"});
    mapping_.app_id = required_text(json, "app_id");
    read_input(json);
    if (json.contains("null")) mapping_.nulls = texts(json["null"], "null");
    if (json.contains("fields")) read_fields(json["fields"]);
    if (json.contains("too_long")) {
      const std::string deed = text_of(json["too_long"], "too_long");
      if (deed != "cut" && deed != "refuse") fail("too_long", "must be refuse or cut");
      mapping_.cuts = deed == "cut";
    }
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
    mapping_.needed_columns = mapping_.columns.all().size();
    mapping_.needed_watched = mapping_.columns.watched().size();
    if (json.contains("skip")) mapping_.skip = rule(json["skip"], "skip");
    if (json.contains("critical")) mapping_.critical = rule(json["critical"], "critical");
    return std::move(mapping_);
  }

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& what) const {
    throw MappingError(file_ + ": " + (place.empty() ? "" : place + ": ") + what);
  }

  // nlohmann_json keeps the last of two members with one name; a mapping that says a thing twice is a mistake, though.
  Json parse(std::string_view text) const {
    // An ordered object looks at all its members for each new one.
    constexpr std::size_t members_max = 5'000;
    if (text.size() > mapping_bytes_max) {
      fail("", "a mapping has at most 1 MiB, and this has " + std::to_string(text.size()) + " bytes or more");
    }
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
        if (open.back().size() > members_max) fail("", "an object has at most 5,000 members");
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

  // One text, or a list of them.
  std::vector<std::string> texts(const Json& json, const std::string& place) const {
    const Json list = json.is_array() ? json : Json::array({json});
    std::vector<std::string> result;
    for (const Json& one : list) result.push_back(text_of(one, place));
    return result;
  }

  // One ASCII character that may stand between columns or around them.
  char one_character(const Json& json, const std::string& place) const {
    const std::string text = text_of(json, place);
    if (text.size() != 1 || text[0] == '\n' || text[0] == '\r' || text[0] == '\0' ||
        static_cast<unsigned char>(text[0]) >= 0x80) {
      fail(place, "must be one ASCII character, and no line end");
    }
    return text[0];
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
      if (mapping_.records.format == Format::unknown) fail("format", "must be csv, tsv, jsonl, json or lines");
    }
    if (json.contains("delimiter")) mapping_.records.delimiter = one_character(json["delimiter"], "delimiter");
    if (json.contains("quote")) {
      const bool is_off = text_of(json["quote"], "quote").empty();
      mapping_.records.quote = is_off ? '\0' : one_character(json["quote"], "quote");
    }
    if (json.contains("row_lines_max")) {
      const Json& most = json["row_lines_max"];
      if (!most.is_number_unsigned() || most.get<std::uint64_t>() < 1 || most.get<std::uint64_t>() > 100'000) {
        fail("row_lines_max", "must be a number from 1 to 100000");
      }
      mapping_.records.row_lines_max = most.get<std::size_t>();
    }
    if (json.contains("encoding")) {
      mapping_.records.encoding = text_of(json["encoding"], "encoding");
      Decoder decoder;
      std::string problem;
      if (!decoder.open(mapping_.records.encoding, problem)) fail("encoding", problem);
    }
    if (json.contains("rows")) {
      std::string problem;
      if (!read_row_path(text_of(json["rows"], "rows"), mapping_.records.rows, problem)) fail("rows", problem);
    }
    if (json.contains("columns")) {
      const Json& columns = json["columns"];
      if (!columns.is_array() || columns.empty()) fail("columns", "must be a list of the names of the columns");
      for (std::size_t i = 0; i < columns.size(); ++i) {
        mapping_.records.columns.push_back(text_of(columns[i], "columns[" + std::to_string(i) + "]"));
      }
      std::set<std::string> names;
      for (const std::string& name : mapping_.records.columns) {
        if (!names.insert(name).second) fail("columns", "two have the name \"" + name + "\"");
      }
    }
    std::string problem;
    if (!fit_together(mapping_.records, problem)) fail("", problem);
  }

  void read_fields(const Json& json) {
    if (!json.is_object()) fail("fields", "must be an object of fields");
    for (const auto& item : json.items()) {
      const Json& value = item.value();
      const std::string place = "fields." + item.key();
      if (item.key().empty() || item.key().size() > 64) fail(place, "a field's name has 1 to 64 bytes");
      Field field;
      field.name = item.key();
      if (!value.is_object()) {
        field.value = alternatives(value, place);
      } else {
        read_field(value, place, field);
      }
      // Only now, so that a field may have the name of the column that it is made of.
      field.slot = mapping_.columns.add_field(field.name);
      if (field.capture) {
        const std::vector<std::string>& names = field.capture->group_names();
        for (std::size_t i = 1; i < names.size(); ++i) {
          field.groups.push_back(
              mapping_.columns.add_group(field.name, names[i].empty() ? std::to_string(i) : names[i]));
        }
      }
      mapping_.fields.push_back(std::move(field));
    }
  }

  void read_field(const Json& json, const std::string& place, Field& field) {
    only(json, place, {"value", "null", "capture", "decimal", "lookup", "default"});
    if (!json.contains("value")) fail(place, "\"value\" is missing");
    field.value = alternatives(json["value"], place + ".value");
    if (json.contains("null")) field.nulls = texts(json["null"], place + ".null");
    if (json.contains("capture")) {
      field.capture = pattern(json["capture"], place + ".capture");
    }
    if (json.contains("decimal")) field.has_decimal_comma = decimal_comma(json["decimal"], place + ".decimal");
    if (json.contains("lookup")) {
      if (!json["lookup"].is_object()) fail(place + ".lookup", "must be an object of a value and what it becomes");
      for (const auto& item : json["lookup"].items()) {
        field.lookup[item.key()] = text_of(item.value(), place + ".lookup." + item.key());
      }
    }
    if (json.contains("default")) field.otherwise = alternatives(json["default"], place + ".default");
  }

  // Each may take 4 MiB once it is compiled.
  Pattern pattern(const Json& json, const std::string& place) {
    constexpr std::size_t patterns_max = 100;
    Pattern result;
    std::string problem;
    if (++patterns_ > patterns_max) fail(place, "is one regular expression too many; a mapping has at most 100");
    if (!result.compile(text_of(json, place), problem)) fail(place, problem);
    return result;
  }

  bool decimal_comma(const Json& json, const std::string& place) const {
    const std::string decimal = text_of(json, place);
    if (decimal != "," && decimal != ".") fail(place, "must be a comma or a point");
    return decimal == ",";
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
    only(time, "time", {"value", "unit", "format", "zone", "decimal"});
    if (!time.contains("value")) fail("time", "\"value\" is missing");
    mapping_.time.value = alternatives(time["value"], "time.value");
    TimeFormat& format = mapping_.time.format;
    if (time.contains("unit") == time.contains("format")) fail("time", "needs either \"unit\" or \"format\"");
    if (time.contains("unit") && !format.add_unit(text_of(time["unit"], "time.unit"))) {
      fail("time.unit", "must be s, ms, us, ns, excel, excel1904 or rfc3339");
    }
    if (time.contains("format")) {
      const std::vector<std::string> ways = texts(time["format"], "time.format");
      if (ways.empty()) fail("time.format", "must not be an empty list");
      for (const std::string& way : ways) {
        std::string problem;
        // A column may have sheets' numbers among its texts.
        if (!format.add_unit(way) && !format.add_pattern(way, problem)) fail("time.format", problem);
      }
    }
    if (time.contains("decimal") && decimal_comma(time["decimal"], "time.decimal")) format.set_decimal_comma();
    if (time.contains("zone")) {
      const std::string zone = text_of(time["zone"], "time.zone");
      std::string problem;
      if (!format.set_zone(zone, problem)) fail("time.zone", problem);
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
        if (flatten.from.is_row_number) fail(place, "must be a column");
        result.flatten.push_back(std::move(flatten));
        continue;
      }
      if (!one.is_object())
        fail(place, "must name a column that holds a JSON object, be \"*\" for the whole row, or be {\"from\": …}");
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
    std::string unit = "ms";
    if (duration.is_object()) {
      only(duration, "action.duration_ms", {"value", "unit", "decimal"});
      if (!duration.contains("value")) fail("action.duration_ms", "\"value\" is missing");
      rule.value = alternatives(duration["value"], "action.duration_ms.value");
      if (duration.contains("unit")) unit = text_of(duration["unit"], "action.duration_ms.unit");
      if (duration.contains("decimal") && decimal_comma(duration["decimal"], "action.duration_ms.decimal")) {
        rule.format.set_decimal_comma();
      }
    } else {
      rule.value = alternatives(duration, "action.duration_ms");
    }
    if (!rule.format.add_unit(unit) || !rule.format.is_number()) {
      fail("action.duration_ms.unit", "must be s, ms, us or ns");
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
      if (from.is_row) fail(place + ".column", "must be a column");
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
        condition.pattern = pattern(one["matches"], place + ".matches");
        conditions.push_back(std::move(condition));
      }
      if (conditions.empty()) fail(place, "needs exists, empty, equals or matches");
      for (Condition& condition : conditions) condition.reference = from;
      result.push_back(std::move(conditions));
    }
    return result;
  }

  std::string file_;
  std::size_t patterns_ = 0;
  Mapping mapping_;
};

}  // namespace

Mapping read_mapping(std::string_view text, const std::string& name) {
  return MappingReader(name).read(text);
}

}  // namespace replay
