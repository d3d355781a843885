// Text as the line needs it: valid UTF-8, escaped for JSON or for a URL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace yukha::compose {

// Copies a text. Most are shorter than a call of memcpy takes: those are copied in two pieces that may overlap.
inline char* copy_text(char* out, std::string_view text) noexcept {
  const char* const from = text.data();
  const std::size_t size = text.size();
  if (size > 64) {
    std::memcpy(out, from, size);
  } else if (size >= 16) {
    for (std::size_t i = 0; i + 16 < size; i += 16) std::memcpy(out + i, from + i, 16);
    std::memcpy(out + size - 16, from + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(out, from, 8);
    std::memcpy(out + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(out, from, 4);
    std::memcpy(out + size - 4, from + size - 4, 4);
  } else if (size > 0) {
    out[0] = from[0];
    out[size / 2] = from[size / 2];
    out[size - 1] = from[size - 1];
  }
  return out + size;
}

// Each function with an `out` writes there and returns how much; with a null `out` it only counts. Nothing is
// terminated. Every ill-formed piece of UTF-8 becomes one U+FFFD, as the WHATWG encoding standard cuts the pieces.
// Threads: any. Blocks: never.

// The inside of a JSON string.
std::size_t write_json_text(std::string_view text, char* out) noexcept;
constexpr std::size_t json_growth_max = 6;  // a control character becomes \u001f

// Percent-encodes all but RFC 3986's unreserved characters; a slash stays when `keep_slash`.
std::size_t write_percent_encoded(std::string_view text, bool keep_slash, char* out) noexcept;
constexpr std::size_t percent_growth_max = 9;  // a byte that is no UTF-8 becomes U+FFFD, three times %XX

// A caller's URL: kept, with only that percent-encoded which java.net.URI could not parse. Needs no JSON escapes.
std::size_t write_repaired_url(std::string_view url, char* out) noexcept;

// The same for what stands behind its #.
std::size_t write_repaired_fragment(std::string_view fragment, char* out) noexcept;

// scheme://something, which is a caller's URL and no screen name.
bool is_url(std::string_view text) noexcept;

// [a-z][a-z0-9_]{0,63}
bool is_member_name(std::string_view name) noexcept;

// [a-z0-9][a-z0-9.-]{0,127}
bool is_app_id(std::string_view id) noexcept;

// YYYY-MM-DDTHH:MM:SS.mmmZ, always 24 characters.
constexpr std::size_t time_text_size = 24;
// Year 1 and the end of year 9999; times outside are no times.
constexpr std::int64_t time_unix_ms_min = -62'135'596'800'000;
constexpr std::int64_t time_unix_ms_max = 253'402'300'799'999;
void write_time(std::int64_t unix_ms, char* out) noexcept;

// UUID version 7 (RFC 9562): the time and 74 bits of chance, system::uuid_text_size characters.
void write_uuid7(std::int64_t unix_ms, std::uint64_t chance_high, std::uint64_t chance_low, char* out) noexcept;

// Sixteen hexadecimal digits.
void write_hex64(std::uint64_t value, char* out) noexcept;

}  // namespace yukha::compose
