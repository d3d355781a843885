#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "compose/text.hpp"

using namespace yukha;

namespace {

std::string json_text(std::string_view text) {
  std::string out(compose::write_json_text(text, nullptr), '\0');
  CHECK(compose::write_json_text(text, out.data()) == out.size());
  return out;
}

std::string encoded(std::string_view text, bool keep_slash = false) {
  std::string out(compose::write_percent_encoded(text, keep_slash, nullptr), '\0');
  CHECK(compose::write_percent_encoded(text, keep_slash, out.data()) == out.size());
  return out;
}

std::string repaired(std::string_view url) {
  std::string out(compose::write_repaired_url(url, nullptr), '\0');
  CHECK(compose::write_repaired_url(url, out.data()) == out.size());
  return out;
}

std::string time_text(std::int64_t unix_ms) {
  std::string out(compose::time_text_size, '\0');
  compose::write_time(unix_ms, out.data());
  return out;
}

}  // namespace

TEST_CASE("every byte in every place of a word comes back through another JSON reader") {
  for (int place = 0; place < 17; ++place) {
    for (int byte = 0; byte < 128; ++byte) {
      std::string text(17, 'x');
      text[static_cast<std::size_t>(place)] = static_cast<char>(byte);
      CHECK(nlohmann::json::parse("\"" + json_text(text) + "\"").get<std::string>() == text);
    }
  }
}

TEST_CASE("ill-formed UTF-8 becomes U+FFFD, a piece at a time, and well-formed stays") {
  CHECK(json_text("\xED\x95\x9C\xF0\x9F\x98\x80") == "\xED\x95\x9C\xF0\x9F\x98\x80");
  const std::string r = "\xEF\xBF\xBD";
  CHECK(json_text("a\xFFz") == "a" + r + "z");
  CHECK(json_text("\xC0\xAF") == r + r);          // overlong
  CHECK(json_text("\xED\xA0\x80") == r + r + r);  // a surrogate
  CHECK(json_text("\xF0\x9F\x98") == r);          // cut off
  CHECK(json_text("\xF0\x9F\x98"
                  "a") == r + "a");
  CHECK(json_text("\xE2\x82") == r);
  CHECK(json_text("\xF4\x90\x80\x80") == r + r + r + r);  // above U+10FFFF
  CHECK(json_text(std::string_view("\0", 1)) == "\\u0000");
}

TEST_CASE("every two and three byte sequence gives text that another reader takes") {
  for (int first = 0x80; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const char text[] = {static_cast<char>(first), static_cast<char>(second), 'x'};
      const auto parsed = nlohmann::json::parse("\"" + json_text({text, 3}) + "\"", nullptr, false);
      CHECK_MESSAGE(parsed.is_string(), first << " " << second);
    }
  }
}

TEST_CASE("locations are percent-encoded with %20, never plus") {
  CHECK(encoded("a b+c&d=e/f") == "a%20b%2Bc%26d%3De%2Ff");
  CHECK(encoded("level/3", true) == "level/3");
  CHECK(encoded("\xED\x95\x9C") == "%ED%95%9C");
  CHECK(encoded("\xFF") == "%EF%BF%BD");
}

TEST_CASE("a caller's URL is kept, and mended only where java.net.URI would stop") {
  CHECK(repaired("https://a.example/x?y=1&z=[2]#f") == "https://a.example/x?y=1&z=[2]#f");
  CHECK(repaired("https://a.example/a b") == "https://a.example/a%20b");
  CHECK(repaired("https://a.example/%zz%41") == "https://a.example/%25zz%41");
  CHECK(repaired("https://a.example/x#a#b") == "https://a.example/x#a%23b");
  CHECK(repaired("https://[::1]:8080/") == "https://[::1]:8080/");
  CHECK(repaired("https://a.example/[x]") == "https://a.example/%5Bx%5D");
  CHECK(repaired("app://x/\xED\x95\x9C") == "app://x/\xED\x95\x9C");
  CHECK(repaired("app://x/\xE3\x80\x80") == "app://x/%E3%80%80");
  CHECK_FALSE(compose::is_url("FEED"));
  CHECK_FALSE(compose::is_url("http://"));
  CHECK_FALSE(compose::is_url("1a://b"));
  CHECK(compose::is_url("app://x"));
}

TEST_CASE("times are RFC 3339 in UTC with milliseconds, from year 1 to 9999") {
  CHECK(time_text(0) == "1970-01-01T00:00:00.000Z");
  CHECK(time_text(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(time_text(1'779'421'920'123) == "2026-05-22T03:52:00.123Z");
  CHECK(time_text(951'782'400'000) == "2000-02-29T00:00:00.000Z");
  CHECK(time_text(compose::time_unix_ms_min) == "0001-01-01T00:00:00.000Z");
  CHECK(time_text(compose::time_unix_ms_max) == "9999-12-31T23:59:59.999Z");
  CHECK(time_text(INT64_MIN) == "0001-01-01T00:00:00.000Z");
  CHECK(time_text(INT64_MAX) == "9999-12-31T23:59:59.999Z");
}

TEST_CASE("member names are what the contract says, at every length around the limit") {
  CHECK(compose::is_member_name("a"));
  CHECK(compose::is_member_name(std::string(64, 'a')));
  CHECK_FALSE(compose::is_member_name(std::string(65, 'a')));
  for (const char* bad : {"", "A", "1a", "_a", "a-b", "a.b", "a b", "\xC3\xA4"})
    CHECK_FALSE(compose::is_member_name(bad));
}
