#include "hold/queue/queue.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hold/directory.hpp"
#include "hold/lane.hpp"
#include "simulation/sim_disk.hpp"
#include "simulation/virtual_time.hpp"
#include "support.hpp"

using namespace yukha;
using namespace yukha::hold;
using test::TempDirectory;

namespace {

system::Files& files() {
  return system::system_files();
}

Status open(Queue& queue, const std::string& path, const BatchLimits& limits = {}) {
  return queue.open(files(), path, 1, limits);
}

// The least that a Config may ask for.
const BatchLimits smallest{500, 33 << 10, 128 << 10};

// Hands lines to a queue as the drain of a ring would.
class Intake {
 public:
  explicit Intake(std::size_t line_bytes = 40) : line_bytes_(line_bytes) {}

  bool drain(Queue& queue, std::size_t count, Kind kind = {}, const std::string& own_line = {},
             std::int64_t held_ms = 0) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back(next());
    Drained drained;
    for (const std::string& text : texts) drained.lines.push_back({0, 0, kind, text});
    drained.own_line = own_line;
    drained.mark.ring_id = 5;
    drained.mark.position = accepted_ * 64;
    drained.mark.accepted = accepted_;
    drained.held_ms = held_ms;
    return queue.take_over(drained, accepted_, 1000, seal);
  }
  Queue::Sealer seal;
  const std::vector<std::string>& texts() const noexcept { return texts_; }

 private:
  std::string next() {
    std::string text = "line " + std::to_string(++accepted_) + " ";
    text.resize(line_bytes_, '.');
    texts_.push_back(text);
    return text;
  }
  std::size_t line_bytes_;
  std::uint64_t accepted_ = 0;
  std::vector<std::string> texts_;
};

// A key such as batches have, the same for the same name.
std::string key_of(const std::string& name) {
  std::string key = "00000000-0000-8000-8000-000000000000";
  const std::string digits = std::to_string(std::hash<std::string>{}(name) % 1'000'000'000'000);
  return key.replace(key.size() - digits.size(), digits.size(), digits);
}

// The body stands for a gzip; the queue does not look into it.
bool seal_next(Queue& queue, Priority priority, Partial partial, const std::string& name) {
  Unsealed unsealed;
  return queue.next_unsealed(priority, partial, unsealed) && queue.seal(unsealed, key_of(name), unsealed.lines_text);
}

const Batch& batch_at(const Queue& queue, std::ptrdiff_t place) {
  REQUIRE(place < static_cast<std::ptrdiff_t>(queue.batches().size()));
  return *std::next(queue.batches().begin(), place);
}

// What waits and what is quarantined, by the rows themselves, is what the ledger says.
void check_balance(const std::string& path) {
  Queue queue;
  REQUIRE(open(queue, path));
  const Ledger ledger = queue.ledger();
  queue.close();
  Database database;
  REQUIRE(database.open(path, nullptr, Sharing::shared));
  const std::int64_t waiting = database.number("SELECT coalesce(sum(lines - own_lines), 0) FROM chunk") +
                               database.number("SELECT coalesce(sum(lines - own_lines), 0) FROM batch");
  CHECK(static_cast<std::int64_t>(ledger.waiting()) == waiting);
  CHECK(static_cast<std::int64_t>(ledger.quarantined) == database.number("SELECT count(*) FROM quarantine"));
  CHECK(database.fault() == Fault::none);
}

NewBatch part_of(const Batch& parent, const std::string& path, std::size_t lines, Bisect bisect = Bisect::none) {
  NewBatch part;
  part.facts = parent;
  part.facts.path = path;
  part.facts.lines = lines;
  part.facts.own_lines = 0;
  part.facts.bisect = bisect;
  part.body = "part " + path;
  return part;
}

}  // namespace

TEST_CASE("a sentence taken over, sealed and settled is counted in one place at every step") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  Intake intake;
  {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    REQUIRE(intake.drain(queue, 7, Priority::normal, "a ledger sentence"));
    CHECK(queue.ledger().accepted == 7);
    CHECK(queue.ledger().waiting() == 7);
    CHECK(queue.ledger_sent_unix_ms() == 1000);
    REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "key"));
    CHECK_FALSE(queue.has_unsealed(Priority::normal));
    REQUIRE(queue.batches().size() == 1);
    CHECK(batch_at(queue, 0).lines == 8);
    CHECK(batch_at(queue, 0).own_lines == 1);
    CHECK(queue.ledger().waiting() == 7);
    REQUIRE(queue.settle(batch_at(queue, 0).id, {{"id", "bad", "line", false}, {"own", "bad", "line", true}}));
    CHECK(queue.ledger().delivered == 6);
    CHECK(queue.ledger().quarantined == 1);
    CHECK(queue.ledger().waiting() == 0);
    CHECK_FALSE(queue.settle(1, {}));
  }
  check_balance(path);
}

