#include "mapper.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
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

std::array<bool, 256> table_of(std::string_view characters) {
  std::array<bool, 256> result{};
  for (const char c : characters) result[static_cast<unsigned char>(c)] = true;
  return result;
}

const std::array<bool, 256>& unreserved() {
  static const std::array<bool, 256> table =
      table_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");
  return table;
}

const std::array<bool, 256>& reserved() {
  static const std::array<bool, 256> table = table_of(":/?#[]@!$&'()*+,;=");
  return table;
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void append_escaped(char c, std::string& out) {
  const auto byte = static_cast<unsigned char>(c);
  out.push_back('%');
  out.push_back("0123456789ABCDEF"[byte >> 4]);
  out.push_back("0123456789ABCDEF"[byte & 15]);
}

// How many bytes the text takes in a line of JSON, at the most.
std::size_t json_bytes(std::string_view text) {
  std::size_t bytes = 0;
  for (const char c : text) {
    bytes += static_cast<unsigned char>(c) < 0x20 ? 6 : c == '"' || c == '\\' ? 2 : 1;
  }
  return bytes;
}

// Edits that make one of the other, a change of case for free; `most` or more is too many.
std::size_t distance(std::string_view one, std::string_view other, std::size_t most) {
  const auto low = [](char c) { return is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c; };
  if (one.size() > 64 || other.size() > 64) return most;
  std::vector<std::size_t> row(other.size() + 1);
  for (std::size_t j = 0; j <= other.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t replaced = diagonal + (low(one[i - 1]) == low(other[j - 1]) ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

constexpr const char* no_word = "its name has no letter from a to z and no digit";
constexpr const char* long_name = "its name has more than 64 characters";

bool has_word(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) { return is_lower(c) || is_upper(c) || is_digit(c); });
}

// No part has more that fit into a sentence; see the contract's 32 KiB.
constexpr std::size_t members_max = 4096;

}  // namespace

void Sentence::clear() {
  has_time = false;
  has_duration = false;
  critical = false;
  clock_change = ClockChange::none;
  cut = {};
  left_out = {};
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
  taken_ = 0;
}

char* Scratch::take(std::size_t bytes) {
  taken_ += bytes;
  if (taken_ > bytes_max) throw TooMuchText{};
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
    if (plain[static_cast<unsigned char>(c)]) {
      out.push_back(c);
    } else {
      append_escaped(c, out);
    }
  }
}

void append_reserved(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool is_escape = c == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (unreserved()[byte] || reserved()[byte] || is_escape) {
      out.push_back(c);
    } else {
      append_escaped(c, out);
    }
  }
}

std::string_view longest_member(const Sentence& sentence, std::string& name) {
  std::string_view longest = sentence.content_id;
  name = "content.id";
  const auto look = [&](std::string_view text, std::string_view part, std::string_view member) {
    if (text.size() <= longest.size()) return;
    longest = text;
    name = std::string(part) + (member.empty() ? "" : ".") + std::string(member);
  };
  look(sentence.screen, "location", {});
  look(sentence.referral, "referral", {});
  look(sentence.action_type, "action", "type");
  for (const yukha::Member& one : sentence.user) look(one.value, "user", one.name);
  for (const yukha::Member& one : sentence.device) look(one.value, "device", one.name);
  for (const yukha::Member& one : sentence.parameters) look(one.value, "location", one.name);
  for (const yukha::Member& one : sentence.content) look(one.value, "content", one.name);
  for (const yukha::Member& one : sentence.action) look(one.value, "action", one.name);
  return longest;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& names) {
  std::size_t least = std::min<std::size_t>(3, (name.size() + 1) / 2);
  std::string nearest;
  for (const std::string& one : names) {
    const std::size_t edits = distance(name, one, least);
    if (edits >= least) continue;
    least = edits;
    nearest = one;
  }
  return nearest;
}

Mapper::Mapper(const Mapping& mapping)
    : mapping_(mapping),
      cells_(mapping.columns.all().size()),
      watched_columns_(mapping.columns.all().size()),
      watched_paths_(mapping.columns.watched().size()) {}

