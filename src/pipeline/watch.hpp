// What other processes of the directory did and said, as far as this one has read it.
#pragma once

#include <cstdint>

#include "pipeline/faults.hpp"

namespace yukha::pipeline {

class Watch {
 public:
  explicit Watch(Surroundings& around) : around_(around), consents_(around.directory.state().consents) {}

  // Reads the directory. True when what is said of consent is new.
  bool look(Step& step);
  // Otherwise another process may have been told to stop: nothing is sent until that is known.
  bool is_read() const noexcept { return is_read_; }

  const hold::Consents& consents() const noexcept { return consents_; }
  bool is_denied(Purpose purpose) const noexcept { return consents_.of(purpose) == Consent::denied; }
  // Another process erased, and this lane could not yet: what is in it goes nowhere any more.
  bool is_of_an_old_epoch() const { return around_.lane.queue().epoch() < around_.directory.state().epoch; }

 private:
  Surroundings& around_;
  hold::Consents consents_;
  bool is_read_ = true;  // in this step
  std::int64_t reopen_ms_ = INT64_MIN / 2;
};

}  // namespace yukha::pipeline
