#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "send/endpoint.hpp"
#include "send/gzip.hpp"
#include "send/retry.hpp"
#include "send/signer.hpp"
#include "send/verdict.hpp"
#include "support.hpp"
#include "system/base64.hpp"
#include "system/crypto.hpp"

using namespace yukha;
using namespace yukha::send;

namespace {

const std::string rfc_secret =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

std::string decoded(std::string_view text) {
  std::string bytes;
  REQUIRE(system::from_base64(text, bytes));
  return bytes;
}

std::string signature_of(std::string_view secret, std::string_view base) {
  const system::Sha256 digest = system::hmac_sha256(secret, base);
  return system::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::map<std::string, std::string> headers_of(const Endpoint& endpoint, const RequestFacts& facts, const Key* key) {
  std::map<std::string, std::string> headers;
  std::vector<HttpHeader> list;
  REQUIRE(request_headers(endpoint, facts, key, nullptr, list));
  for (const HttpHeader& one : list) {
    CHECK_MESSAGE(headers.emplace(one.name, one.value).second, "twice: " << one.name);
  }
  return headers;
}

Endpoint endpoint_of(std::string_view url, bool allow_plain_http = false) {
  Endpoint endpoint;
  const Status status = parse_endpoint(url, allow_plain_http, endpoint);
  CHECK_MESSAGE(status == Code::ok, status.message());
  return endpoint;
}

HttpAnswer answer_of(int status, std::string body = {}, std::vector<HttpHeader> headers = {}) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.headers = std::move(headers);
  return answer;
}

constexpr std::int64_t now_unix_ms = 1'779'421'925'301;  // Fri, 22 May 2026 03:52:05 GMT

Judgement judged(const HttpAnswer& answer, std::size_t lines = 3) {
  return judge(answer, lines, now_unix_ms / 1000, now_unix_ms);
}

}  // namespace

// --- the request -----------------------------------------------------------------------------------------------------

