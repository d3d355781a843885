#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yukha/yukha.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <yukha/yukha.hpp>

#include "core/core.hpp"
#include "hold/lane.hpp"
#include "support.hpp"
#include "system/base64.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using nlohmann::json;
using test::FakeEndpoint;
using test::TempDirectory;

namespace {

void track(Tracker& tracker, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    REQUIRE(tracker.event().content("c" + std::to_string(i)).action("READ").track().good());
  }
}

// The content ids that came, and that each came once.
std::set<std::string> arrived(const FakeEndpoint& endpoint) {
  std::set<std::string> ids;
  for (const std::string& line : endpoint.lines()) {
    const std::string id = json::parse(line)["content"]["id"];
    CHECK_MESSAGE(ids.insert(id).second, "twice: " << id);
  }
  return ids;
}

void check_balance(const Stats& stats) {
  CHECK(stats.accepted ==
        stats.delivered + stats.waiting + stats.quarantined + stats.evicted + stats.erased + stats.lost);
  CHECK(stats.refused == stats.refused_ring_full + stats.refused_consent + stats.refused_invalid +
                             stats.refused_sampled + stats.refused_closed);
}

// True when a file of the directory holds these bytes.
bool anywhere(const TempDirectory& directory, const std::string& text) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    const std::string bytes = test::read_file(entry.path().string());
    if (bytes.find(text) != std::string::npos) return true;
  }
  return false;
}

// The numbers by which the file system tells the lanes' files apart.
std::set<ino_t> lane_files(const TempDirectory& directory) {
  std::set<ino_t> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    if (entry.path().filename().string().rfind("directory.", 0) == 0 || entry.path().extension() == ".lock") continue;
    struct stat facts {};
    if (stat(entry.path().c_str(), &facts) == 0) files.insert(facts.st_ino);
  }
  return files;
}

// A lane of 135 sentences in three chunks, the first of which cannot be read to its end.
struct DamagedLane {
  DamagedLane() {
    seams.clock = &clock;
    config.ring_bytes = 64 << 10;
    make();
  }
  std::unique_ptr<detail::Core> open() {
    std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
    REQUIRE(core->status() == Code::ok);
    return core;
  }

  const TempDirectory directory;
  test::StillClock clock;
  const std::shared_ptr<FakeEndpoint> endpoint = std::make_shared<FakeEndpoint>(&clock);
  detail::Seams seams;
  Config config = test::sending_config(directory, endpoint);

 private:
  void make() const;
};

void DamagedLane::make() const {
  {
    Config silent = config;
    silent.endpoint.clear();
    const std::unique_ptr<detail::Core> core(detail::Core::open(silent, seams));
    // Each time more than half a ring, which the worker takes over at once.
    for (int i = 0; i < 135; ++i) {
      const std::string id = "sentence-" + std::to_string(1000 + i);
      REQUIRE(core->event().content(id, {{"text", std::string(600, 'x')}}).action("READ").track() == Code::ok);
      if (i % 45 == 44) core->work(0ms);
    }
    REQUIRE(core->close(1s) == Code::ok);
  }
  const std::string path = directory / "lane-00.queue";
  {
    hold::Database database;
    REQUIRE(database.open(path, nullptr, hold::Sharing::shared));
    REQUIRE(database.run("PRAGMA wal_checkpoint(TRUNCATE)"));
    REQUIRE(database.number("SELECT count(*) FROM chunk") == 3);
  }
  // The chain of the chunk's pages breaks; the head of its row is well.
  std::string bytes = test::read_file(path);
  const std::size_t page = bytes.find("sentence-1020") / 4096;
  REQUIRE(page * 4096 < bytes.size());
  REQUIRE(page != bytes.find("sentence-1000") / 4096);
  for (std::size_t i = 0; i < 4; ++i) bytes[page * 4096 + i] = '\xEE';
  test::write_file(path, bytes);
}

// Somebody else has a look at the directory between the two names of a repair.
class RepairWatched final : public test::FilesUnder {
 public:
  std::function<void()> meanwhile;
  system::Error rename(const std::string& from, const std::string& to) noexcept override {
    repaired_ = repaired_ || to.find(".queue") != std::string::npos;
    return FilesUnder::rename(from, to);
  }
  system::Error size(const std::string& path, std::uint64_t& bytes) noexcept override {
    if (repaired_ && meanwhile) std::exchange(meanwhile, nullptr)();
    return FilesUnder::size(path, bytes);
  }

 private:
  bool repaired_ = false;
};

}  // namespace

// --- opening ---------------------------------------------------------------------------------------------------------

