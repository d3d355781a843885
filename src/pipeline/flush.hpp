// What a flush waits for.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace yukha::pipeline {

// It is over when its batches are answered, and a round through the other lanes left nothing in them.
struct Flush {
  std::uint64_t number = 0;    // the one under way; 0: none
  std::uint64_t head = 0;      // the ring's when it was ordered
  bool sealed = false;         // what lay before that head is in batches
  std::set<std::string> keys;  // of these batches
  bool looks = false;          // nothing is known yet of what waits in other lanes
  bool others_done = false;    // a round since it began left nothing there

  bool wants_sealing() const noexcept { return number != 0 && !sealed; }
  void begin(std::uint64_t order, std::uint64_t ring_head) {
    *this = Flush();
    number = order;
    head = ring_head;
    looks = order != 0;
  }
  // An erase: nothing waits any more.
  void forget() noexcept {
    head = 0;
    keys.clear();
  }
};

}  // namespace yukha::pipeline
