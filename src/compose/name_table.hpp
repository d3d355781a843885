// Which names stand in a row already, in a time that does not grow with the row: a table of their places, by hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace yukha::compose {

// The seed is an address: whoever writes the names does not know which of them meet in one slot.
inline std::size_t slot_of(std::string_view name, const void* seed, std::size_t slots) noexcept {
  std::uint64_t mixed = reinterpret_cast<std::uintptr_t>(seed) + name.size();
  for (const char c : name) {
    mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x9E3779B97F4A7C15ULL;
    mixed ^= mixed >> 32;
  }
  return static_cast<std::size_t>(mixed) & (slots - 1);
}

// True when `same` says of a place in the table that the name stands there; otherwise `place`, above 0, is put in.
// `slots` is a power of two, and at least one more than the names.
template <typename Same>
bool find_or_put(std::uint16_t* table, std::size_t slots, std::string_view name, std::size_t place, const Same& same) {
  std::size_t at = slot_of(name, table, slots);
  for (; table[at] != 0; at = (at + 1) & (slots - 1)) {
    if (same(table[at])) return true;
  }
  table[at] = static_cast<std::uint16_t>(place);
  return false;
}

}  // namespace yukha::compose
