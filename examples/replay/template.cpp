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

std::size_t Columns::slot(std::string_view name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
  names_.emplace_back(name);
  return names_.size() - 1;
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
  std::size_t at = 0;
  std::string name;
  if (!read_name(text, at, ".[", name, problem)) return false;
  reference.slot = columns.slot(name);
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
    reference.path.push_back(std::move(step));
  }
  return true;
}

bool read_template(std::string_view text, Columns& columns, Template& result, std::string& problem) {
  result.pieces.clear();
  std::string literal;
  const auto end_literal = [&] {
    if (literal.empty()) return;
    result.pieces.push_back(Piece{std::move(literal), false, {}});
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
    if (!read_reference(text.substr(at + 1, end - at - 1), columns, piece.reference, problem)) return false;
    result.pieces.push_back(std::move(piece));
    at = end;
  }
  end_literal();
  return true;
}

}  // namespace replay
