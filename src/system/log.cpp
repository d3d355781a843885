#include "system/log.hpp"

#include <utility>

#include "system/utf8.hpp"

namespace yukha::system {

void Log::write(LogLevel level, const std::string& text) noexcept {
  if (!function_ && lines_max_ == 0) return;
  try {
    std::string line = text;
    make_readable(line);
    if (lines_max_ > 0) {
      Lock lock(mutex_);
      lines_.push_back({level, line});
      if (lines_.size() > lines_max_) lines_.pop_front();
    }
    if (function_) function_(level, line);
  } catch (...) {
    // The app's own function threw; its exception has no business in our thread.
  }
}

std::vector<LogLine> Log::take_lines() {
  std::vector<LogLine> all;
  Lock lock(mutex_);
  for (LogLine& line : lines_) all.push_back(std::move(line));
  lines_.clear();
  return all;
}

}  // namespace yukha::system
