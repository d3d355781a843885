#include "builder.hpp"

#include <cstring>
#include <new>

namespace yukha::detail {

char* Builder::room(Event& event, std::size_t bytes) noexcept {
  return bytes <= event.capacity_ - event.size_ ? event.store_ + event.size_ : larger_room(event, bytes);
}

[[gnu::cold]] char* Builder::larger_room(Event& event, std::size_t bytes) noexcept {
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

void Builder::add(Event& event, const compose::NewEntry& entry) noexcept {
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

[[gnu::noinline]] void Builder::add_members(Event& event, Part part, Members members) noexcept {
  with_ruled(event, part, members, [&event, part](Members left) {
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

[[gnu::cold]] Members Builder::left_by_rules(Event& event, Part part, Members members,
                                             std::optional<RuledMembers>& ruled) noexcept {
  try {
    return ruled.emplace(*rules(event), part, members).list();
  } catch (...) {
    event.problem_ = Code::out_of_memory;
    return {};
  }
}

}  // namespace yukha::detail
