#include "template.hpp"

#include <algorithm>
#include <utility>

namespace replay {

namespace {

// Reads 'quoted' (a quote within is doubled) or everything up to one of `ends`.
bool read_name(std::string_view text, std::size_t& at, std::string_view ends, std::string& name, std::string& problem) {
  name.clear();
  if (at < text.size() && text[at] == '\'') {
    for (++at; at < text.size(); ++at) {
      if (text[at] != '\'') {
        name.push_back(text[at]);
      } else if (at + 1 < text.size() && text[at + 1] == '\'') {
        name.push_back('\'');
        ++at;
      } else {
        ++at;
        return true;
      }
    }
    problem = "a quoted name does not end in {" + std::string(text) + "}";
    return false;
  }
  const std::size_t end = std::min(text.find_first_of(ends, at), text.size());
  name = std::string(text.substr(at, end - at));
  at = end;
  if (!name.empty()) return true;
  problem = "a name is missing in {" + std::string(text) + "}";
  return false;
}

}  // namespace

std::size_t Columns::slot(std::string_view name, std::size_t up) {
  const auto field = up == 0 ? fields_.find(std::string(name)) : fields_.end();
  if (field != fields_.end()) return field->second;
  const auto same = [&](const Column& column) { return !column.is_field && column.up == up && column.name == name; };
  const auto found = std::find_if(columns_.begin(), columns_.end(), same);
  if (found != columns_.end()) return static_cast<std::size_t>(found - columns_.begin());
  return add({std::string(name), up, false});
}

std::size_t Columns::add_field(const std::string& name) {
  return fields_[name] = add({name, 0, true});
}

std::size_t Columns::add_group(const std::string& field, const std::string& group) {
  return groups_[field][group] = add({field + "." + group, 0, true});
}

bool Columns::group(const std::string& field, const std::string& group, std::size_t& slot, std::string& problem) const {
  problem.clear();
  const auto groups = groups_.find(field);
  if (groups == groups_.end()) return false;
  const auto found = groups->second.find(group);
  if (found != groups->second.end()) {
    slot = found->second;
    return true;
  }
  problem = "the field \"" + field + "\" captures no \"" + group + "\", but";
  for (const auto& [name, unused] : groups->second) problem += " " + name;
  return false;
}

std::size_t Columns::watch(std::string text) {
  watched_.push_back(std::move(text));
  return watched_.size() - 1;
}

std::size_t Columns::add(Column column) {
  columns_.push_back(std::move(column));
  return columns_.size() - 1;
}

bool Template::has_references() const {
  return std::any_of(pieces.begin(), pieces.end(), [](const Piece& piece) { return piece.is_reference; });
}

bool read_reference(std::string_view text, Columns& columns, Reference& reference, std::string& problem) {
  reference = Reference{};
  if (text == "#") {
    reference.is_row_number = true;
    return true;
  }
  if (text == "*") {
    reference.is_row = true;
    return true;
  }
  std::size_t up = 0;
  while (up < text.size() && text[up] == '^') ++up;
  std::size_t at = up;
  std::string name;
  if (!read_name(text, at, ".[", name, problem)) return false;
  bool is_first = true;
  while (at < text.size()) {
    Step step;
    if (text[at] == '.') {
      ++at;
      if (!read_name(text, at, ".[", step.name, problem)) return false;
    } else if (text[at] == '[') {
      const std::size_t begin = ++at;
      while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
        step.index = step.index * 10 + static_cast<std::size_t>(text[at++] - '0');
      }
      if (at == begin || at - begin > 9 || at >= text.size() || text[at] != ']') {
        problem = "a number and ] should follow [ in {" + std::string(text) + "}";
        return false;
      }
      ++at;
      step.is_index = true;
    } else {
      problem = "a point or [ should follow the name in {" + std::string(text) + "}";
      return false;
    }
    if (std::exchange(is_first, false) && up == 0) {
      const std::string group = step.is_index ? std::to_string(step.index) : step.name;
      if (columns.group(name, group, reference.slot, problem)) {
        name.clear();
        continue;
      }
      if (!problem.empty()) return false;
    }
    reference.path.push_back(std::move(step));
  }
  if (!name.empty()) reference.slot = columns.slot(name, up);
  // Each row looks for all of them.
  constexpr std::size_t columns_max = 5'000;
  if (columns.all().size() > columns_max) {
    problem = "a mapping names at most 5,000 columns";
    return false;
  }
  if (!reference.path.empty()) reference.watch = columns.watch(std::string(text));
  return true;
}

bool read_template(std::string_view text, Columns& columns, Template& result, std::string& problem) {
  result.pieces.clear();
  std::string literal;
  const auto end_literal = [&] {
    if (literal.empty()) return;
    result.pieces.emplace_back();
    result.pieces.back().literal = std::move(literal);
    literal.clear();
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      literal.push_back(c);
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      literal.push_back(c);
      ++at;
      continue;
    }
    if (c == '}') {
      problem = "a } without its { in \"" + std::string(text) + "\" (write }} for the brace itself)";
      return false;
    }
    // A quoted name may hold a closing brace.
    std::size_t end = at + 1;
    for (bool quoted = false; end < text.size() && (quoted || text[end] != '}'); ++end) {
      if (text[end] == '\'') quoted = !quoted;
    }
    if (end >= text.size()) {
      problem = "a { without its } in \"" + std::string(text) + "\" (write {{ for the brace itself)";
      return false;
    }
    end_literal();
    Piece piece;
    piece.is_reference = true;
    std::string_view inside = text.substr(at + 1, end - at - 1);
    piece.is_raw = inside.substr(0, 1) == "+";
    if (piece.is_raw) inside.remove_prefix(1);
    if (!read_reference(inside, columns, piece.reference, problem)) return false;
    if (piece.reference.is_row) {
      problem = "{*}, the whole row, stands only where a part takes all members: \"*\": \"*\"";
      return false;
    }
    result.pieces.push_back(std::move(piece));
    at = end;
  }
  end_literal();
  return true;
}

}  // namespace replay
