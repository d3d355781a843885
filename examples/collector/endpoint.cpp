#include "endpoint.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>

#include "gzip.hpp"
#include "policy.hpp"
#include "text.hpp"

namespace collector {

// A request that passed the bounds and the signature.
struct Endpoint::Received {
  std::int64_t at_unix_ms = 0;
  BatchKey key;
  Sha256 gzip_digest{};
  std::string gzip;
  std::string text;
  std::vector<std::string_view> lines;  // of `text`
  std::string clock_offset_ms;
};

namespace {

// Sentences that wait for their lake file. Above it the writer has fallen behind, and the client is asked to come
// later.
constexpr std::int64_t kWaitingBytesMax = 256 * 1024 * 1024;

HttpAnswer refusal(int status, const char* error) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::string("{\"error\":\"") + error + "\"}";
  return answer;
}

HttpAnswer come_back_in_a_second(int status, const char* error) {
  HttpAnswer answer = refusal(status, error);
  answer.fields.emplace_back("Retry-After", "1");
  return answer;
}

// What repeats something that came must not end in an exception because somebody cut it within a character.
template <typename Json>
std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// In words, which may repeat what came.
HttpAnswer told_refusal(const std::string& error) {
  HttpAnswer answer;
  answer.status = 400;
  answer.body = dumped(nlohmann::json{{"error", error}});
  return answer;
}

HttpAnswer good_answer(std::string body) {
  HttpAnswer answer;
  answer.status = 200;
  answer.body = std::move(body);
  return answer;
}

std::string verdict_body(std::size_t lines, const std::vector<RejectedLine>& rejected) {
  nlohmann::ordered_json body;
  body["accepted"] = lines - rejected.size();
  body["rejected"] = nlohmann::ordered_json::array();
  for (const RejectedLine& line : rejected) {
    body["rejected"].push_back({{"line", line.line}, {"id", line.id}, {"reason", line.reason}});
  }
  return dumped(body);
}

// Every line that a done batch had, and what was said of those it had refused.
std::map<std::uint64_t, std::optional<RejectedLine>> lines_of_done(const std::optional<DoneBatch>& batch) {
  std::map<std::uint64_t, std::optional<RejectedLine>> lines;
  if (!batch) return lines;
  for (const std::uint64_t fingerprint : batch->fingerprints) lines.emplace(fingerprint, std::nullopt);
  const nlohmann::json answer = nlohmann::json::parse(batch->answer);
  for (const auto& entry : answer.at("rejected")) {
    RejectedLine line;
    line.line = entry.at("line").get<std::int64_t>();
    line.id = entry.at("id").get<std::string>();
    line.reason = entry.at("reason").get<std::string>();
    lines[batch->fingerprints.at(static_cast<std::size_t>(line.line) - 1)] = std::move(line);
  }
  return lines;
}

std::int64_t monotonic_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool is_media_type(const std::string& field, std::string_view expected) {
  std::string type = lower_ascii(field.substr(0, field.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type == expected;
}

HttpAnswer cut() {
  HttpAnswer answer;
  answer.cut = true;
  return answer;
}

// As the power button would: no handler runs, nothing is flushed.
void crash() {
  std::raise(SIGKILL);
}

}  // namespace

HttpAnswer Endpoint::take_events(const HttpRequest& request) {
  HttpAnswer answer;
  try {
    answer = judge_request(request);
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "yukha-collector: %s\n", fault.what());
    answer = refusal(500, "internal");
  }
  // A client learns its clock offset from this field, so it must be the clock that judged.
  answer.fields.emplace_back("Date", http_date(clock_->unix_ms()));
  try {
    // 0 stands for an answer that was cut off.
    store_->count_verdict(answer.cut ? 0 : answer.status);
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "yukha-collector: %s\n", fault.what());
  }
  return answer;
}