TEST_CASE("a setting out of its range is refused by its name, before anything is touched") {
  struct Bad {
    const char* setting;
    Code code;
    void (*change)(Config&);
  };
  const Bad bad[] = {
      {"app_id", Code::bad_config, [](Config& c) { c.app_id = ""; }},
      {"app_id", Code::bad_config, [](Config& c) { c.app_id = "Shop"; }},
      {"app_id", Code::bad_config, [](Config& c) { c.app_id = "-shop"; }},
      {"app_id", Code::bad_config, [](Config& c) { c.app_id = std::string(129, 'a'); }},
      {"queue_dir", Code::bad_config, [](Config& c) { c.queue_dir = ""; }},
      {"queue_dir", Code::bad_config, [](Config& c) { c.queue_dir += std::string("\0x", 2); }},
      {"lane", Code::bad_config, [](Config& c) { c.lane = "A"; }},
      {"lane", Code::bad_config, [](Config& c) { c.lane = "../x"; }},
      {"lane", Code::bad_config, [](Config& c) { c.lane = "directory"; }},
      {"lane", Code::bad_config, [](Config& c) { c.lane = std::string(33, 'a'); }},
      {"upload_interval", Code::bad_config, [](Config& c) { c.upload_interval = 99ms; }},
      {"upload_interval", Code::bad_config, [](Config& c) { c.upload_interval = 1h + 1ms; }},
      {"sync_interval", Code::bad_config, [](Config& c) { c.sync_interval = 9ms; }},
      {"sync_interval", Code::bad_config, [](Config& c) { c.sync_interval = 60'001ms; }},
      {"ring_full_wait", Code::bad_config, [](Config& c) { c.ring_full_wait = -1ms; }},
      {"ring_full_wait", Code::bad_config, [](Config& c) { c.ring_full_wait = 60'001ms; }},
      {"ring_bytes", Code::bad_config, [](Config& c) { c.ring_bytes = (64 << 10) - 1; }},
      {"ring_bytes", Code::bad_config, [](Config& c) { c.ring_bytes = (64 << 20) + 1; }},
      {"queue_bytes_max", Code::bad_config, [](Config& c) { c.queue_bytes_max = (8 << 20) - 1; }},
      {"queue_bytes_max", Code::bad_config, [](Config& c) { c.queue_bytes_max = (64ULL << 30) + 1; }},
      {"age_max", Code::bad_config, [](Config& c) { c.age_max = 0h; }},
      {"age_max", Code::bad_config, [](Config& c) { c.age_max = std::chrono::hours(30 * 24 + 1); }},
      {"batch_lines_max", Code::bad_config, [](Config& c) { c.batch_lines_max = 0; }},
      {"batch_lines_max", Code::bad_config, [](Config& c) { c.batch_lines_max = 501; }},
      {"batch_bytes_max", Code::bad_config, [](Config& c) { c.batch_bytes_max = (33 << 10) - 1; }},
      {"batch_bytes_max", Code::bad_config, [](Config& c) { c.batch_bytes_max = 1'000'001; }},
      {"keys", Code::bad_config,
       [](Config& c) {
         c.keys.resize(9, {"k", "c2VjcmV0c2VjcmV0c2VjcmV0"});
       }},
      {"named", Code::bad_key,
       [](Config& c) {
         c.keys = {{"named", "!not base64!"}};
       }},
      {"named", Code::bad_key,
       [](Config& c) {
         c.keys = {{"named", ""}};
       }},
      {"ca_file", Code::bad_config, [](Config& c) { c.ca_file = std::string("a\0b", 3); }},
      {"pins", Code::bad_config, [](Config& c) { c.pins = {"sha256//c2hvcnQ="}; }},
      {"pins", Code::bad_config, [](Config& c) { c.pins = {"X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="}; }},
      {"pins", Code::bad_config,
       [](Config& c) { c.pins.resize(9, "sha256//X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="); }},
      {"proxy", Code::bad_config, [](Config& c) { c.proxy = "http://a\r\nb"; }},
      {"no_proxy", Code::bad_config, [](Config& c) { c.no_proxy = std::string(2049, 'a'); }},
      {"connect_timeout", Code::bad_config, [](Config& c) { c.connect_timeout = 999ms; }},
      {"connect_timeout", Code::bad_config, [](Config& c) { c.connect_timeout = 60'001ms; }},
      {"stall_timeout", Code::bad_config, [](Config& c) { c.stall_timeout = 0ms; }},
      {"stall_timeout", Code::bad_config, [](Config& c) { c.stall_timeout = 5min + 1ms; }},
      {"total_timeout", Code::bad_config, [](Config& c) { c.total_timeout = -1ms; }},
      {"total_timeout", Code::bad_config, [](Config& c) { c.total_timeout = 10min + 1ms; }},
      {"named", Code::bad_key,
       [](Config& c) {
         c.keys = {{"named", "c2hvcnQ="}};
       }},
      {"a key's id", Code::bad_key,
       [](Config& c) {
         c.keys = {{"", "c2VjcmV0c2VjcmV0c2VjcmV0"}};
       }},
      {"collect.example.com", Code::bad_endpoint, [](Config& c) { c.endpoint = "collect.example.com"; }},
      {"ftp://", Code::bad_endpoint, [](Config& c) { c.endpoint = "ftp://collect.example.com"; }},
      {"collect.example.com", Code::plain_http, [](Config& c) { c.endpoint = "http://collect.example.com"; }},
      {"device.Bad", Code::bad_member_name,
       [](Config& c) {
         c.device = {{"Bad", "x"}};
       }},
      {"device.run", Code::reserved_member,
       [](Config& c) {
         c.device = {{"run", "x"}};
       }},
      {"device.a", Code::repeated_member,
       [](Config& c) {
         c.device = {{"a", "x"}, {"a", "y"}};
       }},
      {"device.a", Code::too_many_members,
       [](Config& c) {
         c.device = {{"a", std::string(5000, 'x')}};
       }},
  };
  for (const Bad& one : bad) {
    const TempDirectory above;
    Config config = test::plain_config(above);
    config.queue_dir = above / "queue";
    one.change(config);
    Tracker tracker = Tracker::open(config);
    const Status status = tracker.status();
    CAPTURE(status.message());
    CHECK(status == one.code);
    CHECK(status.message().find(one.setting) != std::string::npos);
    CHECK(tracker.event().action("READ").track() == one.code);
    CHECK(tracker.identify("u") == one.code);
    CHECK(tracker.flush(0ms) == one.code);
    CHECK(tracker.erase() == one.code);
    CHECK(tracker.set_consent(Consent::granted) == one.code);
    CHECK(tracker.close() == one.code);
    CHECK_FALSE(std::filesystem::exists(above / "queue"));
  }
}

TEST_CASE("every limit the header names can be used to its end") {
  void (*const good[])(Config&) = {
      [](Config& c) { c.app_id = std::string(128, 'a'); },
      [](Config& c) { c.lane = "a" + std::string(31, '_'); },
      [](Config& c) { c.upload_interval = 100ms, c.sync_interval = 10ms; },
      [](Config& c) { c.upload_interval = 1h, c.sync_interval = 1min, c.ring_full_wait = 1min; },
      [](Config& c) { c.ring_bytes = 64 << 10, c.queue_bytes_max = 8 << 20; },
      [](Config& c) { c.ring_bytes = (64 << 10) + 1, c.queue_bytes_max = 64ULL << 30; },
      [](Config& c) { c.age_max = 1h, c.batch_lines_max = 1; },
      [](Config& c) { c.batch_bytes_max = 33 << 10; },
      [](Config& c) { c.batch_bytes_max = 1'000'000, c.batch_lines_max = 500; },
      [](Config& c) {
        c.keys.resize(8, {"k", "c2VjcmV0c2VjcmV0c2VjcmV0"});
      },
      [](Config& c) {
        c.keys = {{"the app signs", ""}};
        c.sign = [](std::string_view, std::string_view, std::string&) { return false; };
      },
      [](Config& c) {
        c.pins.resize(8, "sha256//X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=");
        c.connect_timeout = c.stall_timeout = c.total_timeout = 1s;
      },
      [](Config& c) { c.connect_timeout = 1min, c.stall_timeout = 5min, c.total_timeout = 10min; },
      [](Config& c) { c.endpoint = "http://127.0.0.1:1/v1"; },
      [](Config& c) { c.endpoint = "http://collect.example.com", c.allow_plain_http = true; },
  };
  for (std::size_t i = 0; i < std::size(good); ++i) {
    CAPTURE(i);
    const TempDirectory directory;
    Config config = test::plain_config(directory);
    good[i](config);
    Tracker tracker = Tracker::open(config);
    CHECK_MESSAGE(tracker.status() == Code::ok, tracker.status().message());
    CHECK(tracker.event().action("READ").track() == Code::ok);
  }
}

TEST_CASE("plain http that was asked for is told at every opening") {
  const TempDirectory directory;
  Config config = test::plain_config(directory);
  config.endpoint = "http://collect.example.com";
  config.allow_plain_http = true;
  std::vector<std::string> told;
  config.log = [&told](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning) told.emplace_back(text);
  };
  for (int i = 0; i < 2; ++i) {
    told.clear();
    const Tracker tracker = Tracker::open(config);
    REQUIRE(told.size() == 1);
    CHECK(told[0].find("collect.example.com") != std::string::npos);
  }
}

TEST_CASE("a log function that throws harms nobody") {
  const TempDirectory directory;
  Config config = test::plain_config(directory);
  config.queue_dir = "/dev/null/queue";
  config.log = [](LogLevel, std::string_view) { throw 7; };
  Tracker tracker = Tracker::open(config);
  CHECK(tracker.event().action("READ").track() == Code::kept_in_memory);
}

TEST_CASE("without a directory to write, sentences are kept in memory and delivered") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Config config = test::sending_config(directory, endpoint);
  test::write_file(directory / "a file", "");
  config.queue_dir = directory / "a file/queue";
  Tracker tracker = Tracker::open(config);
  CHECK(tracker.status() == Code::kept_in_memory);
  CHECK(tracker.status().good());
  CHECK_FALSE(tracker.status().kept());
  CHECK(tracker.status().message().find(config.queue_dir) != std::string::npos);
  for (int i = 0; i < 30; ++i) {
    CHECK(tracker.event().content("c" + std::to_string(i)).action("READ").track() == Code::kept_in_memory);
  }
  CHECK(tracker.flush(10s) == Code::ok);
  CHECK(arrived(*endpoint).size() == 30);
  CHECK(tracker.stats().delivered == 30);
  REQUIRE(tracker.erase() == Code::kept_in_memory);
  CHECK(tracker.event().action("READ").track() == Code::kept_in_memory);
  check_balance(tracker.stats());
}

TEST_CASE("a named lane that is held is refused, and free once its owner closed") {
  const TempDirectory directory;
  Config config = test::plain_config(directory);
  config.lane = "main";
  Tracker first = Tracker::open(config);
  REQUIRE(first.status() == Code::ok);
  {
    Tracker second = Tracker::open(config);
    CHECK(second.status() == Code::lane_held);
    CHECK(second.status().message().find("main") != std::string::npos);
    CHECK(second.event().action("READ").track() == Code::lane_held);
    CHECK(second.close() == Code::lane_held);
  }
  track(first, 0, 3);
  REQUIRE(first.close() == Code::ok);
  Tracker third = Tracker::open(config);
  CHECK(third.status() == Code::ok);
  CHECK(third.stats().waiting == 3);
}

TEST_CASE("a queue of a newer version is refused and left as it is") {
  const TempDirectory directory;
  Config config = test::plain_config(directory);
  config.lane = "main";
  {
    Tracker tracker = Tracker::open(config);
    track(tracker, 0, 3);
  }
  {
    hold::Database database;
    REQUIRE(database.open(directory / "main.queue", nullptr, hold::Sharing::shared));
    REQUIRE(database.run("PRAGMA user_version=3"));
    REQUIRE(database.run("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  const std::string before = test::read_file(directory / "main.queue");
  const std::string ring = test::read_file(directory / "main.ring");
  Tracker tracker = Tracker::open(config);
  CHECK(tracker.status() == Code::newer_format);
  CHECK(tracker.event().action("READ").track() == Code::newer_format);
  CHECK(tracker.close() == Code::newer_format);
  CHECK(test::read_file(directory / "main.queue") == before);
  CHECK(test::read_file(directory / "main.ring") == ring);
}

TEST_CASE("sixteen trackers share a directory, and the seventeenth says why it cannot") {
  const TempDirectory directory;
  const Config config = test::plain_config(directory);
  std::vector<Tracker> trackers;
  for (int i = 0; i < hold::lanes_max; ++i) {
    trackers.push_back(Tracker::open(config));
    REQUIRE(trackers.back().status() == Code::ok);
  }
  Tracker one_too_many = Tracker::open(config);
  CHECK(one_too_many.status() != Code::ok);
  CHECK(one_too_many.status().message().find("16 lanes") != std::string::npos);
  trackers.pop_back();
  CHECK(Tracker::open(config).status() == Code::ok);
}

// --- lanes -----------------------------------------------------------------------------------------------------------

TEST_CASE("what a closed tracker's lane holds is delivered by the next one, exactly once") {
  const TempDirectory directory;
  {
    Tracker first = Tracker::open(test::plain_config(directory));
    Tracker second = Tracker::open(test::plain_config(directory));
    track(first, 0, 40);
    track(second, 40, 60);
    CHECK(first.stats().accepted == 40);
    CHECK(second.stats().accepted == 60);
    REQUIRE(first.close() == Code::ok);
    REQUIRE(second.close() == Code::ok);
  }
  CHECK(std::filesystem::exists(directory / "lane-00.queue"));
  CHECK(std::filesystem::exists(directory / "lane-01.queue"));
  const auto endpoint = std::make_shared<FakeEndpoint>();
  {
    Tracker third = Tracker::open(test::sending_config(directory, endpoint));
    track(third, 100, 5);
    REQUIRE(third.flush(10s) == Code::ok);
    for (int i = 0; i < 20; ++i) third.work(1ms);
    check_balance(third.stats());
  }
  CHECK(arrived(*endpoint).size() == 105);
  // The next ones find nothing to send.
  endpoint->requests.clear();
  Tracker fourth = Tracker::open(test::sending_config(directory, endpoint));
  Tracker fifth = Tracker::open(test::sending_config(directory, endpoint));
  CHECK(fourth.flush(10s) == Code::ok);
  CHECK(fifth.flush(10s) == Code::ok);
  CHECK(endpoint->lines().empty());
  CHECK(fifth.stats().accepted == 60);
  CHECK(fifth.stats().delivered == 60);
}

TEST_CASE("a lane in use is left to its owner") {
  const TempDirectory directory;
  Tracker first = Tracker::open(test::plain_config(directory));
  track(first, 0, 10);
  first.work(0ms);
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Tracker second = Tracker::open(test::sending_config(directory, endpoint));
  track(second, 10, 1);
  REQUIRE(second.flush(10s) == Code::ok);
  CHECK(arrived(*endpoint) == std::set<std::string>{"c10"});
  CHECK(first.stats().waiting == 10);
}

TEST_CASE("the counters of a lane go on over its lives") {
  const TempDirectory directory;
  for (int life = 0; life < 4; ++life) {
    const auto endpoint = std::make_shared<FakeEndpoint>();
    Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
    CHECK(tracker.stats().accepted == static_cast<std::uint64_t>(10 * life));
    CHECK(tracker.stats().refused_invalid == static_cast<std::uint64_t>(life));
    track(tracker, 10 * life, 10);
    CHECK_FALSE(tracker.event().track());
    // Every other life ends without its sentences delivered.
    if (life % 2 == 1) {
      REQUIRE(tracker.flush(10s) == Code::ok);
      CHECK(arrived(*endpoint).size() == 20);
      CHECK(tracker.stats().waiting == 0);
    }
    check_balance(tracker.stats());
  }
}

TEST_CASE("sentences on a damaged page do not keep the others from being sent") {
  DamagedLane lane;
  const std::unique_ptr<detail::Core> core = lane.open();
  CHECK(core->flush(10min) == Code::ok);
  CHECK(arrived(*lane.endpoint).size() >= 90);
  const Stats stats = core->stats();
  check_balance(stats);
  CHECK(stats.accepted == 135);
  CHECK(stats.delivered == arrived(*lane.endpoint).size());
  CHECK(stats.waiting == 0);
}

TEST_CASE("a lane whose repair fails stays with its process, which tries again") {
  DamagedLane lane;
  // Where the new file is to be made, as if the disk were full.
  std::filesystem::create_directory(lane.directory / "lane-00.salvage");
  const std::unique_ptr<detail::Core> core = lane.open();
  CHECK(core->flush(10s) == Code::still_waiting);
  CHECK_FALSE(std::filesystem::exists(lane.directory / "lane-00.damaged"));
  lane.config.lane = "lane-00";
  {
    const std::unique_ptr<detail::Core> other(detail::Core::open(lane.config, lane.seams));
    CHECK(other->status() == Code::lane_held);
  }
  REQUIRE(core->event().content("kept").action("READ").track() == Code::ok);
  std::filesystem::remove(lane.directory / "lane-00.salvage");
  CHECK(core->flush(10min) == Code::ok);
  CHECK(std::filesystem::exists(lane.directory / "lane-00.damaged"));
  const Stats stats = core->stats();
  check_balance(stats);
  CHECK(stats.accepted == 136);
  CHECK(stats.delivered == arrived(*lane.endpoint).size());
  CHECK(stats.delivered >= 91);
  CHECK(stats.waiting == 0);
}

TEST_CASE("a lane that another process takes in the moment of its repair is left to it") {
  DamagedLane lane;
  RepairWatched files;
  const auto other_endpoint = std::make_shared<FakeEndpoint>(&lane.clock);

  lane.seams.files = &files;
  const std::unique_ptr<detail::Core> core = lane.open();
  std::unique_ptr<detail::Core> other;
  files.meanwhile = [&] {
    detail::Seams of_other;
    of_other.clock = &lane.clock;
    lane.config.transport = other_endpoint;
    other.reset(detail::Core::open(lane.config, of_other));
  };
  static_cast<void>(core->flush(10s));
  REQUIRE(other != nullptr);
  REQUIRE(other->status() == Code::ok);
  CHECK(core->status() == Code::ok);
  CHECK(std::filesystem::exists(lane.directory / "lane-01.queue"));
  for (int i = 0; i < 5; ++i) {
    CHECK(core->event().content("of-one-" + std::to_string(i)).action("READ").track() == Code::ok);
    CHECK(other->event().content("of-the-other-" + std::to_string(i)).action("READ").track() == Code::ok);
  }
  CHECK(core->flush(10min) == Code::ok);
  CHECK(other->flush(10min) == Code::ok);
  check_balance(core->stats());
  check_balance(other->stats());
  std::set<std::string> ids = arrived(*lane.endpoint);
  const std::set<std::string> of_other = arrived(*other_endpoint);
  CHECK(ids.size() + of_other.size() >= 100);
  ids.insert(of_other.begin(), of_other.end());
  CHECK(core->stats().delivered + other->stats().delivered == ids.size());
}

// --- consent and erase -----------------------------------------------------------------------------------------------

TEST_CASE("pending consent keeps and sends nothing, granted sends what was kept") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  {
    Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
    CHECK(tracker.consent() == Consent::granted);
    REQUIRE(tracker.set_consent(Consent::pending) == Code::ok);
    track(tracker, 0, 5);
    CHECK(tracker.flush(0ms) == Code::still_waiting);
    CHECK(endpoint->requests.empty());
  }
  // It belongs to the directory and outlives the process.
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  CHECK(tracker.consent() == Consent::pending);
  CHECK(tracker.flush(0ms) == Code::still_waiting);
  CHECK(endpoint->requests.empty());
  CHECK(tracker.stats().waiting == 5);
  REQUIRE(tracker.set_consent(Consent::granted) == Code::ok);
  CHECK(tracker.flush(10s) == Code::ok);
  CHECK(arrived(*endpoint).size() == 5);
}

TEST_CASE("denied consent erases what waits, and refuses until it is granted again") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  {
    Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
    REQUIRE(tracker.event().content("marker-of-denied").action("READ").track());
    REQUIRE(tracker.set_consent(Consent::denied) == Code::ok);
    CHECK_FALSE(anywhere(directory, "marker-of-denied"));
    CHECK(tracker.event().action("READ").track() == Code::consent_denied);
    CHECK(tracker.track_json(R"({"action":{"type":"READ"}})") == Code::consent_denied);
    tracker.work(0ms);
    CHECK(tracker.stats().erased == 1);
    CHECK(tracker.stats().waiting == 0);
    CHECK(tracker.stats().refused_consent == 2);
    check_balance(tracker.stats());
  }
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  CHECK(tracker.consent() == Consent::denied);
  CHECK(tracker.event().action("READ").track() == Code::consent_denied);
  REQUIRE(tracker.set_consent(Consent::granted) == Code::ok);
  CHECK(tracker.event().content("c1").action("READ").track() == Code::ok);
  CHECK(tracker.flush(10s) == Code::ok);
  CHECK(arrived(*endpoint) == std::set<std::string>{"c1"});
}

TEST_CASE("erase unlinks every file that held a sentence, and begins anew as somebody else") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  {
    // A closed tracker's lane; beside it, the one in use will have a sealed batch and a line in its ring.
    Tracker other = Tracker::open(test::plain_config(directory));
    Tracker dead = Tracker::open(test::plain_config(directory));
    REQUIRE(dead.event().content("marker-text").action("READ").track());
    REQUIRE(dead.close() == Code::ok);
  }
  Config config = test::sending_config(directory, endpoint);
  endpoint->answer = [](const FakeEndpoint::Request&) {
    HttpAnswer answer;
    answer.status = 503;
    return answer;
  };
  Tracker tracker = Tracker::open(config);
  REQUIRE(tracker.event().content("marker-text").action("READ").track());
  CHECK(tracker.flush(0ms) == Code::still_waiting);
  tracker.work(1ms);
  REQUIRE(!endpoint->requests.empty());
  const std::string old_install = json::parse(endpoint->requests[0].lines[0])["device"]["id"];
  const std::string old_run = json::parse(endpoint->requests[0].lines[0])["device"]["run"];
  // A compressed batch hides the text; it is known by a piece of its own bytes.
  const std::string sealed = endpoint->requests[0].body.substr(20, 40);
  REQUIRE(tracker.event().content("marker-text").action("READ").track());
  REQUIRE(anywhere(directory, "marker-text"));
  REQUIRE(anywhere(directory, sealed));
  REQUIRE(anywhere(directory, old_install));
  const std::set<ino_t> before = lane_files(directory);
  // Held open, so that no new file can get an old one's number.
  std::vector<std::ifstream> held;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) held.emplace_back(entry.path());

  REQUIRE(tracker.erase() == Code::ok);
  CHECK_FALSE(anywhere(directory, "marker-text"));
  CHECK_FALSE(anywhere(directory, sealed));
  CHECK_FALSE(anywhere(directory, old_install));
  for (const ino_t file : lane_files(directory)) CHECK(before.count(file) == 0);

  endpoint->answer = nullptr;
  endpoint->requests.clear();
  REQUIRE(tracker.event().content("after").action("READ").track() == Code::ok);
  REQUIRE(tracker.flush(10s) == Code::ok);
  CHECK(arrived(*endpoint) == std::set<std::string>{"after"});
  const json line = json::parse(endpoint->lines()[0]);
  CHECK(line["device"]["id"] != old_install);
  CHECK(line["device"]["run"] != old_run);
  CHECK(line["device"]["seq"] == "0000000001");
  CHECK(tracker.stats().accepted == 3);
  CHECK(tracker.stats().erased == 2);
  CHECK(tracker.stats().delivered == 1);
  check_balance(tracker.stats());
}

TEST_CASE("the ledger goes on over an erase and a restart") {
  const TempDirectory directory;
  for (const bool thread : {false, true}) {
    CAPTURE(thread);
    Config config = test::plain_config(directory);
    config.use_thread = thread;
    config.lane = thread ? "with-thread" : "without-thread";
    {
      Tracker tracker = Tracker::open(config);
      track(tracker, 0, 7);
      CHECK_FALSE(tracker.event().track());
      REQUIRE(tracker.erase() == Code::ok);
      // At once, not only at the worker's next step.
      CHECK(tracker.stats().erased == 7);
      CHECK(tracker.stats().waiting == 0);
      track(tracker, 7, 2);
      REQUIRE(tracker.close() == Code::ok);
      CHECK(tracker.stats().accepted == 9);
      CHECK(tracker.stats().waiting == 2);
    }
    Tracker tracker = Tracker::open(config);
    CHECK(tracker.stats().accepted == 9);
    CHECK(tracker.stats().erased == 7);
    CHECK(tracker.stats().waiting == 2);
    CHECK(tracker.stats().lost == 0);
    CHECK(tracker.stats().refused_invalid == 1);
    check_balance(tracker.stats());
  }
}

TEST_CASE("counters that an erase carried are found, whatever other erases came before the lane began anew") {
  const TempDirectory place;
  hold::LaneSettings settings;
  settings.directory = place.path();
  settings.ring_bytes = 64 << 10;
  for (int i = 0; i < 4; ++i) {
    const int erases = 1 + i % 2;
    const bool begun = i >= 2;
    CAPTURE(erases);
    CAPTURE(begun);
    const std::string name = "lane-0" + std::to_string(i);
    hold::Directory directory;
    REQUIRE(directory.open(system::system_files(), place.path(), system::system_dice(), "phone"));
    // Killed after the old files were unlinked, before there were new ones or before they had the counters.
    hold::Ledger ledger;
    ledger.accepted = ledger.erased = 7;
    REQUIRE(directory.begin_new_epoch(name, ledger));
    if (begun) {
      hold::Queue queue;
      REQUIRE(queue.open(system::system_files(), place / (name + ".queue"), directory.state().epoch, {}));
    }
    for (int n = 1; n < erases; ++n) REQUIRE(directory.begin_new_epoch());

    hold::Lane lane(system::system_files(), system::system_dice(), directory, settings);
    REQUIRE(lane.open(name, "run"));
    CHECK(lane.queue().ledger().accepted == 7);
    CHECK(lane.queue().ledger().erased == 7);
    CHECK(lane.ring().accepted() == 7);
  }
}

TEST_CASE("an erase that cannot begin leaves everything as it was") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  track(tracker, 0, 3);
  {
    // The epoch could begin; the counters cannot be carried.
    hold::Database other;
    REQUIRE(other.open(directory / "directory.db", nullptr, hold::Sharing::shared));
    REQUIRE(other.run("ALTER TABLE carried RENAME TO away"));
    CHECK_FALSE(tracker.erase());
    track(tracker, 3, 2);
    REQUIRE(other.run("ALTER TABLE away RENAME TO carried"));
  }
  CHECK(tracker.flush(10s) == Code::ok);
  CHECK(tracker.stats().delivered == 5);
  CHECK(tracker.stats().erased == 0);
  CHECK(tracker.erase() == Code::ok);
  check_balance(tracker.stats());
}

TEST_CASE("a directory that is damaged behind its first page is made anew, without its journal") {
  const TempDirectory place;
  const std::string path = place / "directory.db";
  hold::Directory directory;
  const auto open = [&] {
    return directory.open(system::system_files(), place.path(), system::system_dice(), "phone");
  };
  REQUIRE(open());
  REQUIRE(directory.set_consent(nullptr, Consent::denied));
  directory.close();
  std::string bytes = test::read_file(path);
  REQUIRE(bytes.size() >= 8192);
  for (std::size_t at = 4096; at < bytes.size(); at += 7) bytes[at] = static_cast<char>(~bytes[at]);
  test::write_file(path, bytes);
  REQUIRE(open());
  CHECK(directory.state().consents.all == Consent::denied);
  CHECK(directory.state().install_id.size() == 36);
  CHECK_FALSE(std::filesystem::exists(path + ".damaged"));
}

TEST_CASE("an erase reaches the lane that another tracker holds, before it sends anything") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Tracker first = Tracker::open(test::sending_config(directory, endpoint));
  Tracker second = Tracker::open(test::plain_config(directory));
  track(first, 0, 5);
  REQUIRE(second.erase() == Code::ok);
  CHECK(first.flush(10s) == Code::ok);
  CHECK(endpoint->lines().empty());
  CHECK(first.stats().erased == 5);
  REQUIRE(first.event().content("after").action("READ").track());
  CHECK(first.flush(10s) == Code::ok);
  CHECK(arrived(*endpoint) == std::set<std::string>{"after"});
  check_balance(first.stats());
}

// --- flush and close -------------------------------------------------------------------------------------------------

TEST_CASE("flush delivers what is here now, with a thread and without") {
  for (const bool thread : {false, true}) {
    CAPTURE(thread);
    const TempDirectory directory;
    const auto endpoint = std::make_shared<FakeEndpoint>();
    Config config = test::sending_config(directory, endpoint);
    config.use_thread = thread;
    Tracker tracker = Tracker::open(config);
    CHECK(tracker.flush(10s) == Code::ok);
    track(tracker, 0, 1200);
    CHECK(tracker.flush(30s) == Code::ok);
    CHECK(tracker.stats().delivered == 1200);
    CHECK(tracker.stats().waiting == 0);
    CHECK(tracker.stats().failures == 0);
    CHECK(tracker.close() == Code::ok);
    CHECK(arrived(*endpoint).size() == 1200);
    for (const FakeEndpoint::Request& request : endpoint->requests) CHECK(request.lines.size() <= 500);
  }
}

TEST_CASE("flush at its deadline says that something waits, and loses nothing") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  endpoint->silent = true;
  Config config = test::sending_config(directory, endpoint);
  {
    Tracker tracker = Tracker::open(config);
    track(tracker, 0, 5);
    CHECK(tracker.flush(20ms) == Code::still_waiting);
    CHECK(tracker.close(0ms) == Code::cut_short);
    CHECK(tracker.close(10s) == Code::cut_short);
    CHECK(tracker.stats().waiting == 5);
  }
  const std::string first_body = endpoint->requests.at(0).body;
  endpoint->silent = false;
  endpoint->requests.clear();
  Tracker tracker = Tracker::open(config);
  CHECK(tracker.flush(10s) == Code::ok);
  CHECK(arrived(*endpoint).size() == 5);
  // Byte for byte what was cut short.
  CHECK(endpoint->requests[0].body == first_body);
}

