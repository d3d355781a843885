#include "compose/builder.hpp"

#include <cstring>
#include <new>

#include "compose/name_table.hpp"

namespace yukha::detail {
namespace {

// Lies behind the store of an event that grew: with thousands of members, looking at each for each were quadratic.
struct NameIndex {
  static constexpr std::size_t slots = 8192;  // twice the members that a store has room for

  bool has(const char* store, std::size_t size, Part part, std::string_view name) noexcept {
    if (indexed == 0) std::memset(table, 0, sizeof table);
    compose::Entry entry{};
    for (compose::Entries left(store + indexed, size - indexed); left.next(entry);) {
      indexed = static_cast<std::uint32_t>(entry.text.data() + entry.text.size() - store);
      const auto never = [](std::size_t) { return false; };
      const auto place = static_cast<std::size_t>(entry.text.data() - store);
      compose::find_or_put(table, slots, entry.name, place, never);
    }
    for (std::size_t at = compose::slot_of(name, table, slots); table[at] != 0; at = (at + 1) & (slots - 1)) {
      compose::Entries one(store + table[at] - compose::entry_head_bytes, compose::entry_head_bytes);
      if (one.next(entry) && entry.part == part && entry.name == name) return true;
    }
    return false;
  }

  std::uint32_t indexed = 0;  // bytes of the store
  std::uint16_t table[slots];
};

constexpr std::size_t grown_bytes = compose::store_bytes_max + sizeof(NameIndex);
static_assert(compose::store_bytes_max % alignof(NameIndex) == 0 && compose::store_bytes_max <= UINT16_MAX);

[[gnu::cold, gnu::noinline]] bool has_name(char* store, std::size_t size, bool grown, Part part,
                                           std::string_view name) noexcept {
  if (!grown) return compose::has_entry(store, size, part, name);
  return reinterpret_cast<NameIndex*>(store + compose::store_bytes_max)->has(store, size, part, name);
}

}  // namespace

char* Builder::room(Event& event, std::size_t bytes) noexcept {
  return bytes <= event.capacity_ - event.size_ ? event.store_ + event.size_ : larger_room(event, bytes);
}

[[gnu::cold]] char* Builder::larger_room(Event& event, std::size_t bytes) noexcept {
  if (bytes > compose::store_bytes_max - event.size_) {
    event.problem_ = Code::sentence_too_large;
    return nullptr;
  }
  // Grows once: most sentences never do, and those that do are rare enough for the largest size at once.
  char* larger = new (std::nothrow) char[grown_bytes];
  if (larger == nullptr) {
    event.problem_ = Code::out_of_memory;
    return nullptr;
  }
  std::memcpy(larger, event.store_, event.size_);
  new (larger + compose::store_bytes_max) NameIndex;
  if (event.store_ != event.inline_) delete[] event.store_;
  event.store_ = larger;
  event.capacity_ = static_cast<std::uint32_t>(compose::store_bytes_max);
  return event.store_ + event.size_;
}

void Builder::add(Event& event, const compose::NewEntry& entry) noexcept {
  if (!event.problem_) return;
  const Part part = entry.part();
  const unsigned which = compose::name_bit(part, entry.name());
  std::uint64_t& names = event.names_[which / 64];
  const std::uint64_t bit = std::uint64_t{1} << which % 64;
  if ((names & bit) != 0 && has_name(event.store_, event.size_, event.store_ != event.inline_, part, entry.name())) {
    event.problem_ = compose::about_member(Code::repeated_member, part, entry.name());
    return;
  }
  const bool surely_fits = entry.bound() <= event.capacity_ - event.size_;
  char* const out = surely_fits ? event.store_ + event.size_ : room(event, entry.size());
  if (out == nullptr) return;
  names |= bit;
  event.size_ += static_cast<std::uint32_t>(entry.write(out));
}

[[gnu::noinline]] void Builder::add_members(Event& event, const MemberRules* rules, Part part,
                                            Members members) noexcept {
  with_ruled(event, rules, part, members, [&event, part](Members left) {
    for (const Member& member : left) {
      if (!event.problem_) return;
      if (!compose::may_write(part, member.name)) {
        event.problem_ = compose::check_member(part, member.name);
        return;
      }
      add(event, compose::NewEntry::member(part, member.name, member.value));
    }
  });
}

[[gnu::cold]] Members Builder::left_by_rules(Event& event, const MemberRules& rules, Part part, Members members,
                                             std::optional<RuledMembers>& ruled) noexcept {
  try {
    return ruled.emplace(rules, part, members).list();
  } catch (...) {
    event.problem_ = Code::out_of_memory;
    return {};
  }
}

}  // namespace yukha::detail
