// What the library costs, beside what the same work costs without it, in one run.
//
// Each part is run by a process of its own, this program again with --rows-of, so that none pays for another's memory.
#include <curl/curl.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>
#include <yukha/yukha.hpp>

#include "floors.hpp"
#include "goals.hpp"
#include "histogram.hpp"
#include "inputs.hpp"
#include "send/gzip.hpp"
#include "sink.hpp"

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Every sync of this process comes by here, SQLite's, too.
namespace {
std::atomic<std::uint64_t> syncs{0};
}
extern "C" int fsync(int file) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fsync, file));
}
extern "C" int fdatasync(int file) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fdatasync, file));
}

namespace bench {
namespace {

struct Options {
  bool json = false;
  std::string data;
  std::vector<std::string> parts;  // empty: all
  int idle_s = 60;
  int trickle_s = 60;
};

// Rows go to standard output as they are known; the parent reads them.
void row(const std::string& name, double value, const char* unit) {
  std::printf("%s\t%.6g\t%s\n", name.c_str(), value, unit);
  std::fflush(stdout);
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "yukha_bench: %s\n", why.c_str());
  std::exit(2);
}

class Directory {
 public:
  Directory() {
    std::string name = "bench.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) give_up("no directory can be made here");
    path_ = fs::absolute(name);
  }
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  std::uint64_t bytes() const {
    std::uint64_t all = 0;
    for (const auto& one : fs::directory_iterator(path_)) all += one.file_size();
    return all;
  }

 private:
  fs::path path_;
};

// The one configuration of all rows.
yukha::Config config_for(const std::string& directory, const std::string& endpoint) {
  yukha::Config config;
  config.app_id = "bench";
  config.queue_dir = directory;
  config.endpoint = endpoint;
  config.keys = {{Sink::key_id, Sink::secret_base64}};
  config.queue_bytes_max = 4ULL << 30;
  config.collect_device_facts = false;
  config.os = "Debian 12";
  config.model = "bench";
  config.app_version = "1.0.0";
  return config;
}

yukha::Tracker open(const yukha::Config& config) {
  yukha::Tracker tracker = yukha::Tracker::open(config);
  if (!tracker.status()) give_up("open: " + std::string(tracker.status().message()));
  return tracker;
}

// Whatever the ring's size: when it is full, waits until there is room.
void track_all(yukha::Tracker& tracker, const Input& input, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Call& call = input.calls[i % input.calls.size()];
    for (yukha::Status status = track(tracker, call); !status.good(); status = track(tracker, call)) {
      if (status != yukha::Code::ring_full) give_up("track: " + std::string(status.message()));
      std::this_thread::sleep_for(200us);
    }
  }
}

void deliver_all(yukha::Tracker& tracker) {
  if (yukha::Status status = tracker.flush(5min); !status) give_up("flush: " + std::string(status.message()));
}

std::vector<Input> inputs(const Options& options, std::size_t most) {
  std::vector<Input> all;
  all.reserve(3);  // what calls borrow stays where it is
  all.emplace_back();
  make_synthetic(most, all[0]);
  if (options.data.empty()) return all;
  const std::string maps = YUKHA_SOURCE_DIR "/examples/replay/maps/";
  std::string problem;
  for (const auto& [name, file] :
       {std::pair("deskdrop", "deskdrop_users_interactions.csv.gz"), std::pair("waves", "waves_game_events.tsv.gz")}) {
    Input& input = all.emplace_back();
    if (!read_rows(name, options.data + "/" + file, maps + name + ".json", most, input, problem)) give_up(problem);
  }
  return all;
}