TEST_CASE("batches are filled to exactly the limit of lines, whatever the drains brought") {
  const TempDirectory directory;
  Queue queue;
  REQUIRE(open(queue, directory / "lane.queue"));
  REQUIRE(queue.begin_opening("run"));
  Intake intake;
  for (const std::size_t count : std::initializer_list<std::size_t>{1, 498, 3, 700, 297, 1})
    REQUIRE(intake.drain(queue, count));
  std::size_t at = 0;
  for (int i = 0; i < 3; ++i) {
    CHECK(queue.has_full(Priority::normal));
    Unsealed unsealed;
    REQUIRE(queue.next_unsealed(Priority::normal, Partial::no, unsealed));
    CHECK(unsealed.lines == 500);
    for (const std::string& line : test::split_lines(unsealed.lines_text)) CHECK(line == intake.texts()[at++]);
    REQUIRE(queue.seal(unsealed, key_of(std::to_string(at)), "body"));
  }
  CHECK(at == 1500);
  CHECK_FALSE(queue.has_unsealed(Priority::normal));
}

TEST_CASE("what fills a batch is sealed by the commit that takes it over, or lies there as before") {
  for (const int fails_one_in : {0, 1, 2, 3}) {
    CAPTURE(fails_one_in);
    const TempDirectory directory;
    const std::string path = directory / "lane.queue";
    Intake intake;
    int asked = 0;
    intake.seal = [&](std::string_view lines, std::string& key, std::string& body) {
      if (fails_one_in != 0 && ++asked % fails_one_in == 0) return false;
      key = key_of(std::string(lines.substr(0, 40)));
      body = lines;
      return true;
    };
    {
      Queue queue;
      REQUIRE(open(queue, path));
      REQUIRE(queue.begin_opening("run"));
      for (const std::size_t count : std::initializer_list<std::size_t>{1, 498, 1, 3, 1200, 297, 500, 7, 494, 40}) {
        REQUIRE(intake.drain(queue, count));
        if (fails_one_in == 0) CHECK_FALSE(queue.has_full(Priority::normal));
      }
      REQUIRE(intake.drain(queue, 600, Priority::critical));
      if (fails_one_in == 0) {
        CHECK(queue.batches().size() == 7);
        CHECK(queue.make_durable());
      }
    }
    check_balance(path);
    Queue queue;
    REQUIRE(open(queue, path));
    for (const Priority priority : {Priority::normal, Priority::critical}) {
      while (seal_next(queue, priority, Partial::yes, std::to_string(queue.batches().size()))) {
      }
    }
    std::multiset<std::string> lines;
    for (const Batch& batch : queue.batches()) {
      std::string body;
      REQUIRE(queue.body(batch.id, body));
      const auto some = test::split_lines(body);
      CHECK(some.size() == batch.lines);
      CHECK(body.size() == batch.bytes);
      CHECK(batch.lines <= 500);
      lines.insert(some.begin(), some.end());
    }
    CHECK(lines == std::multiset<std::string>(intake.texts().begin(), intake.texts().end()));
  }
}

TEST_CASE("no batch is sealed over its limits, wherever the drains end") {
  const BatchLimits limits{500, 128 * 1024};
  for (const std::size_t line_bytes : std::initializer_list<std::size_t>{30, 299, 300, 5'000, 32'768}) {
    const std::size_t fit = std::min<std::size_t>(limits.lines_max, limits.bytes_max / (line_bytes + 1));
    for (const std::size_t first : {std::size_t{1}, fit - 1, fit, fit + 1}) {
      CAPTURE(line_bytes);
      CAPTURE(first);
      const TempDirectory directory;
      const std::string path = directory / "lane.queue";
      Queue queue;
      REQUIRE(open(queue, path, limits));
      REQUIRE(queue.begin_opening("run"));
      Intake intake(line_bytes);
      REQUIRE(intake.drain(queue, first));  // as close() and open() drain: nothing is sealed
      intake.seal = [](std::string_view lines, std::string& key, std::string& body) {
        key = key_of(std::string(lines.substr(0, 40)));
        body = "body";
        return true;
      };
      for (const std::size_t count : {fit, std::size_t{1}, fit, 2 * fit + 1}) REQUIRE(intake.drain(queue, count));
      std::size_t lines = 0;
      for (const Batch& batch : queue.batches()) {
        CHECK(batch.lines <= limits.lines_max);
        CHECK(batch.bytes <= limits.bytes_max);
        lines += batch.lines;
      }
      for (Unsealed unsealed; queue.next_unsealed(Priority::normal, Partial::yes, unsealed); lines += unsealed.lines) {
        CHECK(unsealed.lines <= limits.lines_max);
        CHECK(unsealed.lines_text.size() <= limits.bytes_max);
        REQUIRE(queue.seal(unsealed, key_of("rest " + std::to_string(lines)), "body"));
      }
      CHECK(lines == intake.texts().size());
      queue.close();
      CHECK(open(queue, path, limits).good());
      CHECK(queue.ledger().waiting() == intake.texts().size());
    }
  }
}

