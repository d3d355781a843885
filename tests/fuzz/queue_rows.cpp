// A lane's database with hostile rows: whatever they say, the lane opens or says why, and what it hands out is sound.
#include "fuzz.hpp"
#include "hold/lane.hpp"
#include "send/gzip.hpp"

using namespace yukha;
using namespace yukha::hold;
using fuzz::promise;

namespace {

const std::string place = "/q";
const std::string database = "/q/lane-00.queue";
constexpr std::size_t ring_bytes = 4096;
const std::string key = "01234567-89ab-8def-8123-456789abcdef";

NewBatch part_of(const char* path, std::size_t lines, Bisect bisect) {
  NewBatch part;
  part.facts.key = key;
  part.facts.path = path;
  part.facts.lines = lines;
  part.facts.bisect = bisect;
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) text += "{\"id\":\"" + std::to_string(i) + "\"}\n";
  part.facts.bytes = text.size();
  part.body = send::gzip(text);
  return part;
}

struct Left {
  fuzz::Image directory;
  fuzz::Image queue;
  fuzz::Image ring;
};

// A row of each kind, a batch that is searched, and a line that is only in the ring.
const Left& left_behind() {
  static const Left left = [] {
    fuzz::Device device;
    Directory directory;
    promise(directory.open(device.files, place, device.dice, "phone").good(), "a new directory opens");
    Lane lane(device.files, device.dice, directory, {place, ring_bytes, {}});
    promise(lane.open("lane-00", "run").good(), "a new lane opens");
    const auto keep = [&lane](const char* line, Kind kind) {
      promise(lane.ring().append(line, kind) == Ring::Append::done, "there is room");
    };
    const auto drain = [&lane] {
      std::string scratch;
      Drained drained;
      lane.ring().read(lane.ring().tail(), lane.ring().head(), SIZE_MAX, scratch, drained.lines);
      drained.mark.ring_id = lane.ring().id();
      drained.mark.position = lane.ring().head();
      drained.mark.accepted = lane.ring().accepted();
      promise(lane.queue().take_over(drained, 1, 1), "the database takes over");
      lane.ring().release(drained.mark.position);
    };
    for (int i = 0; i < 5; ++i) keep("{\"id\":\"x\"}", Priority::normal);
    drain();
    Unsealed unsealed;
    promise(lane.queue().next_unsealed(Priority::normal, Partial::yes, unsealed), "a batch can be made");
    promise(lane.queue().seal(unsealed, key, send::gzip(unsealed.lines_text)), "a batch is sealed");
    std::vector<NewBatch> parts;
    parts.push_back(part_of("0", 2, Bisect::suspect));
    parts.push_back(part_of("1", 2, Bisect::held_back));
    promise(lane.queue().replace({1}, parts, {{"x", "unknown", "{\"id\":\"x\"}", false}}), "a batch is split");
    keep("{\"id\":\"y\"}", Priority::normal);
    keep("{\"id\":\"z\"}", Priority::critical);
    drain();
    keep("{\"id\":\"w\"}", {Priority::normal, Purpose::advertising});
    keep("{\"id\":\"r\"}", Priority::normal);
    lane.close();
    lane.ring().close();
    directory.close();
    // Without its reserve and its free pages the image is small, as after a full disk.
    Database small;
    small.open(database, device.files.sqlite_vfs(), Sharing::exclusive);
    small.run("PRAGMA journal_mode=DELETE");
    small.run("DELETE FROM reserve");
    small.run("VACUUM");
    small.close();
    return Left{device.read("/q/directory.db"), device.read(database), device.read("/q/lane-00.ring")};
  }();
  return left;
}

