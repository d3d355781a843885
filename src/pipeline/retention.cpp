#include "pipeline/retention.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace yukha::pipeline {
namespace {

constexpr std::int64_t look_every_ms = 60'000;
constexpr const char* true_time_note = "true_time";

bool ends_with(const std::string& name, const std::string& ending) {
  return name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

}  // namespace

Retention::Retention(Surroundings& around, Faults& faults, const InFlight& in_flight)
    : around_(around), faults_(faults), in_flight_(in_flight), true_time_(around.settings.age_max_ms) {
  true_time_.restore(around_.directory.note(true_time_note), around_.clock.unix_ms(), around_.opened_ms);
}

void Retention::make_room(const Step& step, hold::Lane* adopted, std::int64_t adopted_ms) {
  if (step.now_ms - look_ms_ < look_every_ms) return;
  look_ms_ = step.now_ms;
  give_up_the_old(around_.lane, around_.opened_ms, step.now_ms);
  if (adopted != nullptr) give_up_the_old(*adopted, adopted_ms, step.now_ms);
  if (!around_.lane.queue().give_back())
    faults_.on_way_in(around_.lane, "making the queue's file shorter", step.now_ms);
  if (!around_.lane.in_memory()) keep_to_size(step.now_ms);
}

void Retention::keep_to_size(std::int64_t now_ms) {
  hold::Lane& lane = around_.lane;
  const std::string folder = around_.settings.lanes.directory + "/";
  // What the sentences of other lanes take, and what was set aside. Nobody else's files, and nothing that every lane
  // takes even when it is empty.
  std::uint64_t others = 0;
  std::vector<std::string> names;
  std::vector<std::string> set_aside;
  static_cast<void>(around_.files.list(around_.settings.lanes.directory, names));
  for (const std::string& name : names) {
    std::uint64_t size = 0;
    static_cast<void>(around_.files.size(folder + name, size));
    if (ends_with(name, ".damaged") || ends_with(name, ".damaged-wal")) {
      others += size;
      set_aside.push_back(name);
    } else if (name != lane.name() + ".queue" && ends_with(name, ".queue")) {
      others += size - std::min(size, hold::QueueFile::database_bytes_empty);
    } else if (name != lane.name() + ".queue-wal" && ends_with(name, ".queue-wal")) {
      others += size - std::min(size, hold::QueueFile::log_bytes_kept);
    }
  }
  std::uint64_t used = 0;
  if (!lane.queue().bytes_used(used)) {
    faults_.on_way_in(lane, "measuring the queue", now_ms);
    return;
  }
  used += lane.ring_file_bytes() + others;
  const std::uint64_t most = around_.settings.queue_bytes_max;
  if (used <= most) return;
  if (!set_aside.empty()) {
    // Sentences before the remains of a damaged file.
    for (const std::string& name : set_aside) static_cast<void>(around_.files.remove(folder + name));
    look_soon();
    return;
  }
  // A little more than needed, so that not every drain evicts.
  if (lane.queue().evict_bytes(used - most + most / 64, in_flight_.batch_of(lane))) {
    around_.log.write(LogLevel::warning, "the queue is at its limit; the oldest sentences were given up");
  } else {
    faults_.on_way_in(lane, "evicting", now_ms);
  }
}

void Retention::give_up_the_old(hold::Lane& lane, std::int64_t opened_ms, std::int64_t now_ms) {
  const std::optional<std::int64_t> true_ms = true_time_.unix_ms(now_ms);
  if (!true_ms) return;
  const bool settled = true_time_.is_settled();
  // What is counted by a lesson that may be wrong is written nowhere, and little is given up for it.
  if (!settled && (&lane != &around_.lane || !true_time_.may_evict_some(*true_ms))) return;
  hold::Queue& queue = lane.queue();
  const std::uint64_t before = queue.ledger().evicted;
  if ((settled && !queue.learn_true_time(*true_ms, now_ms - opened_ms)) ||
      !queue.evict_older_than(*true_ms - around_.settings.age_max_ms, in_flight_.batch_of(lane),
                              settled ? hold::Extent::all : hold::Extent::one_of_each)) {
    faults_.on_way_in(lane, "evicting by age", now_ms);
  }
  if (!settled && queue.ledger().evicted != before) {
    true_time_.evicted_some(*true_ms);
    keep_true_time();
  }
}

void Retention::learn(std::int64_t server_unix_ms, std::int64_t now_ms) {
  const bool was_known = true_time_.unix_ms(now_ms).has_value();
  if (true_time_.learn(server_unix_ms, now_ms)) keep_true_time();
  if (!was_known) look_soon();
}

// What cannot be written is learnt again.
void Retention::keep_true_time() {
  const std::string kept = true_time_.keep(around_.clock.unix_ms(), around_.clock.monotonic_ms());
  static_cast<void>(around_.directory.set_note(true_time_note, kept));
  static_cast<void>(around_.directory.status_of_fault("writing"));
}

}  // namespace yukha::pipeline
