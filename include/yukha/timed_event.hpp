// Something that takes time: an article that is read, a card that is in view, a level that is played.
#ifndef YUKHA_TIMED_EVENT_HPP
#define YUKHA_TIMED_EVENT_HPP

#include <chrono>
#include <cstdint>

#include <yukha/event.hpp>
#include <yukha/status.hpp>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

namespace yukha {

// Started by Event::start(). end() tracks its sentence: `time` is the time of end(), and `action.duration_ms` is how
// long it took by the monotonic clock, without the time in which it was paused or out of view, or the app was in the
// background. A tracker has at most 256 open at a time. It must not outlive its tracker.
//
// The worker writes open timed events to disk: within Config::sync_interval of their start, then every 10 s while the
// time of one runs. close() ends what is still open, and the next open() of the lane ends what a killed process left
// open: with the duration known by then and `action.cut_off` = "true". erase() and a denial cancel what is open.
//
// Threads: one at a time for each object. Blocks: never, but for end(), and as Tracker::open() after a suspension.
class [[nodiscard]] TimedEvent {
 public:
  TimedEvent(TimedEvent&& other) noexcept;
  TimedEvent(const TimedEvent&) = delete;
  TimedEvent& operator=(TimedEvent&&) = delete;
  TimedEvent& operator=(const TimedEvent&) = delete;
  // Calls end(), unless end() or cancel() was called.
  ~TimedEvent();

  // ok, or why it could not start; end() answers the same.
  const Status& status() const noexcept { return problem_; }

  void pause() noexcept;
  void resume() noexcept;
  // How much of it is visible now, from 0 to 1. Its time runs while this is at least Viewability::min_visible_fraction.
  void set_visible_fraction(double fraction) noexcept;
  // How long its time ran so far.
  std::chrono::milliseconds duration() const noexcept;

  // Tracks the sentence, with these members besides the action's. too_short: its time ran for less than
  // Viewability::min_duration, and nothing was tracked. already_tracked: it was ended, cut off, cancelled or erased
  // before. Blocks: as Event::track().
  Status end(Members more = {}) noexcept;
  // Tracks nothing.
  void cancel() noexcept;

 private:
  friend class Event;
  TimedEvent(detail::Core* core, std::uint64_t number, Status&& problem) noexcept;

  detail::Core* core_;
  std::uint64_t number_;  // 0: it is over, or never started
  Status problem_;
};

}  // namespace yukha

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif  // YUKHA_TIMED_EVENT_HPP
