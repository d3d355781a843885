#include "mapper.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace replay {

namespace {

constexpr std::size_t no_field = static_cast<std::size_t>(-1);
constexpr std::size_t block_bytes = 16 * 1024;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

const std::array<bool, 256>& unreserved() {
  static const std::array<bool, 256> table = [] {
    std::array<bool, 256> result{};
    for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")) {
      result[static_cast<unsigned char>(c)] = true;
    }
    return result;
  }();
  return table;
}

}  // namespace

void Sentence::clear() {
  has_time = false;
  has_duration = false;
  critical = false;
  user.clear();
  device.clear();
  parameters.clear();
  content.clear();
  action.clear();
  screen = content_id = referral = action_type = {};
}

void Scratch::clear() {
  block_ = 0;
  used_ = 0;
}

char* Scratch::take(std::size_t bytes) {
  while (block_ < blocks_.size() && used_ + bytes > sizes_[block_]) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    sizes_.push_back(std::max(bytes, block_bytes));
    blocks_.push_back(std::make_unique<char[]>(sizes_.back()));
  }
  char* const result = blocks_[block_].get() + used_;
  used_ += bytes;
  return result;
}

std::string_view Scratch::keep(std::string_view text) {
  if (text.empty()) return {};
  char* const copy = take(text.size());
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

std::string member_name_of(std::string_view name, bool is_beginning) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (is_upper(c)) {
      if (i > 0 && (is_lower(name[i - 1]) || is_digit(name[i - 1]))) result.push_back('_');
      result.push_back(static_cast<char>(c + ('a' - 'A')));
    } else if (is_lower(c) || is_digit(c)) {
      result.push_back(c);
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      result.push_back('_');  // one for a character, however many bytes it has
    }
  }
  if (is_beginning && (result.empty() || !is_lower(result[0])))
    result.insert(0, result.empty() || result[0] != '_' ? "x_" : "x");
  return result;
}

void append_percent_encoded(std::string_view text, std::string& out) {
  const std::array<bool, 256>& plain = unreserved();
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (plain[byte]) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back("0123456789ABCDEF"[byte >> 4]);
      out.push_back("0123456789ABCDEF"[byte & 15]);
    }
  }
}

Mapper::Mapper(const Mapping& mapping, const std::vector<std::string>* columns)
    : mapping_(mapping), has_columns_(columns != nullptr), cells_(mapping.columns.names().size()) {
  if (columns == nullptr) return;
  for (std::size_t slot = 0; slot < cells_.size(); ++slot) {
    const std::string& name = mapping.columns.names()[slot];
    const auto found = std::find(columns->begin(), columns->end(), name);
    if (found != columns->end()) {
      if (std::find(found + 1, columns->end(), name) != columns->end()) {
        throw MappingError("the input has two columns named \"" + name +
                           "\"; name its columns yourself with \"columns\", and take the header off");
      }
      fields_.push_back(static_cast<std::size_t>(found - columns->begin()));
      continue;
    }
    const auto& optional = mapping.optional_slots;
    if (std::find(optional.begin(), optional.end(), slot) != optional.end()) {
      fields_.push_back(no_field);
      continue;
    }
    std::string list;
    for (const std::string& column : *columns) list += (list.empty() ? "" : ", ") + column;
    throw MappingError("the mapping asks for a column \"" + name + "\", and the input has " + list);
  }
}

void Mapper::fail(std::string what) {
  if (problem_.empty()) problem_ = std::move(what);
}

void Mapper::load(const Record& row) {
  scratch_.clear();
  problem_.clear();
  if (has_columns_) {
    for (std::size_t slot = 0; slot < cells_.size(); ++slot) {
      Cell& cell = cells_[slot];
      cell.parsed = false;
      cell.present = fields_[slot] != no_field;
      cell.text = cell.present ? row.fields[fields_[slot]] : std::string_view();
    }
    return;
  }
  row_json_ = &row.json;
  for (Cell& cell : cells_) {
    cell.present = false;
    cell.parsed = false;
    cell.node = nullptr;
    cell.text = {};
  }
  for (const JsonText::Node* node = row.json.first(row.json.root()); node != nullptr; node = row.json.next(*node)) {
    const auto& names = mapping_.columns.names();
    for (std::size_t slot = 0; slot < names.size(); ++slot) {
      if (node->name != names[slot]) continue;
      cells_[slot].present = true;
      cells_[slot].node = node;
      break;
    }
  }
}

