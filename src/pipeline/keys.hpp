// The keys a request is signed with: which one is in use, and where the app gives others.
#pragma once

#include <cstddef>
#include <vector>

#include "pipeline/faults.hpp"
#include "pipeline/flight.hpp"
#include "send/signer.hpp"

namespace yukha::pipeline {

class Keys {
 public:
  Keys(Surroundings& around, Faults& faults) : around_(around), faults_(faults) {}

  // Makes the request of the flight, signed with the key in use. False, with the reason told, when the app gives none
  // or does not sign; whatever its functions throw ends here.
  bool make_request(Flight& flight, const send::RequestFacts& facts, HttpRequest& request);
  // The endpoint does not know the key that this request was signed with. True when there is another one to try.
  bool try_another(Flight& flight);
  // None of them is the right one, so the one that the request began with is as good as any.
  void go_back_to_first(const Flight& flight) noexcept { in_use_ = flight.first_key; }
  void replace(std::vector<send::Key>&& keys);
  std::size_t in_use() const noexcept { return in_use_; }

 private:
  // True when the app gave keys that are not the ones at hand.
  bool ask();

  Surroundings& around_;
  Faults& faults_;
  std::size_t in_use_ = 0;
};

}  // namespace yukha::pipeline