TEST_CASE("batches are filled to the limit of bytes as far as whole lines allow") {
  for (const std::size_t line_bytes : std::initializer_list<std::size_t>{999, 1000, 1001, 32'768}) {
    const TempDirectory directory;
    Queue queue;
    REQUIRE(open(queue, directory / "lane.queue", {500, 40'000}));
    REQUIRE(queue.begin_opening("run"));
    Intake intake(line_bytes);
    const std::size_t fit = 40'000 / (line_bytes + 1);
    for (std::size_t drained = 0; drained < 3 * fit;) {
      const std::size_t count = std::min<std::size_t>(7, 3 * fit - drained);
      REQUIRE(intake.drain(queue, count));
      drained += count;
    }
    for (int i = 0; i < 3; ++i) {
      Unsealed unsealed;
      REQUIRE(queue.next_unsealed(Priority::normal, i == 2 ? Partial::yes : Partial::no, unsealed));
      CHECK(unsealed.lines == fit);
      CHECK(unsealed.lines_text.size() <= 40'000);
      REQUIRE(queue.seal(unsealed, key_of("key"), "body"));
    }
    CHECK_FALSE(queue.has_unsealed(Priority::normal));
  }
}

TEST_CASE("chunks that waited for another life are the same, and fill the same batch") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  Intake intake;
  std::string text;
  for (int life = 0; life < 6; ++life) {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run " + std::to_string(life)));
    CHECK(queue.ring_mark().accepted == intake.texts().size());
    REQUIRE(intake.drain(queue, 99));
    CHECK(queue.has_full(Priority::normal) == (life == 5));
  }
  Queue queue;
  REQUIRE(open(queue, path));
  Unsealed unsealed;
  REQUIRE(queue.next_unsealed(Priority::normal, Partial::no, unsealed));
  CHECK(unsealed.lines == 500);
  const std::vector<std::string> lines = test::split_lines(unsealed.lines_text);
  CHECK(std::equal(lines.begin(), lines.end(), intake.texts().begin()));
  REQUIRE(queue.seal(unsealed, key_of("key"), "body"));
  REQUIRE(queue.next_unsealed(Priority::normal, Partial::yes, unsealed));
  CHECK(unsealed.lines == 94);
}

TEST_CASE("a batch holds one priority, and critical ones stand first") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    Intake intake;
    REQUIRE(intake.drain(queue, 3));
    REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "normal 1"));
    REQUIRE(intake.drain(queue, 2, Priority::critical));
    REQUIRE(intake.drain(queue, 3));
    REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "normal 2"));
    REQUIRE(seal_next(queue, Priority::critical, Partial::yes, "critical"));
  }
  Queue queue;
  REQUIRE(open(queue, path));
  REQUIRE(queue.batches().size() == 3);
  CHECK(batch_at(queue, 0).key == key_of("critical"));
  CHECK(batch_at(queue, 0).lines == 2);
  CHECK(batch_at(queue, 1).key == key_of("normal 1"));
  queue.to_the_back(batch_at(queue, 1).id);
  CHECK(batch_at(queue, 1).key == key_of("normal 2"));
  queue.to_the_back(batch_at(queue, 0).id);
  CHECK(batch_at(queue, 0).key == key_of("critical"));
}

TEST_CASE("a split batch comes back as its parts, whose bytes and place survive a restart") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    Intake intake;
    REQUIRE(intake.drain(queue, 9));
    REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "first"));
    REQUIRE(intake.drain(queue, 2));
    REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "second"));
    const Batch parent = batch_at(queue, 0);
    std::vector<NewBatch> parts = {part_of(parent, "0", 4, Bisect::suspect),
                                   part_of(parent, "1", 4, Bisect::held_back)};
    REQUIRE(queue.replace({parent.id}, parts, {{"id", "refused", "the ninth line", false}}));
    CHECK(queue.ledger().quarantined == 1);
    CHECK(queue.ledger().waiting() == 10);
    REQUIRE(queue.batches().size() == 3);
    CHECK(batch_at(queue, 0).path == "0");
    CHECK(batch_at(queue, 1).path == "1");
    CHECK(batch_at(queue, 2).key == key_of("second"));
    CHECK_FALSE(queue.replace({parent.id}, parts, {}));
  }
  Queue queue;
  REQUIRE(open(queue, path));
  std::map<std::string, Bisect> found;
  for (const Batch& batch : queue.batches()) {
    found[(batch.key == key_of("first") ? "first." : "second.") + batch.path] = batch.bisect;
    std::string body;
    REQUIRE(queue.body(batch.id, body));
    if (!batch.path.empty()) CHECK(body == "part " + batch.path);
  }
  CHECK(found == std::map<std::string, Bisect>{
                     {"first.0", Bisect::suspect}, {"first.1", Bisect::held_back}, {"second.", Bisect::none}});
  queue.close();
  check_balance(path);
}

TEST_CASE("parts held back for a search are freed only when nothing is suspected any more") {
  const TempDirectory directory;
  Queue queue;
  REQUIRE(open(queue, directory / "lane.queue"));
  REQUIRE(queue.begin_opening("run"));
  Intake intake;
  REQUIRE(intake.drain(queue, 8));
  REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "key"));
  const Batch parent = batch_at(queue, 0);
  std::vector<NewBatch> parts = {part_of(parent, "0", 4, Bisect::suspect), part_of(parent, "1", 4, Bisect::held_back)};
  REQUIRE(queue.replace({parent.id}, parts, {}));
  CHECK_FALSE(queue.free_orphans());
  REQUIRE(queue.settle(batch_at(queue, 0).id, {}));
  CHECK(queue.free_orphans());
  CHECK(batch_at(queue, 0).bisect == Bisect::none);
  CHECK_FALSE(queue.free_orphans());
}

