// Text with references to a row's columns in it: "app://shop/{screen}?y={event_data.position[0]}".
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace replay {

// What a mapping names of a row, each once: its columns, and the fields that the mapping makes of them itself. A
// reference holds the place of its column here.
class Columns {
 public:
  struct Column {
    std::string name;
    std::size_t up = 0;     // 0: of the row; 1: of the element around it; and so on
    bool is_field = false;  // made by the mapping
  };

  // A field's place where there is one of that name, otherwise the column's.
  std::size_t slot(std::string_view name, std::size_t up = 0);
  // A field, from now on instead of a column of that name.
  std::size_t add_field(const std::string& name);
  // A group that a field captures, as `field.group`; those without a name have their number.
  std::size_t add_group(const std::string& field, const std::string& group);
  // The place of a field's group. Answers false when the field captures none of that name; `problem` is empty where
  // `field` is no field that captures.
  bool group(const std::string& field, const std::string& group, std::size_t& slot, std::string& problem) const;

  const std::vector<Column>& all() const { return columns_; }

  // Numbers the references that lead into JSON, so that one that never leads to anything can be told.
  std::size_t watch(std::string text);
  const std::vector<std::string>& watched() const { return watched_; }

 private:
  std::size_t add(Column column);

  std::vector<Column> columns_;
  std::map<std::string, std::size_t> fields_;
  std::map<std::string, std::map<std::string, std::size_t>> groups_;
  std::vector<std::string> watched_;
};

// One step into a JSON value: a member's name or an element's place.
struct Step {
  std::string name;
  std::size_t index = 0;
  bool is_index = false;
};

// column, column.member, column[0].member, 'a column.with dots'.'a member', ^column of the element around the row, #
// for the row's number, or * for the whole row.
struct Reference {
  bool is_row_number = false;
  bool is_row = false;
  std::size_t slot = 0;
  std::vector<Step> path;
  std::size_t watch = 0;  // with a path: its number in Columns::watched()
};

struct Piece {
  std::string literal;
  bool is_reference = false;
  bool is_raw = false;  // {+column}: what has a meaning in a URL stays as it is
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
