// Reads one JSON text without changing a digit of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replay {

// Numbers stay the text they were written as: a 17-digit id or a measured value that went through a double would come
// out different. That is why the rows are not read with a general JSON library.
// What parse() was given must stay where it is for as long as the nodes are used.
class JsonText {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

  struct Node {
    Kind kind = Kind::null;
    std::string_view name;  // within an object: the member's name, unescaped
    std::string_view
        text;  // a string unescaped; anything else as it was written, arrays and objects with their brackets
    std::uint32_t first = 0;  // the first element or member, 0 when there is none
    std::uint32_t next = 0;   // the next one beside this, 0 at the end
  };

  // Answers false and says in `problem` what is wrong and at which byte. A lone surrogate escape becomes U+FFFD, as
  // text cannot hold it. Nesting deeper than 256
  // and more than 1,000,000 values are refused.
  bool parse(std::string_view text, std::string& problem);

  // After a parse() that answered false: nothing but the end of the text was wrong.
  bool failed_at_end() const { return at_ >= text_.size(); }

  const Node& root() const { return nodes_[0]; }
  const Node* first(const Node& parent) const { return parent.first == 0 ? nullptr : &nodes_[parent.first]; }
  const Node* next(const Node& node) const { return node.next == 0 ? nullptr : &nodes_[node.next]; }
  // The member of that name, the last one where it stands twice; null when there is none.
  const Node* member(const Node& object, std::string_view name) const;
  const Node* element(const Node& array, std::size_t index) const;

 private:
  bool fail(const char* what);
  void skip_space();
  bool value(std::uint32_t& made, std::string_view name, int depth);
  bool children(std::uint32_t self, bool is_object, int depth);
  bool string(std::string_view& out);
  bool escaped(std::string_view& out, std::size_t begin);
  bool hex4(std::uint32_t& unit);
  bool number();
  bool word(std::string_view expected);

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Node> nodes_;
  std::string unescaped_;  // never grows while parsing, because unescaping only shortens
  std::string* problem_ = nullptr;
};

// Appends `json` without the white space between its tokens; `json` is known to be well formed.
void append_compact(std::string_view json, std::string& out);

}  // namespace replay