TEST_CASE("room is made from normal before critical, chunks before batches, oldest first, never in flight") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  std::vector<std::string> gone;
  {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    Intake intake;
    REQUIRE(intake.drain(queue, 2, Priority::critical));
    REQUIRE(seal_next(queue, Priority::critical, Partial::yes, "critical batch"));
    for (const char* key : {"batch in flight", "older batch", "newer batch"}) {
      REQUIRE(intake.drain(queue, 2));
      REQUIRE(seal_next(queue, Priority::normal, Partial::yes, key));
    }
    REQUIRE(intake.drain(queue, 2));
    REQUIRE(intake.drain(queue, 2, Priority::critical));
    const auto in_flight = std::find_if(queue.batches().begin(), queue.batches().end(),
                                        [](const Batch& batch) { return batch.key == key_of("batch in flight"); });
    const std::int64_t flying = in_flight->id;
    queue.to_the_back(flying);
    // What there is, as a set of names; one byte at a time takes one of them away.
    const auto names = [&queue] {
      std::set<std::string> all;
      for (const char* name : {"critical batch", "batch in flight", "older batch", "newer batch"}) {
        for (const Batch& batch : queue.batches()) {
          if (batch.key == key_of(name)) all.insert(name);
        }
      }
      if (queue.has_unsealed(Priority::normal)) all.insert("normal chunk");
      if (queue.has_unsealed(Priority::critical)) all.insert("critical chunk");
      return all;
    };
    std::set<std::string> before = names();
    CHECK(before.size() == 6);
    for (int i = 0; i < 10 && before.size() > 1; ++i) {
      static_cast<void>(queue.evict_bytes(1, flying));
      const std::set<std::string> after = names();
      std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(gone));
      before = after;
    }
    static_cast<void>(queue.evict_bytes(1, flying));
    CHECK(names() == std::set<std::string>{"batch in flight"});
    CHECK(queue.ledger().evicted == 10);
    CHECK(queue.ledger().waiting() == 2);
  }
  CHECK(gone ==
        std::vector<std::string>{"normal chunk", "older batch", "newer batch", "critical chunk", "critical batch"});
  check_balance(path);
}

TEST_CASE("room is not made beyond what was asked for") {
  const TempDirectory directory;
  Queue queue;
  REQUIRE(open(queue, directory / "lane.queue"));
  REQUIRE(queue.begin_opening("run"));
  Intake intake(99);
  for (int i = 0; i < 10; ++i) REQUIRE(intake.drain(queue, 1));
  REQUIRE(queue.evict_bytes(201, 0));
  CHECK(queue.ledger().evicted == 3);
  REQUIRE(queue.evict_bytes(100, 0));
  CHECK(queue.ledger().evicted == 4);
}

TEST_CASE("age evicts nothing before true time is known") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    Intake intake;
    REQUIRE(intake.drain(queue, 3));
    REQUIRE(intake.drain(queue, 2, Priority::normal, {}, 60'000));
    REQUIRE(queue.evict_older_than(INT64_MAX, 0, Extent::all));
    CHECK(queue.ledger().evicted == 0);
    // The lane was opened at 1,000,000; the second drain was held a minute later.
    REQUIRE(queue.learn_true_time(1'090'000, 90'000));
    REQUIRE(queue.evict_older_than(1'000'000, 0, Extent::all));
    CHECK(queue.ledger().evicted == 0);
    REQUIRE(queue.evict_older_than(1'000'001, 0, Extent::all));
    CHECK(queue.ledger().evicted == 3);
  }
  {
    // What was learnt in a life stays true of what it held.
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    REQUIRE(queue.learn_true_time(5'000'000, 0));
    REQUIRE(queue.evict_older_than(1'060'000, 0, Extent::all));
    CHECK(queue.ledger().evicted == 3);
    REQUIRE(queue.evict_older_than(1'060'001, 0, Extent::all));
    CHECK(queue.ledger().evicted == 5);
    CHECK(queue.ledger().waiting() == 0);
  }
  check_balance(path);
}

TEST_CASE("a batch is as old as its youngest sentence: none is given up before its time") {
  const TempDirectory directory;
  Queue queue;
  REQUIRE(open(queue, directory / "lane.queue"));
  REQUIRE(queue.begin_opening("run"));
  Intake intake;
  REQUIRE(intake.drain(queue, 3));
  REQUIRE(intake.drain(queue, 2, Priority::normal, {}, 60'000));
  REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "key"));
  REQUIRE(queue.learn_true_time(1'090'000, 90'000));
  REQUIRE(queue.evict_older_than(1'060'000, 0, Extent::all));
  CHECK(queue.ledger().evicted == 0);
  REQUIRE(queue.evict_older_than(1'060'001, 0, Extent::all));
  CHECK(queue.ledger().evicted == 5);
}

TEST_CASE("age never evicts a batch in flight, and counts from now where a life never learnt the time") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  Intake intake;
  {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    REQUIRE(intake.drain(queue, 3));
    REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "key"));
  }
  Queue queue;
  REQUIRE(open(queue, path));
  REQUIRE(queue.begin_opening("run"));
  REQUIRE(queue.learn_true_time(7'000'000, 0));
  REQUIRE(queue.evict_older_than(7'000'000, 0, Extent::all));
  CHECK(queue.ledger().evicted == 0);
  REQUIRE(queue.evict_older_than(7'000'001, batch_at(queue, 0).id, Extent::all));
  CHECK(queue.ledger().evicted == 0);
  REQUIRE(queue.evict_older_than(7'000'001, 0, Extent::all));
  CHECK(queue.ledger().evicted == 3);
}

TEST_CASE("no room was made where what is to be given up could not be read") {
  simulation::Chance chance(1);
  simulation::VirtualTime time;
  simulation::Disk disk;
  {
    simulation::Process process(disk, chance, time);
    static_cast<void>(process.make_directory("/q"));
    Queue queue;
    REQUIRE(queue.open(process, "/q/lane.queue", 1, {}));
    REQUIRE(queue.begin_opening("run"));
    REQUIRE(Intake().drain(queue, 500));
    REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "key"));
    // Nothing is left but more quarantined lines than the database keeps pages of in memory.
    const Rejected rejected{key_of("line"), "because", std::string(3'000, 'x'), false};
    REQUIRE(queue.settle(batch_at(queue, 0).id, std::vector<Rejected>(500, rejected)));
  }
  simulation::Process process(disk, chance, time);
  Queue queue;
  REQUIRE(queue.open(process, "/q/lane.queue", 1, {}));
  disk.fault = simulation::Fault::read_error;
  disk.fault_one_in = 1;
  CHECK_FALSE(queue.evict_bytes(1, 0));
  disk.fault_one_in = 0;
  CHECK(queue.status() == Code::disk_error);
  CHECK(queue.ledger().evicted == 0);
  REQUIRE(queue.evict_bytes(1, 0));
  CHECK(queue.ledger().evicted == 1);
}

TEST_CASE("the run before this one is still known after an eviction") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  Intake intake;
  {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("first"));
    REQUIRE(intake.drain(queue, 3));
    REQUIRE(queue.end_run(3));
  }
  Queue queue;
  REQUIRE(open(queue, path));
  REQUIRE(queue.begin_opening("second"));
  CHECK(queue.previous_run().run == "first");
  CHECK(queue.previous_run().last_seq == 3);
  CHECK(queue.previous_run().closed);
  REQUIRE(queue.evict_bytes(1, 0));
  CHECK(queue.previous_run().run == "first");
  CHECK(queue.previous_run().last_seq == 3);
  CHECK(queue.previous_run().closed);
}

