// JSON from elsewhere (RFC 8259). The reader is our own: others read a number into a double, where -0, 1E400 and forty
// digits lose what they came with, and they do not say where a value stood.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace yukha::system {

// A value, with what is inside of it in the order of the document. Numbers keep the text they came with.
struct Json {
  enum class Kind : std::uint8_t { none, null, boolean, number, string, array, object };

  Kind kind = Kind::none;
  std::uint32_t at = 0;  // the offset of its first byte; of no JSON: of the byte where that shows
  std::string name;      // of a member
  std::string text;      // of a scalar; of no JSON: what is wrong there
  std::vector<Json> inside;

  bool is(Kind what) const noexcept { return kind == what; }
  // The first member of that name, or one of kind none.
  const Json& operator[](std::string_view member) const noexcept;
  // A number without sign, point or exponent, of 64 bits.
  std::optional<std::uint64_t> whole() const noexcept;
};

// Kind none when it is no JSON, has more than 8 levels or more than 10,000 values: nothing that is read here has, and
// brackets within brackets would take forty times their bytes.
Json read_json(std::string_view text);

}  // namespace yukha::system
