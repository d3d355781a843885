#include "system/json.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace {

using yukha::system::Json;
using yukha::system::read_json;
using Theirs = nlohmann::json;

// True when both say the same; a number is the same when its text is read to be.
bool same(const Json& ours, const Theirs& theirs) {
  switch (ours.kind) {
    case Json::Kind::none:
      return false;
    case Json::Kind::null:
      return theirs.is_null();
    case Json::Kind::boolean:
      return theirs.is_boolean() && theirs.get<bool>() == (ours.text == "true");
    case Json::Kind::number:
      return theirs.is_number() && Theirs::parse(ours.text) == theirs;
    case Json::Kind::string:
      return theirs.is_string() && theirs.get_ref<const std::string&>() == ours.text;
    case Json::Kind::array: {
      if (!theirs.is_array() || theirs.size() != ours.inside.size()) return false;
      for (std::size_t i = 0; i < theirs.size(); ++i) {
        if (!same(ours.inside[i], theirs[i])) return false;
      }
      return true;
    }
    case Json::Kind::object:
      break;
  }
  if (!theirs.is_object()) return false;
  for (const auto& [name, value] : theirs.items()) {
    // The last one of a name is theirs.
    const Json* found = nullptr;
    for (const Json& one : ours.inside) found = one.name == name ? &one : found;
    if (found == nullptr || !same(*found, value)) return false;
  }
  return true;
}

// What only one of us takes: a NUL ends their text, and numbers beyond a double are none to them.
void compare(const std::string& text) {
  if (text.find('\0') != std::string::npos) return;
  const Json ours = read_json(text);
  const Theirs theirs = Theirs::parse(text, nullptr, false);
  CAPTURE(text);
  if (!theirs.is_discarded()) {
    CHECK(same(ours, theirs));
    return;
  }
  if (ours.is(Json::Kind::none)) {
    CHECK(ours.at <= text.size());
    CHECK_FALSE(ours.text.empty());
    return;
  }
  bool beyond = false;
  try {
    const Theirs none = Theirs::parse(text);
  } catch (const Theirs::out_of_range&) {
    beyond = true;
  } catch (const Theirs::parse_error&) {
  }
  CHECK(beyond);
}

const char* const samples[] = {
    R"({"user":{"id":"u_1","plan":"free"},"location":{"screen":"FEED","y":3},"content":{"id":913,"price":1.5,"new":true},
        "action":{"type":"READ","duration_ms":10000,"depth":null},"at_unix_ms":1779421920123,"a":[1,-2.5e-3,[],{}]})",
    "{\"t\":\"\\u0041\\ud83d\\udc4d\\\"\\\\\\/\\b\\f\\n\\r\\t 읽기 \xF0\x9F\x91\x8D\"}",
    " \t\r\n[ -0 , 0.0 , 1E+9 , 12e-3 , false , null , \"\" ] ",
    "\xEF\xBB\xBF{\"accepted\":1,\"rejected\":[]}",
};

}  // namespace

TEST_CASE("JSON is read as another reader reads it, whole, cut anywhere, and with any byte changed") {
  std::mt19937 random(16);
  for (const std::string text : samples) {
    compare(text);
    for (std::size_t at = 0; at <= text.size(); ++at) {
      compare(text.substr(0, at));
      for (const char byte : {'"', '\\', '{', '}', '[', ']',    ',',    ':',    '0',    '9',
                              '-', '.',  'e', 'u', ' ', '\x1F', '\xC3', '\xED', '\xA0', '\xF4'}) {
        std::string changed = text;
        if (at < text.size()) changed[at] = byte;
        compare(changed);
        compare(text.substr(0, at) + byte + text.substr(at));
      }
    }
    for (int i = 0; i < 3000; ++i) {
      std::string changed = text;
      for (int k = 0; k < 3; ++k) changed[random() % changed.size()] = static_cast<char>(random());
      compare(changed);
    }
  }
}

TEST_CASE("every escape of 16 bits is read as another reader reads it") {
  const char digits[] = "0123456789abcdefABCDEF";
  for (unsigned code = 0; code < 0x10000; code += code < 0x300 || (code >= 0xD700 && code < 0xE100) ? 1 : 37) {
    std::string escape = "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) escape += digits[code >> shift & 15];
    for (const std::string& text : {escape, escape + "\\uDC00", escape + "\\udfff", escape + "\\ue000", escape + "x"})
      compare("\"" + text + "\"");
  }
}

TEST_CASE("what is no JSON is told with the byte where it shows") {
  CHECK(read_json("").at == 0);
  CHECK(read_json("[1,,2]").at == 3);
  CHECK(read_json("[1 2]").text == "a comma or ] is missing");
  CHECK(read_json("{\"a\"=1}").text == "a colon is missing");
  CHECK(read_json("[-]").text == "a digit is missing");
  CHECK(read_json("[1.]").text == "a digit is missing");
  CHECK(read_json("[1e]").text == "a digit is missing");
  CHECK(read_json("\"\\x\"").text == "there is no such escape");
  CHECK(read_json("\"\\u12g4\"").at == 5);
  CHECK(read_json("\"abc").text == "a quote is missing");
  CHECK(read_json(std::string("[1]\0", 4)).at == 3);
  CHECK(read_json("[[[[[[[[1]]]]]]]]").is(Json::Kind::array));
  CHECK(read_json("[[[[[[[[[1]]]]]]]]]").at == 8);
  std::string many = "[0";
  for (int i = 0; i < 10'000; ++i) many += ",0";
  CHECK(read_json(many + "]").text == "it has more than 10,000 values");
  CHECK(read_json("{\"a\":7}")["a"].at == 5);
}