TEST_CASE("what came with a copy is sealed apart, also when the copy's first life ends at once") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  Intake intake;
  const auto live = [&](const std::string& place, std::size_t sentences) {
    Queue queue;
    REQUIRE(open(queue, path));
    REQUIRE(queue.begin_opening("run"));
    REQUIRE(queue.settle_in(place));
    REQUIRE(intake.drain(queue, sentences));
    CHECK(queue.has_full(Priority::normal) == (place == "there"));
    Unsealed unsealed;
    REQUIRE(queue.next_unsealed(Priority::normal, Partial::yes, unsealed));
    return unsealed.lines;
  };
  CHECK(live("here", 3) == 3);
  CHECK(live("here", 2) == 5);
  CHECK(live("there", 4) == 5);
  // Nothing of it was sealed before that life ended.
  CHECK(live("there", 1) == 5);
  Queue queue;
  REQUIRE(open(queue, path));
  REQUIRE(queue.begin_opening("run"));
  REQUIRE(queue.settle_in("there"));
  REQUIRE(seal_next(queue, Priority::normal, Partial::no, "came with the copy"));
  CHECK_FALSE(queue.has_full(Priority::normal));
  REQUIRE(seal_next(queue, Priority::normal, Partial::yes, "tracked here"));
  CHECK(queue.batches().back().lines == 5);
  CHECK_FALSE(queue.has_unsealed(Priority::normal));
}

TEST_CASE("a second opener is refused, also within one process, and may have it once the first is gone") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  Queue first;
  REQUIRE(open(first, path));
  for (int i = 0; i < 3; ++i) {
    Queue second;
    CHECK(open(second, path) == Code::lane_held);
    CHECK_FALSE(second.damaged());
  }
  REQUIRE(first.begin_opening("still in use"));
  // The lock is the database's own and needs no shared memory, which another process could map.
  CHECK_FALSE(std::filesystem::exists(path + "-shm"));
  first.close();
  Queue second;
  CHECK(open(second, path) == Code::ok);
}

