// What an answer means: the table of CONTRACT.md, "Answers" as a table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <yukha/http_transport.hpp>

#include "send/policy.hpp"

namespace yukha::send {

enum class Verdict {
  delivered,      // stored; lines named in the answer are rejected for good
  names_lines,    // nothing stored; the named lines are at fault, the rest may come again
  too_large,      // fewer bytes at a time
  unnamed,        // something in it is refused, and the endpoint does not say what
  wrong_clock,    // sign again with the endpoint's time
  unknown_key,    // sign with another key
  not_allowed,    // signature or firewall: nothing this client can mend
  later,          // this batch alone waits
  split,          // the endpoint has parts of it already
  conflict,       // the key brought other lines already
  moved,          // same request, other path
  outage,         // nobody's fault: keep and back off
  misconfigured,  // somebody must change something: keep and back off long
};
constexpr int verdict_count = 13;
const char* verdict_name(Verdict verdict) noexcept;

struct RejectedLine {
  std::size_t line = 0;  // from 1
  std::string id;
  std::string reason;
};

struct Judgement {
  Verdict verdict = Verdict::outage;
  std::vector<RejectedLine> rejected;
  std::optional<std::int64_t> retry_after_ms;  // at most an hour
  std::optional<std::int64_t> server_unix_ms;  // its Date
  std::string location;                        // moved: where to
  std::string words;                           // for a person
  std::optional<Policy> policy;                // what the endpoint asks for from now on
  bool bad_policy = false;                     // it asks for something that nobody may ask for
  bool cut_off = false;                        // no answer, though its body may have left
};

// The table alone: what a status means before headers and body were looked at. Every number has a verdict.
Verdict verdict_of_status(int status) noexcept;

// The whole answer. `lines_sent` are the body's lines, `created_unix_s` what the signature said, `now_unix_ms` the
// device's clock, for a Retry-After that is a date while the endpoint sends no Date.
Judgement judge(const HttpAnswer& answer, std::size_t lines_sent, std::int64_t created_unix_s,
                std::int64_t now_unix_ms);

// "Name: value", with or without its line end. False when it is none.
bool read_header(std::string_view line, HttpHeader& header);

// IMF-fixdate (RFC 9110 section 5.6.7) in milliseconds since 1970.
std::optional<std::int64_t> parse_http_date(std::string_view text) noexcept;

}  // namespace yukha::send