TEST_CASE("critical sentences leave first") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  track(tracker, 0, 10);
  REQUIRE(tracker.event().content("urgent").action("BUY").critical().track());
  REQUIRE(tracker.flush(10s) == Code::ok);
  CHECK(json::parse(endpoint->lines()[0])["content"]["id"] == "urgent");
}

TEST_CASE("after close every call is refused, and close answers as before") {
  for (const bool thread : {false, true}) {
    CAPTURE(thread);
    const TempDirectory directory;
    Config config = test::plain_config(directory);
    config.use_thread = thread;
    Tracker tracker = Tracker::open(config);
    Event begun = tracker.event().action("READ");
    track(tracker, 0, 3);
    CHECK(tracker.close() == Code::ok);
    CHECK(tracker.close() == Code::ok);
    CHECK(begun.track() == Code::closed);
    CHECK(tracker.event().action("READ").track() == Code::closed);
    CHECK(tracker.track_json(R"({"action":{"type":"READ"}})") == Code::closed);
    CHECK(tracker.identify("u") == Code::closed);
    CHECK(tracker.flush(0ms) == Code::closed);
    CHECK(tracker.erase() == Code::closed);
    CHECK(tracker.set_consent(Consent::pending) == Code::closed);
    CHECK(tracker.work(0ms) == -1ms);
    CHECK(tracker.stats().accepted == 3);
    CHECK(tracker.stats().waiting == 3);
    CHECK(tracker.stats().refused_closed == 3);
    check_balance(tracker.stats());
    CHECK(Tracker::open(config).stats().waiting == 3);
  }
}

