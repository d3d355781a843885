// The request that is under way, of which there is one at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/stage.hpp"

namespace yukha::pipeline {

struct Flight {
  hold::Lane* lane = nullptr;
  hold::Batch batch;
  std::string body;          // as it was sealed
  std::string made;          // what is sent in its place, where the protocol wants another one
  std::int64_t sent_ms = 0;  // monotonic
  std::int64_t created_unix_s = 0;
  send::Endpoint endpoint;
  bool clock_corrected = false;
  bool redirected = false;
  bool asked_for_keys = false;
  std::size_t keys_tried = 1;
  std::size_t first_key = 0;
};

struct InFlight {
  std::optional<Flight> flight;
  std::optional<HttpAnswer> answer;  // to it, not settled yet

  // The batch of that lane which is under way, or 0.
  std::int64_t batch_of(const hold::Lane& lane) const noexcept {
    return flight && flight->lane == &lane ? flight->batch.id : 0;
  }
  // Gives the request up; its batch keeps waiting.
  void cancel(HttpTransport& transport) {
    transport.cancel();
    flight.reset();
    answer.reset();
  }
};

}  // namespace yukha::pipeline