HttpAnswer Endpoint::judge_request(const HttpRequest& request) {
  Received received;
  received.at_unix_ms = clock_->unix_ms();
  // Bounds first.
  if (request.body_too_large) return refusal(413, "compressed size");
  received.gzip = request.body;
  if (received.gzip.size() > kCompressedBytesMax) return refusal(413, "compressed size");

  // Then who it is: 4 KB of a stranger's can be 4 MB of work.
  received.gzip_digest = sha256_of(received.gzip);
  switch (verifier_.judge(request, received.gzip_digest, received.at_unix_ms)) {
    case SignatureVerdict::kGood:
      break;
    case SignatureVerdict::kSignature:
      return refusal(401, "signature");
    case SignatureVerdict::kKey:
      return refusal(401, "key");
    case SignatureVerdict::kClock:
      return refusal(401, "clock");
  }

  // Then whether it is a batch at all.
  if (!is_media_type(request.field("content-type"), "application/x-ndjson")) return refusal(415, "content-type");
  if (lower_ascii(request.field("content-encoding")) != "gzip") return refusal(415, "content-encoding");
  Inflated inflated = inflate_one_member(received.gzip, kInflatedBytesMax);
  if (inflated.outcome == Inflated::Outcome::kTooLarge) return refusal(413, "inflated size");
  if (inflated.outcome != Inflated::Outcome::kWhole) return refusal(400, "gzip");
  const auto key_text = structured_string(request.field("idempotency-key"));
  const auto key = key_text ? BatchKey::parsed(*key_text) : std::nullopt;
  if (!key) return refusal(400, "idempotency-key");
  received.key = *key;
  received.text = std::move(inflated.bytes);
  if (count_lines(received.text) > kLinesMax) return refusal(413, "lines");
  received.lines = lines_of(received.text);
  received.clock_offset_ms = clock_offset_in(request.field("yukha-clock"));

  const auto line_count = static_cast<std::int64_t>(received.lines.size());
  store_->log_arrival({received.at_unix_ms, received.key.text, received.gzip_digest, line_count});

  const Weather weather = faults_->throw_dice(request.body.size());
  HttpAnswer answer;
  if (weather.answer) {
    wait(weather.slow);
    store_->count_unjudged(line_count);
    answer = *weather.answer;
    answer.cut = weather.cut_before || weather.cut_after;
  } else {
    answer = judge_batch(received, weather);
    if (answer.status == 200) add_policy(&answer.body);
  }
  if (weather.crash_between) crash();
  answer.crash_after = weather.crash_after;
  return answer;
}

HttpAnswer Endpoint::judge_batch(const Received& received, const Weather& weather) {
  const auto line_count = static_cast<std::int64_t>(received.lines.size());
  if (store_->waiting().first > kWaitingBytesMax) {
    store_->count_unjudged(line_count);
    return come_back_in_a_second(503, "lake");
  }

  const Sha256 digest = sha256_of(received.text);
  const Marking marking = store_->mark(received.key, digest, received.at_unix_ms, monotonic_ms(), lease_.count());
  switch (marking.state) {
    case Marking::State::kDone: {
      store_->count_replayed(line_count);
      wait(weather.slow);
      HttpAnswer answer = good_answer(marking.done->answer);
      answer.cut = weather.cut_before || weather.cut_after;
      return answer;
    }
    case Marking::State::kConflict:
      store_->count_unjudged(line_count);
      store_->count_conflict();
      return refusal(409, "conflict");
    case Marking::State::kSplit:
      store_->count_unjudged(line_count);
      return refusal(409, "split");
    case Marking::State::kBusy:
      store_->count_unjudged(line_count);
      return come_back_in_a_second(409, "busy");
    case Marking::State::kMarked:
      break;
  }

  bool is_stored = false;
  HttpAnswer answer;
  try {
    wait(weather.slow);
    if (weather.crash_before) crash();
    if (weather.cut_before) {
      store_->unmark(received.key, marking.token);
      store_->count_unjudged(line_count);
      return cut();
    }
    JudgedBatch batch;
    batch.digest = digest;
    judge_lines(received, weather, marking.done, &batch);
    is_stored = store_->settle(batch, marking.token);
    answer = good_answer(std::move(batch.answer));
  } catch (...) {
    store_->unmark(received.key, marking.token);
    throw;
  }
  if (!is_stored) {
    // The lease ran out and somebody else has the key now; what they store is what counts.
    store_->count_unjudged(line_count);
    return come_back_in_a_second(409, "busy");
  }
  lake_->wake();
  answer.cut = weather.cut_after;
  return answer;
}

void Endpoint::judge_lines(const Received& received, const Weather& weather, const std::optional<DoneBatch>& ancestor,
                           JudgedBatch* batch) {
  batch->key = received.key;
  batch->gzip = received.gzip;
  batch->received_unix_ms = received.at_unix_ms;
  batch->clock_offset_ms = received.clock_offset_ms;
  batch->raw_bytes = static_cast<std::int64_t>(received.text.size());
  batch->good.reserve(received.lines.size());
  batch->fingerprints.reserve(received.lines.size());
  batch->has_ancestor = ancestor.has_value();
  const std::map<std::uint64_t, std::optional<RejectedLine>> known = lines_of_done(ancestor);

  std::vector<RejectedLine> answered;
  for (std::size_t i = 0; i < received.lines.size(); ++i) {
    const std::string_view line = received.lines[i];
    const std::int64_t number = static_cast<std::int64_t>(i) + 1;
    const std::uint64_t fingerprint = fingerprint_of(line);
    batch->fingerprints.push_back(fingerprint);
    const auto earlier = known.find(fingerprint);
    if (earlier != known.end()) {
      ++batch->lines_of_ancestor;
      batch->left_out_lines.push_back(number);
      if (earlier->second) {
        answered.push_back(*earlier->second);
        answered.back().line = number;
      }
      continue;
    }
    SentenceFacts facts;
    auto refused = sentences_.refusal_of(line, &facts);
    if (!refused && weather.reject_every != 0 && faults_->is_nth_line(weather.reject_every)) {
      refused = Refusal{"fault", "every " + std::to_string(weather.reject_every) + "th line", text_of(facts.id)};
    }
    if (refused) {
      answered.push_back({number, refused->id, refused->reason(), ""});
      batch->rejected.push_back({number, refused->id, refused->reason(), std::string(line)});
      batch->left_out_lines.push_back(number);
    } else {
      batch->good.push_back({facts.id, fingerprint, facts.is_ledger});
    }
  }
  batch->answer = verdict_body(received.lines.size(), answered);
}

