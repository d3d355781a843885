#include <yukha/event.hpp>

#include <cstring>
#include <new>
#include <utility>

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "core.hpp"

namespace yukha {
namespace detail {

// Writes entries into an event's store.
struct Builder {
  // Room for `bytes` more, or nullptr when the sentence becomes too large or there is no memory.
  static char* room(char*& store, std::uint32_t size, std::uint32_t& capacity, char* inline_store, std::size_t bytes,
                    Status& problem) noexcept {
    if (bytes <= capacity - size) return store + size;
    if (bytes > compose::store_bytes_max - size) {
      problem = Code::sentence_too_large;
      return nullptr;
    }
    // Grows once: most sentences never do, and those that do are rare enough for the largest size at once.
    char* larger = new (std::nothrow) char[compose::store_bytes_max];
    if (larger == nullptr) {
      problem = Code::out_of_memory;
      return nullptr;
    }
    std::memcpy(larger, store, size);
    if (store != inline_store) delete[] store;
    store = larger;
    capacity = static_cast<std::uint32_t>(compose::store_bytes_max);
    return store + size;
  }
};

}  // namespace detail

using compose::Part;

Event::Event(detail::Core* core) noexcept : core_(core), store_(inline_) {
  if (core == nullptr) problem_ = Code::not_open;
}

Event::Event(Event&& other) noexcept
    : core_(other.core_),
      store_(other.store_),
      size_(other.size_),
      capacity_(other.capacity_),
      at_unix_ms_(other.at_unix_ms_),
      has_time_(other.has_time_),
      critical_(other.critical_),
      problem_(std::move(other.problem_)) {
  if (other.store_ == other.inline_) {
    std::memcpy(inline_, other.inline_, size_);
    store_ = inline_;
  }
  other.store_ = other.inline_;
  other.size_ = 0;
  other.capacity_ = inline_bytes;
  other.problem_ = Code::already_tracked;
}

Event::~Event() {
  if (store_ != inline_) delete[] store_;
}

bool Event::add(int part_number, std::string_view name, std::string_view value) noexcept {
  if (!problem_) return false;
  const auto part = static_cast<Part>(part_number);
  if (compose::has_entry(store_, size_, part, name)) {
    problem_ = compose::about_member(Code::repeated_member, part, name);
    return false;
  }
  const std::size_t bytes =
      name.empty() ? compose::referral_entry_size(value) : compose::member_entry_size(name, value);
  char* out = detail::Builder::room(store_, size_, capacity_, inline_, bytes, problem_);
  if (out == nullptr) return false;
  if (name.empty()) {
    compose::write_referral_entry(value, out);
  } else {
    compose::write_member_entry(part, name, value, out);
  }
  size_ += static_cast<std::uint32_t>(bytes);
  return true;
}

void Event::add_members(int part_number, Members members) noexcept {
  const auto part = static_cast<Part>(part_number);
  for (const Member& member : members) {
    if (!problem_) return;
    if (Status status = compose::check_member(part, member.name); !status) {
      problem_ = std::move(status);
      return;
    }
    add(part_number, member.name, member.value);
  }
}

Event& Event::location(std::string_view screen, Members parameters) & noexcept {
  if (!problem_) return *this;
  if (compose::has_entry(store_, size_, Part::location, {})) {
    problem_ = compose::about_member(Code::repeated_member, Part::location, {});
    return *this;
  }
  const std::size_t bytes = compose::location_entry_size(core_->app_id(), screen, parameters);
  char* out = detail::Builder::room(store_, size_, capacity_, inline_, bytes, problem_);
  if (out == nullptr) return *this;
  compose::write_location_entry(core_->app_id(), screen, parameters, out);
  size_ += static_cast<std::uint32_t>(bytes);
  return *this;
}

Event& Event::content(std::string_view id, Members members) & noexcept {
  if (!id.empty()) add(static_cast<int>(Part::content), "id", id);
  add_members(static_cast<int>(Part::content), members);
  return *this;
}

Event& Event::referral(std::string_view from) & noexcept {
  add(static_cast<int>(Part::referral), {}, from);
  return *this;
}

Event& Event::action(std::string_view type, Members members) & noexcept {
  if (!problem_) return *this;
  if (type.empty()) {
    problem_ = Code::missing_action;
    return *this;
  }
  add(static_cast<int>(Part::action), "type", type);
  add_members(static_cast<int>(Part::action), members);
  return *this;
}

Event& Event::action(std::string_view type, std::chrono::milliseconds duration, Members members) & noexcept {
  if (!problem_) return *this;
  if (duration.count() < 0) {
    problem_ = compose::about_member(Code::bad_time, Part::action, "duration_ms");
    return *this;
  }
  action(type);
  char digits[24];
  char* at = digits + sizeof digits;
  auto left = static_cast<std::uint64_t>(duration.count());
  do {
    *--at = static_cast<char>('0' + left % 10);
    left /= 10;
  } while (left != 0);
  add(static_cast<int>(Part::action), "duration_ms", {at, static_cast<std::size_t>(digits + sizeof digits - at)});
  add_members(static_cast<int>(Part::action), members);
  return *this;
}

Event& Event::user(Members members) & noexcept {
  for (const Member& member : members) {
    // Who it was is never nobody.
    if (problem_ && member.name == "id" && member.value.empty())
      problem_ = compose::about_member(Code::bad_argument, Part::user, "id");
  }
  add_members(static_cast<int>(Part::user), members);
  return *this;
}

Event& Event::device(Members members) & noexcept {
  add_members(static_cast<int>(Part::device), members);
  return *this;
}

Event& Event::at(std::chrono::system_clock::time_point time) & noexcept {
  return at_unix_ms(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

Event& Event::at_unix_ms(std::int64_t unix_ms) & noexcept {
  if (!problem_) return *this;
  if (unix_ms < compose::time_unix_ms_min || unix_ms > compose::time_unix_ms_max) {
    problem_ = Code::bad_time;
    return *this;
  }
  at_unix_ms_ = unix_ms;
  has_time_ = true;
  return *this;
}

Event& Event::critical() & noexcept {
  critical_ = true;
  return *this;
}

Status Event::track() noexcept {
  if (core_ == nullptr) return Code::not_open;
  Status problem = std::move(problem_);
  problem_ = Code::already_tracked;
  if (problem == Code::already_tracked) return problem;
  try {
    return core_->track(*this, std::move(problem));
  } catch (...) {
    return Code::out_of_memory;
  }
}

}  // namespace yukha