TEST_CASE("trackers track, flush and close from several threads at once without losing one") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Config config = test::sending_config(directory, endpoint);
  config.use_thread = true;
  config.ring_full_wait = 10s;
  Tracker tracker = Tracker::open(config);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&tracker, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string id = "c" + std::to_string(t * 500 + i);
        if (!tracker.event().content(id).action("READ").track()) return;
        if (i == 250) static_cast<void>(tracker.flush(5s));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(tracker.flush(30s) == Code::ok);
  std::vector<std::thread> closers;
  for (int t = 0; t < 3; ++t) closers.emplace_back([&tracker] { static_cast<void>(tracker.close()); });
  for (std::thread& thread : closers) thread.join();
  CHECK(arrived(*endpoint).size() == 2000);
  CHECK(tracker.stats().delivered == 2000);
}

TEST_CASE("an erase in a tracker with a thread cancels the running request") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  endpoint->silent = true;
  Config config = test::sending_config(directory, endpoint);
  config.use_thread = true;
  Tracker tracker = Tracker::open(config);
  track(tracker, 0, 3);
  CHECK(tracker.flush(50ms) == Code::still_waiting);
  CHECK(tracker.erase() == Code::ok);
  CHECK(tracker.stats().erased == 3);
  CHECK(tracker.close() == Code::ok);
}

