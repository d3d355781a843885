// The scopes of a tracker that are open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <yukha/event.hpp>
#include <yukha/status.hpp>

#include "compose/line.hpp"
#include "hold/queue/queue.hpp"

namespace yukha::detail {

struct OpenScope {
  std::string parts;  // store of the builder
  std::uint64_t names[4] = {};
  bool critical = false;
  Purpose purpose = Purpose::analytics;
  std::uint64_t chance[2] = {};  // the random part of its sentence's id, by which its end is known again after a kill
  Viewability viewability;
  bool kept = false;     // the disk has it, in whatever state
  bool to_keep = false;  // it was to be written, and nobody said that it was
  bool paused = false;
  bool in_view = true;
  std::int64_t counted_ms = 0;
  std::int64_t since_ms = -1;  // monotonic: since when it counts; -1: it stands still

  std::int64_t duration(std::int64_t now_ms) const noexcept;
};

// Threads: one at a time. Blocks: never.
class Scopes {
 public:
  // Takes the scope in and begins to count; 0 when there are too many.
  std::uint64_t begin(OpenScope&& scope, std::int64_t now_ms);
  // Takes it out; false when there is none of that number.
  bool end(std::uint64_t number, std::int64_t now_ms, OpenScope& scope);
  void pause(std::uint64_t number, bool paused, std::int64_t now_ms) noexcept;
  void show(std::uint64_t number, double part, std::int64_t now_ms) noexcept;
  std::int64_t duration(std::uint64_t number, std::int64_t now_ms) const noexcept;
  // None counts while the app is in the background.
  void set_background(bool background, std::int64_t now_ms) noexcept;
  // The number of one that is open; 0 for none.
  std::uint64_t first() const noexcept { return open_.empty() ? 0 : open_.begin()->first; }
  // Those that the disk had, and has no more, were told of by whoever took the lane meanwhile: they are cancelled.
  // In another lane, or in memory, that is also so of those whose writing failed: they may be on the disk all the same.
  // Returns what the disk has of others.
  std::vector<hold::KeptScope> reconcile(const std::vector<hold::KeptScope>& on_disk, bool same_lane);
  // All are cancelled, and the disk is to have none.
  void clear(std::int64_t now_ms) noexcept;
  // Those whose consent is denied are.
  void erase_denied(const hold::Consents& consents, std::int64_t now_ms);

  // What the disk has of earlier processes that could not be told yet; it stays there.
  void leave(std::vector<hold::KeptScope>&& untold, std::int64_t now_ms);
  void forget_untold() noexcept { untold_.clear(); }
  // What the disk is to have of them. It changes with each begin() and end(), with
  // what begins or ceases to count, and as time goes on.
  std::uint64_t version() const noexcept { return version_; }
  // When it is to be written, INT64_MAX for never; `interval_ms` after a change.
  std::int64_t due_ms(std::int64_t interval_ms) const noexcept;
  std::vector<hold::KeptScope> to_keep(const compose::LineEncoder& encoder, std::int64_t now_ms, std::int64_t unix_ms);
  void kept(std::uint64_t version, std::int64_t now_ms) noexcept;
  // Something began, ended, or went on or stood still since.
  bool changed() const noexcept { return changed_ms_ >= 0; }

 private:
  void change(std::int64_t now_ms) noexcept;
  void count(OpenScope& scope, std::int64_t now_ms) noexcept;

  std::map<std::uint64_t, OpenScope> open_;
  std::vector<hold::KeptScope> untold_;
  std::size_t bytes_ = 0;
  std::uint64_t begun_ = 0;
  bool background_ = false;
  std::uint64_t version_ = 0;
  std::int64_t changed_ms_ = -1;  // the first change that the disk does not have; -1: none
  std::int64_t kept_ms_ = 0;
};

}  // namespace yukha::detail
