// Does on yukha.hpp what PROTOCOL.md says. One command a line in, one answer a line out.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>
#include <yukha/yukha.hpp>

#include "words.hpp"

namespace {

using std::chrono::milliseconds;
using yukha::test::in_hex;
using yukha::test::Words;

class Driver {
 public:
  std::string answer(const std::string& line) {
    const std::vector<std::string> words = yukha::test::split(line);
    // What C++ cannot say it skips, and what follows from it: it would be another sentence, or another tracker's.
    if (skipped_open_ && words[0] != "open" && words[0] != "free") return "skip";
    const bool has_null = std::find(words.begin(), words.end(), "null") != words.end();
    if (words[0] == "open" || words[0] == "free") skipped_open_ = has_null;
    if (has_null) {
      skipped_ = true;
      return "skip";
    }
    Words given(words);
    return obey(words[0], words, given);
  }

 private:
  std::string said(const yukha::Status& status) {
    if (status != yukha::Code::ok) last_error_ = status.message();
    return yukha::test::named(status);
  }

  std::string open(const std::vector<std::string>& words) {
    last_error_.clear();
    tracker_ = yukha::Tracker::open(yukha::test::config_of(yukha::test::settings_in(words)));
    return said(tracker_.status());
  }

  std::string obey(const std::string& command, const std::vector<std::string>& words, Words& given) {
    if (command == "open") return open(words);
    if (command == "identify") return said(tracker_.identify(given.text(1), given.members(2)));
    if (command == "begin") {
      skipped_ = false;
      event_.reset();
      event_.emplace(tracker_.event());
      return "0 ok";
    }
    if (command == "track_json") return said(tracker_.track_json(given.text(1)));
    if (command == "consent") return said(tracker_.set_consent(static_cast<yukha::Consent>(given.number(1))));
    if (command == "get_consent") return std::to_string(static_cast<std::int32_t>(tracker_.consent()));
    if (command == "erase") return said(tracker_.erase());
    if (command == "flush") return said(tracker_.flush(milliseconds(given.number(1))));
    if (command == "stats") return stats();
    if (command == "close") return said(tracker_.close(milliseconds(given.number(1))));
    if (command == "free") {
      event_.reset();
      tracker_ = yukha::Tracker();
      return "0 ok";
    }
    if (command == "last_error") return in_hex(last_error_);
    if (command == "version") return in_hex(YUKHA_VERSION);
    return part(command, given);
  }

  std::string part(const std::string& command, Words& given) {
    const bool is_track = command == "track";
    if (!is_track && !yukha::test::is_part(command)) return "unknown";
    if (skipped_) return "skip";
    if (!event_) return said(yukha::Code::bad_argument);
    if (!is_track) return said(yukha::test::put_part(command, given, *event_));
    const yukha::Status status = event_->track();
    event_.reset();
    return said(status);
  }

  std::string stats() const {
    const yukha::Stats stats = tracker_.stats();
    std::string out;
    for (const std::uint64_t number : {stats.accepted, stats.delivered, stats.waiting, stats.quarantined, stats.evicted,
                                       stats.erased, stats.lost, stats.refused}) {
      out += (out.empty() ? "" : " ") + std::to_string(number);
    }
    return out;
  }

  yukha::Tracker tracker_;
  std::optional<yukha::Event> event_;
  std::string last_error_;
  bool skipped_ = false;       // the sentence in the making
  bool skipped_open_ = false;  // the tracker
};

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  Driver driver;
  std::string line;
  while (std::getline(std::cin, line)) std::cout << driver.answer(line) << std::endl;
}