// Keeps the lines of what it is given, and answers as an endpoint does.
class Keeper final : public yukha::HttpTransport {
 public:
  std::vector<std::string> lines;
  void start(const yukha::HttpRequest& request) override {
    std::string text;
    if (!yukha::send::gunzip(request.body, 4'000'000, text)) give_up("a body that is not gzip");
    accepted_ = 0;
    for (std::size_t at = 0; at < text.size(); ++accepted_) {
      const std::size_t end = text.find('\n', at);
      if (text.find("yukha_ledger", at) >= end) lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  bool poll(std::chrono::milliseconds, yukha::HttpAnswer& answer) override {
    if (accepted_ == 0) return false;
    answer.status = 200;
    answer.body = "{\"accepted\":" + std::to_string(accepted_) + ",\"rejected\":[]}";
    accepted_ = 0;
    return true;
  }
  void wake() override {}
  void cancel() override {}

 private:
  std::size_t accepted_ = 0;
};

std::vector<std::string> lines_of(const Input& input, std::size_t count) {
  const Directory directory;
  yukha::Config config = config_for(directory.path(), "https://collect.example.com");
  const auto keeper = std::make_shared<Keeper>();
  config.transport = keeper;
  yukha::Tracker tracker = open(config);
  track_all(tracker, input, count);
  deliver_all(tracker);
  static_cast<void>(tracker.close());
  return std::move(keeper->lines);
}

// How long two looks at the clock take, with nothing in between.
double clock_cost_ns() {
  Histogram times;
  for (int i = 0; i < 100'000; ++i) {
    const std::int64_t begin = wall_ns();
    times.add(wall_ns() - begin);
  }
  return times.percentile(50);
}

double since_s(std::int64_t begin_ns) {
  return static_cast<double>(wall_ns() - begin_ns) / 1e9;
}

std::size_t burst_of(const Input& input, const yukha::Config& config) {
  const auto lines = lines_of(input, std::min<std::size_t>(input.calls.size(), 200));
  std::size_t bytes = 0;
  for (const std::string& line : lines) bytes += line.size() + 32;
  return config.ring_bytes * 9 / 20 * lines.size() / bytes;  // a little less than half
}

// --- the caller ------------------------------------------------------------------------------------------------------

// Bursts of at most half the ring, while the worker takes over, seals and sends.
Histogram time_track(yukha::Tracker& tracker, const Input& input, std::size_t burst, int bursts, std::size_t from = 0) {
  Histogram times;
  std::size_t next = from;
  for (int round = 0; round < bursts; ++round) {
    for (std::size_t i = 0; i < burst; ++i) {
      const Call& call = input.calls[next++ % input.calls.size()];
      const std::int64_t begin = wall_ns();
      const bool good = track(tracker, call).good();
      const std::int64_t end = wall_ns();
      if (!good) break;  // the disk is behind
      if (round > 0) times.add(end - begin);
    }
    std::this_thread::sleep_for(25ms);
  }
  return times;
}

void measure_track(const Options& options) {
  const double clock_cost = clock_cost_ns();
  row("floor_clock_ns", clock_cost, "ns");
  for (const Input& input : inputs(options, 20'000)) {
    const auto lines = lines_of(input, 1000);
    const double printed = time_snprintf(lines, 50).percentile(50) - clock_cost;
    const Sink sink;
    const Directory directory;
    const yukha::Config config = config_for(directory.path(), sink.url());
    yukha::Tracker tracker = open(config);
    const Histogram times = time_track(tracker, input, burst_of(input, config), 150);
    const double median = times.percentile(50) - clock_cost;
    row("track_median_ns/" + input.name, median, "ns");
    row("track_to_snprintf/" + input.name, median / printed, "ratio");
    row("track_p99_us/" + input.name, (times.percentile(99) - clock_cost) / 1000, "us");
    row("track_p999_us/" + input.name, (times.percentile(99.9) - clock_cost) / 1000, "us");
    row("floor_snprintf_ns/" + input.name, printed, "ns");
    row("floor_locked_copy_ns/" + input.name, time_locked_copy(lines, 50).percentile(50) - clock_cost, "ns");
    std::size_t bytes = 0;
    for (const std::string& line : lines) bytes += line.size();
    row("floor_line_bytes/" + input.name, static_cast<double>(bytes) / static_cast<double>(lines.size()), "bytes");
  }
}

void measure_threads(const Options&) {
  Input input;
  make_synthetic(20'000, input);
  const Sink sink;
  const Directory directory;
  const yukha::Config config = config_for(directory.path(), sink.url());
  const std::size_t burst = burst_of(input, config) / 4;
  yukha::Tracker tracker = open(config);
  std::vector<Histogram> times(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < times.size(); ++i) {
    threads.emplace_back([&, i] { times[i] = time_track(tracker, input, burst, 150, i * 5000); });
  }
  for (std::thread& one : threads) one.join();
  Histogram all;
  for (const Histogram& one : times) all.add(one);
  row("track_4_threads_p99_us", all.percentile(99) / 1000, "us");
  row("floor_track_4_threads_median_ns", all.percentile(50), "ns");
  row("floor_track_4_threads_p999_us", all.percentile(99.9) / 1000, "us");
}

// One to sixty a second, with caches that others have used meanwhile, while a neighbour writes to the same disk.
void measure_now_and_then(const Options&) {
  Input input;
  make_synthetic(2'000, input);
  const Sink sink;
  const Directory directory;
  yukha::Tracker tracker = open(config_for(directory.path(), sink.url()));
  std::atomic<bool> done{false};
  std::thread neighbour([&] {
    const std::vector<char> block(1 << 20, 'x');
    const int file = ::open((directory.path() + "/neighbour").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    for (std::size_t i = 0; !done; ++i) {
      if (pwrite(file, block.data(), block.size(), static_cast<off_t>(i % 64 * block.size())) < 0) break;
      if (i % 16 == 15) fdatasync(file);
      std::this_thread::sleep_for(10ms);
    }
    ::close(file);
  });
  std::vector<char> cache(16 << 20);
  std::mt19937 random(3);
  Histogram times;
  for (int i = 0; i < 1500; ++i) {
    for (std::size_t at = 0; at < cache.size(); at += 64) ++cache[at];
    const int a_second = 1 + static_cast<int>(random() % 60);
    std::this_thread::sleep_for(std::chrono::milliseconds(a_second < 5 ? 250 : 1000 / a_second));
    const std::int64_t begin = wall_ns();
    const bool good = track(tracker, input.calls[static_cast<std::size_t>(i)]).good();
    times.add(wall_ns() - begin);
    if (!good) give_up("a sentence now and then was refused");
  }
  done = true;
  neighbour.join();
  row("track_now_and_then_p99_us", times.percentile(99) / 1000, "us");
  row("track_now_and_then_p999_us", times.percentile(99.9) / 1000, "us");
  row("floor_track_now_and_then_median_us", times.percentile(50) / 1000, "us");
}

// --- the whole way ---------------------------------------------------------------------------------------------------

double process_cpu_ns() {
  return static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID));
}

void measure_delivery(const Options& options) {
  constexpr std::size_t count = 200'000;
  for (const Input& input : inputs(options, 50'000)) {
    const auto lines = lines_of(input, 50'000);
    const double deflated = deflate_ns(lines);
    const Sink sink;
    const Directory directory;
    yukha::Tracker tracker = open(config_for(directory.path(), sink.url()));
    track_all(tracker, input, 1000);
    deliver_all(tracker);
    const std::uint64_t lines_before = sink.lines();
    const std::uint64_t body_before = sink.body_bytes();
    const std::uint64_t line_bytes_before = sink.line_bytes();
    const double cpu_before = process_cpu_ns();
    const std::int64_t begin = wall_ns();
    track_all(tracker, input, count);
    deliver_all(tracker);
    const double seconds = since_s(begin);
    const double cpu = (process_cpu_ns() - cpu_before) / count;
    if (sink.bad() != 0) give_up("the sink refused a request");
    if (sink.lines() - lines_before < count) give_up("the sink has not seen every sentence");
    row("client_cpu_to_deflate/" + input.name, cpu / deflated, "ratio");
    row("delivered_per_s/" + input.name, static_cast<double>(count) / seconds, "1/s");
    row("floor_client_cpu_ns/" + input.name, cpu, "ns");
    row("floor_deflate_ns/" + input.name, deflated, "ns");
    const Directory rows;
    row("floor_sqlite_row_ns/" + input.name, sqlite_ns(lines, rows.path() + "/one", 1), "ns");
    row("floor_sqlite_100_rows_ns/" + input.name, sqlite_ns(lines, rows.path() + "/hundred", 100), "ns");
    const double wire = static_cast<double>(sink.body_bytes() - body_before);
    const double json = static_cast<double>(sink.line_bytes() - line_bytes_before);
    // Random ids are what compresses worst; the goal is for real rows.
    row((input.name == "deskdrop" ? "wire_percent_of_json/" : "floor_wire_percent_of_json/") + input.name,
        100 * wire / json, "%");
    row("floor_post_us/" + input.name, post_us(sink.url(), static_cast<std::size_t>(wire / 400), 200), "us");

    const Directory offline;
    {
      const yukha::Config config = config_for(offline.path(), "http://127.0.0.1:1/v1/events");
      static_cast<void>(open(config).close());
      const std::uint64_t empty = offline.bytes();
      yukha::Tracker waiting = open(config);
      track_all(waiting, input, count);
      static_cast<void>(waiting.close(30s));
      const double line_bytes = json / static_cast<double>(sink.lines() - lines_before);
      row((input.name == "deskdrop" ? "disk_percent_of_json/" : "floor_disk_percent_of_json/") + input.name,
          100 * static_cast<double>(offline.bytes() - empty) / (line_bytes * count), "%");
    }
  }
}

// --- rest ------------------------------------------------------------------------------------------------------------

std::uint64_t number_in(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size(), name) == 0) return std::strtoull(line.c_str() + name.size(), nullptr, 10);
  }
  return 0;
}

// Of all threads: how often one was woken, for each time it slept of its own will.
std::uint64_t wake_ups() {
  std::uint64_t all = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    all += number_in(task.path().string() + "/status", "voluntary_ctxt_switches:");
  }
  return all;
}

std::uint64_t bytes_written() {
  return number_in("/proc/self/io", "write_bytes:");
}

void measure_idle(const Options& options) {
  Input input;
  make_synthetic(10, input);
  const Sink sink;
  const Directory directory;
  yukha::Tracker tracker = open(config_for(directory.path(), sink.url()));
  track_all(tracker, input, 10);
  deliver_all(tracker);
  std::this_thread::sleep_for(3s);
  const std::uint64_t woken = wake_ups();
  const std::uint64_t written = bytes_written();
  std::this_thread::sleep_for(std::chrono::seconds(options.idle_s));
  // This thread's own sleep is one.
  row("idle_wake_ups", static_cast<double>(wake_ups() - woken) - 1, "");
  row("idle_bytes_written", static_cast<double>(bytes_written() - written), "bytes");
}

struct Trickle {
  double syncs, bytes, wake_ups, requests;
};

Trickle trickle(int seconds, const Sink& sink, const std::function<void(int)>& one) {
  const std::uint64_t syncs_before = syncs;
  const std::uint64_t written = bytes_written();
  const std::uint64_t woken = wake_ups();
  const std::uint64_t requests = sink.requests();
  for (int i = 0; i < seconds; ++i) {
    one(i);
    std::this_thread::sleep_for(1s);
  }
  const double n = seconds;
  return {static_cast<double>(syncs - syncs_before) / n, static_cast<double>(bytes_written() - written) / n,
          static_cast<double>(wake_ups() - woken) / n - 1, static_cast<double>(sink.requests() - requests) / n};
}

// One sentence a second, beside the simplest client that keeps events: a row each, sent and removed one by one, with
// SQLite as it comes.
void measure_trickle(const Options& options) {
  Input input;
  make_synthetic(1000, input);
  const auto lines = lines_of(input, 1000);
  const Sink sink;
  Trickle ours{};
  {
    const Directory directory;
    yukha::Tracker tracker = open(config_for(directory.path(), sink.url()));
    track_all(tracker, input, 10);
    deliver_all(tracker);
    ours = trickle(options.trickle_s, sink,
                   [&](int i) { static_cast<void>(track(tracker, input.calls[static_cast<std::size_t>(i) % 1000])); });
  }
  const Directory directory;
  sqlite3* database = nullptr;
  sqlite3_open((directory.path() + "/events").c_str(), &database);
  sqlite3_exec(database, "CREATE TABLE event(line BLOB)", nullptr, nullptr, nullptr);
  const Trickle theirs = trickle(options.trickle_s, sink, [&](int i) {
    const std::string& line = lines[static_cast<std::size_t>(i) % 1000];
    sqlite3_exec(database, ("INSERT INTO event VALUES('" + line + "')").c_str(), nullptr, nullptr, nullptr);
    post_us(sink.url(), line.size(), 1);
    sqlite3_exec(database, "DELETE FROM event", nullptr, nullptr, nullptr);
  });
  sqlite3_close(database);
  row("trickle_fsyncs_to_sqlite", ours.syncs / theirs.syncs, "ratio");
  row("trickle_bytes_to_sqlite", ours.bytes / theirs.bytes, "ratio");
  row("trickle_wake_ups_to_sqlite", ours.wake_ups / theirs.wake_ups, "ratio");
  row("trickle_requests_to_sqlite", ours.requests / theirs.requests, "ratio");
  row("floor_trickle_fsyncs", ours.syncs, "per sentence");
  row("floor_trickle_bytes", ours.bytes, "per sentence");
  row("floor_trickle_wake_ups", ours.wake_ups, "per sentence");
  row("floor_trickle_requests", ours.requests, "per sentence");
  row("floor_sqlite_trickle_fsyncs", theirs.syncs, "per sentence");
  row("floor_sqlite_trickle_bytes", theirs.bytes, "per sentence");
  row("floor_sqlite_trickle_wake_ups", theirs.wake_ups, "per sentence");
}

// --- size ------------------------------------------------------------------------------------------------------------

// RssAnon, and what is dirty of mapped files.
double own_kib() {
  double kib = static_cast<double>(number_in("/proc/self/status", "RssAnon:"));
  std::ifstream maps("/proc/self/smaps");
  bool ring = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') != std::string::npos && line.find(' ') > line.find('-') && std::isxdigit(line[0]) != 0) {
      ring = line.find(".ring") != std::string::npos;
    } else if (ring && (line.rfind("Shared_Dirty:", 0) == 0 || line.rfind("Private_Dirty:", 0) == 0)) {
      kib += std::strtod(line.c_str() + line.find(':') + 1, nullptr);
    }
  }
  return kib;
}

