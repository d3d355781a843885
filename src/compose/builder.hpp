// Writes entries into an event's store; see compose/parts.hpp for what a store is.
#pragma once

#include <cstddef>
#include <optional>

#include <yukha/event.hpp>

#include "compose/member_rules.hpp"
#include "compose/parts.hpp"

namespace yukha::detail {

struct Builder {
  // Room for `bytes` more, or nullptr when the sentence becomes too large or there is no memory.
  static char* room(Event& event, std::size_t bytes) noexcept;
  static void add(Event& event, const compose::NewEntry& entry) noexcept;
  // `rules`: null when there are none, or when what lies in the event went by them already.
  static void add_members(Event& event, const MemberRules* rules, Part part, Members members) noexcept;

  // Calls with the members that the rules leave.
  template <typename Call>
  static void with_ruled(Event& event, const MemberRules* rules, Part part, Members members,
                         const Call& call) noexcept {
    std::optional<RuledMembers> ruled;
    if (rules != nullptr) members = left_by_rules(event, *rules, part, members, ruled);
    call(members);
  }

 private:
  // Without memory none, and the event is refused.
  static Members left_by_rules(Event& event, const MemberRules& rules, Part part, Members members,
                               std::optional<RuledMembers>& ruled) noexcept;
  static char* larger_room(Event& event, std::size_t bytes) noexcept;
};

}  // namespace yukha::detail
