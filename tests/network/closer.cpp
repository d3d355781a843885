// Many trackers, closed while their endpoint misbehaves. close_test.py says what must come of it.
//
//   yukha_closer close ENDPOINT FOLDER COUNT     track 5, begin to send, close(250 ms); a line each: what close()
//   answered
//                                                and the microseconds of close() and of the tracker's end
//   yukha_closer deliver ENDPOINT FOLDER COUNT   open them again and flush; a line each: what flush() answered
//
// Each tracker has a folder of its own; sentence J of tracker I has the content id I-J.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <yukha/yukha.hpp>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int at_once = 8;
constexpr int sentences = 5;
constexpr auto deadline = 250ms;

std::mutex printing;

yukha::Config config_of(int number, const std::string& endpoint, const std::string& folder) {
  yukha::Config config;
  config.app_id = "closer";
  config.queue_dir = folder + "/" + std::to_string(number);
  config.endpoint = endpoint;
  config.allow_plain_http = true;
  config.keys = {{"key", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  return config;
}

long long us_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
}

bool close_one(int number, const yukha::Config& config) {
  std::optional<yukha::Tracker> tracker(yukha::Tracker::open(config));
  for (int i = 0; i < sentences; ++i) {
    const std::string id = std::to_string(number) + "-" + std::to_string(i);
    if (tracker->event().content(id).action("READ").track() != yukha::Code::ok) return false;
  }
  // Close finds the request at another place each time.
  static_cast<void>(tracker->flush(std::chrono::milliseconds(number * 7 % 200)));
  const auto begin = Clock::now();
  const yukha::Status status = tracker->close(deadline);
  const long long close_us = us_since(begin);
  const auto end_begin = Clock::now();
  tracker.reset();
  const long long end_us = us_since(end_begin);
  const std::lock_guard<std::mutex> lock(printing);
  std::printf("%s %lld %lld\n", yukha::code_name(status.code()), close_us, end_us);
  return true;
}

bool deliver_one(const yukha::Config& config) {
  yukha::Tracker tracker = yukha::Tracker::open(config);
  const yukha::Status status = tracker.flush(30s);
  const std::lock_guard<std::mutex> lock(printing);
  std::printf("%s\n", yukha::code_name(status.code()));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const bool closes = argv[1] == std::string("close");
  const int count = std::atoi(argv[4]);
  std::atomic<int> next{0};
  std::atomic<bool> good{true};
  std::vector<std::thread> threads;
  for (int i = 0; i < at_once; ++i) {
    threads.emplace_back([&] {
      for (int number = next++; number < count; number = next++) {
        const yukha::Config config = config_of(number, argv[2], argv[3]);
        if (!(closes ? close_one(number, config) : deliver_one(config))) good = false;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::fflush(stdout);
  // A look-up that hangs belongs to libcurl's own thread, which this does not wait for.
  std::_Exit(good ? 0 : 1);
}