void measure_memory(const Options&) {
  const double empty = own_kib();
  const Directory directory;
  const Sink sink;
  Input input;
  make_synthetic(100, input);
  {
    yukha::Tracker tracker = open(config_for(directory.path(), "http://127.0.0.1:1/v1/events"));
    track_all(tracker, input, 100'000);
    static_cast<void>(tracker.close(30s));
  }
  // Measured where nothing was before.
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const std::string url = sink.url();
    const std::string base = std::to_string(empty);
    execl("/proc/self/exe", "yukha_bench", "--rows-of", "memory_of_one", directory.path().c_str(), url.c_str(),
          base.c_str(), nullptr);
    _exit(127);
  }
  waitpid(child, nullptr, 0);
}

void measure_memory_of_one(const std::string& directory, const std::string& url) {
  const double empty = own_kib();
  yukha::Config config = config_for(directory, url);
  yukha::Tracker tracker = open(config);
  row("floor_waiting_when_memory_was_measured", static_cast<double>(tracker.stats().waiting), "");
  // After one delivery; the next ones are going on.
  while (tracker.stats().delivered == 0) std::this_thread::sleep_for(1ms);
  row("own_memory_mib", (own_kib() - empty) / 1024, "MiB");
  deliver_all(tracker);
  row("floor_memory_after_all_mib", (own_kib() - empty) / 1024, "MiB");
}

