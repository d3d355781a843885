// Does on yukha.hpp what PROTOCOL.md says. One command a line in, one answer a line out.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>
#include <yukha/yukha.hpp>

namespace {

using std::chrono::milliseconds;

int digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

std::string decoded(const std::string& word) {
  std::string text;
  if (word == "-") return text;
  for (std::size_t i = 0; i + 1 < word.size(); i += 2) {
    text += static_cast<char>(digit(word[i]) * 16 + digit(word[i + 1]));
  }
  return text;
}

std::string in_hex(const std::string& text) {
  static const char digits[] = "0123456789abcdef";
  if (text.empty()) return "-";
  std::string out;
  for (const char c : text) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> words;
  std::size_t from = 0;
  for (std::size_t tab = line.find('\t'); tab != std::string::npos; tab = line.find('\t', from)) {
    words.push_back(line.substr(from, tab - from));
    from = tab + 1;
  }
  words.push_back(line.substr(from));
  return words;
}

// The texts behind the command, decoded; the members point into them.
class Words {
 public:
  explicit Words(const std::vector<std::string>& words) : words_(words), texts_(words.size()) {
    for (std::size_t i = 1; i < words.size(); ++i) texts_[i] = decoded(words[i]);
  }
  std::string_view text(std::size_t place) const { return place < texts_.size() ? texts_[place] : std::string_view(); }
  std::int64_t number(std::size_t place) const {
    return place < words_.size() ? std::strtoll(words_[place].c_str(), nullptr, 10) : 0;
  }
  yukha::Members members(std::size_t first) {
    for (std::size_t i = first; i + 1 < texts_.size(); i += 2) members_.push_back({texts_[i], texts_[i + 1]});
    return {members_.data(), members_.size()};
  }

 private:
  const std::vector<std::string>& words_;
  std::vector<std::string> texts_;
  std::vector<yukha::Member> members_;
};

class Driver {
 public:
  std::string answer(const std::string& line) {
    const std::vector<std::string> words = split(line);
    // What C++ cannot say it skips, and what follows from it: it would be another sentence, or another tracker's.
    if (skipped_open_ && words[0] != "open" && words[0] != "free") return "skip";
    const bool has_null = std::find(words.begin(), words.end(), "null") != words.end();
    if (words[0] == "open" || words[0] == "free") skipped_open_ = has_null;
    if (has_null) {
      skipped_ = true;
      return "skip";
    }
    Words given(words);
    return obey(words[0], words, given);
  }

 private:
  std::string said(const yukha::Status& status) {
    if (status != yukha::Code::ok) last_error_ = status.message();
    return std::to_string(static_cast<std::int32_t>(status.code())) + " " + yukha::code_name(status.code());
  }

  std::string open(const std::vector<std::string>& words) {
    yukha::Config config;
    std::map<std::string, std::string> settings;
    for (std::size_t i = 1; i + 1 < words.size(); i += 2) settings[words[i]] = decoded(words[i + 1]);
    const auto text = [&settings](const char* name, std::string& place) {
      if (settings.count(name) != 0) place = settings[name];
    };
    const auto number = [&settings](const char* name, const auto& put) {
      if (settings.count(name) != 0) put(std::strtoull(settings[name].c_str(), nullptr, 10));
    };
    text("app_id", config.app_id);
    text("queue_dir", config.queue_dir);
    text("lane", config.lane);
    text("endpoint", config.endpoint);
    text("app_version", config.app_version);
    text("os", config.os);
    text("model", config.model);
    text("locale", config.locale);
    if (settings.count("key_id") != 0) config.keys = {{settings["key_id"], settings["key_secret"]}};
    text("ca_file", config.ca_file);
    text("proxy", config.proxy);
    text("no_proxy", config.no_proxy);
    for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
      if (words[i] == "pin") config.pins.push_back(decoded(words[i + 1]));
    }
    number("connect_timeout_ms", [&](auto value) { config.connect_timeout = milliseconds(value); });
    number("stall_timeout_ms", [&](auto value) { config.stall_timeout = milliseconds(value); });
    number("total_timeout_ms", [&](auto value) { config.total_timeout = milliseconds(value); });
    number("upload_interval_ms", [&](auto value) { config.upload_interval = milliseconds(value); });
    number("sync_interval_ms", [&](auto value) { config.sync_interval = milliseconds(value); });
    number("ring_full_wait_ms", [&](auto value) { config.ring_full_wait = milliseconds(value); });
    number("age_max_hours", [&](auto value) { config.age_max = std::chrono::hours(value); });
    number("allow_plain_http", [&](auto value) { config.allow_plain_http = value != 0; });
    number("no_device_facts", [&](auto value) { config.collect_device_facts = value == 0; });
    number("ring_bytes", [&](auto value) { config.ring_bytes = value; });
    number("queue_bytes_max", [&](auto value) { config.queue_bytes_max = value; });
    last_error_.clear();
    tracker_ = yukha::Tracker::open(config);
    return said(tracker_.status());
  }

