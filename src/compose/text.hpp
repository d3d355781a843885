// Text as the line needs it: valid UTF-8, escaped for JSON or for a URL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace yukha::compose {

// Each function with an `out` writes there and returns how much; with a null `out` it only counts. Nothing is
// terminated. Every ill-formed piece of UTF-8 becomes one U+FFFD, as the WHATWG encoding standard cuts the pieces.
// Threads: any. Blocks: never.

// The inside of a JSON string.
std::size_t write_json_text(std::string_view text, char* out) noexcept;

// Percent-encodes all but RFC 3986's unreserved characters; a slash stays when `keep_slash`.
std::size_t write_percent_encoded(std::string_view text, bool keep_slash, char* out) noexcept;

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
