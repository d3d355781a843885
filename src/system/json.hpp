// JSON from elsewhere. nlohmann_json reads it; the tree is our own, because its own is a fifth of the library's code.
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
  std::string name;  // of a member
  std::string text;  // of a scalar
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
