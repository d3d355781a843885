// Small pure functions over text: base64, time stamps, UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace collector {

// Strict base64 (RFC 4648): full alphabet, padding required, no white space; nothing when it is not that.
std::optional<std::string> base64_decoded(std::string_view text);
std::string base64_encoded(std::string_view bytes);

// "2026-05-22T03:52:00.123Z"
std::string rfc3339_ms(std::int64_t unix_ms);
// "Fri, 22 May 2026 03:52:00 GMT", the form the Date header asks for.
std::string http_date(std::int64_t unix_ms);

// Length of the well-formed UTF-8 sequence (no surrogates, nothing overlong) that begins at `bytes`, 0 when there is
// none.
std::size_t utf8_length_at(const unsigned char* bytes, const unsigned char* end);
bool is_utf8(std::string_view text);
// At most so many bytes from its beginning, and no part of a character: half of one cannot stand in an answer.
std::string_view cut_to(std::string_view utf8, std::size_t bytes_max);

// The first byte that no JSON text has anywhere: a control character that is no white space. A reader of JSON may take
// NUL for the end of its input, and accept whatever stands behind it. `npos` when there is none.
std::size_t control_character_in(std::string_view json);

std::string lower_ascii(std::string_view text);

// A whole decimal number, nothing before or after it; nothing when it is not one or does not fit.
std::optional<std::int64_t> whole_number(std::string_view text);
std::optional<double> decimal_number(std::string_view text);

// The lines of a body. What stands after the last newline is a line too, when it is not empty.
std::vector<std::string_view> lines_of(std::string_view body);

// A body of a thousand newlines and no sentence must not become a thousand views: the count comes first.
std::size_t count_lines(std::string_view body);

}  // namespace collector