// Walks the path into the column's JSON: the row's own, or JSON that the column holds as text.
Mapper::Found Mapper::follow(const Reference& reference) {
  Cell& cell = cells_[reference.slot];
  Found found{row_json_, cell.node};
  const bool holds_text = found.node == nullptr || found.node->kind == JsonText::Kind::string;
  if (holds_text) {
    const std::string_view text = found.node == nullptr ? cell.text : found.node->text;
    if (text.empty()) return {};
    if (!cell.parsed) {
      std::string why;
      if (!cell.json.parse(text, why)) {
        fail("column " + mapping_.columns.names()[reference.slot] + " holds no JSON: " + why);
        return {};
      }
      cell.parsed = true;
    }
    found = {&cell.json, &cell.json.root()};
  }
  for (const Step& step : reference.path) {
    found.node =
        step.is_index ? found.json->element(*found.node, step.index) : found.json->member(*found.node, step.name);
    if (found.node == nullptr) return {};
  }
  return found;
}

bool Mapper::exists(const Reference& reference) {
  if (reference.is_row_number) return true;
  if (reference.path.empty() || !cells_[reference.slot].present) return cells_[reference.slot].present;
  return follow(reference).node != nullptr;
}

std::string_view Mapper::text_of(const JsonText::Node& node) {
  switch (node.kind) {
    case JsonText::Kind::null:
      return {};
    case JsonText::Kind::boolean:
    case JsonText::Kind::number:
    case JsonText::Kind::string:
      return node.text;
    case JsonText::Kind::array:
    case JsonText::Kind::object:
      break;
  }
  buffer_.clear();
  append_compact(node.text, buffer_);
  return scratch_.keep(buffer_);
}

std::string_view Mapper::value(const Reference& reference) {
  if (reference.is_row_number) return number_;
  const Cell& cell = cells_[reference.slot];
  if (!cell.present) return {};
  if (reference.path.empty()) return cell.node == nullptr ? cell.text : text_of(*cell.node);
  const Found found = follow(reference);
  return found.node == nullptr ? std::string_view() : text_of(*found.node);
}

// Answers false when the template is empty: it has references, and none of them has a value.
bool Mapper::join(const Template& text, bool percent_encoded, std::string_view& result) {
  if (!percent_encoded && text.pieces.size() == 1) {
    const Piece& piece = text.pieces[0];
    result = piece.is_reference ? value(piece.reference) : std::string_view(piece.literal);
    return !result.empty();
  }
  bool has_references = false;
  bool has_value = false;
  std::array<std::string_view, 16> few;
  std::vector<std::string_view> many;
  std::string_view* values = few.data();
  if (text.pieces.size() > few.size()) {
    many.resize(text.pieces.size());
    values = many.data();
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < text.pieces.size(); ++i) {
    const Piece& piece = text.pieces[i];
    values[i] = piece.is_reference ? value(piece.reference) : std::string_view(piece.literal);
    has_references = has_references || piece.is_reference;
    has_value = has_value || (piece.is_reference && !values[i].empty());
    total += values[i].size();
  }
  if (has_references && !has_value) return false;
  if (!percent_encoded) {
    char* const joined = scratch_.take(total);
    std::size_t at = 0;
    for (std::size_t i = 0; i < text.pieces.size(); ++i) {
      if (values[i].empty()) continue;
      std::memcpy(joined + at, values[i].data(), values[i].size());
      at += values[i].size();
    }
    result = {joined, total};
    return total > 0;
  }
  buffer_.clear();
  for (std::size_t i = 0; i < text.pieces.size(); ++i) {
    if (text.pieces[i].is_reference) {
      append_percent_encoded(values[i], buffer_);
    } else {
      buffer_ += values[i];
    }
  }
  result = scratch_.keep(buffer_);
  return true;
}

std::string_view Mapper::first_of(const Alternatives& alternatives) {
  for (const Template& text : alternatives) {
    std::string_view result;
    if (join(text, false, result)) return result;
  }
  return {};
}

bool Mapper::url(const Location& location, std::string_view& result) {
  if (!location.is_url) return join(location.before, false, result);
  std::string_view before;
  if (!join(location.before, true, before)) return false;
  std::string whole(before);
  char separator = '?';
  for (const Template& parameter : location.parameters) {
    std::string_view text;
    if (!join(parameter, true, text)) continue;
    whole.push_back(separator);
    whole += text;
    separator = '&';
  }
  std::string_view after;
  if (!location.after.pieces.empty() && join(location.after, true, after)) whole += after;
  result = scratch_.keep(whole);
  return true;
}

bool Mapper::holds(const Rule& rule) {
  const auto one = [this](const Condition& condition) {
    if (condition.test == Condition::Test::exists) return exists(condition.reference) == condition.wanted;
    const std::string_view text = value(condition.reference);
    switch (condition.test) {
      case Condition::Test::empty:
        return text.empty() == condition.wanted;
      case Condition::Test::equals:
        return std::find(condition.values.begin(), condition.values.end(), text) != condition.values.end();
      default:
        return condition.pattern.found_in(text);
    }
  };
  return std::any_of(rule.begin(), rule.end(), [&](const std::vector<Condition>& conditions) {
    return std::all_of(conditions.begin(), conditions.end(), one);
  });
}

