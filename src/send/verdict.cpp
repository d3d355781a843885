#include "send/verdict.hpp"

#include <algorithm>
#include <array>

#include "system/json.hpp"
#include "system/utf8.hpp"

namespace yukha::send {
namespace {

using system::Json;

constexpr std::int64_t retry_after_ms_max = 3'600'000;  // CONTRACT.md, "Answers"
constexpr std::int64_t clock_tolerance_s = 240;         // CONTRACT.md, "Answers": further off, and our clock is wrong
constexpr std::size_t reason_bytes_max = 1024;
constexpr std::size_t words_bytes_max = 300;

struct Row {
  int first;
  int last;
  Verdict verdict;
};

// The first row that holds the status decides. What stands in no row is a wrong configuration.
constexpr std::array<Row, 17> table = {{
    {0, 0, Verdict::outage},             // no answer, or a cut one
    {200, 200, Verdict::delivered},      // if its body keeps the contract, see judge()
    {201, 202, Verdict::outage},         // a proxy or a portal speaks; the endpoint says 200
    {204, 204, Verdict::outage},         //
    {206, 206, Verdict::outage},         // half an answer
    {307, 308, Verdict::moved},          // same method, same body; only within the origin
    {400, 400, Verdict::unnamed},        // or names_lines, if the body does
    {401, 401, Verdict::not_allowed},    // or wrong_clock or unknown_key, if the body or Date says so
    {403, 403, Verdict::not_allowed},    // a firewall may dislike one body
    {408, 408, Verdict::outage},         // the endpoint did not hear us out
    {409, 409, Verdict::later},          // in progress elsewhere; or split or conflict, as the body says
    {413, 413, Verdict::too_large},      //
    {422, 422, Verdict::misconfigured},  // or names_lines, if the body does
    {425, 425, Verdict::later},          // too early
    {429, 429, Verdict::outage},         // too many requests
    {501, 501, Verdict::misconfigured},  // does not know how: waiting changes nothing
    {505, 505, Verdict::misconfigured},  // does not speak this version
}};

std::string_view header(const HttpAnswer& answer, std::string_view name) {
  for (const HttpHeader& one : answer.headers) {
    if (one.name == name) return one.value;
  }
  return {};
}

int digits(std::string_view text) noexcept {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return text.empty() ? -1 : number;
}

// False when it is not the contract's list: each entry an object with a line between 1 and `lines_sent`, each once.
bool read_rejected(const Json& list, std::size_t lines_sent, std::vector<RejectedLine>& rejected) {
  if (!list.is(Json::Kind::array) || list.inside.size() > lines_sent) return false;
  std::vector<char> seen(lines_sent + 1);
  for (const Json& entry : list.inside) {
    RejectedLine one;
    one.line = entry["line"].whole().value_or(0);
    if (one.line == 0 || one.line > lines_sent || seen[one.line]) return false;
    seen[one.line] = 1;
    if (const Json& id = entry["id"]; id.is(Json::Kind::string)) one.id = id.text.substr(0, 64);
    if (const Json& reason = entry["reason"]; reason.is(Json::Kind::string)) {
      one.reason = reason.text.substr(0, reason_bytes_max);
    }
    rejected.push_back(std::move(one));
  }
  return true;
}

std::optional<std::int64_t> retry_after(const HttpAnswer& answer, std::int64_t now_unix_ms) {
  const std::string_view text = header(answer, "retry-after");
  if (text.empty()) return std::nullopt;
  if (text.size() <= 9) {
    if (const int seconds = digits(text); seconds >= 0) {
      return std::min(static_cast<std::int64_t>(seconds) * 1000, retry_after_ms_max);
    }
  } else if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    return retry_after_ms_max;
  }
  if (const auto date = parse_http_date(text)) {
    return std::clamp<std::int64_t>(*date - now_unix_ms, 0, retry_after_ms_max);
  }
  return std::nullopt;
}

}  // namespace

const char* verdict_name(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::delivered:
      return "delivered";
    case Verdict::names_lines:
      return "names_lines";
    case Verdict::too_large:
      return "too_large";
    case Verdict::unnamed:
      return "unnamed";
    case Verdict::wrong_clock:
      return "wrong_clock";
    case Verdict::unknown_key:
      return "unknown_key";
    case Verdict::not_allowed:
      return "not_allowed";
    case Verdict::later:
      return "later";
    case Verdict::split:
      return "split";
    case Verdict::conflict:
      return "conflict";
    case Verdict::moved:
      return "moved";
    case Verdict::outage:
      return "outage";
    case Verdict::misconfigured:
      return "misconfigured";
  }
  return "";
}

Verdict verdict_of_status(int status) noexcept {
  for (const Row& row : table) {
    if (status >= row.first && status <= row.last) return row.verdict;
  }
  if (status >= 500 && status <= 599) return Verdict::outage;
  return Verdict::misconfigured;
}

