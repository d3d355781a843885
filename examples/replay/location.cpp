#include "location.hpp"

#include <cstddef>
#include <string>

namespace replay {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool begins_with_scheme(const Template& text) {
  if (text.pieces.empty() || text.pieces[0].is_reference) return false;
  const std::string& literal = text.pieces[0].literal;
  const std::size_t end = literal.find("://");
  if (end == std::string::npos || end == 0 || !is_letter(literal[0])) return false;
  for (std::size_t i = 1; i < end; ++i) {
    const char c = literal[i];
    if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') return false;
  }
  return true;
}

void append_literal(char c, Template& to) {
  if (to.pieces.empty() || to.pieces.back().is_reference) to.pieces.emplace_back();
  to.pieces.back().literal.push_back(c);
}

}  // namespace

Location take_apart(const Template& text) {
  Location location;
  location.is_url = begins_with_scheme(text);
  if (!location.is_url) {
    location.before = text;
    return location;
  }
  enum class Part { before, query, after };
  Part part = Part::before;
  Template* to = &location.before;
  for (const Piece& piece : text.pieces) {
    if (piece.is_reference) {
      to->pieces.push_back(piece);
      continue;
    }
    for (const char c : piece.literal) {
      if (c == '#' && part != Part::after) {
        part = Part::after;
        to = &location.after;
        append_literal(c, *to);
      } else if ((c == '?' && part == Part::before) || (c == '&' && part == Part::query)) {
        part = Part::query;
        to = &location.parameters.emplace_back();
      } else {
        append_literal(c, *to);
      }
    }
  }
  return location;
}

}  // namespace replay
