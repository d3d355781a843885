// What a run writes down before its first row, so that another one can go on where it was killed.
#pragma once

#include <string>
#include <yukha/stats.hpp>

namespace replay {

struct Journal {
  std::string input;         // its path as given, for a person; only the hash is compared
  std::string input_sha256;  // "stream" where it could be read only once
  std::string map_sha256;
  yukha::Stats began;     // the lane's counters before the first row
  bool finished = false;  // every row was given to the tracker, which keeps and delivers it
};

// The journal lies beside the queue, because it means nothing without that queue's counters.
std::string journal_path(const std::string& queue_dir);

enum class JournalRead { found, none, unreadable };
JournalRead read_journal(const std::string& path, Journal& journal, std::string& problem);
// On the disk, or not there at all, whatever happens meanwhile: written beside, synced, renamed.
bool write_journal(const std::string& path, const Journal& journal, std::string& problem);

}  // namespace replay
