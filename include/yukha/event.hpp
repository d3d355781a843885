// One sentence in the making.
#ifndef YUKHA_EVENT_HPP
#define YUKHA_EVENT_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include <yukha/status.hpp>

struct yukha_event;

namespace yukha::detail {
class Core;
struct Builder;
}  // namespace yukha::detail

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

namespace yukha {

// The six parts of a sentence.
enum class Part : std::int32_t { user = 0, device = 1, location = 2, content = 3, referral = 4, action = 5 };

// What a sentence is kept for; each purpose has a consent of its own, see Tracker::set_consent().
enum class Purpose : std::int32_t { analytics = 0, advertising = 1, personalization = 2 };

// A further fact about a part. Names are [a-z][a-z0-9_]{0,63}; a value is any text. Invalid UTF-8 becomes U+FFFD.
struct Member {
  std::string_view name;
  std::string_view value;
};

// Members as a list in braces, or an array the caller owns. Borrowed for the length of the call.
class Members {
 public:
  constexpr Members() noexcept = default;
  constexpr Members(std::initializer_list<Member> list) noexcept {  // NOLINT(google-explicit-constructor)
    first_ = list.begin();
    count_ = list.size();
  }
  constexpr Members(const Member* first, std::size_t count) noexcept : first_(first), count_(count) {}
  constexpr const Member* begin() const noexcept { return first_; }
  constexpr const Member* end() const noexcept { return first_ + count_; }

 private:
  const Member* first_ = nullptr;
  std::size_t count_ = 0;
};

// When a timed event counts as seen. Its time runs only while at least `min_visible_fraction` of it is visible, and its
// sentence is tracked only when that time reached `min_duration`.
struct Viewability {
  double min_visible_fraction = 0;            // 0 (the time always runs) to 1 (only while all of it is visible)
  std::chrono::milliseconds min_duration{0};  // 0 or more
};

class TimedEvent;

// Built by Tracker::event(), finished by track(). What is passed is copied at once; nothing is borrowed. It must not
// outlive its tracker. The first mistake is remembered and answered by track(); later calls then do nothing.
// Threads: one. Blocks: never.
class [[nodiscard]] Event {
 public:
  Event(Event&& other) noexcept;
  Event(const Event&) = delete;
  Event& operator=(Event&&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event();

  // Where it happened: a screen, and parameters that say more about the place. It becomes
  // app://<app_id>/<screen>?<name>=<value>…, percent-encoded. A screen that is a URL itself (scheme://…) is kept; what
  // java.net.URI could not read in it is percent-encoded, and the parameters are added to its query.
  Event& location(std::string_view screen, Members parameters = {}) & noexcept;
  // What it was about; an empty id is left out. Members: any but `id`.
  Event& content(std::string_view id, Members members = {}) & noexcept;
  // What led the user here: CLICK, PUSH, a URL.
  Event& referral(std::string_view from) & noexcept;
  // What the user did. Required. Members: any but `type` and `duration_ms`.
  Event& action(std::string_view type, Members members = {}) & noexcept;
  // The same, with how long it took: 0 or more.
  Event& action(std::string_view type, std::chrono::milliseconds duration, Members members = {}) & noexcept;
  // More members of `user` for this sentence alone; one that identify() gave is replaced, the id too. Any but
  // `purpose`.
  Event& user(Members members) & noexcept;
  // More members of `device` for this sentence alone; one of the config's is replaced.
  // Any but `id`, `run`, `seq`, `sdk`, `contract`, `clock_offset_ms` and `ad_id`.
  Event& device(Members members) & noexcept;
  // When it happened, if not now: year 1 to 9999, kept to the millisecond.
  Event& at(std::chrono::system_clock::time_point time) & noexcept;
  Event& at_unix_ms(std::int64_t unix_ms) & noexcept;
  // Marks the sentence as critical: it is sent before all others, and evicted after them.
  Event& critical() & noexcept;
  // Sets what the sentence is for. It is then kept and sent as the consent to this purpose allows, in place of the
  // consent to analytics. The purpose is written as `user.purpose`.
  Event& purpose(Purpose purpose) & noexcept;

  // The first mistake so far, or ok.
  const Status& status() const noexcept { return problem_; }

  // Keeps the sentence on the device: ok, kept_in_memory, or why it was refused. It never syncs. It makes one write
  // into the page cache where the ring cannot be mapped. It waits only when the ring is full and Config::ring_full_wait
  // allows it; without a worker's thread it then does the worker's work. A second call answers already_tracked.
  // Threads: one for this object, any for its tracker. Blocks: never, or up to Config::ring_full_wait.
  Status track() noexcept;

  // Starts something that takes time: TimedEvent::end() tracks the sentence, with its duration. The event needs an
  // action without a duration, and no at(). When it cannot start, TimedEvent::status() says why. Threads: one for this
  // object, any for its tracker. Blocks: never, but as Tracker::open() after a suspension.
  TimedEvent start(const Viewability& viewability = {}) & noexcept;
  TimedEvent start(const Viewability& viewability = {}) && noexcept;

  // The same words on a temporary, so that a sentence reads as one.
  [[nodiscard]] Event&& location(std::string_view screen, Members parameters = {}) && noexcept {
    return static_cast<Event&&>(location(screen, parameters));
  }
  [[nodiscard]] Event&& content(std::string_view id, Members members = {}) && noexcept {
    return static_cast<Event&&>(content(id, members));
  }
  [[nodiscard]] Event&& referral(std::string_view from) && noexcept { return static_cast<Event&&>(referral(from)); }
  [[nodiscard]] Event&& action(std::string_view type, Members members = {}) && noexcept {
    return static_cast<Event&&>(action(type, members));
  }
  [[nodiscard]] Event&& action(std::string_view type, std::chrono::milliseconds duration,
                               Members members = {}) && noexcept {
    return static_cast<Event&&>(action(type, duration, members));
  }
  [[nodiscard]] Event&& user(Members members) && noexcept { return static_cast<Event&&>(user(members)); }
  [[nodiscard]] Event&& device(Members members) && noexcept { return static_cast<Event&&>(device(members)); }
  [[nodiscard]] Event&& at(std::chrono::system_clock::time_point time) && noexcept {
    return static_cast<Event&&>(at(time));
  }
  [[nodiscard]] Event&& at_unix_ms(std::int64_t unix_ms) && noexcept {
    return static_cast<Event&&>(at_unix_ms(unix_ms));
  }
  [[nodiscard]] Event&& critical() && noexcept { return static_cast<Event&&>(critical()); }
  [[nodiscard]] Event&& purpose(Purpose purpose) && noexcept { return static_cast<Event&&>(this->purpose(purpose)); }

 private:
  friend class Tracker;
  friend class detail::Core;
  friend struct detail::Builder;
  friend struct ::yukha_event;  // yukha.h knows mistakes that cannot be made here
  explicit Event(detail::Core* core) noexcept;

  // See src/compose/parts.hpp, which reads and writes this store.
  static constexpr std::size_t inline_bytes = 1024;
  detail::Core* core_;
  char* store_;  // inline_, or memory of its own once grown
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = inline_bytes;
  std::uint64_t names_[4] = {};
  std::int64_t at_unix_ms_ = 0;
  bool has_time_ = false;
  bool has_action_ = false;
  bool critical_ = false;
  Purpose purpose_ = Purpose::analytics;
  bool ruled_ = false;  // what lies here went by the config's rules for members already
  Status problem_;
  char inline_[inline_bytes];
};

}  // namespace yukha

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif  // YUKHA_EVENT_HPP
