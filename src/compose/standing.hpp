// What stands in every sentence until somebody changes it: who, with what device, and what the app set for a part.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <yukha/event.hpp>
#include <yukha/status.hpp>

#include "compose/line.hpp"
#include "compose/parts.hpp"

namespace yukha::compose {

// A sentence's own member goes before what was set, that before what identify() or the config gave.
// A change that is refused changes nothing. Threads: one at a time. Blocks: never.
struct Standing {
  std::string install_id;
  std::uint64_t run = 0;
  std::string user_id;                          // empty: anonymous, which is the install id
  std::string identity;                         // store: what identify() gave besides
  std::string facts;                            // store: what the config gives about the device
  std::array<std::string, part_count> context;  // stores: what set() gave
  std::string ad_id;                            // empty: none
  std::string sample_rate;                      // empty: everybody is in the sample
  std::uint64_t session = 0;                    // 0: sessions are off
  std::uint64_t session_ordinal = 0;

  const std::string& who() const noexcept { return user_id.empty() ? install_id : user_id; }

  Status identify(std::string_view id, Members members);
  // Who was here is gone, and what was set about that user.
  void reset() noexcept;
  Status set(Part part, Members members);
  Status unset(Part part, std::string_view name);
  Status set_ad_id(std::string_view id);

  Circumstances circumstances() const;
};

}  // namespace yukha::compose
