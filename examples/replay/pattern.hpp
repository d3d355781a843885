// Regular expressions: for the rules of a mapping, and for what is captured out of a field.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace replay {

// RE2's, whose time grows with the text times the pattern's parts, and no faster. Those of the system's library take
// any time and memory for nested repeats, and std::regex recurses for every character.
class Pattern {
 public:
  // Answers false and says what is wrong with it. `.` is any character but a line end, and case counts, unless the
  // pattern says otherwise ((?s), (?i)).
  bool compile(const std::string& text, std::string& problem);
  // Anywhere in the text, unless the pattern anchors itself.
  bool found_in(std::string_view text) const;
  // The same; `groups` then has the whole match, and what each group took: empty where a group took no part.
  bool capture(std::string_view text, std::vector<std::string_view>& groups) const;

  // Its parts, each of which a character of the text may meet.
  std::size_t size() const { return size_; }

  // The groups' names, the whole match's (none) first; empty for a group without one.
  const std::vector<std::string>& group_names() const { return group_names_; }

 private:
  std::shared_ptr<const re2::RE2> compiled_;
  std::vector<std::string> group_names_;
  std::size_t size_ = 0;
};

}  // namespace replay
