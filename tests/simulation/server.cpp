#include "server.hpp"

#include <nlohmann/json.hpp>

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

std::string header(const HttpRequest& request, const std::string& name) {
  for (const HttpHeader& one : request.headers) {
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

}  // namespace

const char* weather_name(Weather weather) {
  static const char* const names[] = {"fine",   "down",   "failing",   "throttling", "losing",   "small",
                                      "strict", "naming", "rejecting", "portal",     "refusing", "busy"};
  return names[static_cast<int>(weather)];
}

HttpAnswer Server::answer(int status, const std::string& body) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = body;
  answer.headers.push_back({"date", http_date(time_.true_unix_ms())});
  return answer;
}

HttpAnswer Server::judge(const std::string& key, const std::string& body, const std::vector<std::string>& lines) {
  const std::size_t dot = key.find('.');
  const std::string uuid = key.substr(0, dot);
  Entry& entry = keys_[key];
  if (entry.body.empty()) {
    entry.body = body;
  } else if (entry.body != body) {
    violations.push_back("the key " + key + " came with other bytes");
  }
  if (entry.done) return answer(200, entry.answer);
  if (entry.split) return answer(409, R"({"error":"split"})");
  if (dot != std::string::npos) {
    // Its ancestors, the whole batch among them.
    std::vector<std::string> ancestors = {uuid};
    for (std::size_t size = dot + 2; size < key.size(); ++size) ancestors.push_back(key.substr(0, size));
    for (const std::string& name : ancestors) {
      const auto ancestor = keys_.find(name);
      if (ancestor == keys_.end() || !ancestor->second.done) continue;
      Json rejected_here = Json::array();
      for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto reason = ancestor->second.rejected.find(id_of(lines[i]));
        if (reason != ancestor->second.rejected.end()) {
          rejected_here.push_back({{"line", i + 1}, {"id", reason->first}, {"reason", reason->second}});
        }
      }
      const std::size_t refused = rejected_here.size();
      return answer(200, Json{{"accepted", lines.size() - refused}, {"rejected", rejected_here}}.dump());
    }
    for (const std::string& name : ancestors) keys_[name].split = true;
  }

  Json named = Json::array();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_poison(lines[i])) named.push_back({{"line", i + 1}, {"id", id_of(lines[i])}, {"reason", "poison"}});
  }
  for (const std::string& line : lines) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json["content"].contains("id"))
      content_of[id_of(line)] = json["content"]["id"].get<std::string>();
  }
  const bool too_large = weather == Weather::small && body.size() > body_bytes_max;
  const bool disliked = weather == Weather::strict && !named.empty();
  if (too_large || disliked) {
    if (lines.size() == 1) rejected.insert(id_of(lines[0]));
    return answer(too_large ? 413 : 400);
  }
  if (!named.empty() && weather == Weather::naming) {
    for (const auto& one : named) rejected.insert(one["id"].get<std::string>());
    return answer(one_in(chance_, 2) ? 400 : 422, Json{{"accepted", 0}, {"rejected", named}}.dump());
  }
  if (weather != Weather::rejecting) named = Json::array();

  std::set<std::string> refused;
  for (const auto& one : named) {
    const std::string id = one["id"].get<std::string>();
    refused.insert(id);
    rejected.insert(id);
    keys_[key].rejected[id] = "poison";
  }
  for (const std::string& line : lines) {
    if (refused.count(id_of(line)) != 0) continue;
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || json.size() != 8) {
      violations.push_back("a line that is no sentence: " + line);
      continue;
    }
    if (json["action"]["type"] == "yukha_ledger") {
      ++ledger_lines;
      continue;
    }
    const std::string content = json["content"]["id"].get<std::string>();
    const auto [place, is_new] = stored.insert({content, {id_of(line), key}});
    if (!is_new) violations.push_back(content + " was stored twice, under " + place->second.key + " and " + key);
  }
  Entry& done = keys_[key];
  done.done = true;
  done.answer = Json{{"accepted", lines.size() - refused.size()}, {"rejected", named}}.dump();
  return answer(200, done.answer);
}

HttpAnswer Server::handle(const HttpRequest& request) {
  ++requests;
  HttpAnswer none;
  none.error = "lost";
  switch (weather) {
    case Weather::down:
      none.error = "connection refused";
      return none;
    case Weather::failing: {
      static constexpr int statuses[] = {500, 502, 503, 504, 599};
      return answer(statuses[throw_up_to(chance_, 4)]);
    }
    case Weather::throttling: {
      HttpAnswer later = answer(one_in(chance_, 3) ? 408 : 429);
      if (one_in(chance_, 2)) later.headers.push_back({"retry-after", std::to_string(throw_up_to(chance_, 90))});
      return later;
    }
    case Weather::portal:
      return answer(one_in(chance_, 2) ? 200 : 204, "<html>Welcome to the airport</html>");
    case Weather::refusing: {
      static constexpr int statuses[] = {401, 403, 404, 410, 302};
      return answer(statuses[throw_up_to(chance_, 4)], R"({"error":"signature"})");
    }
    case Weather::busy:
      if (one_in(chance_, 2)) return answer(one_in(chance_, 2) ? 409 : 425);
      break;
    default:
      break;
  }
  std::string text;
  if (!send::gunzip(request.body, 4'000'000, text) || text.empty() || text.back() != '\n') {
    violations.push_back("a body that is not gzip of whole lines");
    return answer(400);
  }
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (lines.size() > 500 || text.size() > 1'000'000) violations.push_back("a batch over the contract's limits");
  std::string key = header(request, "Idempotency-Key");
  key = key.substr(1, key.size() - 2);
  HttpAnswer result = judge(key, text, lines);
  if (weather == Weather::losing && !one_in(chance_, 4)) return none;
  return result;
}

void SimTransport::start(const HttpRequest& request) {
  running_ = true;
  answer_ms_ = time_.now_ms + 5 + static_cast<std::int64_t>(throw_up_to(chance_, 400));
  // What a ghost sends goes nowhere.
  answer_ = process_ != nullptr && process_->alive() ? server_.handle(request) : HttpAnswer();
  ++server_.answers[answer_.status];
  if (answer_.status == 0 && one_in(chance_, 4)) answer_ms_ += 60'000;  // a time-out rather than a refusal
}

bool SimTransport::poll(std::chrono::milliseconds, HttpAnswer& answer) {
  if (!running_ || time_.now_ms < answer_ms_) return false;
  running_ = false;
  answer = std::move(answer_);
  return true;
}

}  // namespace yukha::simulation
