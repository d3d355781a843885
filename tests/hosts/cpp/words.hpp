// The words of PROTOCOL.md, and those of its commands that are the same for every driver written in C++.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>
#include <yukha/yukha.hpp>

namespace yukha::test {

inline int digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

inline std::string decoded(const std::string& word) {
  std::string text;
  if (word == "-") return text;
  for (std::size_t i = 0; i + 1 < word.size(); i += 2) {
    text += static_cast<char>(digit(word[i]) * 16 + digit(word[i + 1]));
  }
  return text;
}

inline std::string in_hex(std::string_view text) {
  static const char digits[] = "0123456789abcdef";
  if (text.empty()) return "-";
  std::string out;
  for (const char c : text) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

inline std::vector<std::string> split(const std::string& line) {
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
  std::size_t size() const { return texts_.size(); }
  std::string_view text(std::size_t place) const { return place < texts_.size() ? texts_[place] : std::string_view(); }
  std::int64_t number(std::size_t place) const {
    return place < words_.size() ? std::strtoll(words_[place].c_str(), nullptr, 10) : 0;
  }
  Members members(std::size_t first) {
    for (std::size_t i = first; i + 1 < texts_.size(); i += 2) members_.push_back({texts_[i], texts_[i + 1]});
    return {members_.data(), members_.size()};
  }

 private:
  const std::vector<std::string>& words_;
  std::vector<std::string> texts_;
  std::vector<Member> members_;
};

inline std::string named(const Status& status) {
  return std::to_string(static_cast<std::int32_t>(status.code())) + " " + code_name(status.code());
}

using Settings = std::map<std::string, std::string>;

inline Settings settings_in(const std::vector<std::string>& words) {
  Settings settings;
  for (std::size_t i = 1; i + 1 < words.size(); i += 2) settings[words[i]] = decoded(words[i + 1]);
  return settings;
}

inline Config config_of(const Settings& settings) {
  using std::chrono::milliseconds;
  Config config;
  const auto text = [&settings](const char* name, std::string& place) {
    if (settings.count(name) != 0) place = settings.at(name);
  };
  const auto number = [&settings](const char* name, const auto& put) {
    if (settings.count(name) != 0) put(std::strtoull(settings.at(name).c_str(), nullptr, 10));
  };
  const auto key = [&settings, &config](const char* id, const char* secret) {
    if (settings.count(id) != 0) {
      config.keys.push_back({settings.at(id), settings.count(secret) != 0 ? settings.at(secret) : ""});
    }
  };
  text("app_id", config.app_id);
  text("queue_dir", config.queue_dir);
  text("lane", config.lane);
  text("endpoint", config.endpoint);
  text("app_version", config.app_version);
  text("os", config.os);
  text("model", config.model);
  text("locale", config.locale);
  key("key_id", "key_secret");
  key("other_key_id", "other_key_secret");
  text("ca_file", config.ca_file);
  text("proxy", config.proxy);
  text("no_proxy", config.no_proxy);
  std::string pins;
  text("pins", pins);
  for (std::size_t at = 0; at < pins.size();) {
    const std::size_t end = std::min(pins.find(';', at), pins.size());
    config.pins.push_back(pins.substr(at, end - at));
    at = end + 1;
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
  number("obey_policy", [&](auto value) { config.obey_policy = value != 0; });
  number("no_thread", [&](auto value) { config.use_thread = value == 0; });
  number("ring_bytes", [&](auto value) { config.ring_bytes = value; });
  number("queue_bytes_max", [&](auto value) { config.queue_bytes_max = value; });
  return config;
}

inline bool is_part(const std::string& command) {
  for (const char* part : {"location", "content", "referral", "action", "user", "device", "at", "critical"}) {
    if (command == part) return true;
  }
  return false;
}

// A part of the sentence in the making.
inline Status put_part(const std::string& command, Words& given, Event& event) {
  if (command == "location") event.location(given.text(1), given.members(2));
  if (command == "content") event.content(given.text(1), given.members(2));
  if (command == "referral") event.referral(given.text(1));
  if (command == "user") event.user(given.members(1));
  if (command == "device") event.device(given.members(1));
  if (command == "at") event.at_unix_ms(given.number(1));
  if (command == "critical") event.critical();
  if (command == "action" && given.number(2) == -1) event.action(given.text(1), given.members(3));
  if (command == "action" && given.number(2) != -1) {
    event.action(given.text(1), std::chrono::milliseconds(given.number(2)), given.members(3));
  }
  return event.status();
}

}  // namespace yukha::test
