// Text with references to a row's columns in it: "app://shop/{screen}?y={event_data.position[0]}".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace replay {

// The columns a mapping names, each once; a reference holds the place of its column here.
class Columns {
 public:
  std::size_t slot(std::string_view name);
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
};

// One step into a JSON value: a member's name or an element's place.
struct Step {
  std::string name;
  std::size_t index = 0;
  bool is_index = false;
};

// column, column.member, column[0].member, 'a column.with dots'.'a member', or # for the row's number.
struct Reference {
  bool is_row_number = false;
  std::size_t slot = 0;
  std::vector<Step> path;
};

struct Piece {
  std::string literal;
  bool is_reference = false;
  Reference reference;
};

struct Template {
  std::vector<Piece> pieces;

  bool has_references() const;
  // True when the template is one reference and nothing else.
  bool is_lone_reference() const { return pieces.size() == 1 && pieces[0].is_reference; }
};

// Both answer false and say what is wrong. {{ and }} stand for the braces themselves.
bool read_reference(std::string_view text, Columns& columns, Reference& reference, std::string& problem);
bool read_template(std::string_view text, Columns& columns, Template& result, std::string& problem);

}  // namespace replay