TEST_CASE("the signature of RFC 9421 B.2.5 is reproduced") {
  const std::string base = signature_base(
      {{"date", "Tue, 20 Apr 2021 02:07:55 GMT"}, {"@authority", "example.com"}, {"content-type", "application/json"}},
      "(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"");
  CHECK(base ==
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n"
        "\"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;"
        "keyid=\"test-shared-secret\"");
  CHECK(signature_of(decoded(rfc_secret), base) == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
}

TEST_CASE("the digests of RFC 9530 are reproduced") {
  CHECK(content_digest("{\"hello\": \"world\"}") == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
  CHECK(content_digest("{\"hello\": \"world\"}\n") == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
}

TEST_CASE("a request carries the contract's headers, and a signature another program computed") {
  const Endpoint endpoint = endpoint_of("https://Collect.Example.com:443");
  Key key;
  REQUIRE(decode_key({"app-2026-11", rfc_secret}, false, key) == Code::ok);
  RequestFacts facts;
  facts.idempotency_key = "019e4dcf-ce88-7821-9977-bb8edf363d58.0r";
  facts.body = "the body";
  facts.unix_ms = now_unix_ms;
  facts.offset_ms = -342;
  for (int i = 0; i < 16; ++i) {
    reinterpret_cast<unsigned char*>(facts.nonce)[i] = static_cast<unsigned char>(i);
  }
  std::map<std::string, std::string> headers = headers_of(endpoint, facts, &key);
  CHECK(headers["Content-Type"] == "application/x-ndjson");
  CHECK(headers["Content-Encoding"] == "gzip");
  CHECK(headers["Idempotency-Key"] == "\"019e4dcf-ce88-7821-9977-bb8edf363d58.0r\"");
  CHECK(headers["Yukha-Clock"] == "1779421925301;offset=-342");
  CHECK(headers["Content-Digest"] == "sha-256=:+oJC6Z9IlmylFAkrQjO0RoUfQrV61QMb8TPh3XZ4fz4=:");
  CHECK(headers["Signature-Input"] ==
        "yukha=(\"@method\" \"@authority\" \"@path\" \"content-digest\" \"content-encoding\" \"content-type\" "
        "\"idempotency-key\" \"yukha-clock\");created=1779421924;nonce=\"AAECAwQFBgcICQoLDA0ODw==\";"
        "keyid=\"app-2026-11\";alg=\"hmac-sha256\";tag=\"yukha-v1\"");
  CHECK(headers["Signature"] == "yukha=:2uEP3TQ0Uhquxuk/e/fx0AniKnDf+GuWMMq09PPyO0o=:");
  CHECK(headers.size() == 7);

  facts.offset_ms.reset();
  headers = headers_of(endpoint, facts, &key);
  CHECK(headers["Yukha-Clock"] == "1779421925301");
  CHECK(headers["Signature"] == "yukha=:jE1Crmj7jRJmXBRZoonoXgTi5nSX7Zi0wU9i4vMJVkc=:");

  headers = headers_of(endpoint, facts, nullptr);
  CHECK(headers.size() == 5);
  CHECK(headers.count("Signature") == 0);
}

TEST_CASE("base64 is RFC 4648's, and one text stands for one secret") {
  const std::pair<const char*, const char*> known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : known) {
    CHECK(system::to_base64(bytes) == text);
    CHECK(decoded(text) == bytes);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t size = 0; size <= all.size(); ++size)
    CHECK(decoded(system::to_base64(all.substr(0, size))) == all.substr(0, size));
  std::string bytes;
  for (const char* bad : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "=Zg=", "Zm=v", "Zm9v\n", " Zm9", "Zm9-", "Zm9_",
                          "Zh==", "Zm9=", "Zg==Zg=="}) {
    CHECK_FALSE_MESSAGE(system::from_base64(bad, bytes), std::string(bad));
  }
}

TEST_CASE("a key is refused for what is wrong with it, and its secret is never told") {
  const std::string secret = system::to_base64(std::string(16, 's'));
  Key key;
  CHECK(decode_key({"id", secret}, false, key) == Code::ok);
  CHECK(decode_key({std::string(128, 'k'), system::to_base64(std::string(256, 's'))}, false, key) == Code::ok);
  const SigningKey bad[] = {{"", secret},
                            {std::string(129, 'k'), secret},
                            {"a\"b", secret},
                            {"a\\b", secret},
                            {"a\nb", secret},
                            {"\xC3\xA4", secret},
                            {"id", secret.substr(0, secret.size() - 1)},
                            {"id", "not base64 at all!!!"},
                            {"id", system::to_base64(std::string(15, 's'))},
                            {"id", system::to_base64(std::string(257, 's'))},
                            {"id", ""}};
  for (const SigningKey& one : bad) {
    const Status status = decode_key(one, false, key);
    CHECK(status == Code::bad_key);
    if (one.secret_base64.size() > 4) CHECK(status.message().find(one.secret_base64) == std::string::npos);
  }
}

// --- the endpoint ----------------------------------------------------------------------------------------------------

TEST_CASE("an endpoint's URL is taken apart as signing needs it") {
  struct Good {
    const char* url;
    const char* authority;
    const char* path;
    bool loopback;
  };
  const Good good[] = {
      {"https://collect.example.com", "collect.example.com", "/v1/events", false},
      {"HTTPS://Collect.Example.COM:443/In", "collect.example.com", "/In", false},
      {"https://collect.example.com:8443/", "collect.example.com:8443", "/", false},
      {"http://localhost:8080/v1/events", "localhost:8080", "/v1/events", true},
      {"http://127.0.0.1:80", "127.0.0.1", "/v1/events", true},
      {"http://127.1.2.3:443", "127.1.2.3:443", "/v1/events", true},
      {"http://[::1]:8080/x", "[::1]:8080", "/x", true},
      {"https://[2001:DB8::1]/x", "[2001:db8::1]", "/x", false},
      {"http://a.localhost/x", "a.localhost", "/x", true},
      {"https://h/a%20b;c=1", "h", "/a%20b;c=1", false},
  };
  for (const Good& one : good) {
    CAPTURE(std::string(one.url));
    const Endpoint endpoint = endpoint_of(one.url);
    CHECK(endpoint.authority == one.authority);
    CHECK(endpoint.path == one.path);
    CHECK(endpoint.loopback == one.loopback);
    CHECK(endpoint.url == endpoint.scheme + "://" + one.authority + one.path);
  }
}

TEST_CASE("what is not a URL to post to is refused") {
  Endpoint endpoint;
  for (const char* url : {"",
                          "collect.example.com",
                          "ftp://h/",
                          "://h",
                          "https://",
                          "https:///v1",
                          "https://:443/",
                          "https://h:0/",
                          "https://h:65536/",
                          "https://h:123456/",
                          "https://h:abc/",
                          "https://h:80:90/",
                          "https://u:p@h/",
                          "https://h/?q=1",
                          "https://h/#f",
                          "https://h?",
                          "https://h /",
                          "https://h/\n",
                          "https://h/\"",
                          "https://h\\x",
                          "https://[::1/",
                          "https://[zz]/",
                          "https://[::1]x/",
                          "https://[]/",
                          "https://[abc]/",
                          "https://h[::1]/",
                          "https://\xED\x95\x9C/",
                          "mailto:a@b",
                          "https://a,b/",
                          "https://a%41/"}) {
    CHECK_MESSAGE(parse_endpoint(url, true, endpoint) == Code::bad_endpoint, std::string(url));
  }
  CHECK(parse_endpoint("https://h/" + std::string(2048, 'x'), true, endpoint) == Code::bad_endpoint);
}

TEST_CASE("plain http is for loopback unless it is asked for") {
  Endpoint endpoint;
  for (const char* url :
       {"http://h/", "http://128.0.0.1/", "http://127.0.0.1.example.com/", "http://localhost.example.com/",
        "http://10.0.0.1/", "http://[::2]/", "http://notlocalhost/"}) {
    CHECK_MESSAGE(parse_endpoint(url, false, endpoint) == Code::plain_http, std::string(url));
    CHECK_MESSAGE(parse_endpoint(url, true, endpoint) == Code::ok, std::string(url));
  }
}

TEST_CASE("a password in an endpoint's URL is never told") {
  Endpoint endpoint;
  for (const char* url : {"https://u:hunter2@h/", "https://u:hunter2@h /", "ftp://u:hunter2@h/", "u:hunter2@h/",
                          "https://u:hunter2@h:abc/", "https://h/v1?token=hunter2"}) {
    const Status status = parse_endpoint(url, true, endpoint);
    CHECK(status == Code::bad_endpoint);
    CHECK_MESSAGE(status.message().find("hunter2") == std::string::npos, std::string(url));
  }
}

TEST_CASE("a redirect is followed within its origin alone") {
  const Endpoint from = endpoint_of("https://collect.example.com/v1/events");
  Endpoint to;
  REQUIRE(same_origin_redirect(from, "/v2/events", to));
  CHECK(to.path == "/v2/events");
  CHECK(to.url == "https://collect.example.com/v2/events");
  REQUIRE(same_origin_redirect(from, "https://COLLECT.example.com:443/v2", to));
  CHECK(to.path == "/v2");
  for (const char* location :
       {"", "//evil.example.com/v1", "https://other.example.com/v1/events", "http://collect.example.com/v2",
        "https://collect.example.com:8443/v2", "https://collect.example.com.evil.com/",
        "https://u@collect.example.com/", "/v2?x=1", "/v 2", "/v2\r\nX: y", "javascript:alert(1)"}) {
    CHECK_FALSE_MESSAGE(same_origin_redirect(from, location, to), std::string(location));
  }
}

// --- the answer ------------------------------------------------------------------------------------------------------

TEST_CASE("every status from 0 to 699 has the contract's verdict") {
  // CONTRACT.md, "Answers", row by row; what stands in no row is a wrong configuration.
  std::map<int, Verdict> table = {{0, Verdict::outage}, {200, Verdict::delivered}};
  for (const int status : {201, 202, 204, 206}) table[status] = Verdict::outage;
  table[413] = Verdict::too_large;
  table[400] = Verdict::unnamed;
  for (const int status : {401, 403}) table[status] = Verdict::not_allowed;
  for (const int status : {409, 425}) table[status] = Verdict::later;
  for (const int status : {307, 308}) table[status] = Verdict::moved;
  for (const int status : {408, 429}) table[status] = Verdict::outage;
  for (int status = 500; status < 600; ++status) table[status] = Verdict::outage;
  table.erase(501);
  table.erase(505);
  for (int status = 0; status < 700; ++status) {
    const auto row = table.find(status);
    const Verdict expected = row == table.end() ? Verdict::misconfigured : row->second;
    CHECK_MESSAGE(verdict_of_status(status) == expected, status << " is " << verdict_name(verdict_of_status(status)));
  }
  for (const int status : {-1, 700, 999, 1 << 30}) CHECK(verdict_of_status(status) == Verdict::misconfigured);
}

TEST_CASE("every verdict has a name of its own") {
  std::map<std::string, int> names;
  for (int i = 0; i < verdict_count; ++i) ++names[verdict_name(static_cast<Verdict>(i))];
  CHECK(names.size() == verdict_count);
  CHECK(names.count("") == 0);
}

TEST_CASE("a 200 that was cut or bent anywhere never settles lines it does not count") {
  const std::string good =
      R"({"accepted":2,"rejected":[{"line":2,"id":"019e4dcf-d07c-7878-8e6c-69d8fbaf979d","reason":"x"}]})";
  REQUIRE(judged(answer_of(200, good)).verdict == Verdict::delivered);
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    const Judgement judgement = judged(answer_of(200, good.substr(0, cut)));
    CHECK(judgement.verdict == Verdict::outage);
    CHECK(judgement.rejected.empty());
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bent = good;
      bent[at] = static_cast<char>(byte);
      const Judgement judgement = judged(answer_of(200, bent));
      if (judgement.verdict == Verdict::delivered) {
        CHECK(judgement.rejected.size() == 1);
      } else {
        CHECK(judgement.verdict == Verdict::outage);
        CHECK(judgement.rejected.empty());
      }
    }
  }
}

