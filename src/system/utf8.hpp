// UTF-8, piece by piece, and text that people read.
#pragma once

#include <cstddef>
#include <string>

namespace yukha::system {

struct Piece {
  std::size_t size;  // bytes of input it stands for, at least 1
  bool valid;
};

// The code point that begins at `at`, or the longest beginning of one that could not be finished (Unicode 15, 3.9,
// table 3-7: what may follow a first byte). `left` is at least 1.
inline Piece next_piece(const unsigned char* at, std::size_t left) noexcept {
  const unsigned char first = at[0];
  if (first < 0x80) return {1, true};
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  std::size_t size = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    size = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    size = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    size = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= left || at[i] < low || at[i] > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

// Makes a text fit for people to read, wherever its bytes came from: a space for each control character, line end and
// mark that turns the direction of what follows, and a question mark for each piece that is no UTF-8. It never grows.
void make_readable(std::string& text) noexcept;

}  // namespace yukha::system
