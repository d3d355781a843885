#include "server.hpp"

#include <cstdlib>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "send/gzip.hpp"

namespace yukha::simulation {
namespace {

using Json = nlohmann::json;

std::string http_date(std::int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  char text[40];
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

std::string header(const std::vector<HttpHeader>& headers, const std::string& name) {
  for (const HttpHeader& one : headers) {
    if (one.name == name) return one.value;
  }
  return "";
}

bool is_poison(const std::string& line) {
  return line.find("\"poison\":\"true\"") != std::string::npos;
}

std::string id_of(const std::string& line) {
  return line.substr(7, 36);
}

std::string whole_bodys_text(const std::string& body) {
  std::string text;
  if (!send::gunzip(body, 4'000'000, text) || text.empty() || text.back() != '\n') return "";
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string content_in(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  const bool has = json.is_object() && json.contains("content") && json["content"].contains("id");
  return has ? json["content"]["id"].get<std::string>() : "";
}

}  // namespace

const char* weather_name(Weather weather) {
  static const char* const names[] = {"fine",   "down",      "failing", "throttling", "losing", "small", "strict",
                                      "naming", "rejecting", "portal",  "refusing",   "busy",   "mixed"};
  return names[static_cast<int>(weather)];
}

HttpAnswer Server::answer(const char* row, int status, const std::string& body) {
  ++rows[row];
  HttpAnswer answer;
  answer.status = status;
  answer.body = body;
  std::int64_t date_ms = time_.true_unix_ms();
  if (wrong_dates && (status == 200 || status == 401) && one_in(chance_, 100)) {
    ++rows["a wrong Date"];
    date_ms += (one_in(chance_, 2) ? 1 : -1) * static_cast<std::int64_t>(throw_up_to(chance_, 400)) * 86'400'000;
  }
  answer.headers.push_back({"date", http_date(date_ms)});
  return answer;
}

HttpAnswer Server::accept(const char* row, const std::string& body) {
  now_.accepted = true;
  HttpAnswer told = answer(row, 200, body);
  if (asks_policy && one_in(chance_, 20)) {
    ++rows["a policy"];
    const std::uint64_t for_s = throw_up_to(chance_, 600);
    const std::uint64_t pause_s = throw_up_to(chance_, std::min<std::uint64_t>(for_s, 120));
    Json policy = {{"for_s", for_s}, {"pause_s", pause_s}, {"upload_interval_s", throw_up_to(chance_, 30)}};
    if (one_in(chance_, 4)) policy["stop"] = Json::array({"*"});
    if (one_in(chance_, 4)) policy["share_percent"] = throw_up_to(chance_, 100);
    told.body.insert(told.body.size() - 1, ",\"policy\":" + policy.dump());
  }
  return told;
}

HttpAnswer Server::nothing(const char* row) {
  ++rows[row];
  HttpAnswer none;
  none.error = row;
  if (weather == Weather::down) none.body_bytes_sent = 0;  // there was no connection
  return none;
}

// A key is in progress while it, a prefix of it or a part of it is.
bool Server::busy(const std::string& key) const {
  const std::string uuid = key.substr(0, 36);
  for (auto one = keys_.lower_bound(uuid); one != keys_.end() && one->first.compare(0, 36, uuid) == 0; ++one) {
    if (one->second.busy_until_ms <= time_.now_ms) continue;
    const std::string& a = one->first;
    const bool related =
        a == uuid || key == uuid || a.compare(0, key.size(), key) == 0 || key.compare(0, a.size(), a) == 0;
    if (related) return true;
  }
  return false;
}

HttpAnswer Server::judge(const std::string& key, const std::string& body, const std::vector<std::string>& lines) {
  const std::size_t dot = key.find('.');
  const std::string uuid = key.substr(0, dot);
  Entry& entry = keys_[key];
  // Its ancestors, the whole batch among them.
  std::vector<std::string> ancestors;
  if (dot != std::string::npos) ancestors.push_back(uuid);
  for (std::size_t size = dot + 2; dot != std::string::npos && size < key.size(); ++size)
    ancestors.push_back(key.substr(0, size));
  const Entry* parent = nullptr;
  for (const std::string& name : ancestors) {
    const auto ancestor = keys_.find(name);
    if (ancestor != keys_.end() && ancestor->second.done) parent = &ancestor->second;
  }
  const bool is_first = entry.body.empty();
  if (is_first && keys_are_learned && parent == nullptr && !entry.split && one_in(chance_, 20)) {
    entry.done = true;
    entry.body = "somebody else's lines\n";
  } else if (is_first) {
    entry.body = body;
  }
  if (entry.done && entry.body != body) {
    const bool is_learned = entry.answer.empty();
    for (const std::string& line : lines) {
      const std::string content = content_in(line);
      const auto [before, is_new] = learned.insert({content, key});
      if (!is_learned || (!is_new && before->second != key)) renewed.insert(content);
    }
    return answer(is_learned ? "409 conflict, learned" : "409 conflict", 409, R"({"error":"conflict"})");
  }
  if (entry.body != body) {
    if (!backup_is_back || key.find('r', 36) == std::string::npos) violate("the key " + key + " came with other bytes");
    entry.body = body;
  }
  if (entry.done) return accept("200 again", entry.answer);
  if (parent == nullptr && entry.split) {
    if (lines.size() == 1 || key.size() == 36 + 1 + 16) {
      for (const std::string& line : lines) renewed.insert(content_in(line));
    }
    return answer("409 split", 409, R"({"error":"split"})");
  }
  if (parent == nullptr) {
    for (const std::string& name : ancestors) keys_[name].split = true;
  }

  // What an ancestor brought is answered as it was, and not stored again.
  Json named = Json::array();
  Json named_before = Json::array();
  std::vector<std::string> fresh;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool is_known = parent != nullptr && parent->body.find(lines[i]) != std::string::npos;
    if (!is_known) fresh.push_back(lines[i]);
    if (is_known ? parent->rejected.count(id_of(lines[i])) == 0 : !is_poison(lines[i])) continue;
    (is_known ? named_before : named).push_back({{"line", i + 1}, {"id", id_of(lines[i])}, {"reason", "poison"}});
  }
  if (parent != nullptr && !fresh.empty()) ++rows["a part with a line that its parent never had"];
  for (const std::string& line : lines) content_of[id_of(line)] = content_in(line);
  const bool too_large = weather == Weather::small && body.size() > body_bytes_max;
  const bool disliked = weather == Weather::strict && !named.empty();
  if (too_large || disliked) {
    if (lines.size() == 1) now_.refused_alone = id_of(lines[0]);
    if (too_large) return answer(lines.size() == 1 ? "413 to a lone one" : "413", 413);
    return answer(lines.size() == 1 ? "400 to a lone one" : "400", 400);
  }
  const bool any = weather == Weather::mixed;
  if (!named.empty() && (weather == Weather::naming || (any && one_in(chance_, 3)))) {
    for (const auto& one : named) rejected.insert(one["id"].get<std::string>());
    const std::string names = Json{{"accepted", 0}, {"rejected", named}}.dump();
    return one_in(chance_, 2) ? answer("400 naming", 400, names) : answer("422 naming", 422, names);
  }
  if (weather != Weather::rejecting && !any) named = Json::array();

  for (const auto& one : named) rejected.insert(one["id"].get<std::string>());
  named.insert(named.end(), named_before.begin(), named_before.end());
  for (const auto& one : named) entry.rejected.insert(one["id"].get<std::string>());
  for (const std::string& line : fresh) {
    if (entry.rejected.count(id_of(line)) != 0) continue;
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || json.size() != 8) {
      violate("a line that is no sentence: " + line);
      continue;
    }
    if (json["action"]["type"] == "yukha_ledger") {
      ++ledger_lines;
      continue;
    }
    const std::string content = json["content"]["id"].get<std::string>();
    if (const std::string wrong = check(content, line); !wrong.empty()) violate(content + " " + wrong);
    const auto [place, is_new] = stored.insert({content, {id_of(line), key, ""}});
    if (is_new) continue;
    Stored& before = place->second;
    if (before.id != id_of(line) && !may_have_two_ids(content)) violate(content + " came with two ids");
    if (renewed.count(content) != 0) continue;
    if (!may_come_twice(content)) {
      violate(content + " was stored twice, under " + before.key + " and " + key);
    } else if (clones && !before.clones_key.empty() && before.clones_key != key.substr(0, 36)) {
      violate(content + " came from clones under " + before.clones_key + " and " + key);
    }
    if (clones) before.clones_key = key.substr(0, 36);
  }
  entry.done = true;
  entry.answer = Json{{"accepted", lines.size() - named.size()}, {"rejected", named}}.dump();
  if (fresh.empty()) return accept("200 by the parent's key", entry.answer);
  entry.busy_until_ms = time_.now_ms + static_cast<std::int64_t>(throw_up_to(chance_, 100));
  return accept(named.empty() ? "200" : "200 rejecting", entry.answer);
}

// Rows that say nothing about the body. None of them stores anything.
HttpAnswer Server::any_row(const Mail& mail) {
  struct Row {
    const char* name;
    int status;
    const char* body;
    const char* header;
    const char* value;
  };
  static constexpr const char* html = "<html>Welcome to the airport</html>";
  static constexpr Row table[] = {
      {"200 of a portal", 200, html, "", ""},
      {"200 that cannot be", 200, R"({"accepted":1000000,"rejected":[]})", "", ""},
      {"201", 201, "", "", ""},
      {"202", 202, "", "", ""},
      {"204", 204, "", "", ""},
      {"206", 206, "{\"acc", "", ""},
      {"103", 103, "", "", ""},
      {"301", 301, "", "location", "https://elsewhere.example.com/"},
      {"302", 302, html, "location", "/login"},
      {"307 to the same", 307, "", "location", "/v1/events?again"},
      {"308 to elsewhere", 308, "", "location", "https://elsewhere.example.com/v1/events"},
      {"401 signature", 401, R"({"error":"signature"})", "", ""},
      {"401 of somebody", 401, html, "", ""},
      {"403", 403, html, "", ""},
      {"404", 404, "", "", ""},
      {"405", 405, "", "", ""},
      {"408", 408, "", "", ""},
      {"409 in progress", 409, "", "retry-after", "2"},
      {"409 bare", 409, "", "", ""},
      {"409 split", 409, R"({"error":"split"})", "", ""},
      {"409 conflict", 409, R"({"error":"conflict"})", "", ""},
      {"410", 410, "", "", ""},
      {"411", 411, "", "", ""},
      {"415", 415, "", "", ""},
      {"422 bare", 422, "", "", ""},
      {"425", 425, "", "retry-after", "1"},
      {"426", 426, "", "", ""},
      {"429", 429, "", "", ""},
      {"429 with Retry-After", 429, "", "retry-after", "90"},
      {"431", 431, "", "", ""},
      {"500", 500, html, "", ""},
      {"501", 501, "", "", ""},
      {"502", 502, html, "", ""},
      {"503", 503, "", "", ""},
      {"503 with Retry-After", 503, "", "retry-after", "7"},
      {"504", 504, "", "", ""},
      {"505", 505, "", "", ""},
      {"599", 599, "", "", ""},
  };
  const Row& row = table[throw_up_to(chance_, std::size(table) - 1)];
  if (*row.body == '{' && row.status == 409) {
    // Untrue: what was stored may come under another key.
    for (const std::string& line : lines_of(whole_bodys_text(mail.body))) renewed.insert(content_in(line));
  }
  HttpAnswer one = answer(row.name, row.status, row.body);
  if (*row.header != '\0') one.headers.push_back({row.header, row.value});
  return one;
}

HttpAnswer Server::handle(const Mail& mail) {
  switch (weather) {
    case Weather::down:
      return nothing("no answer");
    case Weather::failing: {
      static constexpr std::pair<const char*, int> rows_here[] = {
          {"500", 500}, {"502", 502}, {"503", 503}, {"504", 504}, {"599", 599}};
      const auto& [name, status] = rows_here[throw_up_to(chance_, 4)];
      return answer(name, status);
    }
    case Weather::throttling: {
      if (!one_in(chance_, 2)) return one_in(chance_, 3) ? answer("408", 408) : answer("429", 429);
      HttpAnswer later = answer("429 with Retry-After", 429);
      const auto seconds = static_cast<std::int64_t>(throw_up_to(chance_, 90));
      const bool date = one_in(chance_, 4);
      later.headers.push_back(
          {"retry-after", date ? http_date(time_.true_unix_ms() + seconds * 1000) : std::to_string(seconds)});
      return later;
    }
    case Weather::portal:
      return one_in(chance_, 2) ? answer("200 of a portal", 200, "<html>Welcome to the airport</html>")
                                : answer("204", 204);
    case Weather::refusing: {
      static constexpr std::pair<const char*, int> rows_here[] = {
          {"401 signature", 401}, {"403", 403}, {"404", 404}, {"410", 410}, {"302", 302}};
      const auto& [name, status] = rows_here[throw_up_to(chance_, 4)];
      return answer(name, status, R"({"error":"signature"})");
    }
    case Weather::busy:
      if (one_in(chance_, 2)) return one_in(chance_, 2) ? answer("409 bare", 409) : answer("425", 425);
      break;
    case Weather::mixed:
      if (!one_in(chance_, 3)) return any_row(mail);
      break;
    default:
      break;
  }
  HttpAnswer result = honest(mail);
  if ((weather == Weather::losing && !one_in(chance_, 4)) || (weather == Weather::mixed && one_in(chance_, 4))) {
    now_ = Reply();
    if (one_in(chance_, 2)) return nothing("no answer after it was dealt with");
    ++rows["half an answer"];
    result.body.resize(result.body.size() / 2);
  }
  return result;
}

HttpAnswer Server::honest(const Mail& mail) {
  const std::string input = header(mail.headers, "Signature-Input");
  const auto parameter = [&input](const std::string& name) {
    const std::size_t at = input.find(";" + name + "=");
    return at == std::string::npos ? ""
                                   : input.substr(at + name.size() + 2, input.find(';', at + 1) - at - name.size() - 2);
  };
  const std::string keyid = parameter("keyid");
  if (keyid.size() < 3 || keyids.count(keyid.substr(1, keyid.size() - 2)) == 0)
    return answer("401 key", 401, R"({"error":"key"})");
  if (std::llabs(std::atoll(parameter("created").c_str()) - time_.true_unix_ms() / 1000) > 300)
    return answer("401 clock", 401, R"({"error":"clock"})");
  const std::string text = whole_bodys_text(mail.body);
  if (text.empty()) {
    violate("a body that is not gzip of whole lines");
    return answer("400", 400);
  }
  const std::vector<std::string> lines = lines_of(text);
  if (lines.size() > 500 || text.size() > 1'000'000) violate("a batch over the contract's limits");
  std::string key = header(mail.headers, "Idempotency-Key");
  key = key.substr(1, key.size() - 2);
  if (busy(key)) {
    HttpAnswer later = answer("409 in progress", 409);
    later.headers.push_back({"retry-after", "1"});
    return later;
  }
  return judge(key, text, lines);
}

std::shared_ptr<Reply> Server::send(const HttpRequest& request) {
  ++requests;
  if (expects_peace && time_.now_ms < left_in_peace_until_ms) {
    violate("asked again " + std::to_string(left_in_peace_until_ms - time_.now_ms) + " ms before Retry-After allows");
  }
  auto reply = std::make_shared<Reply>();
  // Rarely it stays on the way for long, and whoever sent it may be dead by then.
  const std::uint64_t way_ms = one_in(chance_, 20) ? 5'000 : 200;
  mail_.push_back({time_.now_ms + static_cast<std::int64_t>(throw_up_to(chance_, way_ms)), request.headers,
                   std::string(request.body), reply});
  reply->answer_ms = mail_.back().arrives_ms + 5 + static_cast<std::int64_t>(throw_up_to(chance_, 200));
  return reply;
}

void Server::receive() {
  for (std::size_t i = 0; i < mail_.size();) {
    if (mail_[i].arrives_ms > time_.now_ms) {
      ++i;
      continue;
    }
    const Mail mail = std::move(mail_[i]);
    mail_.erase(mail_.begin() + static_cast<std::ptrdiff_t>(i));
    now_ = Reply();
    HttpAnswer answer = handle(mail);
    now_.arrived = true;
    now_.answer_ms = mail.reply->answer_ms;
    *mail.reply = std::move(now_);
    mail.reply->answer = std::move(answer);
    if (mail.reply->answer.status == 0 && one_in(chance_, 4)) mail.reply->answer_ms += 5'000;  // not refused: timed out
  }
}

std::set<std::string> Server::on_its_way() const {
  std::set<std::string> contents;
  for (const Mail& mail : mail_) {
    for (const std::string& line : lines_of(whole_bodys_text(mail.body))) contents.insert(content_in(line));
  }
  return contents;
}

void SimTransport::start(const HttpRequest& request) {
  // What a ghost sends goes nowhere.
  if (process_ == nullptr || !process_->alive()) {
    reply_ = std::make_shared<Reply>();
    reply_->arrived = true;
    return;
  }
  const std::string key = header(request.headers, "Idempotency-Key");
  const std::string why = objection(request, key, whole_bodys_text(std::string(request.body)));
  if (!why.empty()) server_.violate(why);
  if (time_.now_ms < paused_until_ms_) server_.violate("a request in a pause that the endpoint asked for");
  reply_ = server_.send(request);
}

bool SimTransport::poll(std::chrono::milliseconds timeout, HttpAnswer& answer) {
  if (wait_until) {
    const std::int64_t most_ms = time_.now_ms + timeout.count();
    wait_until(reply_ ? std::min(most_ms, std::max(time_.now_ms, reply_->answer_ms)) : most_ms);
  }
  if (!reply_) return false;
  server_.receive();
  if (time_.now_ms < reply_->answer_ms || !reply_->arrived) return false;
  answer = std::move(reply_->answer);
  // Only directly after an acceptance a refusal says something about the sentence, and not about the endpoint.
  if (last_was_accepted_ && !reply_->refused_alone.empty()) server_.rejected.insert(reply_->refused_alone);
  last_was_accepted_ = reply_->accepted;
  reply_.reset();
  if (process_ == nullptr || !process_->alive()) return true;
  std::int64_t rest_ms = 0;
  for (const HttpHeader& one : answer.headers) {
    if (one.name == "retry-after" && (answer.status == 429 || answer.status == 503))
      rest_ms = std::atoll(one.value.c_str()) * 1000;
  }
  if (const std::size_t at = answer.body.find("\"pause_s\":");
      obeys_policy && answer.status == 200 && at != std::string::npos)
    paused_until_ms_ = time_.now_ms + std::atoll(answer.body.c_str() + at + 10) * 1000;
  if (answer.status == 200) server_.left_in_peace_until_ms = 0;
  if (rest_ms > 0) {
    server_.peace_asked_ms = time_.now_ms;
    server_.left_in_peace_until_ms = time_.now_ms + rest_ms;
  }
  return true;
}

}  // namespace yukha::simulation