// --- fork ------------------------------------------------------------------------------------------------------------

TEST_CASE("in a forked child every call is refused, and the parent goes on") {
  for (const bool thread : {false, true}) {
    CAPTURE(thread);
    const TempDirectory directory;
    const auto endpoint = std::make_shared<FakeEndpoint>();
    Config config = test::sending_config(directory, endpoint);
    config.use_thread = thread;
    auto tracker = std::make_unique<Tracker>(Tracker::open(config));
    track(*tracker, 0, 3);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      // Each bit that stays is a call that was not refused.
      int wrong = 0;
      wrong |= tracker->event().action("READ").track() == Code::forked_child ? 0 : 1;
      wrong |= tracker->identify("u") == Code::forked_child ? 0 : 2;
      wrong |= tracker->flush(10s) == Code::forked_child ? 0 : 4;
      wrong |= tracker->erase() == Code::forked_child ? 0 : 8;
      wrong |= tracker->close() == Code::forked_child ? 0 : 16;
      wrong |= tracker->set_consent(Consent::denied) == Code::forked_child ? 0 : 32;
      wrong |= tracker->work(0ms) == -1ms ? 0 : 64;
      wrong |= Tracker::open(config).status() == Code::forked_child ? 0 : 128;
      tracker.reset();
      _exit(wrong);
    }
    int result = 0;
    REQUIRE(waitpid(child, &result, 0) == child);
    CHECK(WIFEXITED(result));
    CHECK(WEXITSTATUS(result) == 0);
    track(*tracker, 3, 3);
    CHECK(tracker->flush(10s) == Code::ok);
    CHECK(tracker->close() == Code::ok);
    CHECK(arrived(*endpoint).size() == 6);
  }
}