  std::string obey(const std::string& command, const std::vector<std::string>& words, Words& given) {
    if (command == "open") return open(words);
    if (command == "identify") return said(tracker_.identify(given.text(1), given.members(2)));
    if (command == "begin") {
      skipped_ = false;
      event_.reset();
      event_.emplace(tracker_.event());
      return "0 ok";
    }
    if (command == "track_json") return said(tracker_.track_json(given.text(1)));
    if (command == "consent") return said(tracker_.consent(static_cast<yukha::Consent>(given.number(1))));
    if (command == "get_consent") return std::to_string(static_cast<std::int32_t>(tracker_.consent()));
    if (command == "erase") return said(tracker_.erase());
    if (command == "flush") return said(tracker_.flush(milliseconds(given.number(1))));
    if (command == "stats") return stats();
    if (command == "close") return said(tracker_.close(milliseconds(given.number(1))));
    if (command == "free") {
      event_.reset();
      tracker_ = yukha::Tracker();
      return "0 ok";
    }
    if (command == "last_error") return in_hex(last_error_);
    if (command == "version") return in_hex(YUKHA_VERSION);
    return part(command, given);
  }

  std::string part(const std::string& command, Words& given) {
    const bool is_track = command == "track";
    if (!is_track && command != "location" && command != "content" && command != "referral" && command != "action" &&
        command != "user" && command != "device" && command != "at" && command != "critical") {
      return "unknown";
    }
    if (skipped_) return "skip";
    if (!event_) return said(yukha::Code::bad_argument);
    yukha::Event& event = *event_;
    if (is_track) {
      const yukha::Status status = event.track();
      event_.reset();
      return said(status);
    }
    if (command == "location") event.location(given.text(1), given.members(2));
    if (command == "content") event.content(given.text(1), given.members(2));
    if (command == "referral") event.referral(given.text(1));
    if (command == "user") event.user(given.members(1));
    if (command == "device") event.device(given.members(1));
    if (command == "at") event.at_unix_ms(given.number(1));
    if (command == "critical") event.critical();
    if (command == "action" && given.number(2) == -1) event.action(given.text(1), given.members(3));
    if (command == "action" && given.number(2) != -1) {
      event.action(given.text(1), milliseconds(given.number(2)), given.members(3));
    }
    return said(event.problem());
  }

  std::string stats() const {
    const yukha::Stats stats = tracker_.stats();
    std::string out;
    for (const std::uint64_t number : {stats.accepted, stats.delivered, stats.waiting, stats.quarantined, stats.evicted,
                                       stats.erased, stats.lost, stats.refused}) {
      out += (out.empty() ? "" : " ") + std::to_string(number);
    }
    return out;
  }

  yukha::Tracker tracker_;
  std::optional<yukha::Event> event_;
  std::string last_error_;
  bool skipped_ = false;       // the sentence in the making
  bool skipped_open_ = false;  // the tracker
};

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  Driver driver;
  std::string line;
  while (std::getline(std::cin, line)) std::cout << driver.answer(line) << std::endl;
}