struct Column {
  const char* table;
  const char* name;
};
constexpr Column columns[] = {
    {"state", "epoch"},         {"state", "ring_id"},
    {"state", "ring_position"}, {"state", "accepted"},
    {"state", "delivered"},     {"state", "quarantined"},
    {"state", "evicted"},       {"state", "erased"},
    {"state", "lost"},          {"state", "run"},
    {"state", "last_seq"},      {"state", "refused_consent"},
    {"state", "ledger_sent"},   {"opening", "true_start"},
    {"opening", "id"},          {"chunk", "id"},
    {"chunk", "priority"},      {"chunk", "lines"},
    {"chunk", "own_lines"},     {"chunk", "bytes"},
    {"chunk", "opening"},       {"chunk", "held"},
    {"chunk", "body"},          {"batch", "id"},
    {"batch", "key"},           {"batch", "path"},
    {"batch", "priority"},      {"batch", "lines"},
    {"batch", "own_lines"},     {"batch", "bytes"},
    {"batch", "opening"},       {"batch", "held"},
    {"batch", "bisect"},        {"batch", "root_size"},
    {"batch", "body"},          {"quarantine", "id"},
    {"quarantine", "reason"},   {"quarantine", "sentence_id"},
    {"quarantine", "line"},     {"quarantine", "held"},
    {"quarantine", "opening"},
};
constexpr const char* schemas[] = {
    "DROP TABLE quarantine",
    "DROP TABLE state",
    "DELETE FROM state",
    "DROP TABLE opening",
    "ALTER TABLE chunk RENAME COLUMN body TO other",
    "ALTER TABLE batch RENAME TO other",
    "CREATE TRIGGER t BEFORE DELETE ON batch BEGIN SELECT RAISE(ABORT, 'no'); END",
    "CREATE TRIGGER t AFTER DELETE ON chunk BEGIN INSERT INTO chunk SELECT NULL, 0, 1, 0, 1, 1, 0, 'x'; END",
    "DROP TABLE batch; CREATE VIEW batch AS SELECT * FROM chunk",
    "INSERT INTO chunk SELECT NULL, priority, lines, own_lines, bytes, opening, held, body FROM chunk",
    "INSERT INTO batch SELECT id + 100, key, path, priority, lines, 0, bytes, 1, 1, bisect, root_size, body FROM batch",
    "INSERT INTO quarantine SELECT NULL, sentence_id, reason, opening, held, line FROM quarantine",
    "PRAGMA user_version=3",
    "PRAGMA user_version=0",
    "PRAGMA user_version=-1",
    "PRAGMA application_id=0",
};

void write_row(Database& rows, fuzz::Input& input) {
  const Column& column = columns[input.below(std::size(columns))];
  const std::string update = std::string("UPDATE ") + column.table + " SET " + column.name + " = ?";
  switch (input.below(5)) {
    case 0: {
      const std::string value(input.short_text());
      Statement(rows, update).bind(value).run();
      break;
    }
    case 1: {
      const std::string value(input.short_text());
      Statement(rows, update).bind_blob(value).run();
      break;
    }
    case 2:
      rows.run(schemas[input.below(std::size(schemas))]);
      break;
    default:
      Statement(rows, update + (input.below(4) == 0 ? " WHERE rowid = 1" : "")).bind(input.any_number()).run();
  }
  rows.clear();
}

void promise_sane(const Queue& queue) {
  const Ledger& ledger = queue.ledger();
  Stats stats;
  stats.accepted = ledger.accepted;
  stats.delivered = ledger.delivered;
  stats.quarantined = ledger.quarantined;
  stats.evicted = ledger.evicted;
  stats.erased = ledger.erased;
  stats.lost = ledger.lost;
  stats.waiting = ledger.waiting();
  fuzz::promise_sane(stats);
}

// A fault is told, and a damaged database is mended, as the worker does it. False: no more can be done with it.
bool mend(Lane& lane) {
  const Status status = lane.queue().status();
  if (lane.queue().damaged()) return lane.repair().good();
  promise(!status.good(), "what did not work has a reason");
  return false;
}

bool seal_all(Lane& lane) {
  Queue& queue = lane.queue();
  for (int i = 0; i < kind_count; ++i) {
    const Kind kind = Kind::of(i);
    for (int round = 0; queue.has_unsealed(kind); ++round) {
      promise(round < 100, "sealing comes to an end");
      Unsealed unsealed;
      if (!queue.next_unsealed(kind, Partial::yes, unsealed)) return mend(lane);
      promise(unsealed.lines >= 1 && unsealed.lines <= 500 && unsealed.own_lines <= unsealed.lines,
              "a batch's lines "
              "are counted");
      promise(static_cast<std::size_t>(std::count(unsealed.lines_text.begin(), unsealed.lines_text.end(), '\n')) ==
                      unsealed.lines &&
                  unsealed.lines_text.back() == '\n',
              "a batch has as many lines as it says");
      if (!queue.seal(unsealed, key, send::gzip(unsealed.lines_text))) return mend(lane);
    }
  }
  return queue.make_durable() || mend(lane);
}

