// A user reads a card in a feed. What stands between the two marks is the README's first sample, byte for byte.
// [readme
#include <yukha/yukha.hpp>

#include <cstdio>

using namespace std::chrono_literals;

int main() {
  yukha::Config config;
  config.app_id = "shop";
  config.queue_dir = "events";
  config.endpoint = "http://127.0.0.1:8080";
  config.keys = {{"app-2026-11", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  yukha::Tracker tracker = yukha::Tracker::open(config);
  std::printf("identify: %s\n", tracker.identify("u_1842").message().c_str());
  const yukha::Status status = tracker.event()
                                   .location("FEED", {{"y", "3"}})
                                   .content("card_913", {{"type", "card"}})
                                   .referral("CLICK")
                                   .action("READ", 10s)
                                   .track();
  std::printf("track: %s\n", status.message().c_str());
  std::printf("flush: %s\n", tracker.flush(5s).message().c_str());
}
// readme]