void measure_size(const Options&) {
  const Directory directory;
  const std::string stripped = directory.path() + "/stripped";
  const std::string command = "strip -o '" + stripped + "' '" YUKHA_LIBRARY "'";
  if (std::system(command.c_str()) != 0) give_up("strip failed");
  row("library_kib", static_cast<double>(fs::file_size(stripped)) / 1024, "KiB");
}

// --- as work grows ---------------------------------------------------------------------------------------------------

void measure_growth(const Options&) {
  Input input;
  make_synthetic(100'000, input);
  const double clock_cost = clock_cost_ns();
  for (const std::size_t waiting : {std::size_t{0}, std::size_t{10'000}, std::size_t{1'000'000}}) {
    const Directory directory;
    const std::string after = "/" + std::to_string(waiting);
    const yukha::Config offline = config_for(directory.path(), "http://127.0.0.1:1/v1/events");
    {
      yukha::Tracker tracker = open(offline);
      track_all(tracker, input, waiting);
      static_cast<void>(tracker.close(30s));
    }
    std::vector<double> opens;
    for (int i = 0; i < 5; ++i) {
      const std::int64_t begin = wall_ns();
      yukha::Tracker tracker = open(offline);
      opens.push_back(since_s(begin) * 1000);
      static_cast<void>(tracker.close(0ms));
    }
    std::sort(opens.begin(), opens.end());
    row((waiting == 1'000'000 ? "open_with_a_million_ms" : "floor_open_ms" + after), opens[2], "ms");
    row("floor_disk_bytes" + after, static_cast<double>(directory.bytes()), "bytes");
    {
      yukha::Tracker tracker = open(offline);
      row("floor_track_median_ns" + after, time_track(tracker, input, 500, 20).percentile(50) - clock_cost, "ns");
      static_cast<void>(tracker.close(0ms));
    }
    if (waiting == 0) continue;
    const Sink sink;
    const double kib_before = own_kib();
    yukha::Tracker tracker = open(config_for(directory.path(), sink.url()));
    const std::int64_t begin = wall_ns();
    deliver_all(tracker);
    row("floor_drained_per_s" + after, static_cast<double>(waiting) / since_s(begin), "1/s");
    row("floor_memory_kib" + after, own_kib() - kib_before, "KiB");
  }
}

void measure_close(const Options&) {
  Input input;
  make_synthetic(100, input);
  std::vector<double> idle;
  const Sink sink;
  const Sink silent(true);
  for (int i = 0; i < 20; ++i) {
    const Directory directory;
    yukha::Tracker tracker = open(config_for(directory.path(), sink.url()));
    track_all(tracker, input, 10);
    deliver_all(tracker);
    const std::int64_t begin = wall_ns();
    static_cast<void>(tracker.close());
    idle.push_back(since_s(begin) * 1000);
  }
  std::sort(idle.begin(), idle.end());
  row("close_idle_median_ms", idle[10], "ms");
  double most = 0;
  for (int i = 0; i < 20; ++i) {
    const Directory directory;
    yukha::Tracker tracker = open(config_for(directory.path(), silent.url()));
    track_all(tracker, input, 10);
    static_cast<void>(tracker.flush(50ms));
    const std::int64_t begin = wall_ns();
    static_cast<void>(tracker.close(250ms));
    most = std::max(most, since_s(begin) * 1000 - 250);
  }
  row("close_over_deadline_ms", most, "ms");
}

// --- the report ------------------------------------------------------------------------------------------------------

struct Part {
  const char* name;
  void (*measure)(const Options&);
};
constexpr Part parts[] = {
    {"track", measure_track},       {"threads", measure_threads}, {"now_and_then", measure_now_and_then},
    {"delivery", measure_delivery}, {"idle", measure_idle},       {"trickle", measure_trickle},
    {"memory", measure_memory},     {"size", measure_size},       {"growth", measure_growth},
    {"close", measure_close},
};

struct Row {
  std::string name, unit;
  double value;
  const Goal* goal = nullptr;
  bool holds() const { return goal->at_least ? value >= goal->value : value <= goal->value; }
};

// Runs this program for one part and reads its rows.
bool run_part(const Part& part, const std::vector<std::string>& arguments, std::vector<Row>& rows) {
  std::string command = "/proc/" + std::to_string(getpid()) + "/exe --rows-of " + part.name;
  for (const std::string& one : arguments) command += " '" + one + "'";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return false;
  char line[300];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    std::stringstream fields(line);
    Row one;
    std::string value;
    if (!std::getline(fields, one.name, '\t') || !std::getline(fields, value, '\t')) continue;
    std::getline(fields, one.unit);
    one.value = std::strtod(value.c_str(), nullptr);
    const std::string name = one.name.substr(0, one.name.find('/'));
    for (const Goal& goal : goals) {
      if (name == goal.name) one.goal = &goal;
    }
    rows.push_back(one);
  }
  return pclose(pipe) == 0;
}

int report(const Options& options, const std::vector<std::string>& arguments) {
  std::vector<Row> rows;
  bool ran = true;
  for (const Part& part : parts) {
    const auto& chosen = options.parts;
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), part.name) == chosen.end()) continue;
    if (!options.json) std::fprintf(stderr, "%s …\n", part.name);
    ran = run_part(part, arguments, rows) && ran;
  }
  nlohmann::json all = nlohmann::json::array();
  for (const Row& one : rows) {
    const bool has_goal = one.goal != nullptr;
    if (options.json) {
      all.push_back({{"name", one.name},
                     {"value", one.value},
                     {"unit", one.unit},
                     {"goal", has_goal ? nlohmann::json(one.goal->value) : nlohmann::json()},
                     {"holds", has_goal ? nlohmann::json(one.holds()) : nlohmann::json()}});
    } else {
      std::printf("%-44s %14.4g %-14s", one.name.c_str(), one.value, one.unit.c_str());
      if (has_goal)
        std::printf(" %s %g: %s", one.goal->at_least ? "≥" : "≤", one.goal->value, one.holds() ? "holds" : "FAILS");
      std::printf("\n");
    }
  }
  if (options.json) std::printf("%s\n", all.dump(1).c_str());
  return ran ? 0 : 2;
}

