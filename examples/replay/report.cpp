#include "report.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace replay {

Outcome outcome_of(const Rows& rows, const yukha::Stats& now, const yukha::Stats& began) {
  Outcome outcome;
  outcome.rows = rows;
  outcome.waiting_before = began.waiting;
  yukha::Stats& since = outcome.since;
  since.accepted = now.accepted - began.accepted;
  since.delivered = now.delivered - began.delivered;
  since.waiting = now.waiting;
  since.quarantined = now.quarantined - began.quarantined;
  since.evicted = now.evicted - began.evicted;
  since.erased = now.erased - began.erased;
  since.lost = now.lost - began.lost;
  since.refused = now.refused - began.refused;
  since.refused_invalid = now.refused_invalid - began.refused_invalid;
  return outcome;
}

// Where nothing is printed that a terminal obeys, or that turns the text around a name (U+0080 to U+009F, and the marks
// of direction: U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069).
std::string printable(std::string_view text) {
  const auto is_command = [text](std::size_t at, std::size_t size) {
    const std::string_view one = text.substr(at, size);
    if (size == 1) return static_cast<unsigned char>(one[0]) < 0x20 || one[0] == 0x7F;
    if (size == 2) return one == "\xD8\x9C" || (one[0] == '\xC2' && static_cast<unsigned char>(one[1]) < 0xA0);
    if (size != 3 || one[0] != '\xE2') return false;
    const auto last = static_cast<unsigned char>(one[2]);
    return one[1] == '\x80' ? last == 0x8E || last == 0x8F || (last >= 0xAA && last <= 0xAE)
                            : one[1] == '\x81' && last >= 0xA6 && last <= 0xA9;
  };
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t size = std::min(first < 0xC0   ? std::size_t{1}
                                      : first < 0xE0 ? 2
                                      : first < 0xF0 ? 3
                                                     : 4,
                                      text.size() - at);
    const bool is_stray = first >= 0x80 && first < 0xC0;
    if (!is_stray && !is_command(at, size)) {
      result += text.substr(at, size);
    } else {
      for (const char c : text.substr(at, size)) {
        result += "\\x";
        result.push_back("0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4]);
        result.push_back("0123456789ABCDEF"[static_cast<unsigned char>(c) & 15]);
      }
    }
    at += size;
  }
  return result;
}

namespace {

// Kinds differ by more than numbers and what stands in quotes.
template <typename Kind>
Kind& kind_of(std::string_view what, std::map<std::string, Kind>& kinds) {
  constexpr std::size_t kinds_max = 1'000;
  std::string name;
  bool quoted = false;
  for (const char c : what) {
    if (c == '"') quoted = !quoted;
    if ((!quoted || c == '"') && (c < '0' || c > '9')) name.push_back(c);
  }
  const bool is_new = kinds.find(name) == kinds.end();
  return kinds[is_new && kinds.size() >= kinds_max ? "other reasons" : name];
}

}  // namespace

void Complaints::tell(const std::string& input, std::uint64_t line, const std::string& what) {
  Kind& kind = kind_of(what, kinds_);
  if (kind.count == 0) {
    kind.example = what;
    kind.first = input + ":" + std::to_string(line);
  }
  if (++kind.count > most_) return;
  std::fprintf(stderr, "%s:%llu: %s\n", printable(input).c_str(), static_cast<unsigned long long>(line),
               printable(what).c_str());
}

void Complaints::tell_the_rest() const {
  for (const auto& [name, kind] : kinds_) {
    if (kind.count <= most_) continue;
    std::fprintf(stderr, "%llu more rows like this: %s (the first: %s)\n",
                 static_cast<unsigned long long>(kind.count - most_), printable(kind.example).c_str(),
                 printable(kind.first).c_str());
  }
}

void Reasons::add(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  Kind& kind = kind_of(reason, kinds_);
  if (kind.count++ == 0) kind.example = reason;
}

void Reasons::tell(const char* what, const char* unit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, kind] : kinds_) {
    std::fprintf(stderr, "yukha-replay: %s: %s (%llu %s%s)\n", what, printable(kind.example).c_str(),
                 static_cast<unsigned long long>(kind.count), unit, kind.count == 1 ? "" : "s");
  }
}

Progress::Progress(double every_s, bool every_given) : every_(every_s), last_(Clock::now()) {
  if (!every_given) every_ = std::chrono::seconds(::isatty(STDERR_FILENO) != 0 ? 1 : 5);
  next_ = last_ + std::chrono::duration_cast<Clock::duration>(every_);
}

