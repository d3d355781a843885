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
    bool is_repeated = false;  // members of this name stood before it in its object, and do not count
    std::string_view name;     // within an object: the member's name, unescaped
    std::string_view
        text;  // a string unescaped; anything else as it was written, arrays and objects with their brackets
    std::uint32_t first = 0;  // the first element or member, 0 when there is none
    std::uint32_t next = 0;   // the next one beside this, 0 at the end
  };

  // Answers false and says in `problem` what is wrong and at which byte. A lone surrogate escape becomes U+FFFD, as
  // text cannot hold it. Of members with one name the last counts, in the place of the first. Nesting deeper than 256
  // and more than 1,000,000 values are refused.
  bool parse(std::string_view text, std::string& problem);
  std::uint64_t lone_surrogates() const { return lone_surrogates_; }
  bool has_repeated() const { return has_repeated_; }
  // The first member within `node` that stood there more than once; null when there is none. What is within `apart` is
  // not looked at.
  const Node* repeated_in(const Node& node, const Node* apart = nullptr) const;

  // After a parse() that answered false: nothing but the end of the text was wrong.
  bool failed_at_end() const { return at_ >= text_.size(); }

  const Node& root() const { return nodes_[0]; }
  const Node* first(const Node& parent) const { return parent.first == 0 ? nullptr : &nodes_[parent.first]; }
  const Node* next(const Node& node) const { return node.next == 0 ? nullptr : &nodes_[node.next]; }
  // The member of that name; null when there is none.
  const Node* member(const Node& object, std::string_view name) const;
  const Node* element(const Node& array, std::size_t index) const;
  // Appends what the node says as JSON without white space, numbers as they were written.
  void append_compact(const Node& node, std::string& out) const;

 private:
  struct Names;
  bool fail(const char* what);
  void skip_space();
  bool value(std::uint32_t& made, std::string_view name, int depth);
  bool children(std::uint32_t self, bool is_object, int depth);
  std::uint32_t same_name(std::uint32_t self, std::uint32_t child, Names& names) const;
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
  std::uint64_t lone_surrogates_ = 0;
  bool has_repeated_ = false;
};

// Appends `json` without the white space between its tokens; `json` is known to be well formed.
void append_compact(std::string_view json, std::string& out);

}  // namespace replay