void Endpoint::wait(std::chrono::milliseconds time) {
  if (time.count() == 0) return;
  std::unique_lock<std::mutex> lock(hurry_mutex_);
  hurried_.wait_for(lock, time, [this] { return in_hurry_; });
}

void Endpoint::hurry() {
  const std::lock_guard<std::mutex> lock(hurry_mutex_);
  in_hurry_ = true;
  hurried_.notify_all();
}

HttpAnswer Endpoint::show_all() {
  std::map<std::string, std::int64_t> counts = store_->counts();
  nlohmann::ordered_json body;
  body["total"] = counts["good"] + counts["bad"];
  for (const char* name :
       {"good", "bad", "ledger", "arrived", "replayed_same_key", "unjudged", "new_in_part", "conflicts",
        "duplicate_id_under_other_key", "duplicate_id_under_same_key", "bytes_differ_under_same_key", "requests"}) {
    body[name] = counts[name];
  }
  body["verdicts"] = nlohmann::ordered_json::object();
  constexpr std::string_view kStatus = "status ";
  for (const auto& [name, n] : counts) {
    if (name.rfind(kStatus, 0) != 0) continue;
    const std::string status = name.substr(kStatus.size());
    body["verdicts"][status == "0" ? "cut" : status] = n;
  }
  return good_answer(dumped(body) + "\n");
}

HttpAnswer Endpoint::show_good(std::int64_t limit, std::int64_t offset) {
  std::string body = "[";
  for (const std::string& line : lake_->lines(limit, offset)) {
    body += body.size() == 1 ? "\n" : ",\n";
    body += line;
  }
  return good_answer(body + "\n]\n");
}

HttpAnswer Endpoint::show_bad(std::int64_t limit, std::int64_t offset) {
  nlohmann::ordered_json body = nlohmann::ordered_json::array();
  for (const BadLine& bad : store_->bad_lines(limit, offset)) {
    nlohmann::ordered_json entry;
    entry["key"] = bad.key;
    entry["line"] = bad.line.line;
    entry["id"] = bad.line.id;
    entry["reason"] = bad.line.reason;
    if (is_utf8(bad.line.bytes)) {
      entry["text"] = bad.line.bytes;
    } else {
      entry["base64"] = base64_encoded(bad.line.bytes);
    }
    body.push_back(std::move(entry));
  }
  return good_answer(dumped(body) + "\n");
}

HttpAnswer Endpoint::reset() {
  lake_->reset();
  return show_all();
}

HttpAnswer Endpoint::set_faults(const std::string& text) {
  std::string error;
  auto faults = Fault::all_parsed(text, &error);
  if (!faults) return told_refusal(error);
  const std::size_t count = faults->size();
  faults_->set(std::move(*faults));
  return good_answer("{\"faults\":" + std::to_string(count) + "}\n");
}

HttpAnswer Endpoint::set_policy(const std::string& json) {
  std::string error;
  const std::optional<std::string> policy = json.empty() ? std::string() : policy_from(json, &error);
  if (!policy) return told_refusal(error);
  {
    const std::lock_guard<std::mutex> lock(policy_mutex_);
    policy_ = *policy;
  }
  return show_policy();
}

HttpAnswer Endpoint::show_policy() {
  const std::lock_guard<std::mutex> lock(policy_mutex_);
  return good_answer("{\"policy\":" + (policy_.empty() ? "null" : policy_) + "}\n");
}

// A key's answer is remembered without it: a repeat brings what is asked now.
void Endpoint::add_policy(std::string* body) {
  const std::lock_guard<std::mutex> lock(policy_mutex_);
  if (policy_.empty()) return;
  body->pop_back();  // the brace that ends the answer
  body->append(",\"policy\":").append(policy_).append("}");
}

HttpAnswer Endpoint::set_clock(const std::string& text) {
  if (text.empty()) {
    clock_->run();
    return good_answer("{\"clock\":\"running\"}\n");
  }
  const auto unix_ms = whole_number(text);
  // Four-digit years are all that RFC 3339 can write.
  if (!unix_ms || *unix_ms < 0 || *unix_ms > 253'402'300'799'999) return refusal(400, "not unix milliseconds");
  clock_->stop_at(*unix_ms);
  return good_answer("{\"clock\":\"" + rfc3339_ms(*unix_ms) + "\"}\n");
}

}  // namespace collector
