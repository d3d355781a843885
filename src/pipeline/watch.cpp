#include "pipeline/watch.hpp"

namespace yukha::pipeline {

bool Watch::look(Step& step) {
  const hold::DirectoryState& state = around_.directory.refresh();
  if (step.now_ms >= reopen_ms_) {
    reopen_ms_ = step.now_ms + Faults::again_after_ms;
    // Where the lane is gone, too, it is made again with it.
    if (!around_.lane.is_gone()) around_.directory.come_back(hold::Remake::file);
  }
  const Status read = around_.directory.status_of_fault("reading");
  is_read_ = static_cast<bool>(read);
  if (!is_read_) {
    around_.log.write(LogLevel::warning, read.message());
    step.send_at_ms = step.now_ms + Faults::again_after_ms;
  }
  if (state.consents == consents_) return false;
  consents_ = state.consents;
  return true;
}

}  // namespace yukha::pipeline