int usage() {
  std::fprintf(stderr,
               "usage: yukha_bench [--json] [--data DIR] [--part NAME]… [--idle-seconds N] [--trickle-seconds N]\n"
               "DIR has the inputs; without it only the synthetic sentence is measured. Parts:");
  for (const Part& part : parts) std::fprintf(stderr, " %s", part.name);
  std::fprintf(stderr, "\n");
  return 2;
}

int run(const std::vector<std::string>& arguments) {
  Options options;
  std::string rows_of;
  std::vector<std::string> passed_on;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& one = arguments[i];
    if (one == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == arguments.size()) return usage();
    const std::string& value = arguments[++i];
    if (one == "--part") {
      if (std::none_of(std::begin(parts), std::end(parts), [&value](const Part& part) { return value == part.name; }))
        return usage();
      options.parts.push_back(value);
      continue;
    }
    if (one == "--rows-of") {
      rows_of = value;
      if (value == "memory_of_one" && i + 2 < arguments.size()) {
        measure_memory_of_one(arguments[i + 1], arguments[i + 2]);
        return 0;
      }
      continue;
    }
    if (one == "--data") {
      options.data = fs::absolute(value);
    } else if (one == "--idle-seconds") {
      options.idle_s = std::atoi(value.c_str());
    } else if (one == "--trickle-seconds") {
      options.trickle_s = std::atoi(value.c_str());
    } else {
      return usage();
    }
    passed_on.push_back(one);
    passed_on.push_back(one == "--data" ? options.data : value);
  }
  if (rows_of.empty()) return report(options, passed_on);
  for (const Part& part : parts) {
    if (rows_of != part.name) continue;
    part.measure(options);
    return 0;
  }
  return usage();
}

}  // namespace
}  // namespace bench

int main(int count, char** values) {
  return bench::run(std::vector<std::string>(values + 1, values + count));
}
