// People walk through a small shop, and every step becomes a sentence. examples/quickstart.sh takes the network away
// from this program and kills it half way.
//
// It keeps a diary: one line for each sentence that track() said it has kept, written after the answer. Whoever reads
// the lake later can hold the library to its word without asking the library.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <yukha/yukha.hpp>

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::array<const char*, 5> people{"u_1842", "u_2077", "u_3301", "u_4410", "u_5093"};

struct Scene {
  const char* screen;
  const char* content;
  const char* referral;
  const char* action;
  int shortest_ms;  // of the stay; 0: the action has no duration
  int longest_ms;
};

// One visit, in order. Whoever pays says so in a critical sentence.
constexpr std::array<Scene, 6> visit{{
    {"FEED", "card", "PUSH", "READ", 800, 9'000},
    {"FEED", "card", "SCROLL", "READ", 400, 5'000},
    {"PRODUCT", "item", "CLICK", "READ", 2'000, 60'000},
    {"PRODUCT", "item", "CLICK", "ADD_TO_CART", 0, 0},
    {"CART", "cart", "CLICK", "READ", 1'000, 20'000},
    {"CHECKOUT", "order", "CLICK", "PAY", 0, 0},
}};

struct Options {
  std::string queue;
  std::string endpoint;
  std::string key_id;
  std::string key_secret;
  std::string diary;
  int steps = 100;
  milliseconds pace{2};
  milliseconds deadline{30'000};
};

[[noreturn]] void usage() {
  std::fputs(
      "yukha-journey --queue DIR --endpoint URL --key KEYID:BASE64 --diary FILE\n"
      "              [--steps N] [--pace-ms N] [--deadline SECONDS]\n"
      "Exit: 0 nothing waits any more, 3 some do at the deadline, 1 the tracker could not open or keep, 64 usage.\n",
      stderr);
  std::exit(64);
}

int whole_number(const char* text, int most) {
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || number < 0 || number > most) usage();
  return static_cast<int>(number);
}

Options read_options(int count, char** arguments) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    const char* value = arguments[i + 1];
    if (name == "--queue") {
      options.queue = value;
    } else if (name == "--endpoint") {
      options.endpoint = value;
    } else if (name == "--key") {
      const std::string key = value;
      const std::size_t colon = key.rfind(':');
      if (colon == std::string::npos) usage();
      options.key_id = key.substr(0, colon);
      options.key_secret = key.substr(colon + 1);
    } else if (name == "--diary") {
      options.diary = value;
    } else if (name == "--steps") {
      options.steps = whole_number(value, 1'000'000);
    } else if (name == "--pace-ms") {
      options.pace = milliseconds(whole_number(value, 10'000));
    } else if (name == "--deadline") {
      options.deadline = std::chrono::seconds(whole_number(value, 600));
    } else {
      usage();
    }
  }
  if (count % 2 == 0 || options.queue.empty() || options.endpoint.empty() || options.key_id.empty() ||
      options.diary.empty()) {
    usage();
  }
  return options;
}

// The diary goes to the system with every line, as the sentences do: a killed process loses neither.
class Diary {
 public:
  explicit Diary(const std::string& path)
      : file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  Diary(const Diary&) = delete;
  Diary& operator=(const Diary&) = delete;
  ~Diary() {
    if (file_ >= 0) close(file_);
  }

  bool write(const std::string& line) {
    return file_ >= 0 && ::write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }

 private:
  int file_;
};

class Walk {
 public:
  Walk(yukha::Tracker& tracker, Diary& diary) : tracker_(tracker), diary_(diary) {}

  // The next step of the visit that is under way; false when it was not kept.
  bool step(int number) {
    const auto scene_number = static_cast<std::size_t>(number) % visit.size();
    if (scene_number == 0 && !begin_visit()) return false;
    const Scene& scene = visit[scene_number];

    // Names this step for whoever compares the diary with the lake: no other process and no other step has it.
    const std::string mark = std::to_string(getpid()) + "." + std::to_string(number);
    const std::string position = std::to_string(1 + dice_() % 20);
    const std::string content = std::string(scene.content) + "_" + std::to_string(dice_() % 1000);
    yukha::Event event = tracker_.event();
    event.location(scene.screen, {{"y", position}}).content(content, {{"type", scene.content}, {"step", mark}});
    event.referral(scene.referral);
    if (scene.longest_ms > 0) {
      event.action(scene.action,
                   milliseconds(std::uniform_int_distribution<>(scene.shortest_ms, scene.longest_ms)(dice_)));
    } else {
      event.action(scene.action);
    }
    if (std::string_view(scene.action) == "PAY") event.critical();

    const yukha::Status status = event.track();
    if (!status.kept()) {
      std::fprintf(stderr, "journey: step %d: %s\n", number, status.message().c_str());
      return false;
    }
    return diary_.write(mark + "\n");
  }

 private:
  bool begin_visit() {
    const char* person = people[dice_() % people.size()];
    return tracker_.identify(person, {{"session", std::to_string(++visits_)}}).good();
  }

  yukha::Tracker& tracker_;
  Diary& diary_;
  std::minstd_rand dice_{6};
  int visits_ = 0;
};

// Until nothing waits or the deadline comes. One flush ends a back-off early at most once in ten seconds, so one is
// not enough when the endpoint comes back in the middle of it.
bool deliver(yukha::Tracker& tracker, milliseconds deadline) {
  const auto until = steady_clock::now() + deadline;
  while (steady_clock::now() < until) {
    if (tracker.flush(milliseconds(1'000)).code() == yukha::Code::ok) return true;
  }
  return false;
}

}  // namespace

int main(int count, char** arguments) {
  const Options options = read_options(count, arguments);
  yukha::Config config;
  config.app_id = "shop";
  config.queue_dir = options.queue;
  config.endpoint = options.endpoint;
  config.keys = {{options.key_id, options.key_secret}};
  config.app_version = "1.0";
  config.upload_interval = milliseconds(300);

  yukha::Tracker tracker = yukha::Tracker::open(config);
  if (!tracker.status().kept()) {
    std::fprintf(stderr, "journey: %s\n", tracker.status().message().c_str());
    return 1;
  }
  std::printf("%llu sentences wait from before\n", static_cast<unsigned long long>(tracker.stats().waiting));
  std::fflush(stdout);

  Diary diary(options.diary);
  Walk walk(tracker, diary);
  for (int number = 0; number < options.steps; ++number) {
    if (!walk.step(number)) return 1;
    std::this_thread::sleep_for(options.pace);
  }

  const bool delivered = deliver(tracker, options.deadline);
  const yukha::Stats stats = tracker.stats();
  std::printf("{\"accepted\":%llu,\"delivered\":%llu,\"waiting\":%llu}\n",
              static_cast<unsigned long long>(stats.accepted), static_cast<unsigned long long>(stats.delivered),
              static_cast<unsigned long long>(stats.waiting));
  if (!delivered && !stats.last_trouble.empty()) std::fprintf(stderr, "journey: %s\n", stats.last_trouble.c_str());
  return delivered ? 0 : 3;
}
