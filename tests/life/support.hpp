// One app's life in a directory of its own, with time and an endpoint that do as told.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yukha/yukha.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/core.hpp"
#include "unit/support.hpp"

namespace yukha::test {

using nlohmann::json;

struct Life {
  TempDirectory directory;
  StillClock clock;
  std::shared_ptr<FakeEndpoint> endpoint = std::make_shared<FakeEndpoint>(&clock);
  Config config = sending_config(directory, endpoint);
  std::unique_ptr<detail::Core> core;

  detail::Core& open() {
    core.reset();
    detail::Seams seams;
    seams.clock = &clock;
    core.reset(detail::Core::open(config, seams));
    REQUIRE(core->status().good());
    return *core;
  }
  void act(const char* type) { REQUIRE(core->event().action(type).track()); }
  // What arrived, in the order it was tracked.
  std::vector<json> arrived() {
    REQUIRE(core->flush(std::chrono::seconds(60)) == Code::ok);
    std::vector<json> all;
    for (const std::string& line : endpoint->lines()) all.push_back(json::parse(line));
    return all;
  }
  // The latest of that action.
  json last(const char* type) {
    json found;
    for (json& one : arrived()) {
      if (one["action"]["type"] == type) found = std::move(one);
    }
    REQUIRE(found.is_object());
    return found;
  }
};

// What a C host needs at the least, without a thread and a network; the texts are borrowed.
inline yukha_config c_config(const std::string& path) {
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "shop";
  config.queue_dir = path.c_str();
  config.no_thread = 1;
  return config;
}

// Runs `life` in a process of its own that ends like a killed one: nothing is closed, no destructor runs.
template <typename Call>
void killed_after(const Call& life) {
  const pid_t child = fork();
  if (child == 0) {
    life();
    _exit(0);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
}

}  // namespace yukha::test
