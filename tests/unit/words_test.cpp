// What people read: messages, notices, reasons and the last trouble.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <yukha/yukha.h>
#include <yukha/yukha.hpp>

#include "support.hpp"
#include "system/files.hpp"
#include "system/utf8.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::FakeEndpoint;
using test::TempDirectory;

namespace {

std::string readable(std::string text) {
  system::make_readable(text);
  return text;
}

// A control, a line separator, a mark of direction from each group, half of a character, and what must stay.
const std::string hostile =
    "\x1B[31m \xC2\x85 \xE2\x80\xA8 \xD8\x9C \xE2\x80\x8E \xE2\x80\xAE \xE2\x81\xA6 \xE2\x81\xA9 \xED\x9E";
const std::string kept = " 읽기 שלום \xF0\x9F\x91\x8D \xE2\x80\xA7\xE2\x80\xAF\xE2\x81\xA5\xC2\xA0";

void check_clean(const std::string& text) {
  CAPTURE(text);
  CHECK(text == readable(text));
}

std::string code_point(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x800) return {static_cast<char>(0xC0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

TEST_CASE("text for people has no control, no line end and no mark of direction, and is UTF-8") {
  for (unsigned code = 0; code < 0x11000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    const bool misleads = code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x61C || code == 0x200E ||
                          code == 0x200F || (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
    const std::string one = code_point(code);
    CHECK(readable("a" + one + "b") == (misleads ? "a b" : "a" + one + "b"));
  }
  CHECK(readable(hostile + kept) == " [31m               ?" + kept);
  CHECK(readable("\xFF\xC0\xAF\xED\xA0\x80") == "??????");
  CHECK(readable("").empty());
}

TEST_CASE("whatever a path, a server or an app brings, the texts stay fit to read") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Config config = test::sending_config(directory, endpoint);
  config.log_lines_max = 100;
  config.debug = true;
  std::vector<std::string> logged;
  config.log = [&logged](LogLevel, std::string_view text) { logged.emplace_back(text); };
  std::string reason;
  for (const char c : hostile) {
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(c));
    reason += escaped;
  }
  endpoint->answer = [&](const FakeEndpoint::Request& request) {
    HttpAnswer answer;
    answer.status = 200;
    for (std::size_t line = 1; line <= request.lines.size(); ++line) {
      answer.body += (line == 1 ? "{\"line\":" : ",{\"line\":") + std::to_string(line) + ",\"reason\":\"" + reason +
                     "\xE2\x80\xAE\"}";
    }
    answer.body = "{\"accepted\":0,\"rejected\":[" + answer.body + "]}";
    return answer;
  };
  {
    Tracker tracker = Tracker::open(config);
    REQUIRE(tracker.event().action(hostile, {{"note", hostile}}).track() == Code::ok);
    CHECK(tracker.flush(10s) == Code::ok);
    const std::vector<Quarantined> all = tracker.quarantined();
    REQUIRE(all.size() == 1);
    CHECK(all[0].reason.find("[31m") != std::string::npos);
    check_clean(all[0].reason);
    endpoint->answer = [](const FakeEndpoint::Request&) {
      HttpAnswer answer;
      answer.error = "no route " + hostile;
      return answer;
    };
    REQUIRE(tracker.event().action("READ").track() == Code::ok);
    const Status late = tracker.flush(50ms);
    CHECK(late == Code::still_waiting);
    check_clean(late.message());
    CHECK(tracker.stats().last_trouble.find("no route") != std::string::npos);
    check_clean(tracker.stats().last_trouble);
    const Status named = tracker.track_json("{\"" + readable(kept) + "\\u202e\\n\":1}");
    CHECK(named == Code::not_a_sentence);
    check_clean(named.message());
    check_clean(named.detail());
    for (const LogLine& notice : tracker.take_log_lines()) check_clean(notice.text);
  }
  test::write_file(directory / "a file", "");
  config.queue_dir = directory / "a file/" + hostile;
  Tracker tracker = Tracker::open(config);
  CHECK(tracker.status() == Code::kept_in_memory);
  check_clean(tracker.status().message());
  CHECK(logged.size() >= 4);
  for (const std::string& line : logged) check_clean(line);
}

TEST_CASE("a text that a C host has no room for is cut between two characters") {
  const TempDirectory directory;
  const std::string path = directory.path();
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "shop";
  config.queue_dir = path.c_str();
  config.no_thread = 1;
  yukha_tracker* tracker = yukha_open(&config, nullptr);
  const std::string text = "{\"읽기👍\":1}";
  REQUIRE(yukha_track_json(tracker, text.data(), text.size()) == YUKHA_NOT_A_SENTENCE);
  std::string whole(200, '\0');
  whole.resize(yukha_last_error(tracker, whole.data(), whole.size()));
  REQUIRE(whole.find("읽기👍") != std::string::npos);
  for (std::size_t size = 1; size <= whole.size() + 1; ++size) {
    std::string part(size, 'x');
    CHECK(yukha_last_error(tracker, part.data(), size) == whole.size());
    part.resize(std::strlen(part.c_str()));
    CHECK(part.size() + 4 >= size);
    CHECK(whole.compare(0, part.size(), part) == 0);
    check_clean(part);
  }
  yukha_free(tracker);
}

TEST_CASE("each fault of the file system has words of its own, and its way out") {
  std::set<std::string> texts;
  const int errors[] = {EACCES, EPERM,  EROFS,  ENOENT, ENOTDIR, EISDIR, EEXIST, ELOOP, ENAMETOOLONG,
                        EMFILE, ENFILE, ENOSPC, EDQUOT, EFBIG,   ENOMEM, ENOLCK, EIO};
  for (const int error : errors) {
    const std::string text = system::error_text(error);
    CAPTURE(text);
    CHECK(text[0] == 'E');
    CHECK(text.find(", ") != std::string::npos);
    texts.insert(text);
  }
  CHECK(texts.size() == std::size(errors));
  CHECK(system::error_text(12345) == "errno 12345");
}

TEST_CASE("a message is one cause and one way out") {
  CHECK(Status(Code::disk_error, "queue directory /q (EMFILE, x; y)").message() == "queue directory /q (EMFILE, x; y)");
  CHECK(Status(Code::bad_config, "lane must be a name").message() == "lane must be a name");
  CHECK(Status(Code::repeated_member, "content.a").message() == "content.a: it stands twice in one sentence");
  const TempDirectory directory;
  test::write_file(directory / "a file", "");
  Config config = test::plain_config(directory);
  config.queue_dir = directory / "a file/queue";
  const Tracker tracker = Tracker::open(config);
  CHECK(tracker.status().message() ==
        "queue directory " + config.queue_dir +
            " (ENOTDIR, a part of the path is a file; choose another queue_dir); "
            "sentences are kept in memory, and are lost when the process ends; mend it and open again");
}
