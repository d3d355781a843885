// UUIDs as text (RFC 9562).
#pragma once

#include <cstddef>
#include <string>

#include "system/dice.hpp"

namespace yukha::system {

constexpr std::size_t uuid_text_size = 36;

// Sixteen bytes of any origin with version and variant put into them, as 36 characters.
inline void write_uuid(const unsigned char bytes[16], int version, char* out) noexcept {
  for (int i = 0; i < 16; ++i) {
    unsigned byte = bytes[i];
    if (i == 6) byte = (byte & 0x0F) | (static_cast<unsigned>(version) << 4);
    if (i == 8) byte = (byte & 0x3F) | 0x80;
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = "0123456789abcdef"[byte >> 4];
    *out++ = "0123456789abcdef"[byte & 15];
  }
}

// Empty when the system gives no chance.
inline std::string random_uuid(Dice& dice) {
  unsigned char bytes[16];
  if (!dice.fill(bytes, sizeof bytes)) return {};
  std::string text(uuid_text_size, '\0');
  write_uuid(bytes, 4, text.data());
  return text;
}

}  // namespace yukha::system
