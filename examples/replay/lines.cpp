#include "lines.hpp"

#include <iterator>
#include <utility>

namespace replay {

Lines::Next Lines::next(Line& line, std::string& problem) {
  if (!again_.empty()) {
    current_ = std::move(again_.front());
    again_.pop_front();
    line = current_.line;
    line.text = current_.text;
    return Next::line;
  }
  line = Line{};
  const Next result = read(line, problem);
  if (result != Next::line) return result;
  line.number = ++count_;
  if (!is_utf8(line.text)) {
    repaired_.clear();
    line.repaired = repair_utf8(line.text, repaired_);
    line.text = repaired_;
  }
  return result;
}

void Lines::give_back(std::vector<Kept> lines) {
  again_.insert(again_.begin(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
}

Lines::Next Lines::read(Line& line, std::string& problem) {
  joined_.clear();
  for (;;) {
    if (piece_.empty()) {
      switch (source_.next(piece_, problem)) {
        case TextSource::Next::broken:
          return Next::broken;
        case TextSource::Next::stopped:
          return Next::stopped;
        case TextSource::Next::end:
          line.text = joined_;
          return line.bytes == 0 ? Next::end : Next::line;
        case TextSource::Next::piece:
          break;
      }
    }
    const std::size_t end = piece_.find('\n');
    const std::size_t count = end == std::string_view::npos ? piece_.size() : end + 1;
    const std::string_view part = piece_.substr(0, count);
    piece_.remove_prefix(count);
    const bool is_whole = line.bytes == 0 && end != std::string_view::npos;
    line.bytes += count;
    if (is_whole) {
      line.text = part;
      return Next::line;
    }
    if (line.bytes > record_bytes_max) {
      line.is_too_long = true;
      joined_.clear();
    } else {
      joined_.append(part);
    }
    if (end == std::string_view::npos) continue;
    line.text = joined_;
    return Next::line;
  }
}

}  // namespace replay
