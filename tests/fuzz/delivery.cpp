// A tracker whose endpoint answers what the input says: no answer takes more than was sent, none is obeyed for ever.
#include <nlohmann/json.hpp>
#include <set>

#include "core/core.hpp"
#include "fuzz.hpp"
#include "hold/directory.hpp"
#include "hold/queue/queue.hpp"
#include "system/device.hpp"

using namespace yukha;
using fuzz::promise;

namespace {

using Request = test::FakeEndpoint::Request;

std::string rejected_text(const Request& request, fuzz::Input& input) {
  std::string list;
  for (std::size_t count = input.below(5); count-- > 0;) {
    nlohmann::json entry;
    const std::size_t line = request.lines.empty() ? 0 : input.below(request.lines.size() + 1);
    if (input.below(2) == 0) entry["line"] = input.below(8) == 0 ? input.any_number() : static_cast<std::int64_t>(line);
    if (input.below(2) == 0 && line < request.lines.size()) {
      entry["id"] = nlohmann::json::parse(request.lines[line])["id"];
    }
    entry["reason"] = "because";
    list += (list.empty() ? "" : ",") + entry.dump();
  }
  return "[" + list + "]";
}

HttpAnswer answer_to(const Request& request, fuzz::Input& input) {
  constexpr int statuses[] = {200, 200, 200, 400, 401, 403, 408, 409, 409, 413, 413, 422, 429, 500, 503, 307, 308, 0};
  HttpAnswer answer;
  answer.status = statuses[input.below(std::size(statuses))];
  if (input.below(16) == 0) answer.status = static_cast<int>(input.number(2));
  switch (input.below(6)) {
    case 0:
      answer.body = input.short_text();
      break;
    case 1:
      answer.body = R"({"error":"split"})";
      break;
    case 2:
      answer.body = R"({"error":"clock"})";
      break;
    case 3:
      answer.body = R"({"rejected":)" + rejected_text(request, input) + "}";
      break;
    default: {
      const std::string rejected = rejected_text(request, input);
      const std::size_t count = nlohmann::json::parse(rejected).size();
      answer.body =
          R"({"accepted":)" + std::to_string(request.lines.size() - count) + R"(,"rejected":)" + rejected + "}";
    }
  }
  switch (input.below(8)) {
    case 0:
      answer.headers.push_back({"retry-after", std::string(input.short_text())});
      break;
    case 1:
      answer.headers.push_back({"date", "Sun, 06 Nov " + std::to_string(1970 + input.below(8000)) + " 08:49:37 GMT"});
      break;
    case 2:
      answer.headers.push_back({"location", std::string(input.short_text())});
      break;
    case 3:
      answer.headers.push_back({"location", "/v2/events"});
      break;
    default:
      break;
  }
  return answer;
}

// A directory that was used and is empty again. To make one takes longer than all that is done with it here.
void furnish(fuzz::Device& device) {
  static const std::map<std::string, fuzz::Image> files = [] {
    fuzz::Device first;
    hold::Directory directory;
    promise(directory.open(first.files, "/q", first.dice, system::platform_id()).good(), "a new directory opens");
    directory.close();
    hold::Queue queue;
    promise(queue.open(first.files, "/q/lane-00.queue", 1, {}).good(), "a new database opens");
    queue.close();
    hold::Database small;
    small.open("/q/lane-00.queue", first.files.sqlite_vfs(), hold::Sharing::exclusive);
    small.run("PRAGMA journal_mode=DELETE");
    small.run("DELETE FROM reserve");
    small.run("VACUUM");
    small.run("PRAGMA journal_mode=WAL");
    small.close();
    return std::map<std::string, fuzz::Image>{{"/q/directory.db", first.read("/q/directory.db")},
                                              {"/q/lane-00.queue", first.read("/q/lane-00.queue")}};
  }();
  for (const auto& [path, image] : files) device.write(path, image);
  device.disk.reserves = false;  // two mebibytes of log would be copied for each input
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  fuzz::Device device;
  furnish(device);
  const auto endpoint = std::make_shared<test::FakeEndpoint>();
  Config config;
  config.app_id = "shop";
  config.queue_dir = "/q";
  config.endpoint = "https://collect.example.com";
  config.keys = {{"k1", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="},
                 {"k2", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  config.collect_device_facts = false;
  config.ring_bytes = 64 << 10;
  config.batch_lines_max = 1 + input.below(6);
  config.use_thread = false;
  config.transport = endpoint;
  detail::Seams seams;
  seams.clock = &device.time;
  seams.dice = &device.dice;
  seams.files = &device.files;
  const std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
  promise(core->status() == Code::ok, "a tracker opens");

  std::size_t lines_of_answer = 0;
  bool hostile = true;
  endpoint->answer = [&](const Request& request) {
    promise(request.head.url.rfind("https://collect.example.com/", 0) == 0, "no answer leads away from the origin");
    promise(!request.lines.empty() && request.lines.size() <= config.batch_lines_max, "a batch keeps its limit");
    lines_of_answer = 0;
    for (const std::string& line : request.lines) lines_of_answer += test::is_ledger_line(line) ? 0 : 1;
    if (!hostile || input.empty()) return test::all_accepted(request.lines.size());
    return answer_to(request, input);
  };
  const std::size_t tracked = 1 + input.below(9);
  for (std::size_t i = 0; i < tracked; ++i) {
    Event event = core->event();
    event.content("s" + std::to_string(i)).action("READ");
    if (input.below(4) == 0) event.critical();
    promise(event.track().kept(), "a sentence is kept");
  }
  const auto gone = [&core] {
    const Stats stats = core->stats();
    return stats.delivered + stats.quarantined + stats.evicted + stats.erased + stats.lost;
  };
  // A step takes one answer at most.
  const auto step = [&] {
    const std::uint64_t before = gone();
    const std::uint64_t rest = core->stats().next_attempt_ms < 0 ? 1 : 0;
    promise(rest == 0, "no endpoint is left in peace for a time that is over");
    lines_of_answer = 0;
    const std::int64_t wait = core->work(std::chrono::milliseconds(0)).count();
    const Stats stats = core->stats();
    fuzz::promise_sane(stats);
    promise(stats.accepted == tracked, "what was accepted stays counted");
    promise(stats.lost == 0 && stats.erased == 0, "no answer loses or erases");
    promise(gone() >= before && gone() - before <= lines_of_answer, "an answer takes no more sentences than were sent");
    promise(wait <= 3'600'000, "nobody is put off for longer than an hour");
    if (wait > 0) device.time.now_ms += wait;
    return wait >= 0;
  };
  for (int steps = 0; steps < 150 && step(); ++steps) {
  }
  // The endpoint comes to its senses.
  hostile = false;
  for (int steps = 0; core->stats().waiting > 0; ++steps) {
    promise(steps < 1500, "what no answer refused is delivered in the end");
    if (!step()) break;
  }
  const Stats stats = core->stats();
  promise(stats.waiting == 0 && stats.delivered + stats.quarantined == tracked,
          "every sentence is delivered or refused");
  const std::vector<Quarantined> refused = core->quarantined(0, 100);
  promise(refused.size() == stats.quarantined, "what is counted in quarantine is there");
  std::set<std::string> names;
  for (const Quarantined& one : refused) {
    promise(names.insert(nlohmann::json::parse(one.sentence)["content"]["id"]).second, "a sentence is refused once");
  }
  return 0;
}
