#include "report.hpp"

#include <unistd.h>

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
  const nlohmann::ordered_json json = {{"read", outcome.rows.read},
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
                                       {"waiting_before", outcome.waiting_before}};
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
  line("read", outcome.rows.read, "rows of the input");
  line("mapped", outcome.mapped(), "became sentences");
  line("unmapped", outcome.unmapped(), "could not, see above");
  line("skipped", outcome.rows.skipped, "left out by the mapping's skip rule");
  if (outcome.waiting_before > 0) line("before", outcome.waiting_before, "waited in this queue already");
  line("accepted", since.accepted, "kept on this device");
  line("delivered", since.delivered, "are with the endpoint");
  line("waiting", since.waiting, "still to be sent");
  line("quarantined", since.quarantined, "refused by the endpoint, kept aside");
  line("evicted", since.evicted, "given up for want of room or of age");
  line("erased", since.erased, "removed on request");
  line("lost", since.lost, "not found again");
  line("refused", since.refused, "calls of track() that kept nothing");
  return text;
}

}  // namespace replay
