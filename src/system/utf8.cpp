#include "system/utf8.hpp"

#include <cstring>

namespace yukha::system {
namespace {

// The control characters (C0, DEL, C1), the separators of lines and paragraphs (U+2028, U+2029), and what turns the
// direction of writing: U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
bool misleads(const unsigned char* at, std::size_t size) noexcept {
  if (size == 1) return at[0] < 0x20 || at[0] == 0x7F;
  if (size == 2) return (at[0] == 0xC2 && at[1] < 0xA0) || (at[0] == 0xD8 && at[1] == 0x9C);
  if (size != 3 || at[0] != 0xE2) return false;
  if (at[1] == 0x81) return at[2] >= 0xA6 && at[2] <= 0xA9;
  return at[1] == 0x80 && (at[2] == 0x8E || at[2] == 0x8F || (at[2] >= 0xA8 && at[2] <= 0xAE));
}

}  // namespace

void make_readable(std::string& text) noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto* const at = reinterpret_cast<const unsigned char*>(text.data()) + i;
    const Piece piece = next_piece(at, text.size() - i);
    if (piece.valid && !misleads(at, piece.size)) {
      std::memmove(text.data() + kept, at, piece.size);
      kept += piece.size;
    } else {
      text[kept++] = piece.valid ? ' ' : '?';
    }
    i += piece.size;
  }
  text.resize(kept);
}

}  // namespace yukha::system
