// What an endpoint may ask of its clients: a pause, fewer uploads, fewer users, fewer kinds of events. Each wish is
// bounded and ends by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "system/json.hpp"

namespace yukha::send {

constexpr const char* policy_note = "policy";  // what the directory remembers of it

struct Policy {
  std::int64_t arrived_unix_ms = 0;
  std::int64_t for_s = 0;  // how long it holds since it arrived; 0: it ends the one in force
  std::int64_t pause_s = 0;
  std::int64_t upload_interval_s = 0;
  std::int64_t share_percent = 100;
  std::vector<std::string> stop;  // action types; "*" for all

  // As an answer says it; nothing when any of it is out of its range, or not what it should be.
  static std::optional<Policy> told(const system::Json& json, std::int64_t now_unix_ms);
  // As text() wrote it; nothing when that is not what it is.
  static std::optional<Policy> kept(std::string_view text);
  std::string text() const;

  // How long of `span_s` is left at that time. Before it arrived nothing is: a clock that was set back must not make it
  // longer.
  std::int64_t left_ms(std::int64_t span_s, std::int64_t now_unix_ms) const noexcept;
};

}  // namespace yukha::send
