// Regular expressions for the rules of a mapping.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace replay {

// POSIX extended ones, because std::regex recurses for every character of the text, and a long value of a row would end
// the stack.
class Pattern {
 public:
  // Answers false and says what is wrong with it.
  bool compile(const std::string& text, std::string& problem);
  // Anywhere in the text, unless the pattern anchors itself.
  bool found_in(std::string_view text) const;

 private:
  std::shared_ptr<void> compiled_;
};

}  // namespace replay
