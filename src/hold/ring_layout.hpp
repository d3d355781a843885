// The bytes of a ring: a header of one page, then the records. FORMAT.md has them as a table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace yukha::hold::ring_layout {

constexpr std::size_t header_bytes = 4096;           // one page, so that the data begins on one
constexpr std::uint64_t magic = 0x31676E6972616B79;  // "ykaring1", little endian
constexpr std::uint64_t ring_version = 1;
constexpr std::size_t record_head = 24;
constexpr std::uint64_t alignment = 8;
constexpr std::uint64_t count_max = 1ULL << 62;  // no device gets there; what says more was not written by us

// Offsets in the header; every field is one 64-bit little endian word.
constexpr std::size_t at_magic = 0;
constexpr std::size_t at_version = 8;
constexpr std::size_t at_id = 16;
constexpr std::size_t at_epoch = 24;
constexpr std::size_t at_capacity = 32;
constexpr std::size_t at_checksum = 40;  // over the 40 bytes before it
constexpr std::size_t at_consent = 48;   // what was last said, with a checksum of its own; 0: nothing was written
constexpr std::size_t at_consumed = 64;  // from here on the words change while the ring is in use
constexpr std::size_t at_accepted = 72;
constexpr std::size_t at_refused = 80;
constexpr std::size_t at_owner = 128;    // of the last opening
constexpr std::size_t at_session = 112;  // ordinal, and when it was last seen
constexpr std::size_t at_refused_more = 136;

constexpr std::size_t at_refusal(int which) noexcept {
  return which < 4 ? at_refused + 8 * static_cast<std::size_t>(which) : at_refused_more;
}

inline std::uint64_t load(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}
inline void store(char* at, std::uint64_t word) noexcept {
  std::memcpy(at, &word, 8);
}

}  // namespace yukha::hold::ring_layout
