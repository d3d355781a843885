// The ledger: what became of every sentence.
#ifndef YUKHA_STATS_HPP
#define YUKHA_STATS_HPP

#include <cstdint>
#include <string>

namespace yukha {

// Counted per lane, cumulative over restarts, exact even when the process was killed:
//   accepted = delivered + waiting + quarantined + evicted + erased + lost
// Ledger sentences that the library writes itself are in none of these.
struct Stats {
  std::uint64_t accepted = 0;     // track() kept them
  std::uint64_t delivered = 0;    // the endpoint has them
  std::uint64_t waiting = 0;      // on the device, to be sent
  std::uint64_t quarantined = 0;  // refused by the endpoint one by one, kept aside with the reason
  std::uint64_t evicted = 0;      // given up because of Config::queue_bytes_max or age_max
  std::uint64_t erased = 0;       // removed by erase() or denied consent
  std::uint64_t lost = 0;         // accepted, and not found again after a power loss or in a damaged file

  // track() did not keep them, and said why. Not part of `accepted`.
  std::uint64_t refused = 0;            // all of the following together
  std::uint64_t refused_ring_full = 0;  // no room: the worker was behind, or the disk or memory failed
  std::uint64_t refused_consent = 0;    // consent was denied
  std::uint64_t refused_invalid = 0;    // not a sentence: names, sizes, times
  std::uint64_t refused_sampled = 0;    // the user is outside of Config::sample_rate
  std::uint64_t refused_policy = 0;     // the endpoint's policy asks for them not to be kept
  std::uint64_t refused_closed = 0;     // after close(), in this process

  std::uint64_t requests = 0;        // since open()
  std::uint64_t failures = 0;        // back-offs in a row, in any process; 0 after a delivery
  std::int64_t next_attempt_ms = 0;  // how long until the next request may start; 0: now
  std::int64_t policy_ms = 0;  // how long the endpoint's policy still holds (Config::obey_policy); 0: there is none
  std::string last_trouble;    // why the latest request did not deliver, for a person; empty after a delivery
};

// A sentence that the endpoint refused for good.
struct Quarantined {
  std::uint64_t number = 0;  // names it for as long as it is in quarantine
  std::string reason;        // the endpoint's words, or what it was refused with
  std::string sentence;      // its line of JSON, as it was sent
};

}  // namespace yukha

#endif  // YUKHA_STATS_HPP
