// What a server says, through the judge: headers, dates, redirects' places, rejected lines.
#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "send/verdict.hpp"

using namespace yukha;
using fuzz::promise;

namespace {

std::string_view header(const HttpAnswer& answer, std::string_view name) {
  for (const HttpHeader& one : answer.headers) {
    if (one.name == name) return one.value;
  }
  return {};
}

void check_rejected(const send::Judgement& judgement, std::size_t lines_sent) {
  promise(judgement.rejected.size() <= lines_sent, "an answer names no more lines than were sent");
  std::vector<bool> named(lines_sent + 1);
  for (const send::RejectedLine& one : judgement.rejected) {
    promise(one.line <= lines_sent, "a named line was sent");
    promise(one.line != 0 || !one.id.empty(), "a named line has a number or an id");
    promise(one.id.size() <= 64 && one.reason.size() <= 1024, "what is kept of an answer is bounded");
    if (one.line == 0 || !one.id.empty()) continue;
    promise(!named[one.line], "a line is named by its number once");
    named[one.line] = true;
  }
}

void check_verdict(const HttpAnswer& answer, const send::Judgement& judgement, std::size_t lines_sent) {
  using send::Verdict;
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  switch (judgement.verdict) {
    case Verdict::delivered:
      promise(answer.status == 200 && json.is_object(), "only a 200 with the endpoint's answer in it delivers");
      promise(json["accepted"].get<std::uint64_t>() + judgement.rejected.size() == lines_sent,
              "a delivery accounts for every line");
      promise(json["rejected"].size() == judgement.rejected.size(), "each named line counts once");
      break;
    case Verdict::names_lines:
      promise((answer.status == 400 || answer.status == 422) && !judgement.rejected.empty(), "400 and 422 name lines");
      break;
    case Verdict::moved:
      promise(answer.status == 307 || answer.status == 308, "307 and 308 move");
      promise(judgement.location == header(answer, "location"), "the place is the header's");
      break;
    case Verdict::split:
      promise(answer.status == 409 && json.is_object() && json["error"] == "split", "409 says split in words");
      break;
    case Verdict::unknown_key:
    case Verdict::wrong_clock:
      promise(answer.status == 401, "only a 401 blames key or clock");
      break;
    default:
      break;
  }
  if (judgement.verdict != Verdict::delivered && judgement.verdict != Verdict::names_lines) {
    promise(judgement.rejected.empty(), "no other verdict takes lines away");
  }
  if (answer.status < 100 || answer.status > 599) {
    promise(judgement.verdict == Verdict::outage || judgement.verdict == Verdict::misconfigured,
            "what is no status of HTTP settles nothing");
  }
}

void check_date(std::string_view text) {
  const auto date = send::parse_http_date(text);
  if (!date) return;
  promise(text.size() == 29 && *date >= -86'400'000 && *date < 253'402'400'000'000 && *date % 1000 == 0,
          "a date is one of the years 1970 to 9999");
  if (text.substr(5, 2) > "28" || text.substr(23, 2) == "60") return;  // the 31st of some months is the 1st of the next
  char again[25];
  const std::int64_t day = *date / 86'400'000;
  const std::int64_t second = *date % 86'400'000 / 1000;
  std::snprintf(again, sizeof again, "%02d:%02d:%02d", static_cast<int>(second / 3600),
                static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  promise(text.substr(17, 8) == again, "a date keeps its time of day");
  // Some day of the year it names: January 1st is at most 365 days before.
  const int year = std::stoi(std::string(text.substr(12, 4)));
  const std::int64_t before = year - 1;
  const std::int64_t first = before * 365 + before / 4 - before / 100 + before / 400 - 719'162;
  promise(day >= first && day < first + 366, "a date keeps its year");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  HttpAnswer answer;
  answer.status = static_cast<int>(input.number(2)) - 1;
  const std::size_t lines_sent = 1 + input.below(500);
  const auto created_unix_s = static_cast<std::int64_t>(input.number(4));
  const auto now_unix_ms = static_cast<std::int64_t>(input.number(6));
  for (std::string_view headers = input.long_text(); !headers.empty();) {
    const std::size_t end = std::min(headers.find('\n'), headers.size());
    HttpHeader one;
    if (send::read_header(headers.substr(0, end), one)) {
      promise(!one.name.empty() && one.name.find(':') == std::string::npos, "a header has a name");
      promise(std::none_of(one.name.begin(), one.name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }),
              "a header's name is in lower case");
      promise(one.value.empty() || (one.value.front() != ' ' && one.value.back() != ' '), "a value has no blank ends");
      check_date(one.value);
      answer.headers.push_back(std::move(one));
    }
    headers.remove_prefix(std::min(end + 1, headers.size()));
  }
  answer.body = input.rest();
  if (answer.status == 0) answer.error.swap(answer.body);

  const send::Judgement judgement = send::judge(answer, lines_sent, created_unix_s, now_unix_ms);
  check_rejected(judgement, lines_sent);
  check_verdict(answer, judgement, lines_sent);
  if (judgement.retry_after_ms) {
    promise(*judgement.retry_after_ms >= 0 && *judgement.retry_after_ms <= 3'600'000,
            "nobody is put off for longer "
            "than an hour");
    const std::string_view asked = header(answer, "retry-after");
    if (asked.size() < 4 && asked.find_first_not_of("0123456789") == std::string_view::npos) {
      promise(*judgement.retry_after_ms == 1000 * std::stoi(std::string(asked)), "seconds are taken as they are");
    }
  }
  promise(judgement.words.size() <= 400, "words for a person are few");
  for (const char c : judgement.words) {
    promise(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "words go into a log as one line");
  }
  return 0;
}
