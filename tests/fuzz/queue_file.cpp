// A lane's database with hostile bytes under a whole tracker: it opens, mends what it can, and new sentences arrive.
#include <nlohmann/json.hpp>

#include "core/core.hpp"
#include "fuzz.hpp"
#include "hold/sqlite.hpp"

using namespace yukha;
using fuzz::promise;

namespace {

const std::string database = "/q/lane-00.queue";

Config config_with(const std::shared_ptr<HttpTransport>& transport) {
  Config config;
  config.app_id = "shop";
  config.queue_dir = "/q";
  config.endpoint = "https://collect.example.com";
  config.collect_device_facts = false;
  config.ring_bytes = 64 << 10;
  config.use_thread = false;
  config.transport = transport;
  return config;
}

std::unique_ptr<detail::Core> open(fuzz::Device& device, const Config& config) {
  detail::Seams seams;
  seams.clock = &device.time;
  seams.dice = &device.dice;
  seams.files = &device.files;
  return std::unique_ptr<detail::Core>(detail::Core::open(config, seams));
}

Status track(detail::Core& core, const std::string& name) {
  Event event = core.event();
  event.content(name).action("READ");
  return event.track();
}

void work(fuzz::Device& device, detail::Core& core, int steps) {
  for (; steps > 0; --steps) {
    const std::int64_t wait = core.work(std::chrono::milliseconds(1)).count();
    if (wait < 0) return;
    device.time.now_ms += std::max<std::int64_t>(wait, 1);
    fuzz::promise_sane(core.stats());
  }
}

struct Left {
  fuzz::Image directory;
  fuzz::Image queue;
  fuzz::Image log;
};

// Some delivered, some sealed, some not.
const Left& left_behind() {
  static const Left left = [] {
    fuzz::Device device;
    const auto endpoint = std::make_shared<test::FakeEndpoint>();
    auto core = open(device, config_with(endpoint));
    for (int i = 0; i < 6; ++i) promise(track(*core, "old" + std::to_string(i)).kept(), "a sentence is kept");
    work(device, *core, 40);
    endpoint->answer = [](const auto&) { return HttpAnswer{503, {}, "", ""}; };
    for (int i = 6; i < 9; ++i) promise(track(*core, "old" + std::to_string(i)).kept(), "a sentence is kept");
    work(device, *core, 20);
    for (int i = 9; i < 12; ++i) promise(track(*core, "old" + std::to_string(i)).kept(), "a sentence is kept");
    static_cast<void>(core->close(std::chrono::milliseconds(0)));
    core.reset();
    const fuzz::Image log = device.read(database + "-wal");
    hold::Database small;
    small.open(database, device.files.sqlite_vfs(), hold::Sharing::exclusive);
    small.run("PRAGMA journal_mode=DELETE");
    small.run("DELETE FROM reserve");
    small.run("VACUUM");
    small.run("PRAGMA journal_mode=WAL");
    small.close();
    return Left{device.read("/q/directory.db"), device.read(database), log};
  }();
  return left;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  fuzz::Device device;
  device.disk.reserves = false;  // two mebibytes of log would be copied for each input
  const Left& left = left_behind();
  device.write("/q/directory.db", left.directory);
  fuzz::Image queue = left.queue;
  const std::size_t which = input.below(4);
  if (which == 0) {
    // A log of somebody else's, or one that was damaged.
    fuzz::Image log = left.log;
    log.resize(std::min<std::size_t>(log.size(), 40'000));
    fuzz::damage(log, input);
    device.write(database + "-wal", log);
  } else {
    fuzz::damage(queue, input);
  }
  device.write(database, queue);

  const auto endpoint = std::make_shared<test::FakeEndpoint>();
  for (int life = 0; life < 2; ++life) {
    auto core = open(device, config_with(endpoint));
    const Code code = core->status().code();
    promise(code == Code::ok || code == Code::kept_in_memory || code == Code::newer_format || code == Code::disk_error,
            "what cannot be opened is told");
    // A newer version's database and somebody else's are left as they are.
    const std::string why = core->status().message();
    const bool others = why.find("newer") != std::string::npos || why.find("somebody else") != std::string::npos;
    promise(code == Code::ok || others, "a damaged database is mended or set aside");
    fuzz::promise_sane(core->stats());
    const std::string name = "new" + std::to_string(life);
    const Status status = track(*core, name);
    promise(status.good() || status == Code::not_open, "a sentence is kept, or the tracker is not open");
    work(device, *core, 60);
    if (status.good()) {
      const auto& requests = endpoint->requests;
      const bool arrived = std::any_of(requests.begin(), requests.end(), [&name](const auto& request) {
        return std::any_of(request.lines.begin(), request.lines.end(), [&name](const std::string& line) {
          return line.find("\"id\":\"" + name + "\"") != std::string::npos;
        });
      });
      promise(arrived, "what is tracked on a damaged queue arrives");
    }
    static_cast<void>(core->close(std::chrono::milliseconds(0)));
    fuzz::promise_sane(core->stats());
  }
  for (const auto& request : endpoint->requests) {
    for (const std::string& line : request.lines) {
      const bool ours = test::is_ledger_line(line) || line.find(R"("content":{"id":"new)") != std::string::npos;
      if (ours) promise(nlohmann::json::accept(line), "what this life writes is JSON");
    }
  }
  return 0;
}