TEST_CASE("a 200 with impossible numbers is an outage") {
  for (const char* body : {"null",
                           "3",
                           "\"accepted\"",
                           "[3]",
                           R"({"accepted":3})",
                           R"({"accepted":null,"rejected":[]})",
                           R"({"accepted":3,"rejected":null})",
                           R"({"accepted":18446744073709551616,"rejected":[]})",
                           R"({"accepted":18446744073709551615,"rejected":[{},{},{},{}]})",
                           R"({"accepted":2,"rejected":[1]})",
                           R"({"accepted":2,"rejected":[{}]})",
                           R"({"accepted":2,"rejected":[{"line":"1"}]})",
                           R"({"accepted":2,"rejected":[{"line":-1,"id":""}]})",
                           R"({"accepted":2,"rejected":[{"line":1.0,"id":""}]})",
                           R"({"accepted":2,"rejected":[{"line":4,"id":""}]})",
                           R"({"accepted":2,"rejected":[{"line":0,"id":"x"}]})",
                           R"({"accepted":1,"rejected":[{"line":1,"id":""},{"line":1,"id":""}]})",
                           R"({"accepted":3.0,"rejected":[]})",
                           R"({"accepted":3,"rejected":[]}{})",
                           "\xEF\xBB\xBF{}"}) {
    CHECK_MESSAGE(judged(answer_of(200, body)).verdict == Verdict::outage, std::string(body));
  }
  CHECK(judged(answer_of(200, std::string(1 << 20, '['))).verdict == Verdict::outage);
}