// What a worker, a busy endpoint and an app do with a lane.
void use(Lane& lane, fuzz::Input& input) {
  Queue& queue = lane.queue();
  promise_sane(queue);
  if (!seal_all(lane)) return;
  promise_sane(queue);
  if (input.below(2) == 0 && queue.learn_true_time(1'779'421'920'000, 1000)) {
    if (!queue.evict_older_than(input.any_number(), 0, Extent::all) && !mend(lane)) return;
    promise_sane(queue);
  }
  if (input.below(4) == 0 && !queue.evict_bytes(input.number(2), 0) && !mend(lane)) return;
  promise_sane(queue);
  queue.free_orphans();
  if (input.below(4) == 0) {
    Consents consents;
    consents.purposes[input.below(purpose_count)] = Consent::denied;
    bool erased = false;
    if ((!queue.erase_denied(consents, {}, queue.kept_scopes(), Scrub::if_erased, erased) || !queue.scrub()) &&
        !mend(lane))
      return;
    promise_sane(queue);
  }
  Rejected rejected;
  std::int64_t number = 0;
  std::vector<std::int64_t> numbers;
  for (std::int64_t after = 0; queue.next_quarantined(after, number, rejected); after = number) {
    promise(number > after, "quarantine is gone through once");
    numbers.push_back(number);
  }
  if (!numbers.empty() && input.below(2) == 0) {
    NewBatch batch = part_of("", std::min<std::size_t>(numbers.size(), 500), Bisect::none);
    if (!queue.unquarantine(numbers, batch) && !mend(lane)) return;
  } else if (!queue.erase_quarantined(numbers) && !mend(lane)) {
    return;
  }
  promise_sane(queue);
  for (int round = 0; !queue.batches().empty(); ++round) {
    promise(round < 200, "delivering comes to an end");
    const Batch batch = queue.batches().front();
    promise(batch.key.size() == 36 && batch.lines >= 1 && batch.lines <= 500 && batch.own_lines <= batch.lines &&
                batch.bytes <= 1'000'000 && batch.path.size() <= 16,
            "what goes into a request is sound");
    std::string body;
    if (!queue.body(batch.id, body)) {
      if (!mend(lane)) return;
      continue;
    }
    std::vector<Rejected> refused;
    if (input.below(4) == 0 && batch.lines > batch.own_lines) refused.push_back({"x", "y", "z", false});
    if (!queue.settle(batch.id, refused) && !mend(lane)) return;
    promise_sane(queue);
  }
  std::uint64_t used = 0;
  static_cast<void>(queue.bytes_used(used));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  fuzz::Device device;
  device.disk.reserves = false;  // two mebibytes of log would be copied for each input
  const Left& left = left_behind();
  device.write("/q/directory.db", left.directory);
  device.write(database, left.queue);
  if (input.below(4) != 0) device.write("/q/lane-00.ring", left.ring);
  {
    Database rows;
    rows.open(database, device.files.sqlite_vfs(), Sharing::exclusive);
    rows.run("PRAGMA writable_schema=1");
    for (std::size_t count = 1 + input.below(4); count-- > 0;) write_row(rows, input);
  }
  for (int life = 0; life < 2; ++life) {
    Directory directory;
    promise(directory.open(device.files, place, device.dice, "phone").good(), "the directory is sound");
    Lane lane(device.files, device.dice, directory, {place, ring_bytes, {}});
    const Status status = lane.open("lane-00", "again");
    if (!status) {
      const bool others = status.message().find("somebody else") != std::string::npos;
      promise(others || status == Code::newer_format, "a damaged database is mended or set aside");
      return 0;
    }
    use(lane, input);
    if (lane.ring().append("{\"id\":\"n\"}", Priority::normal) != Ring::Append::done) return 0;
  }
  return 0;
}
