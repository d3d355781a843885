// Something that takes time: an article that is read, a card that is in view, a level that is played.
#ifndef YUKHA_SCOPE_HPP
#define YUKHA_SCOPE_HPP

#include <chrono>
#include <cstdint>

#include <yukha/event.hpp>
#include <yukha/status.hpp>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

namespace yukha {

// Begun by Event::begin(). Its end tracks the sentence: `time` is the end, `action.duration_ms` how long it took by the
// monotonic clock, without the time in which it was paused, out of view, or the app in the background. At most 256 are
// open at a time. It must not outlive its tracker.
//
// The worker writes what is open to disk: within Config::sync_interval of its beginning, then every 10 s for as long as
// one counts. What a killed process leaves open is ended by the next open() of its lane, as close() ends it: with the
// duration known by then and `action.cut_off` = "true". What erase() or a denial meets open is cancelled.
//
// Threads: one at a time for each object. Blocks: never, but for end(), and as Tracker::open() after a suspension.
class [[nodiscard]] Scope {
 public:
  Scope(Scope&& other) noexcept;
  Scope(const Scope&) = delete;
  Scope& operator=(Scope&&) = delete;
  Scope& operator=(const Scope&) = delete;
  // Ends it, unless end() or cancel() did.
  ~Scope();

  // Why it could not begin, or ok; end() answers the same.
  const Status& problem() const noexcept { return problem_; }

  void pause() noexcept;
  void resume() noexcept;
  // How much of it can be seen, from 0 to 1: time counts while it is at least Shown::part.
  void visible(double part) noexcept;
  // What was counted so far.
  std::chrono::milliseconds duration() const noexcept;

  // Tracks the sentence, with these members besides the action's. too_short: it counted less than Shown::least, and
  // nothing was tracked. already_tracked: it was ended, cut off, cancelled or erased before.
  // Blocks: as Event::track().
  Status end(Members more = {}) noexcept;
  void cancel() noexcept;

 private:
  friend class Event;
  Scope(detail::Core* core, std::uint64_t number, Status&& problem) noexcept;

  detail::Core* core_;
  std::uint64_t number_;  // 0: it is over, or never began
  Status problem_;
};

}  // namespace yukha

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif  // YUKHA_SCOPE_HPP
