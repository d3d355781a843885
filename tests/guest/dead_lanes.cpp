// fill DIRECTORY NAME SENTENCES: tracks them, says so, and waits to be killed.
// flush DIRECTORY PORT: opens a tracker that has nothing of its own, flushes, and says what that answered.
// idle DIRECTORY PORT: the same without a flush, until its input ends.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <yukha/yukha.hpp>

using namespace std::chrono_literals;

int main(int, char** arguments) {
  const std::string shape = arguments[1];
  yukha::Config config;
  config.app_id = "guest";
  config.queue_dir = arguments[2];
  config.queue_bytes_max = 1ULL << 30;
  config.keys = {{"key", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  config.ring_full_wait = 1min;
  if (shape == "fill") config.lane = arguments[3];
  if (shape != "fill") config.endpoint = "http://127.0.0.1:" + std::string(arguments[3]);
  yukha::Tracker tracker = yukha::Tracker::open(config);
  if (tracker.status() != yukha::Code::ok) {
    std::printf("%s\n", tracker.status().message().c_str());
    return 1;
  }
  if (shape == "flush") {
    const yukha::Status status = tracker.flush(3min);
    std::printf("%s\n", status == yukha::Code::ok ? "ok" : status.message().c_str());
    return 0;
  }
  const int count = shape == "fill" ? std::atoi(arguments[4]) : 0;
  for (int i = 0; i < count; ++i) {
    const std::string id = config.lane + "_" + std::to_string(i);
    if (!tracker.event().location("FEED").content(id).action("READ").track().good()) return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  char end = 0;
  return read(0, &end, 1) < 0 ? 1 : 0;
}