void Mapper::begin_input(const std::vector<std::string>* columns) {
  columns_ = columns;
  fields_.clear();
  counts_.clear();
  repeated_columns_.clear();
  if (columns == nullptr) return;
  std::map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < columns->size(); ++i) last[(*columns)[i]] = i;
  std::set<std::string_view> told;
  for (std::size_t i = 0; i < columns->size(); ++i) {
    const std::string& name = (*columns)[i];
    counts_.push_back(last[name] == i);
    if (!counts_[i] && told.insert(name).second) repeated_columns_.push_back(name);
  }
  for (std::size_t slot = 0; slot < cells_.size(); ++slot) {
    const Columns::Column& column = mapping_.columns.all()[slot];
    fields_.push_back(no_field);
    if (column.is_field) continue;
    const std::string& name = column.name;
    if (column.up > 0) throw MappingError("{^" + name + "} is for rows within JSON; there is nothing around these");
    if (const auto found = last.find(name); found != last.end()) {
      fields_.back() = found->second;
      watched_columns_[slot].found = true;
      continue;
    }
    if (slot >= mapping_.needed_columns) continue;
    std::string list;
    for (const std::string& one : *columns) {
      if (list.size() < 2000) list += (list.empty() ? "" : ", ") + one;
    }
    const std::string nearest = nearest_name(name, *columns);
    throw MappingError("the mapping asks for a column \"" + name + "\", and the input has " + list +
                       (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
  }
}

std::vector<std::string> Mapper::never_found() const {
  std::vector<std::string> result;
  const auto tell = [&result](const std::string& what, std::string_view name, const Watch& watch) {
    const std::string nearest = nearest_name(name, watch.others);
    result.push_back("no row has " + what + (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
  };
  for (std::size_t slot = 0; slot < mapping_.needed_columns; ++slot) {
    const Columns::Column& column = mapping_.columns.all()[slot];
    if (column.is_field || watched_columns_[slot].found) continue;
    tell("a column \"" + std::string(column.up, '^') + column.name + "\"", column.name, watched_columns_[slot]);
  }
  for (std::size_t i = 0; i < mapping_.needed_watched; ++i) {
    // Where the column itself is missing, that is told already.
    if (watched_paths_[i].found || watched_paths_[i].looked_at == 0) continue;
    const std::string& path = mapping_.columns.watched()[i];
    const std::size_t last = path.find_last_of(".[");
    tell("\"" + path + "\"", std::string_view(path).substr(last + 1), watched_paths_[i]);
  }
  return result;
}

std::vector<std::string> Mapper::left_out() const {
  std::vector<std::string> result;
  for (const auto& [what, one] : all_left_out_) {
    result.push_back(what + " is left out of " + std::to_string(one.rows) + (one.rows == 1 ? " row" : " rows") +
                     ", first of row " + one.first + ": " + one.why + "; name it in the mapping");
  }
  return result;
}

void Mapper::fail(std::string what) {
  if (problem_.empty()) problem_ = std::move(what);
}

bool Mapper::is_null(std::string_view text) const {
  return std::find(mapping_.nulls.begin(), mapping_.nulls.end(), text) != mapping_.nulls.end();
}

// The names that the first rows have where one is looked for.
void Mapper::watch_others(Watch& watch, const JsonText& json, const JsonText::Node& object) {
  constexpr std::size_t rows_max = 100;
  constexpr std::size_t names_max = 200;
  if (watch.found || ++watch.looked_at > rows_max) return;
  for (const JsonText::Node* node = json.first(object); node != nullptr; node = json.next(*node)) {
    if (watch.others.size() >= names_max) return;
    if (node->name.empty() || std::find(watch.others.begin(), watch.others.end(), node->name) != watch.others.end()) {
      continue;
    }
    watch.others.emplace_back(node->name);
  }
}

void Mapper::load(const Record& row) {
  scratch_.clear();
  row_ = &row;
  if (columns_ == nullptr) {
    load_json(row);
  } else {
    for (std::size_t slot = 0; slot < cells_.size(); ++slot) {
      Cell& cell = cells_[slot];
      cell.parsed = false;
      cell.node = nullptr;
      cell.present = fields_[slot] != no_field;
      cell.text = cell.present ? row.fields[fields_[slot]] : std::string_view();
    }
  }
  for (const Field& field : mapping_.fields) compute(field);
}

void Mapper::load_json(const Record& row) {
  for (Cell& cell : cells_) {
    cell.present = false;
    cell.parsed = false;
    cell.node = nullptr;
    cell.text = {};
  }
  const auto& columns = mapping_.columns.all();
  std::size_t up_most = 0;
  for (const Columns::Column& column : columns) up_most = std::max(up_most, column.up);
  for (std::size_t up = 0; up <= up_most && up <= row.enclosing.size(); ++up) {
    const JsonText::Node& object = up == 0 ? *row.node : *row.enclosing[up - 1];
    if (object.kind != JsonText::Kind::object) continue;
    for (const JsonText::Node* node = row.json->first(object); node != nullptr; node = row.json->next(*node)) {
      for (std::size_t slot = 0; slot < columns.size(); ++slot) {
        if (columns[slot].is_field || columns[slot].up != up || node->name != columns[slot].name) continue;
        cells_[slot].present = true;
        cells_[slot].node = node;
        watched_columns_[slot].found = true;
        break;
      }
    }
    for (std::size_t slot = 0; slot < mapping_.needed_columns; ++slot) {
      if (columns[slot].up == up && !watched_columns_[slot].found) {
        watch_others(watched_columns_[slot], *row.json, object);
      }
    }
  }
}

void Mapper::compute(const Field& field) {
  Cell& cell = cells_[field.slot];
  cell.node = nullptr;
  cell.parsed = false;
  std::string_view text = first_of(field.value);
  if (std::find(field.nulls.begin(), field.nulls.end(), text) != field.nulls.end()) text = {};
  if (field.capture) {
    spend(text.size() * field.capture->size());
    // The groups are the matched text's; that has to stay where it is.
    const bool matches = !text.empty() && field.capture->capture(text, groups_);
    if (!matches && !text.empty() && unmatched_.empty()) unmatched_ = field.name;
    if (!matches) groups_.assign(field.groups.size() + 1, {});
    for (std::size_t i = 0; i < field.groups.size(); ++i) {
      Cell& group = cells_[field.groups[i]];
      group.node = nullptr;
      group.parsed = false;
      group.text = is_null(groups_[i + 1]) ? std::string_view() : groups_[i + 1];
      group.present = !group.text.empty();
    }
    text = groups_[groups_.size() > 1 ? 1 : 0];
  }
  if (field.has_decimal_comma && !text.empty()) text = scratch_.keep(with_decimal_point(text));
  bool is_known = true;
  if (!field.lookup.empty()) {
    const auto found = field.lookup.find(text);
    is_known = found != field.lookup.end();
    if (is_known) text = found->second;
  }
  if ((text.empty() || !is_known) && !field.otherwise.empty()) text = first_of(field.otherwise);
  cell.text = text;
  cell.present = !text.empty();
}

// Walks the path into the column's JSON: the row's own, or JSON that the column holds as text.
Mapper::Found Mapper::follow(const Reference& reference) {
  Cell& cell = cells_[reference.slot];
  Found found{row_->json, cell.node};
  const bool holds_text = found.node == nullptr || found.node->kind == JsonText::Kind::string;
  if (holds_text) {
    const std::string_view text = found.node == nullptr ? cell.text : found.node->text;
    if (text.empty()) return {};
    if (!cell.parsed) {
      std::string why;
      if (!cell.json.parse(text, why)) {
        fail("column " + mapping_.columns.all()[reference.slot].name + " holds no JSON: " + why);
        return {};
      }
      cell.parsed = true;
      if (repeated_ == nullptr) repeated_ = cell.json.repeated_in(cell.json.root());
      lone_surrogates_ += cell.json.lone_surrogates();
    }
    found = {&cell.json, &cell.json.root()};
  }
  if (reference.path.empty()) return found;
  Watch& watch = watched_paths_[reference.watch];
  for (const Step& step : reference.path) {
    if (step.is_index) spend(step.index);
    const JsonText::Node* const inner =
        step.is_index ? found.json->element(*found.node, step.index) : found.json->member(*found.node, step.name);
    if (inner == nullptr) {
      watch_others(watch, *found.json, *found.node);
      return {};
    }
    found.node = inner;
  }
  watch.found = true;
  return found;
}

bool Mapper::exists(const Reference& reference) {
  if (reference.is_row_number) return true;
  if (reference.path.empty() || !cells_[reference.slot].present) return cells_[reference.slot].present;
  return follow(reference).node != nullptr;
}

std::string_view Mapper::text_of(const JsonText& json, const JsonText::Node& node) {
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
  json.append_compact(node, buffer_);
  return scratch_.keep(buffer_);
}

std::string_view Mapper::value(const Reference& reference) {
  if (reference.is_row_number) return number_;
  const Cell& cell = cells_[reference.slot];
  if (!cell.present) return {};
  std::string_view text;
  if (reference.path.empty()) {
    text = cell.node == nullptr ? cell.text : text_of(*row_->json, *cell.node);
  } else {
    const Found found = follow(reference);
    if (found.node != nullptr) text = text_of(*found.json, *found.node);
  }
  return is_null(text) ? std::string_view() : text;
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
    if (text.pieces[i].is_raw) {
      append_reserved(values[i], buffer_);
    } else if (text.pieces[i].is_reference) {
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
  // A path that was taken as it is may have brought a query of its own.
  char separator = before.find('?') == std::string_view::npos ? '?' : '&';
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
        spend(text.size() * condition.pattern.size());
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
  std::string path = rule.prefix;
  if (rule.from.is_row) {
    if (columns_ != nullptr) return flatten_columns(rule, part_name, result);
    return flatten_object(rule, *row_->json, *row_->node, path, part_name, result);
  }
  if (!cells_[rule.from.slot].present) return;
  const Found found = follow(rule.from);
  if (found.node == nullptr || found.node->kind == JsonText::Kind::null) return;
  if (found.node->kind != JsonText::Kind::object) {
    fail("column " + mapping_.columns.all()[rule.from.slot].name + " should hold a JSON object");
    return;
  }
  flatten_object(rule, *found.json, *found.node, path, part_name, result);
}

void Mapper::flatten_columns(const Flatten& rule, const char* part_name, std::vector<yukha::Member>& result) {
  for (std::size_t i = 0; i < columns_->size(); ++i) {
    const std::string& column = (*columns_)[i];
    const std::string_view text = row_->fields[i];
    if (!counts_[i] || text.empty() || is_null(text)) continue;
    if (std::find(rule.except.begin(), rule.except.end(), column) != rule.except.end()) continue;
    if (!has_word(column)) {
      leave_out(column, part_name, no_word);
      continue;
    }
    add_member(rule.prefix + member_name_of(column, rule.prefix.empty()), column, text, part_name, result);
  }
}

void Mapper::flatten_object(const Flatten& rule, const JsonText& json, const JsonText::Node& object, std::string& path,
                            const char* part_name, std::vector<yukha::Member>& result) {
  for (const JsonText::Node* node = json.first(object); node != nullptr; node = json.next(*node)) {
    if (result.size() > members_max) return;
    if (std::find(rule.except.begin(), rule.except.end(), node->name) != rule.except.end()) continue;
    const bool is_nested = node->kind == JsonText::Kind::object || node->kind == JsonText::Kind::array;
    // What says nothing is not written, as everywhere else.
    if (node->text.empty() || node->kind == JsonText::Kind::null || is_null(node->text)) continue;
    if (!has_word(node->name)) {
      leave_out(node->name, part_name, no_word);
      continue;
    }
    const std::size_t path_bytes = path.size();
    path += member_name_of(node->name, path.empty());
    if (node->kind == JsonText::Kind::object && !rule.nested_as_json) {
      path.push_back('_');
      flatten_object(rule, json, *node, path, part_name, result);
    } else {
      add_member(path, node->name, is_nested ? text_of(json, *node) : node->text, part_name, result);
    }
    path.resize(path_bytes);
  }
}

void Mapper::leave_out(std::string_view member, const char* part_name, const char* why) {
  constexpr std::size_t names_max = 1'000;
  constexpr std::size_t bytes_max = 100;
  std::size_t end = std::min(member.size(), bytes_max);
  while (end < member.size() && (static_cast<unsigned char>(member[end]) & 0xC0) == 0x80) --end;
  std::string what = "the member \"" + std::string(member.substr(0, end)) + "\" of " + part_name;
  if (left_out_.empty()) left_out_ = scratch_.keep(what + " is left out: " + why);
  if (all_left_out_.size() >= names_max && all_left_out_.count(what) == 0) what = "one more member";
  LeftOut& one = all_left_out_[std::move(what)];
  if (one.last == number_) return;
  one.last = number_;
  if (one.rows++ > 0) return;
  one.why = why;
  one.first = number_;
}

void Mapper::add_member(const std::string& name, std::string_view member, std::string_view text, const char* part_name,
                        std::vector<yukha::Member>& result) {
  if (name.size() > 64) return leave_out(member, part_name, long_name);
  if (result.size() >= members_max) fail(std::string(part_name) + " has more than 4,096 members");
  const auto same = [&name](const yukha::Member& one) { return one.name == name; };
  if (std::any_of(result.begin(), result.end(), same)) {
    fail("two members of the row become " + std::string(part_name) + "." + name + "; use prefix or except");
  }
  result.push_back({scratch_.keep(name), text});
}

// What a sentence has room for beside what the library writes into it (id, time, install, session).
void Mapper::cut(Sentence& sentence) {
  constexpr std::size_t budget = 31'000;
  constexpr std::string_view mark = "\xE2\x80\xA6";
  std::size_t bytes = 0;
  const auto add = [&bytes](const std::vector<yukha::Member>& members) {
    for (const yukha::Member& one : members) bytes += one.name.size() + json_bytes(one.value) + 6;
  };
  add(sentence.user);
  add(sentence.device);
  add(sentence.content);
  add(sentence.action);
  for (const yukha::Member& one : sentence.parameters) bytes += one.name.size() + 3 * one.value.size();
  // A text that is no URL may grow threefold.
  bytes += 3 * sentence.screen.size() + json_bytes(sentence.content_id) + json_bytes(sentence.referral) +
           json_bytes(sentence.action_type);
  if (bytes <= budget) return;
  yukha::Member* longest = nullptr;
  const char* part = "";
  const auto look = [&](std::vector<yukha::Member>& members, const char* name) {
    for (yukha::Member& one : members) {
      if (longest != nullptr && one.value.size() <= longest->value.size()) continue;
      longest = &one;
      part = name;
    }
  };
  look(sentence.user, "user");
  look(sentence.device, "device");
  look(sentence.content, "content");
  look(sentence.action, "action");
  if (longest == nullptr) return;
  std::string_view kept = longest->value;
  std::size_t excess = bytes - budget + mark.size();
  while (!kept.empty() && excess > 0) {
    excess -= std::min(excess, json_bytes(kept.substr(kept.size() - 1)));
    kept.remove_suffix(1);
  }
  while (!kept.empty() && (static_cast<unsigned char>(longest->value[kept.size()]) & 0xC0) == 0x80) {
    kept.remove_suffix(1);
  }
  if (kept.empty()) return;  // the rest is too long by itself, and the library says so
  sentence.cut = scratch_.keep(std::string(part) + "." + std::string(longest->name));
  char* const text = scratch_.take(kept.size() + mark.size());
  std::memcpy(text, kept.data(), kept.size());
  std::memcpy(text + kept.size(), mark.data(), mark.size());
  longest->value = {text, kept.size() + mark.size()};
}

void Mapper::time(Sentence& sentence) {
  if (mapping_.time_is_now) return;
  const std::string_view text = first_of(mapping_.time.value);
  if (text.empty()) {
    fail("the time is missing");
    return;
  }
  std::string why;
  if (!mapping_.time.format.read(text, sentence.unix_ms, sentence.clock_change, why)) fail(why);
  sentence.has_time = true;
}

void Mapper::duration(Sentence& sentence) {
  const std::string_view text = first_of(mapping_.duration->value);
  if (text.empty()) return;
  std::string why;
  ClockChange unused = ClockChange::none;
  sentence.has_duration = true;
  if (!mapping_.duration->format.read(text, sentence.duration_ms, unused, why)) {
    fail("action.duration_ms: \"" + std::string(text.substr(0, 64)) + "\" is no number of the unit the mapping names" +
         (text.find(',') != std::string_view::npos ? "; a comma before decimals needs \"decimal\": \",\"" : ""));
  } else if (sentence.duration_ms < 0) {
    fail("action.duration_ms is negative");
  }
}

Mapper::Outcome Mapper::map(const Record& row, std::uint64_t number, Sentence& sentence, std::string& problem) {
  sentence.clear();
  number_ = std::to_string(number);
  problem_.clear();
  unmatched_.clear();
  left_out_ = {};
  repeated_ = nullptr;
  lone_surrogates_ = 0;
  steps_ = 0;
  Outcome outcome = Outcome::unmapped;
  try {
    load(row);
    outcome = make(sentence);
  } catch (const TooMuchText&) {
    problem_ = "the mapping makes more than 64 MiB of text of this row";
  } catch (const TooMuchWork&) {
    problem_ = "the mapping takes too long for this row: a pattern of many parts on a long text, or far elements";
  }
  sentence.left_out = left_out_;
  sentence.repeated = repeated_;
  sentence.lone_surrogates = lone_surrogates_;
  if (outcome != Outcome::unmapped) return outcome;
  problem = problem_;
  if (!unmatched_.empty()) problem += "; the field \"" + unmatched_ + "\" does not match its pattern";
  return outcome;
}

Mapper::Outcome Mapper::make(Sentence& sentence) {
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
  if (mapping_.duration) duration(sentence);
  if (sentence.action_type.empty()) fail("action.type is empty");
  sentence.critical = !mapping_.critical.empty() && holds(mapping_.critical);
  if (!problem_.empty()) return Outcome::unmapped;
  if (mapping_.cuts) cut(sentence);
  return Outcome::mapped;
}

}  // namespace replay