bool read_header(std::string_view line, HttpHeader& header) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  header.name = line.substr(0, colon);
  std::transform(header.name.begin(), header.name.end(), header.name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::string_view blank = " \t\r\n";
  line.remove_prefix(colon + 1);
  const std::size_t first = line.find_first_not_of(blank);
  header.value = first == std::string_view::npos ? std::string_view()
                                                 : line.substr(first, line.find_last_not_of(blank) + 1 - first);
  return true;
}

std::optional<std::int64_t> parse_http_date(std::string_view text) noexcept {
  // Sun, 06 Nov 1994 08:49:37 GMT
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
      text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT") {
    return std::nullopt;
  }
  const std::size_t month_at = months.find(text.substr(8, 3));
  const int day = digits(text.substr(5, 2));
  const int year = digits(text.substr(12, 4));
  const int hour = digits(text.substr(17, 2));
  const int minute = digits(text.substr(20, 2));
  const int second = digits(text.substr(23, 2));
  if (month_at == std::string_view::npos || month_at % 3 != 0 || day < 1 || day > 31 || year < 1970 || hour < 0 ||
      hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  // Days from civil, after Howard Hinnant's "chrono-compatible low-level date algorithms".
  const int month = static_cast<int>(month_at / 3) + 1;
  const int shifted_year = month <= 2 ? year - 1 : year;
  const int era = shifted_year / 400;
  const int year_of_era = shifted_year - era * 400;
  const int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t days = static_cast<std::int64_t>(era) * 146'097 + year_of_era * 365 + year_of_era / 4 -
                            year_of_era / 100 + day_of_year - 719'468;
  return ((days * 24 + hour) * 60 + minute) * 60'000 + static_cast<std::int64_t>(second) * 1000;
}

Judgement judge(const HttpAnswer& answer, std::size_t lines_sent, std::int64_t created_unix_s,
                std::int64_t now_unix_ms) {
  Judgement judgement;
  judgement.verdict = verdict_of_status(answer.status);
  judgement.cut_off = answer.status == 0 && answer.body_bytes_sent != 0;
  judgement.server_unix_ms = parse_http_date(header(answer, "date"));
  judgement.retry_after_ms = retry_after(answer, judgement.server_unix_ms.value_or(now_unix_ms));
  judgement.words = answer.status == 0 ? "no answer: " + answer.error.substr(0, words_bytes_max)
                                       : "HTTP " + std::to_string(answer.status);

  const auto error_in_body = [&answer]() -> std::string {
    const Json json = system::read_json(answer.body);
    return json["error"].is(Json::Kind::string) ? json["error"].text.substr(0, 100) : "";
  };

  switch (answer.status) {
    case 200: {
      const Json json = system::read_json(answer.body);
      const std::optional<std::uint64_t> accepted = json["accepted"].whole();
      const Json& rejected = json["rejected"];
      const bool kept = accepted && read_rejected(rejected, lines_sent, judgement.rejected) &&
                        *accepted == lines_sent - judgement.rejected.size();
      if (const Json& policy = json["policy"]; kept && !policy.is(Json::Kind::none)) {
        judgement.policy = Policy::told(policy, now_unix_ms);
        judgement.bad_policy = !judgement.policy;
      }
      if (!kept) {
        judgement.verdict = Verdict::outage;
        judgement.rejected.clear();
        judgement.words = "HTTP 200 without the endpoint's answer for what was sent in it: a portal or a proxy speaks";
      }
      break;
    }
    case 307:
    case 308:
      judgement.location = header(answer, "location");
      break;
    case 400:
    case 422: {
      const Json json = system::read_json(answer.body);
      if (read_rejected(json["rejected"], lines_sent, judgement.rejected) && !judgement.rejected.empty()) {
        judgement.verdict = Verdict::names_lines;
      } else {
        judgement.rejected.clear();
      }
      break;
    }
    case 401: {
      const std::string error = error_in_body();
      if (!error.empty()) judgement.words += " (" + error + ")";
      const bool far_off =
          judgement.server_unix_ms && std::abs(*judgement.server_unix_ms / 1000 - created_unix_s) > clock_tolerance_s;
      if (error == "clock" || far_off) {
        judgement.verdict = Verdict::wrong_clock;
      } else if (error == "key") {
        judgement.verdict = Verdict::unknown_key;
      }
      break;
    }
    case 409: {
      const std::string error = error_in_body();
      if (error == "split") judgement.verdict = Verdict::split;
      if (error == "conflict") judgement.verdict = Verdict::conflict;
      break;
    }
    default:
      break;
  }
  // What a server says goes into a log as one line.
  system::make_readable(judgement.words);
  return judgement;
}

}  // namespace yukha::send