TEST_CASE("what an endpoint says about a line is kept to a bounded length") {
  const std::string reason(100'000, 'r');
  const Judgement judgement =
      judged(answer_of(200, R"({"accepted":2,"rejected":[{"line":1,"id":"","reason":")" + reason + "\"}]}"));
  REQUIRE(judgement.rejected.size() == 1);
  CHECK(judgement.rejected[0].reason.size() <= 4096);
  CHECK(judged(answer_of(401, "{\"error\":\"" + reason + "\"}")).words.size() <= 4096);
}

TEST_CASE("an HTTP date is read to the second, and nothing else is") {
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784'111'777'000);
  CHECK(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(parse_http_date("Tue, 29 Feb 2000 23:59:59 GMT") == 951'868'799'000);
  CHECK(parse_http_date("Fri, 01 Mar 2024 00:00:00 GMT") == 1'709'251'200'000);
  CHECK(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT") == 253'402'300'799'000);
  for (const char* bad :
       {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1969 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08.49:37 GMT", "Sun; 06 Nov 1994 08:49:37 GMT"}) {
    CHECK_FALSE_MESSAGE(parse_http_date(bad).has_value(), std::string(bad));
  }
}

TEST_CASE("Retry-After is seconds or a date by the endpoint's own clock, at most an hour") {
  const auto wait = [](const char* text, std::vector<HttpHeader> headers = {}) {
    headers.push_back({"retry-after", text});
    return judged(answer_of(503, {}, std::move(headers))).retry_after_ms;
  };
  CHECK(wait("0") == 0);
  CHECK(wait("2") == 2000);
  CHECK(wait("3600") == 3'600'000);
  CHECK(wait("3601") == 3'600'000);
  CHECK(wait("2147483647") == 3'600'000);
  CHECK(wait("2147483648") == 3'600'000);
  CHECK(wait("999999999") == 3'600'000);
  CHECK(wait("99999999999999999999999") == 3'600'000);
  for (const char* bad : {"", "soon", "-5", "1.5", "+1", " 1", "1 ", "0x10"})
    CHECK_FALSE_MESSAGE(wait(bad).has_value(), std::string(bad));
  CHECK(wait("Fri, 22 May 2026 03:52:15 GMT") == 9'699);
  CHECK(wait("Fri, 22 May 2026 03:52:15 GMT", {{"date", "Fri, 22 May 2026 03:52:05 GMT"}}) == 10'000);
  // The device's clock may be wrong by years; the endpoint's two dates agree.
  CHECK(wait("Sun, 06 Nov 1994 08:49:37 GMT", {{"date", "Sun, 06 Nov 1994 08:49:07 GMT"}}) == 30'000);
  CHECK(wait("Fri, 22 May 2026 05:52:15 GMT") == 3'600'000);
  CHECK(wait("Wed, 21 May 2025 03:52:15 GMT") == 0);
}

// --- patience --------------------------------------------------------------------------------------------------------

TEST_CASE("a wait is spread evenly below its ceiling, which doubles up to its end") {
  test::SeededDice seed(4);
  system::DiceCup dice(seed);
  for (const Backoff& backoff : {usual_backoff, long_backoff}) {
    for (const std::int64_t failures : {1, 2, 3, 5, 8, 9, 20, 1000}) {
      std::int64_t ceiling = backoff.first_ms;
      for (std::int64_t i = 1; i < failures && ceiling < backoff.most_ms; ++i) ceiling *= 2;
      ceiling = std::min(ceiling, backoff.most_ms);
      constexpr int throws = 4000;
      std::int64_t sum = 0;
      std::int64_t most = 0;
      std::int64_t least = INT64_MAX;
      for (int i = 0; i < throws; ++i) {
        const std::int64_t wait = wait_after(failures, dice, backoff);
        CHECK(wait >= 0);
        CHECK(wait <= ceiling);
        sum += wait;
        most = std::max(most, wait);
        least = std::min(least, wait);
      }
      // The mean of so many even throws lies within 1 % of the half, but for one seed in 25,000.
      CHECK(std::abs(sum / throws - ceiling / 2) < ceiling / 50);
      CHECK(most > ceiling * 99 / 100);
      CHECK(least < ceiling / 100);
    }
  }
  CHECK(wait_after(INT64_MAX, dice, usual_backoff) <= usual_backoff.most_ms);
  CHECK(wait_after(0, dice, usual_backoff) <= usual_backoff.first_ms);
  CHECK(usual_backoff.first_ms == 1000);
  CHECK(usual_backoff.most_ms == 300'000);
  CHECK(long_backoff.first_ms == 60'000);
  CHECK(long_backoff.most_ms == 3'600'000);
}

TEST_CASE("true time is unknown until an answer had a Date, then within half a second and half the way") {
  ClockOffset offset;
  CHECK_FALSE(offset.true_unix_ms(0).has_value());
  offset.learn(5'000'000, 1000, 1200);
  // Date + 500 ms at the round trip's midpoint.
  CHECK(offset.true_unix_ms(1100) == 5'000'500);
  CHECK(offset.true_unix_ms(2100) == 5'001'500);
}

TEST_CASE("each answer narrows what is known of true time, whatever their phases") {
  ClockOffset offset;
  const std::int64_t true_minus_monotonic = 1'779'421'000'337;
  std::int64_t error = INT64_MAX;
  for (int i = 0; i < 40; ++i) {
    const std::int64_t sent = 10'000 + i * 9'973;
    const std::int64_t there = sent + 40;
    const std::int64_t received = sent + 90;
    offset.learn((there + true_minus_monotonic) / 1000 * 1000, sent, received);
    const auto known = offset.true_unix_ms(received);
    REQUIRE(known.has_value());
    error = std::abs(*known - received - true_minus_monotonic);
    CHECK(error <= 550);
  }
  CHECK(error <= 60);
}

TEST_CASE("a wall clock that jumped makes true time unknown, one that is slewed does not") {
  ClockOffset offset;
  offset.watch(1'000'000, 0);
  offset.learn(5'000'000, 0, 100);
  offset.watch(1'000'900, 100);
  CHECK(offset.true_unix_ms(100).has_value());
  offset.watch(1'001'700, 200);
  CHECK(offset.true_unix_ms(200).has_value());
  offset.watch(1'001'800 + 1'002, 300);
  CHECK_FALSE(offset.true_unix_ms(300).has_value());
  offset.learn(5'000'000, 300, 400);
  CHECK(offset.true_unix_ms(400).has_value());
  offset.watch(0, 500);
  CHECK_FALSE(offset.true_unix_ms(500).has_value());
}

TEST_CASE("an endpoint that changed its mind about the time is believed") {
  ClockOffset offset;
  offset.learn(5'000'000, 0, 0);
  offset.learn(9'000'000, 1000, 1000);
  CHECK(offset.true_unix_ms(1000) == 9'000'500);
}

// --- gzip ------------------------------------------------------------------------------------------------------------

TEST_CASE("what is compressed comes back, and the same bytes give the same member") {
  test::SeededDice dice(9);
  for (const std::size_t size :
       std::initializer_list<std::size_t>{0, 1, 10, 1000, 65'535, 65'536, 65'537, 131'072, 1'000'000}) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(dice.below(size % 2 == 0 ? 256 : 7));
    const std::string member = gzip(bytes);
    REQUIRE(member.size() >= 18);
    CHECK(gzip(bytes) == member);
    // No name, no time: nothing that differs between two makings.
    CHECK(member.substr(0, 4) == std::string("\x1F\x8B\x08\x00", 4));
    CHECK(member.substr(4, 4) == std::string(4, '\0'));
    std::string back;
    REQUIRE(gunzip(member, size, back));
    CHECK(back == bytes);
    if (size > 0) CHECK_FALSE(gunzip(member, size - 1, back));
  }
}

TEST_CASE("a member that is cut, bent, doubled or followed by something is refused") {
  const std::string bytes(3000, 'a');
  const std::string member = gzip(bytes);
  std::string back;
  for (std::size_t cut = 0; cut < member.size(); ++cut) CHECK_FALSE(gunzip(member.substr(0, cut), 1 << 20, back));
  for (std::size_t at = 0; at < member.size(); ++at) {
    std::string bent = member;
    bent[at] = static_cast<char>(bent[at] ^ 0x10);
    // The head's time, flags and system are not covered by a checksum.
    if (gunzip(bent, 1 << 20, back)) CHECK(back == bytes);
  }
  CHECK_FALSE(gunzip(member + member, 1 << 20, back));
  CHECK_FALSE(gunzip(member + "x", 1 << 20, back));
  CHECK_FALSE(gunzip("x" + member, 1 << 20, back));
}

TEST_CASE("a bomb is stopped at the limit") {
  const std::string member = gzip(std::string(50 << 20, '\0'));
  CHECK(member.size() < 100'000);
  std::string back;
  CHECK_FALSE(gunzip(member, 1 << 20, back));
  CHECK(back.size() <= (1 << 20) + 64 * 1024);
}
