// What the library tells the app: a function of the app's, and the last lines for whoever would rather ask.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include <yukha/config.hpp>

#include "system/mutex.hpp"

namespace yukha::system {

// Owns the kept lines; its lock is taken last, by whoever logs. The app's function runs without it.
// Threads: any. Blocks: never, unless the app's function does.
class Log {
 public:
  // An empty function tells nobody; 0 lines are kept for nobody.
  Log(LogFunction function, std::size_t lines_max) : function_(std::move(function)), lines_max_(lines_max) {}

  void write(LogLevel level, const std::string& text) noexcept;
  // The kept lines, oldest first; they are kept no longer.
  std::vector<LogLine> take_lines();

 private:
  const LogFunction function_;
  const std::size_t lines_max_;
  Mutex mutex_;
  std::list<LogLine> lines_ YUKHA_GUARDED_BY(mutex_);
};

}  // namespace yukha::system
