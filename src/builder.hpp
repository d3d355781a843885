// Writes entries into an event's store; see compose/parts.hpp for what a store is.
#pragma once

#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include <yukha/event.hpp>

#include "compose/parts.hpp"
#include "core.hpp"
#include "member_rules.hpp"

namespace yukha::detail {

struct Builder {
  // Room for `bytes` more, or nullptr when the sentence becomes too large or there is no memory.
  static char* room(Event& event, std::size_t bytes) noexcept {
    if (bytes <= event.capacity_ - event.size_) return event.store_ + event.size_;
    if (bytes > compose::store_bytes_max - event.size_) {
      event.problem_ = Code::sentence_too_large;
      return nullptr;
    }
    // Grows once: most sentences never do, and those that do are rare enough for the largest size at once.
    char* larger = new (std::nothrow) char[compose::store_bytes_max];
    if (larger == nullptr) {
      event.problem_ = Code::out_of_memory;
      return nullptr;
    }
    std::memcpy(larger, event.store_, event.size_);
    if (event.store_ != event.inline_) delete[] event.store_;
    event.store_ = larger;
    event.capacity_ = static_cast<std::uint32_t>(compose::store_bytes_max);
    return event.store_ + event.size_;
  }

  static void add(Event& event, const compose::NewEntry& entry) noexcept {
    if (!event.problem_) return;
    const Part part = entry.part();
    const unsigned which = compose::name_bit(part, entry.name());
    std::uint64_t& names = event.names_[which / 64];
    const std::uint64_t bit = std::uint64_t{1} << which % 64;
    if ((names & bit) != 0 && compose::has_entry(event.store_, event.size_, part, entry.name())) {
      event.problem_ = compose::about_member(Code::repeated_member, part, entry.name());
      return;
    }
    const bool surely_fits = entry.bound() <= event.capacity_ - event.size_;
    char* const out = surely_fits ? event.store_ + event.size_ : room(event, entry.size());
    if (out == nullptr) return;
    names |= bit;
    event.size_ += static_cast<std::uint32_t>(entry.write(out));
  }

  // Null when there are none, or when what lies in the event went by them already.
  static const MemberRules* rules(const Event& event) noexcept {
    return event.core_ == nullptr || event.ruled_ ? nullptr : event.core_->rules();
  }

  // Calls with the members that the rules leave.
  template <typename Call>
  static void with_ruled(Event& event, Part part, Members members, const Call& call) noexcept {
    const MemberRules* const rules = Builder::rules(event);
    if (rules == nullptr) return call(members);
    try {
      call(RuledMembers(*rules, part, members).list());
    } catch (...) {
      event.problem_ = Code::out_of_memory;
    }
  }

  static void add_members(Event& event, Part part, Members members) noexcept {
    with_ruled(event, part, members, [&event, part](Members left) { add_each(event, part, left); });
  }

 private:
  static void add_each(Event& event, Part part, Members members) noexcept {
    for (const Member& member : members) {
      if (!event.problem_) return;
      if (Status status = compose::check_member(part, member.name); !status) {
        event.problem_ = std::move(status);
        return;
      }
      add(event, compose::NewEntry::member(part, member.name, member.value));
    }
  }
};

}  // namespace yukha::detail
