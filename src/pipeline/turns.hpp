// Which batch goes next, and which may go at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include <yukha/config.hpp>

#include "pipeline/flush.hpp"
#include "pipeline/size_cap.hpp"
#include "pipeline/watch.hpp"

namespace yukha::pipeline {

class Turns {
 public:
  Turns(Surroundings& around, const Flush& flush, const SizeCap& sizes, const Watch& watch)
      : around_(around), flush_(flush), sizes_(sizes), watch_(watch) {}

  // What is sent from now on, and during a flush. True when that is another thing than before.
  bool set_uploads(Uploads usually, Uploads in_flush) noexcept;
  bool allowed_to_send() const;
  bool has_its_purpose(hold::Kind kind) const noexcept;
  bool may_leave(hold::Kind kind) const noexcept;
  std::size_t batches_to_send(hold::Lane& lane) const;

  enum class Lone { wait, may_go };
  // The next batch of the lane whose turn it is. A sentence that was refused alone waits behind all others, except
  // directly after an acceptance: only then a refusal says something about the sentence. A normal batch has the turn
  // after a critical one's was in vain: a critical one that is refused for ever blocks none. When one must wait for a
  // time of its own, the step is told.
  bool pick(Step& step, hold::Lane& lane, Lone lone, hold::Batch& batch,
            hold::Priority least = hold::Priority::normal) const;
  // The batch waits for a time of its own.
  void hold_back(const hold::Batch& batch, std::int64_t until_ms, std::int64_t now_ms);
  void let_go(const hold::Batch& batch);
  void let_all_go() noexcept { held_back_until_.clear(); }

  // A batch had its turn.
  void answered(bool accepted, hold::Priority priority) noexcept;
  // It has the next one as well, because of what the answer told, which was no acceptance.
  void not_accepted() noexcept { last_was_accepted_ = false; }
  bool last_was_accepted() const noexcept { return last_was_accepted_; }
  // How many turns were in vain, since an acceptance or since a batch that is not full was sealed.
  void count_turn() noexcept { in_vain_ = last_was_accepted_ ? 0 : in_vain_ + 1; }
  void forget_turns_in_vain() noexcept { in_vain_ = 0; }
  std::size_t turns_in_vain() const noexcept { return in_vain_; }

 private:
  std::int64_t held_back_until(const hold::Batch& batch) const;

  Surroundings& around_;
  const Flush& flush_;
  const SizeCap& sizes_;
  const Watch& watch_;
  // By idempotency key, which no other batch ever has: after 409 and 425, and for one that is refused alone.
  std::map<std::string, std::int64_t> held_back_until_;
  bool last_was_accepted_ = false;
  bool critical_in_vain_ = false;  // the last turn
  std::size_t in_vain_ = 0;
  Uploads uploads_ = Uploads::all;
  Uploads uploads_in_flush_ = Uploads::all;
};

}  // namespace yukha::pipeline