TEST_CASE("a queue of a newer version is left byte for byte as it is") {
  const TempDirectory directory;
  const std::string path = directory / "lane.queue";
  {
    Queue queue;
    REQUIRE(open(queue, path));
  }
  {
    Database database;
    REQUIRE(database.open(path, nullptr, Sharing::shared));
    REQUIRE(database.run("PRAGMA user_version=3"));
    REQUIRE(database.run("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  const std::string before = test::read_file(path);
  Queue queue;
  CHECK(open(queue, path) == Code::newer_format);
  queue.close();
  CHECK(test::read_file(path) == before);
}

TEST_CASE("a queue whose file cannot be had says which file it was") {
  Queue queue;
  const Status status = open(queue, "/dev/null/lane.queue");
  CHECK(status == Code::disk_error);
  CHECK(status.detail().find("/dev/null/lane.queue") != std::string::npos);
}

// --- damage, through the lane ----------------------------------------------------------------------------------------

namespace {

constexpr std::uint64_t in_database = 260;
constexpr std::uint64_t in_ring = 40;

std::string sentence(std::uint64_t number) {
  std::string text = "sentence " + std::to_string(number) + " ";
  text.resize(700, 'x');
  return text;
}

struct OpenLane {
  explicit OpenLane(const std::string& path, std::size_t ring_bytes = 64 * 1024) {
    REQUIRE(directory.open(files(), path, system::system_dice(), ""));
    lane = std::make_unique<Lane>(files(), system::system_dice(), directory, LaneSettings{path, ring_bytes, {}});
  }
  Directory directory;
  std::unique_ptr<Lane> lane;
};

void drain(Lane& lane) {
  std::string scratch;
  Drained drained;
  lane.ring().read(lane.ring().tail(), lane.ring().head(), SIZE_MAX, scratch, drained.lines);
  drained.mark.ring_id = lane.ring().id();
  drained.mark.position = lane.ring().head();
  drained.mark.accepted = lane.ring().accepted();
  REQUIRE(lane.queue().take_over(drained, lane.ring().accepted(), 0));
  lane.ring().release(lane.ring().head());
}

// What a killed process leaves: chunks and two batches in the database, its log full of them, more in the ring.
std::map<std::string, std::string> used_lane() {
  const TempDirectory directory;
  {
    OpenLane open(directory.path());
    Lane& lane = *open.lane;
    REQUIRE(lane.open("lane-00", "run"));
    for (std::uint64_t number = 1; number <= in_database + in_ring; ++number) {
      REQUIRE(lane.ring().append(sentence(number), Priority::normal) == Ring::Append::done);
      if (number <= in_database && number % 20 == 0) drain(lane);
      if (number == 60 || number == 120) {
        REQUIRE(seal_next(lane.queue(), Priority::normal, Partial::yes, "key " + std::to_string(number)));
      }
    }
  }
  std::map<std::string, std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    left[entry.path().filename().string()] = test::read_file(entry.path().string());
  }
  return left;
}

void put_back(const TempDirectory& directory, const std::map<std::string, std::string>& left) {
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    std::filesystem::remove(entry.path());
  }
  for (const auto& [name, bytes] : left) test::write_file(directory / name, bytes);
}

// Opens what was left and damaged. Returns what the ledger says afterwards.
Ledger open_damaged(const TempDirectory& directory) {
  Ledger ledger;
  {
    OpenLane open(directory.path());
    const Status status = open.lane->open("lane-00", "next run");
    CHECK_MESSAGE(status.good(), status.message());
    if (!status) return ledger;
    ledger = open.lane->queue().ledger();
    CHECK(ledger.accepted == open.lane->ring().accepted());
    CHECK(ledger.waiting() <= ledger.accepted);
    // It works on.
    CHECK(open.lane->ring().append("goes on", Priority::normal) == Ring::Append::done);
    drain(*open.lane);
  }
  check_balance(directory / "lane-00.queue");
  return ledger;
}

// Every sentence the lane still has, each at most once.
std::set<std::uint64_t> sentences_in(const TempDirectory& directory) {
  Database database;
  REQUIRE(database.open(directory / "lane-00.queue", nullptr, Sharing::shared));
  std::set<std::uint64_t> numbers;
  for (const char* sql : {"SELECT body FROM chunk", "SELECT body FROM batch"}) {
    Statement rows(database, sql);
    while (rows.row()) {
      for (const std::string& line : test::split_lines(rows.blob(0))) {
        if (line.rfind("sentence ", 0) != 0) continue;
        const std::uint64_t number = std::stoull(line.substr(9));
        CHECK(line == sentence(number));
        CHECK_MESSAGE(numbers.insert(number).second, "twice: " << number);
      }
    }
  }
  return numbers;
}

}  // namespace

TEST_CASE("a lane left by a killed process has everything, once") {
  const TempDirectory directory;
  put_back(directory, used_lane());
  const Ledger ledger = open_damaged(directory);
  CHECK(ledger.accepted == in_database + in_ring);
  CHECK(ledger.waiting() == in_database + in_ring);
  CHECK(ledger.lost == 0);
  CHECK(sentences_in(directory).size() == in_database + in_ring);
}

TEST_CASE("a database truncated anywhere opens, and its ledger balances" * doctest::test_suite("exhaustive")) {
  const std::map<std::string, std::string> left = used_lane();
  const TempDirectory directory;
  for (const char* name : {"lane-00.queue", "lane-00.queue-wal"}) {
    const std::size_t size = left.at(name).size();
    for (std::size_t step = 0; step <= 24; ++step) {
      const std::size_t cut = step == 24 ? size - 1 : size * step / 24;
      CAPTURE(std::string(name));
      CAPTURE(cut);
      std::map<std::string, std::string> damaged = left;
      damaged[name].resize(cut);
      put_back(directory, damaged);
      const Ledger ledger = open_damaged(directory);
      const std::set<std::uint64_t> found = sentences_in(directory);
      CHECK(ledger.waiting() == found.size());
      // The ring was not touched: its counters and its lines are all there, whatever the database forgot.
      CHECK(ledger.accepted == in_database + in_ring);
      CHECK(ledger.lost == in_database + in_ring - found.size());
      CHECK(std::distance(found.upper_bound(in_database), found.end()) == static_cast<std::ptrdiff_t>(in_ring));
    }
  }
}

TEST_CASE("a row that was given up is not taken for damage while the disk cannot be read" *
          doctest::test_suite("exhaustive")) {
  simulation::Chance chance(1);
  simulation::VirtualTime time;
  simulation::Disk full;
  {
    simulation::Process process(full, chance, time);
    static_cast<void>(process.make_directory("/q"));
    Queue queue;
    REQUIRE(queue.open(process, "/q/lane.queue", 1, {}));
    Intake intake(500);
    // More rows than the database keeps pages of in memory.
    for (int i = 0; i < 2'000; ++i) {
      REQUIRE(intake.drain(queue, 1));
      REQUIRE(seal_next(queue, Priority::normal, Partial::yes, std::to_string(i)));
    }
  }
  bool reached_the_end = false;
  std::size_t evicted = 0;
  for (int at = 0; !reached_the_end; at += 5) {
    REQUIRE(at < 5'000);
    simulation::Disk disk = full.copy();
    simulation::Process process(disk, chance, time);
    Queue queue;
    REQUIRE(queue.open(process, "/q/lane.queue", 1, {}));
    int operations = 0;
    process.meanwhile = [&] {
      if (operations++ != at) return;
      disk.fault = simulation::Fault::read_error;
      disk.fault_one_in = 1;
    };
    evicted += queue.evict_bytes(1, 0) ? 1 : 0;
    process.meanwhile = nullptr;
    disk.fault_one_in = 0;
    reached_the_end = operations <= at;
    // What is still listed may be asked for before anybody looks at the fault.
    static_cast<void>(queue.status());
    const auto listed = queue.batches();
    for (const Batch& batch : listed) {
      std::string body;
      static_cast<void>(queue.body(batch.id, body));
    }
    static_cast<void>(queue.status());
    CHECK_FALSE(queue.damaged());
    CHECK(queue.batches().size() >= 1'998);
  }
  CHECK(evicted >= 1);
}

TEST_CASE("a database with a damaged page opens, and its ledger balances") {
  std::map<std::string, std::string> left = used_lane();
  {
    // Into the database with what is in its log, so that damage meets rows.
    const TempDirectory directory;
    put_back(directory, left);
    Database database;
    REQUIRE(database.open(directory / "lane-00.queue", nullptr, Sharing::shared));
    REQUIRE(database.run("PRAGMA wal_checkpoint(TRUNCATE)"));
    database.close();
    left["lane-00.queue"] = test::read_file(directory / "lane-00.queue");
    left["lane-00.queue-wal"].clear();
  }
  test::SeededDice dice(11);
  const TempDirectory directory;
  const std::size_t pages = left["lane-00.queue"].size() / 4096;
  for (std::size_t page = 0; page < pages; page += page < 24 ? 1 : pages / 16) {
    for (const bool zeros : {true, false}) {
      CAPTURE(page);
      CAPTURE(zeros);
      std::map<std::string, std::string> damaged = left;
      for (std::size_t i = 0; i < 4096; ++i) {
        damaged["lane-00.queue"][page * 4096 + i] = zeros ? '\0' : static_cast<char>(dice.next());
      }
      put_back(directory, damaged);
      const Ledger ledger = open_damaged(directory);
      CHECK(ledger.accepted == in_database + in_ring);
    }
  }
}

TEST_CASE("a database that is no database is set aside once, and the ring's sentences come through") {
  std::map<std::string, std::string> damaged = used_lane();
  damaged["lane-00.queue"].assign(8192, 'x');
  damaged["lane-00.queue-wal"].clear();
  const TempDirectory directory;
  put_back(directory, damaged);
  const Ledger ledger = open_damaged(directory);
  CHECK(std::filesystem::exists(directory / "lane-00.damaged"));
  CHECK(sentences_in(directory).size() == in_ring);
  CHECK(ledger.accepted == in_database + in_ring);
  CHECK(ledger.waiting() == in_ring);
  CHECK(ledger.lost == in_database);
}

TEST_CASE("a denial of much keeps the log within the blocks that a full disk left it, and counts each sentence") {
  for (const BatchLimits& limits : {BatchLimits(), smallest}) {
    CAPTURE(limits.step_bytes);
    const test::TempDirectory directory;
    const std::string path = directory / "a.queue";
    {
      Queue queue;
      REQUIRE(open(queue, path, limits));
      Intake intake(2'000);
      const std::size_t many = limits.step_bytes / 5'000;
      const Kind ads(Priority::normal, Purpose::advertising);
      for (int i = 0; i < 40; ++i) {
        REQUIRE(intake.drain(queue, many, ads));
        REQUIRE(intake.drain(queue, 5));
      }
      std::uint64_t log_before = 0;
      REQUIRE(files().size(path + "-wal", log_before) == 0);
      bool erased = false;
      REQUIRE(queue.erase_denied(Consents(), {}, {}, Scrub::if_erased, erased));
      CHECK(erased);
      std::uint64_t log = 0;
      REQUIRE(files().size(path + "-wal", log) == 0);
      CHECK(log <= std::max<std::uint64_t>(log_before, 2 * limits.step_bytes + (100 << 10)));
      CHECK(queue.ledger().erased == 40 * many);
      CHECK(queue.ledger().waiting() == 200);
      CHECK(queue.owes_scrub());
    }
    check_balance(path);
    Queue queue;
    REQUIRE(open(queue, path, limits));
    CHECK(queue.owes_scrub());
    REQUIRE(queue.scrub());
    CHECK_FALSE(queue.owes_scrub());
  }
}

TEST_CASE("on a full disk a lane seals, settles, splits, drains, evicts and denies, wherever its log has come to") {
  // A queue outlives the configuration that made it.
  const std::pair<BatchLimits, BatchLimits> made_and_opened[] = {
      {{}, {}}, {smallest, smallest}, {{}, smallest}, {smallest, {}}};
  for (const auto& both : made_and_opened) {
    const BatchLimits& made = both.first;
    const BatchLimits& limits = both.second;
    CAPTURE(made.step_bytes);
    CAPTURE(limits.step_bytes);
    simulation::Chance chance(1);
    simulation::VirtualTime time;
    simulation::Disk full;
    full.gives_blocks_ahead = true;
    constexpr std::size_t line_bytes = 1'000;
    const std::size_t made_lines = made.step_bytes / 2 / line_bytes;
    const std::size_t drain_lines = std::min(made.step_bytes, limits.step_bytes) / 2 / line_bytes;
    {
      simulation::Process process(full, chance, time);
      static_cast<void>(process.make_directory("/q"));
      Queue queue;
      REQUIRE(queue.open(process, "/q/lane.queue", 1, made));
      CHECK(full.used() <= 3 * made.step_bytes + (100 << 10));
      REQUIRE(queue.begin_opening("run"));
      Intake intake(line_bytes);
      for (int i = 0; i < 4; ++i) REQUIRE(intake.drain(queue, made_lines));
      for (const char* name : {"first", "second"}) REQUIRE(seal_next(queue, Priority::normal, Partial::no, name));
      const Kind ads(Priority::normal, Purpose::advertising);
      for (int i = 0; i < 3; ++i) REQUIRE(intake.drain(queue, made_lines, ads));
    }
    const auto take_over = [](Queue& queue, std::size_t lines) {
      const std::string text(line_bytes, 'x');
      Drained drained;
      for (std::size_t i = 0; i < lines; ++i) drained.lines.push_back({0, 0, Priority::normal, text});
      drained.mark = queue.ring_mark();
      drained.mark.accepted += lines;
      return queue.take_over(drained, 1, 1);
    };
    using Step = std::function<bool(Queue&)>;
    const std::pair<const char*, Step> steps[] = {
        {"seal", [](Queue& queue) { return seal_next(queue, Priority::normal, Partial::yes, "third"); }},
        {"settle",
         [](Queue& queue) {
           const Batch& batch = batch_at(queue, 0);
           const Rejected rejected{key_of("line"), "because", std::string(line_bytes, 'x'), false};
           return queue.settle(batch.id, std::vector<Rejected>(batch.lines, rejected));
         }},
        {"split",
         [](Queue& queue) {
           const Batch& batch = batch_at(queue, 0);
           std::vector<NewBatch> parts{part_of(batch, "0", 1), part_of(batch, "1", batch.lines - 1)};
           for (NewBatch& part : parts) part.body.assign(batch.body_bytes / 2, 'x');
           return queue.replace({batch.id}, parts, {});
         }},
        {"drain", [&](Queue& queue) { return take_over(queue, drain_lines); }},
        {"evict", [&](Queue& queue) { return queue.evict_bytes(limits.step_bytes * 5 / 4, 0); }},
        {"deny", [](Queue& queue) {
           bool erased = false;
           return queue.erase_denied(Consents(), {}, {}, Scrub::if_erased, erased);
         }}};
    const auto commits_max = static_cast<int>(limits.step_bytes / 4096);
    for (int commits = 0; commits <= commits_max; commits += 1 + commits_max / 16) {
      CAPTURE(commits);
      for (const auto& step : steps) {
        const std::string name = step.first;
        CAPTURE(name);
        simulation::Disk disk = full.copy();
        simulation::Process process(disk, chance, time);
        Queue queue;
        REQUIRE(queue.open(process, "/q/lane.queue", 1, limits));
        disk.bytes_max = disk.used();
        CHECK_FALSE(take_over(queue, 8 * limits.step_bytes / line_bytes));
        static_cast<void>(queue.status());  // the reserve is given back
        for (int i = 1; i <= commits; ++i) REQUIRE(queue.end_run(static_cast<std::uint64_t>(i)));
        // As the worker does: what failed is tried again, once somebody has looked at the fault.
        int tries = 1;
        for (; tries < 4 && !step.second(queue); ++tries) static_cast<void>(queue.status());
        CHECK(tries < 4);
        const Ledger& ledger = queue.ledger();
        CHECK(ledger.accepted == 7 * made_lines + (name == "drain" ? drain_lines : 0));
      }
    }
  }
}

TEST_CASE("a queue that is opened after another one gives its own reserve to a full disk") {
  simulation::Chance chance(1);
  simulation::VirtualTime time;
  simulation::Disk disk;
  disk.gives_blocks_ahead = true;
  simulation::Process process(disk, chance, time);
  static_cast<void>(process.make_directory("/q"));
  Queue queue;
  for (const char* path : {"/q/first.queue", "/q/second.queue"}) {
    CAPTURE(std::string(path));
    REQUIRE(queue.open(process, path, 1, {}));
    REQUIRE(queue.begin_opening("run"));
    disk.bytes_max = disk.used();
    Intake intake(1'000);
    CHECK_FALSE(intake.drain(queue, 8'000));
    CHECK(queue.status() == Code::disk_full);
    queue.close();
    Database database;
    REQUIRE(database.open(path, process.sqlite_vfs(), Sharing::exclusive));
    CHECK(database.number("SELECT count(*) FROM reserve") == 0);
    disk.bytes_max = UINT64_MAX;
  }
}
