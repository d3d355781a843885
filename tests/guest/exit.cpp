// A host that ends with a tracker in it. What it was answered ok it tells on standard output, as "kept N" before its
// end.
//
//   exit SHAPE FOLDER ENDPOINT CA_FILE COUNT
//
// The shapes are listed in exit_test.py.
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <yukha/yukha.hpp>

using namespace std::chrono_literals;

namespace {

const char* shape = "";  // exit() on one thread would destroy a string that another one reads
std::string folder;
int kept = 0;

// Each is the host's own way to hold a tracker.
yukha::Tracker assigned;
std::unique_ptr<yukha::Tracker> owned;
yukha::Tracker* never_freed = nullptr;
std::atomic<bool> callback_ends{false};

bool is(std::string_view beginning) {
  return std::string_view(shape).substr(0, beginning.size()) == beginning;
}

yukha::Tracker& function_local(const yukha::Config& config) {
  static yukha::Tracker tracker = yukha::Tracker::open(config);
  return tracker;
}

void track(yukha::Tracker& tracker, int count) {
  for (int i = 0; i < count; ++i) {
    if (tracker.event().content("e-" + std::to_string(i)).action("READ").track() == yukha::Code::ok) ++kept;
  }
}

void tell() {
  std::printf("kept %d\n", kept);
  std::fflush(stdout);
}

void flush_and_free() {
  if (never_freed == nullptr) return;
  static_cast<void>(never_freed->identify("u_1"));  // hashed: the crypto library is asked before anything else
  static_cast<void>(never_freed->flush(50ms));
  delete never_freed;
  never_freed = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 64;
  shape = argv[1];
  folder = argv[2];
  yukha::Config config;
  config.app_id = "guest";
  config.queue_dir = folder;
  config.endpoint = argv[3];
  config.ca_file = argv[4];
  config.keys = {{"key", is("callback_on_worker") || is("callback_without_thread")
                             ? ""
                             : "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  config.upload_interval = 100ms;
  config.sync_interval = 10ms;
  config.hash_members = {"user.id"};
  config.hash_key_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  config.ring_bytes = 4 << 20;
  config.use_thread = !is("callback_without_thread");
  if (is("callback")) {
    config.debug = is("callback_on_app");
    config.log = [](yukha::LogLevel, std::string_view) {
      if (callback_ends.exchange(false)) std::exit(0);
    };
    if (!is("callback_on_app")) {
      config.sign = [](std::string_view, std::string_view, std::string&) {
        if (callback_ends.exchange(false)) std::exit(0);
        return false;
      };
    }
  }
  const int count = std::atoi(argv[5]);

  if (is("look")) {
    config.endpoint = "";
    const yukha::Stats stats = yukha::Tracker::open(config).stats();
    std::printf("accepted %d lost %d\n", static_cast<int>(stats.accepted), static_cast<int>(stats.lost));
    return 0;
  }
  if (is("atexit_before")) std::atexit(flush_and_free);
  if (is("assigned")) assigned = yukha::Tracker::open(config);
  if (is("owned")) owned = std::make_unique<yukha::Tracker>(yukha::Tracker::open(config));
  if (is("function_local")) function_local(config);
  yukha::Tracker* tracker = is("assigned")         ? &assigned
                            : is("owned")          ? owned.get()
                            : is("function_local") ? &function_local(config)
                                                   : (never_freed = new yukha::Tracker(yukha::Tracker::open(config)));
  if (tracker->status() != yukha::Code::ok) return 65;
  if (is("atexit_after")) std::atexit(flush_and_free);
  callback_ends = is("callback_on_worker") || is("callback_without_thread");
  track(*tracker, count);
  tell();
  if (is("quick_exit")) std::quick_exit(0);
  if (is("callback_on_app")) {
    callback_ends = true;
    track(*tracker, 1);
  }
  if (is("callback_on_worker")) std::this_thread::sleep_for(60s);
  if (is("callback_without_thread")) {
    while (true) tracker->work(10ms);
  }
  if (is("other_thread")) {
    // The first thread is in a call that waits, a second one in calls that do not, a third one ends the process.
    std::thread([] {
      std::this_thread::sleep_for(5ms);
      std::exit(0);
    }).detach();
    std::thread([tracker] {
      while (true) static_cast<void>(tracker->stats());
    }).detach();
    while (true) static_cast<void>(tracker->flush(60s));
  }
  // Now and then the request is on its way when the process ends, now and then it is not begun.
  if (count % 2 == 0) std::this_thread::sleep_for(110ms);
  return 0;
}
