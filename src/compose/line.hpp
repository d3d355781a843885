// The encoder: parts and circumstances in, the contract's line out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <yukha/event.hpp>

namespace yukha::compose {

constexpr std::size_t line_bytes_max = 32 * 1024;  // send/CONTRACT.md, "The sentence"

// What stands in every sentence until somebody changes it.
struct Circumstances {
  // Stores of each part's members; see Standing.
  std::string user;    // `id` first
  std::string device;  // behind sdk and contract
  std::string content;
  std::string action;
  std::string install_id;
  std::string ad_id;  // for sentences of the purpose advertising
  std::uint64_t run = 0;
};

struct Sentence {
  const char* parts = nullptr;  // store of the builder, checked as it was filled
  std::size_t parts_size = 0;
  std::int64_t id_unix_ms = 0;  // goes into the id
  std::uint64_t chance[2] = {0, 0};
  std::int64_t unix_ms = 0;  // when it happened
  bool own_time = false;     // the app said when; its clock offset is 0 by definition
  Purpose purpose = Purpose::analytics;
  std::uint64_t seq = 0;
};

// Encodes sentences of one tracker; remembers what only changes with the circumstances.
// Threads: one at a time. Blocks: never.
class LineEncoder {
 public:
  void set(const Circumstances& circumstances);
  // What the device's clock is off by, on every sentence whose time is that clock's; nothing while it is not known.
  void set_clock_offset(std::optional<std::int64_t> offset_ms);
  void forget_clock_offset() noexcept;

  // The most that encode() writes for parts of this size, allowed or not.
  std::size_t bound(std::size_t parts_size) const noexcept;
  // Writes the line without a line end and returns its size, which may be over line_bytes_max: look before using it.
  std::size_t encode(const Sentence& sentence, char* out) noexcept;
  // The six parts as Tracker::track_json reads them, with what stands in every sentence and without the closing brace.
  std::string parts_as_json(const std::string& parts) const;

 private:
  Circumstances circumstances_;
  std::string to_seq_;                // },"device":{"id":"…","run":"…","seq":"
  std::string user_to_seq_;           // the same behind "id":"u_1842","plan":"free"
  std::string from_seq_;              // ","sdk":"…","contract":"1"
  std::string to_location_;           // ,"os":"…" … },"location":"
  std::string ad_id_;                 // ,"ad_id":"…", or empty
  std::string clock_offset_;          // ,"clock_offset_ms":"-42", or empty
  std::string from_seq_to_location_;  // with the clock's offset in between; empty when it is not joined
  std::int64_t cached_second_ = INT64_MIN;
  char cached_time_[24] = {};
};

}  // namespace yukha::compose