void Mapper::members(const PartRule& part, const char* part_name, std::vector<yukha::Member>& result) {
  for (const MemberRule& member : part.members) {
    const std::string_view text = first_of(member.value);
    if (!text.empty()) result.push_back({member.name, text});
  }
  for (const Flatten& rule : part.flatten) flatten(rule, part_name, result);
}

void Mapper::flatten(const Flatten& rule, const char* part_name, std::vector<yukha::Member>& result) {
  if (!cells_[rule.from.slot].present) return;
  const Found found = follow(rule.from);
  if (found.node == nullptr || found.node->kind == JsonText::Kind::null) return;
  if (found.node->kind != JsonText::Kind::object) {
    fail("column " + mapping_.columns.names()[rule.from.slot] + " should hold a JSON object");
    return;
  }
  std::string path = rule.prefix;
  flatten_object(rule, *found.json, *found.node, path, part_name, result);
}

void Mapper::flatten_object(const Flatten& rule, const JsonText& json, const JsonText::Node& object, std::string& path,
                            const char* part_name, std::vector<yukha::Member>& result) {
  for (const JsonText::Node* node = json.first(object); node != nullptr; node = json.next(*node)) {
    if (std::find(rule.except.begin(), rule.except.end(), node->name) != rule.except.end()) continue;
    const bool is_nested = node->kind == JsonText::Kind::object || node->kind == JsonText::Kind::array;
    const std::size_t path_bytes = path.size();
    path += member_name_of(node->name, path.empty());
    if (node->kind == JsonText::Kind::object && !rule.nested_as_json) {
      path.push_back('_');
      flatten_object(rule, json, *node, path, part_name, result);
    } else if (node->text.empty() || node->kind == JsonText::Kind::null) {
      // Nothing was said, so nothing is written, as everywhere else.
    } else {
      if (path.size() > 64) {
        fail("the member \"" + path.substr(0, 80) + "\" of " + part_name + " has more than 64 characters");
      }
      const auto same = [&path](const yukha::Member& member) { return member.name == path; };
      if (std::any_of(result.begin(), result.end(), same)) {
        fail("two members of the row become " + std::string(part_name) + "." + path + "; use prefix or except");
      }
      result.push_back({scratch_.keep(path), is_nested ? text_of(*node) : node->text});
    }
    path.resize(path_bytes);
  }
}

void Mapper::time(Sentence& sentence) {
  if (mapping_.time_is_now) return;
  const std::string_view text = first_of(mapping_.time.value);
  if (text.empty()) {
    fail("the time is missing");
    return;
  }
  std::string why;
  if (!mapping_.time.format.read(text, sentence.unix_ms, why)) fail(why);
  sentence.has_time = true;
}

Mapper::Outcome Mapper::map(const Record& row, std::uint64_t number, Sentence& sentence, std::string& problem) {
  sentence.clear();
  number_ = std::to_string(number);
  load(row);
  if (!mapping_.skip.empty() && holds(mapping_.skip)) return Outcome::skipped;

  time(sentence);
  members(mapping_.user, "user", sentence.user);
  members(mapping_.device, "device", sentence.device);
  for (const Location& location : mapping_.location.alternatives) {
    if (url(location, sentence.screen)) break;
    sentence.screen = {};
  }
  for (const MemberRule& parameter : mapping_.location.parameters) {
    const std::string_view text = first_of(parameter.value);
    if (!text.empty()) sentence.parameters.push_back({parameter.name, text});
  }
  sentence.content_id = first_of(mapping_.content_id);
  members(mapping_.content, "content", sentence.content);
  sentence.referral = first_of(mapping_.referral);
  sentence.action_type = first_of(mapping_.action_type);
  members(mapping_.action, "action", sentence.action);
  if (mapping_.duration) {
    const std::string_view text = first_of(mapping_.duration->value);
    std::string why;
    sentence.has_duration = !text.empty();
    if (sentence.has_duration && !mapping_.duration->format.read(text, sentence.duration_ms, why)) {
      fail("action.duration_ms: \"" + std::string(text.substr(0, 64)) +
           "\" is no number of the unit the mapping names");
    }
    if (sentence.has_duration && problem_.empty() && sentence.duration_ms < 0) fail("action.duration_ms is negative");
  }
  if (sentence.action_type.empty()) fail("action.type is empty");
  sentence.critical = !mapping_.critical.empty() && holds(mapping_.critical);
  if (problem_.empty()) return Outcome::mapped;
  problem = problem_;
  return Outcome::unmapped;
}

}  // namespace replay
