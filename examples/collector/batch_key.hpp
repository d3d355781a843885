// The key of a batch, or of a part of one: "<uuid>" or "<uuid>.<path>".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace collector {

struct BatchKey {
  std::string text;
  std::string uuid;

  // A UUID in lower case, then at most 16 levels of 0, 1 or r. Nothing when it is anything else.
  static std::optional<BatchKey> parsed(std::string_view text) {
    constexpr std::size_t kUuidLength = 36;
    constexpr std::size_t kPathLengthMax = 16;
    if (text.size() < kUuidLength) return std::nullopt;
    for (std::size_t i = 0; i < kUuidLength; ++i) {
      const char c = text[i];
      const bool is_dash_place = i == 8 || i == 13 || i == 18 || i == 23;
      const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      if (is_dash_place ? c != '-' : !is_hex) return std::nullopt;
    }
    if (text.size() > kUuidLength) {
      const std::string_view path = text.substr(kUuidLength + 1);
      if (text[kUuidLength] != '.' || path.empty() || path.size() > kPathLengthMax) return std::nullopt;
      if (path.find_first_not_of("01r") != std::string_view::npos) return std::nullopt;
    }
    return BatchKey{std::string(text), std::string(text.substr(0, kUuidLength))};
  }

  bool is_part() const { return text.size() > uuid.size(); }

  // Every key this one is a part of, the whole batch first.
  std::vector<std::string> ancestors() const {
    std::vector<std::string> keys;
    if (!is_part()) return keys;
    keys.push_back(uuid);
    for (std::size_t length = uuid.size() + 2; length < text.size(); ++length) keys.push_back(text.substr(0, length));
    return keys;
  }

  bool has_part(std::string_view other) const {
    if (other.size() <= text.size() || other.substr(0, text.size()) != text) return false;
    return is_part() || other[text.size()] == '.';
  }
};

}  // namespace collector
