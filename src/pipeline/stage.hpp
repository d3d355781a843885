// What every stage of the worker stands on, and what a step tells it.
#pragma once

#include <cstdint>

#include <yukha/http_transport.hpp>

#include "hold/directory.hpp"
#include "hold/lane.hpp"
#include "intake/intake.hpp"
#include "pipeline/settings.hpp"
#include "system/clock.hpp"
#include "system/dice.hpp"
#include "system/files.hpp"
#include "system/log.hpp"

namespace yukha::pipeline {

struct Surroundings {
  // These stay where they are and outlive the worker: keys that are replaced are replaced for the next worker, too.
  WorkerSettings& settings;
  hold::Directory& directory;
  hold::Lane& lane;  // the process's own
  HttpTransport& transport;
  system::Files& files;
  system::Clock& clock;
  system::Dice& entropy;
  system::Log& log;
  detail::Intake& intake;
  system::DiceCup dice;    // one source of chance for all stages
  std::int64_t opened_ms;  // monotonic: when the worker was made
};

// One step of the worker. A stage says here when it wants to be looked at again.
struct Step {
  std::int64_t now_ms = 0;  // monotonic
  Orders orders;
  std::int64_t seal_at_ms = INT64_MAX;
  std::int64_t send_at_ms = INT64_MAX;
};

}  // namespace yukha::pipeline