// --- track_json ------------------------------------------------------------------------------------------------------

TEST_CASE("six parts as JSON become the same sentence as the six verbs") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  REQUIRE(tracker.track_json(R"({"user":{"id":"u_1","plan":"free"},"device":{"battery":80},
      "location":{"screen":"FEED","y":3},"content":{"id":913,"price":1.5,"new":true},"referral":"CLICK",
      "action":{"type":"READ","duration_ms":10000,"depth":"0.8"},"at_unix_ms":1779421920123})") == Code::ok);
  REQUIRE(tracker.track_json(R"({"action":{"type":"OPEN"},"location":"https://a.example/x","critical":true})") ==
          Code::ok);
  REQUIRE(tracker.track_json(R"({"action":{"type":"OPEN","duration_ms":"7"},"critical":false,"content":{}})") ==
          Code::ok);
  REQUIRE(tracker.track_json(
              R"({"action":{"type":"ids"},"content":{"a":18446744073709551615,"b":-9223372036854775808}})") ==
          Code::ok);
  REQUIRE(tracker.flush(10s) == Code::ok);
  const std::vector<std::string> lines = endpoint->lines();
  REQUIRE(lines.size() == 4);
  CHECK(json::parse(lines[0])["location"] == "https://a.example/x");
  const json first = json::parse(lines[1]);
  CHECK(first["user"] == json{{"id", "u_1"}, {"plan", "free"}});
  CHECK(first["device"]["battery"] == "80");
  CHECK(first["device"]["clock_offset_ms"] == "0");
  CHECK(first["location"] == "app://shop/FEED?y=3");
  CHECK(first["content"] == json{{"id", "913"}, {"price", "1.5"}, {"new", "true"}});
  CHECK(first["referral"] == "CLICK");
  CHECK(first["action"] == json{{"type", "READ"}, {"duration_ms", "10000"}, {"depth", "0.8"}});
  CHECK(first["time"] == "2026-05-22T03:52:00.123Z");
  CHECK(json::parse(lines[2])["action"]["duration_ms"] == "7");
  CHECK(json::parse(lines[3])["content"] == json{{"a", "18446744073709551615"}, {"b", "-9223372036854775808"}});
}