void Progress::print(Clock::time_point now, const Rows& rows, const yukha::Stats& stats) {
  const double seconds = std::chrono::duration<double>(now - last_).count();
  const double rate = seconds > 0 ? static_cast<double>(rows.read - last_read_) / seconds : 0;
  std::fprintf(stderr, "progress: read %llu, %.0f rows/s, waiting %llu, delivered %llu%s%s\n",
               static_cast<unsigned long long>(rows.read), rate, static_cast<unsigned long long>(stats.waiting),
               static_cast<unsigned long long>(stats.delivered), stats.last_trouble.empty() ? "" : "; ",
               stats.last_trouble.c_str());
  last_ = now;
  last_read_ = rows.read;
  next_ = now + std::chrono::duration_cast<Clock::duration>(every_);
}

std::string as_json(const Outcome& outcome) {
  const yukha::Stats& since = outcome.since;
  const Rows& rows = outcome.rows;
  nlohmann::ordered_json json = {{"read", outcome.rows.read},
                                 {"mapped", outcome.mapped()},
                                 {"unmapped", outcome.unmapped()},
                                 {"skipped", outcome.rows.skipped},
                                 {"accepted", since.accepted},
                                 {"refused", since.refused},
                                 {"delivered", since.delivered},
                                 {"waiting", since.waiting},
                                 {"quarantined", since.quarantined},
                                 {"evicted", since.evicted},
                                 {"erased", since.erased},
                                 {"lost", since.lost},
                                 {"waiting_before", outcome.waiting_before},
                                 {"repaired", rows.repaired},
                                 {"repeated", rows.repeated},
                                 {"left_out", rows.left_out},
                                 {"clock_change", rows.clock_change},
                                 {"cut", rows.cut},
                                 {"suspect", rows.suspect}};
  if (rows.lines.lines > 0) {
    json["lines"] = rows.lines.lines;
    json["header_lines"] = rows.lines.header;
    json["blank_lines"] = rows.lines.blank;
    json["further_lines"] = rows.lines.further;
  }
  if (rows.lines.without_rows > 0) json["without_rows"] = rows.lines.without_rows;
  return json.dump();
}

std::string as_table(const Outcome& outcome) {
  std::string text;
  const auto line = [&text](const char* name, std::uint64_t value, const char* meaning) {
    char buffer[160];
    std::snprintf(buffer, sizeof buffer, "%-12s %12llu   %s\n", name, static_cast<unsigned long long>(value), meaning);
    text += buffer;
  };
  const yukha::Stats& since = outcome.since;
  const Rows& rows = outcome.rows;
  if (rows.lines.lines > 0) {
    line("lines", rows.lines.lines, "of the input: the following three, and a row's first line each");
    line("  header", rows.lines.header, "names of the columns");
    line("  blank", rows.lines.blank, "nothing in them");
    line("  further", rows.lines.further, "of rows that have several lines");
  }
  if (rows.lines.without_rows > 0) line("without", rows.lines.without_rows, "elements that have no rows in them");
  line("read", rows.read, "rows: mapped + unmapped + skipped");
  line("mapped", outcome.mapped(), "became sentences");
  line("unmapped", outcome.unmapped(), "could not, see above");
  line("skipped", rows.skipped, "left out by the mapping's skip rule");
  if (rows.repaired > 0) line("repaired", rows.repaired, "had what is no text; U+FFFD stands for it");
  if (rows.repeated > 0) line("repeated", rows.repeated, "had a member that stands twice; the last counts");
  if (rows.left_out > 0) line("left out", rows.left_out, "had a member whose name \"*\" cannot take, see above");
  if (rows.clock_change > 0)
    line("clock", rows.clock_change, "times that a change of the clocks showed twice or never");
  if (rows.suspect > 0) line("suspect", rows.suspect, "rows with lines in quotes that look like rows");
  if (rows.cut > 0) line("cut", rows.cut, "were too long for a sentence");
  if (outcome.waiting_before > 0) line("before", outcome.waiting_before, "waited in this queue already");
  line("accepted", since.accepted, "kept on this device");
  line("delivered", since.delivered, "are with the endpoint");
  line("waiting", since.waiting, "still to be sent");
  line("quarantined", since.quarantined, "refused by the endpoint, kept aside");
  line("evicted", since.evicted, "given up for want of room or of age");
  line("erased", since.erased, "removed on request");
  line("lost", since.lost, "not found again");
  line("refused", since.refused, "calls of track() that kept nothing");
  text +=
      "accepted (+ before) = delivered + waiting + quarantined + evicted + erased + lost. The endpoint also has the\n"
      "library's own counters, one sentence an hour at the most with the action yukha_ledger: no row, and not "
      "counted.\n";
  return text;
}

}  // namespace replay
