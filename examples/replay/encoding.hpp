// Text of any encoding as UTF-8, and what was no text in it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace replay {

// The system's iconv, a piece at a time.
class Decoder {
 public:
  // "latin1", "cp1252", "utf-16", "euc-kr", "shift_jis" … any that the system's iconv knows. Answers false and says
  // why.
  bool open(const std::string& encoding, std::string& problem);
  // Appends `bytes` to `text` as UTF-8; a character that is cut waits for the next piece. What is none in the encoding
  // becomes the byte 0xFF, which UTF-8 never has, so that whoever looks at the line finds and counts it.
  void decode(std::string_view bytes, bool is_last, std::string& text);

 private:
  std::shared_ptr<void> converter_;
  std::string rest_;
  std::size_t unit_bytes_ = 1;
};

bool is_utf8(std::string_view text);
// Appends `text` to `repaired` with U+FFFD for each sequence of bytes that is not UTF-8; returns how many there were.
std::size_t repair_utf8(std::string_view text, std::string& repaired);

}  // namespace replay