TEST_CASE("JSON that is no sentence is refused with its cause, and nothing is kept") {
  const TempDirectory directory;
  Tracker tracker = Tracker::open(test::plain_config(directory));
  const std::pair<const char*, Code> bad[] = {
      {"", Code::not_a_sentence},
      {"null", Code::not_a_sentence},
      {"[]", Code::not_a_sentence},
      {"{", Code::not_a_sentence},
      {R"({"action":{"type":"A"}} x)", Code::not_a_sentence},
      {R"({"action":{"type":"A"},"extra":1})", Code::not_a_sentence},
      {R"({"action":"A"})", Code::not_a_sentence},
      {R"({"action":{"type":null}})", Code::not_a_sentence},
      {R"({"action":{"type":["A"]}})", Code::not_a_sentence},
      {R"({"action":{"type":"A"},"content":{"deep":{"x":"y"}}})", Code::not_a_sentence},
      {R"({"action":{"type":"A"},"user":[]})", Code::not_a_sentence},
      {R"({"action":{"type":"A"},"referral":{}})", Code::not_a_sentence},
      {R"({"action":{"type":"A"},"critical":"yes"})", Code::not_a_sentence},
      {R"({"action":{"type":"A"},"at_unix_ms":"0"})", Code::not_a_sentence},
      {R"({"action":{"type":"A","duration_ms":"soon"}})", Code::not_a_sentence},
      {R"({"action":{"type":"A","duration_ms":"-"}})", Code::not_a_sentence},
      {R"({"action":{"type":"A","duration_ms":99999999999999999999}})", Code::bad_time},
      {R"({"action":{"type":"A","duration_ms":1E400}})", Code::bad_time},
      {R"({"action":{"type":"A","duration_ms":-0.5}})", Code::bad_time},
      {R"({"action":{"type":"A"},"at_unix_ms":-1e99999999999999999999})", Code::bad_time},
      {R"({"action":{"type":"A"},"location":{"a":1,"a":2}})", Code::repeated_member},
      {"{\"action\":{\"type\":\"\xFF\"}}", Code::not_a_sentence},
      {R"({"action":{"type":"\ud800"}})", Code::not_a_sentence},
      {R"({"action":{"type":"A","duration_ms":-1}})", Code::bad_time},
      {R"({"action":{"type":"A"},"at_unix_ms":253402300800000})", Code::bad_time},
      {R"({"action":{"type":"A"},"at_unix_ms":18446744073709551615})", Code::bad_time},
      {R"({"action":{"type":"A"},"action":{"type":"B"}})", Code::repeated_member},
      {R"({"action":{"type":"A"},"content":{"a":"1","\u0061":"2"}})", Code::repeated_member},
      {R"({"action":{}})", Code::missing_action},
      {R"({})", Code::missing_action},
      {R"({"action":{"type":"A"},"content":{"Bad":"1"}})", Code::bad_member_name},
      {R"({"action":{"type":"A"},"device":{"seq":"1"}})", Code::reserved_member},
      {R"({"action":{"type":"A"},"user":{"id":""}})", Code::bad_argument},
  };
  for (const auto& one : bad) {
    const Status status = tracker.track_json(one.first);
    CHECK_MESSAGE(status == one.second, std::string(one.first) << " gave " << std::string(code_name(status.code())));
  }
  CHECK(tracker.track_json(std::string(100'000, '[')) == Code::sentence_too_large);
  CHECK(tracker.track_json(std::string(60'000, '[')) == Code::not_a_sentence);
  CHECK(tracker.stats().accepted == 0);
  CHECK(tracker.stats().refused_invalid == std::size(bad) + 2);
}

TEST_CASE("a number keeps the text it came with") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  for (const std::string number :
       {"123456789012345678901", "-9223372036854775809", "-0", "-0.0", "0.10", "1E400", "1e-400", "0.1e1",
        "1234567890123456789012345678901234567890.5", "1.7976931348623157e308"}) {
    REQUIRE(tracker.track_json(R"({"action":{"type":"A"},"content":{"n":)" + number + "}}") == Code::ok);
    REQUIRE(tracker.flush(10s) == Code::ok);
    CHECK(json::parse(endpoint->lines().back())["content"]["n"] == number);
  }
}

TEST_CASE("milliseconds with a fraction or an exponent are rounded") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  const std::pair<std::string, std::string> durations[] = {{"12.4", "12"},
                                                           {"12.5", "13"},
                                                           {"0.49999", "0"},
                                                           {"0.5", "1"},
                                                           {"1e3", "1000"},
                                                           {"1.2345e3", "1235"},
                                                           {"5e-1", "1"},
                                                           {"49e-2", "0"},
                                                           {"5e-2", "0"},
                                                           {"0e999999999999999999999", "0"},
                                                           {"-0", "0"},
                                                           {"-0.3", "0"},
                                                           {"99.9999999999", "100"},
                                                           {"0.0015E+3", "2"},
                                                           {"\"7.5\"", "8"},
                                                           {"1e-99999999999999999999", "0"},
                                                           {"100000000000000000", "100000000000000000"}};
  for (const auto& one : durations) {
    const std::string& given = one.first;
    const std::string& kept = one.second;
    CAPTURE(given);
    REQUIRE(tracker.track_json(R"({"action":{"type":"A","duration_ms":)" + given + "}}") == Code::ok);
    REQUIRE(tracker.flush(10s) == Code::ok);
    CHECK(json::parse(endpoint->lines().back())["action"]["duration_ms"] == kept);
  }
  const std::pair<std::string, std::string> times[] = {{"1779421920123.4", "2026-05-22T03:52:00.123Z"},
                                                       {"1779421920123.5", "2026-05-22T03:52:00.124Z"},
                                                       {"1.7e12", "2023-11-14T22:13:20.000Z"},
                                                       {"-0.5", "1969-12-31T23:59:59.999Z"}};
  for (const auto& one : times) {
    const std::string& given = one.first;
    const std::string& kept = one.second;
    CAPTURE(given);
    REQUIRE(tracker.track_json(R"({"action":{"type":"A"},"at_unix_ms":)" + given + "}") == Code::ok);
    REQUIRE(tracker.flush(10s) == Code::ok);
    CHECK(json::parse(endpoint->lines().back())["time"] == kept);
  }
}

TEST_CASE("what is wrong with JSON is told with the byte where it stands") {
  const TempDirectory directory;
  Tracker tracker = Tracker::open(test::plain_config(directory));
  const std::pair<const char*, const char*> bad[] = {
      {"", "at byte 0 a value is missing"},
      {"{\"action\":{\"type\":\"A\"}} x", "at byte 24 there is more behind its end"},
      {"{\"action\":{\"type\":\"A\",}}", "at byte 22 a name in quotes is missing"},
      {"{\"action\":{\"type\":01}}", "at byte 19 a comma or } is missing"},
      {"{\"action\":{\"type\":NaN}}", "at byte 18 a value is missing"},
      {"{\"action\":{\"type\":\"\xFF\"}}", "at byte 19 this is not UTF-8"},
      {"{\"action\":{\"type\":\"\n\"}}", "at byte 19 a control character needs an escape"},
      {"{\"action\":{\"type\":\"\\ud800\"}}", "at byte 25 half of a surrogate pair is missing"},
      {"{\"action\":{\"type\":\"A\",\"x\":1,\"x\":2}}", "at byte 32 \"x\""},
      {"{\"action\":{\"type\":\"A\",\"x\":[]}}", "at byte 26 \"x\" must be a text, a number or a boolean"},
      {"{\"action\":{\"type\":\"A\"}, \"ninth\": 9}", "at byte 33 \"ninth\" is no part"},
      {"{\"action\":{\"type\":\"A\",\"duration_ms\":\"soon\"}}", "at byte 36 \"duration_ms\" must be a number"},
      {"{\"action\":7}", "at byte 10 \"action\" must be an object"},
  };
  for (const auto& [text, told] : bad) {
    const Status status = tracker.track_json(text);
    CHECK_FALSE(status);
    CHECK(status.detail() == told);
  }
  CHECK(tracker.track_json(std::string(9, '[')).detail() == "at byte 8 it has more than 8 levels");
}

TEST_CASE("the time that members take grows with their number, and not with its square") {
  const TempDirectory directory;
  Tracker tracker = Tracker::open(test::plain_config(directory));
  const auto cpu_ns = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  };
  // Of several tries the quickest, so that what else the machine does is not measured.
  const auto least_ns = [&cpu_ns](const auto& call) {
    double least = 1e18;
    for (int i = 0; i < 7; ++i) {
      const double before = cpu_ns();
      call();
      least = std::min(least, cpu_ns() - before);
    }
    return least;
  };
  const auto names = [](int count, const char* prefix) {
    std::vector<std::string> all;
    for (int i = 0; i < count; ++i) all.push_back(prefix + std::to_string(i));
    return all;
  };
  for (const char* prefix : {"a", "A"}) {  // allowed as members or not
    for (const char* part : {"content", "location", "action"}) {
      const auto track = [&](int count) {
        std::string text = std::string("{\"") + part + "\":{\"z\":1";
        for (const std::string& name : names(count, prefix)) text += ",\"" + name + "\":1";
        text += "}}";
        return least_ns([&] { static_cast<void>(tracker.track_json(text)); });
      };
      CAPTURE(part);
      CHECK(track(3200) < 20 * track(400));  // eight times as many; the square would be 64
    }
  }
  const auto build = [&](int count) {
    const std::vector<std::string> all = names(count, "a");
    std::vector<Member> members;
    for (const std::string& name : all) members.push_back({name, ""});
    return least_ns([&] {
      Event event = tracker.event();
      event.content("c", {members.data(), members.size()});
      CHECK(event.status() == Code::ok);
      event.content("", {members.data() + members.size() - 1, 1});
      CHECK(event.status() == Code::repeated_member);
    });
  };
  CHECK(build(2400) < 20 * build(300));
}

// --- the C interface -------------------------------------------------------------------------------------------------

TEST_CASE("the C interface keeps a sentence and tells its counters") {
  const TempDirectory directory;
  const std::string path = directory.path();
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "shop";
  config.queue_dir = path.c_str();
  config.no_thread = 1;
  yukha_result result = YUKHA_BAD_ARGUMENT;
  yukha_tracker* tracker = yukha_open(&config, &result);
  REQUIRE(tracker != nullptr);
  CHECK(result == YUKHA_OK);
  const yukha_member members[] = {{"plan", "free", 0}, {"city", "Seoul and more", 5}};
  CHECK(yukha_identify(tracker, "u_1842", 0, members, 2) == YUKHA_OK);
  yukha_event* sentence = yukha_event_new(tracker);
  for (int i = 0; i < 3; ++i) {
    CHECK(yukha_event_location(sentence, "FEED", 0, members, 2) == YUKHA_OK);
    CHECK(yukha_event_content(sentence, "card", 4, members, 2) == YUKHA_OK);
    CHECK(yukha_event_referral(sentence, "CLICK", 0) == YUKHA_OK);
    CHECK(yukha_event_action(sentence, "READ", 0, i == 0 ? -1 : 10, members, 2) == YUKHA_OK);
    CHECK(yukha_event_user(sentence, members, 2) == YUKHA_OK);
    CHECK(yukha_event_device(sentence, members, 2) == YUKHA_OK);
    CHECK(yukha_event_at(sentence, 0) == YUKHA_OK);
    CHECK(yukha_event_critical(sentence) == YUKHA_OK);
    CHECK(yukha_event_track(sentence) == YUKHA_OK);
  }
  CHECK(yukha_event_track(sentence) == YUKHA_MISSING_ACTION);
  CHECK(yukha_event_action(sentence, "READ", 0, 0, nullptr, 0) == YUKHA_OK);
  const yukha_member bad[] = {{"Bad", "x", 0}};
  CHECK(yukha_event_content(sentence, "card", 0, bad, 1) == YUKHA_BAD_MEMBER_NAME);
  char text[200] = {};
  const std::size_t whole = yukha_last_error(tracker, text, sizeof text);
  CHECK(whole == std::strlen(text));
  CHECK(std::string(text).find("content.Bad") != std::string::npos);
  CHECK(yukha_last_error(tracker, text, 4) == whole);
  CHECK(std::strlen(text) == 3);
  CHECK(yukha_event_track(sentence) == YUKHA_BAD_MEMBER_NAME);
  const std::string line = R"({"action":{"type":"A"}})";
  CHECK(yukha_track_json(tracker, line.data(), line.size()) == YUKHA_OK);
  yukha_stats stats;
  CHECK(yukha_get_stats(tracker, &stats, sizeof stats) == YUKHA_OK);
  CHECK(stats.accepted == 4);
  CHECK(stats.waiting == 4);
  CHECK(stats.refused_invalid == 2);
  CHECK(yukha_get_consent(tracker) == YUKHA_GRANTED);
  CHECK(yukha_set_consent(tracker, YUKHA_PENDING) == YUKHA_OK);
  CHECK(yukha_get_consent(tracker) == YUKHA_PENDING);
  CHECK(yukha_set_consent(tracker, 9) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_flush(tracker, 0) == YUKHA_STILL_WAITING);
  // Until the sentences in the ring must be synced.
  CHECK(yukha_work(tracker, 0) > 0);
  CHECK(yukha_work(tracker, 0) <= 1000);
  CHECK(yukha_erase(tracker) == YUKHA_OK);
  CHECK(yukha_close(tracker, 1000) == YUKHA_OK);
  CHECK(yukha_event_action(sentence, "READ", 0, -1, nullptr, 0) == YUKHA_OK);
  CHECK(yukha_event_track(sentence) == YUKHA_CLOSED);
  yukha_event_free(sentence);
  yukha_free(tracker);
}

TEST_CASE("the C interface answers nulls and follows none") {
  yukha_config_init(nullptr, 8);
  yukha_result result = YUKHA_OK;
  yukha_tracker* nothing = yukha_open(nullptr, &result);
  CHECK(result == YUKHA_BAD_ARGUMENT);
  yukha_free(nothing);
  yukha_free(yukha_open(nullptr, nullptr));
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  yukha_tracker* tracker = yukha_open(&config, &result);
  CHECK(result == YUKHA_BAD_CONFIG);
  yukha_event* sentence = yukha_event_new(tracker);
  CHECK(yukha_event_location(sentence, nullptr, 3, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_content(sentence, nullptr, 0, nullptr, 1) == YUKHA_BAD_ARGUMENT);
  const yukha_member half[] = {{"name", nullptr, 3}, {nullptr, "value", 0}};
  CHECK(yukha_event_user(sentence, half, 1) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_user(sentence, half + 1, 1) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_referral(sentence, nullptr, 7) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_action(sentence, nullptr, 0, 0, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_track(sentence) == YUKHA_BAD_CONFIG);
  // The handle is empty again, and the first mistake stays until track().
  CHECK(yukha_event_device(sentence, half, SIZE_MAX) == YUKHA_SENTENCE_TOO_LARGE);
  CHECK(yukha_event_user(sentence, half, 1) == YUKHA_SENTENCE_TOO_LARGE);
  yukha_event_free(sentence);
  yukha_event_free(nullptr);
  CHECK(yukha_track_json(tracker, nullptr, 5) == YUKHA_BAD_ARGUMENT);
  yukha_free(tracker);

  CHECK(yukha_identify(nullptr, "u", 0, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_new(nullptr) == nullptr);
  CHECK(yukha_event_location(nullptr, "S", 0, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_content(nullptr, "c", 0, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_referral(nullptr, "r", 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_action(nullptr, "A", 0, 0, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_user(nullptr, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_device(nullptr, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_at(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_critical(nullptr) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_track(nullptr) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_track_json(nullptr, "{}", 2) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_consent(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_get_consent(nullptr) == YUKHA_PENDING);
  CHECK(yukha_erase(nullptr) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_flush(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  yukha_stats stats;
  CHECK(yukha_get_stats(nullptr, &stats, sizeof stats) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_work(nullptr, 0) == -1);
  CHECK(yukha_close(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  yukha_free(nullptr);
  CHECK(yukha_last_error(nullptr, nullptr, 0) == 0);
  CHECK(std::string(yukha_result_name(YUKHA_RING_FULL)) == "ring_full");
  CHECK(std::string(yukha_result_name(12345)) == "unknown");
  CHECK(std::string(yukha_version()) == YUKHA_VERSION);
}

TEST_CASE("a C host built for another version gives and gets only what both know") {
  const TempDirectory directory;
  const std::string path = directory.path();
  struct Newer {
    yukha_config known;
    std::uint64_t tail[4];
  } newer;
  std::memset(&newer, 0xAB, sizeof newer);
  yukha_config_init(&newer.known, sizeof newer);
  CHECK(newer.tail[3] == 0);
  newer.known.app_id = "shop";
  newer.known.queue_dir = path.c_str();
  newer.known.no_thread = 1;
  newer.tail[0] = 99;
  yukha_result result = YUKHA_BAD_ARGUMENT;
  yukha_free(yukha_open(&newer.known, &result));
  CHECK(result == YUKHA_OK);
  newer.known.bytes = offsetof(yukha_config, endpoint);
  newer.known.endpoint = "what lies behind the end is not read";
  yukha_tracker* tracker = yukha_open(&newer.known, &result);
  CHECK(result == YUKHA_OK);
  yukha_stats stats;
  std::memset(&stats, 0xAB, sizeof stats);
  CHECK(yukha_get_stats(tracker, &stats, offsetof(yukha_stats, delivered)) == YUKHA_OK);
  CHECK(stats.accepted == 0);
  CHECK(stats.delivered == 0xABABABABABABABABULL);
  CHECK(yukha_get_stats(tracker, &stats, 2) == YUKHA_BAD_ARGUMENT);
  yukha_free(tracker);
}
