// What was erased is nowhere: not in a file, not in a page that was let go, not inside a compressed batch.
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "hold/sqlite.hpp"
#include "life/support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::json;
using test::Life;

namespace {

// Looks for texts in every file of a directory: in the bytes as they lie there, and in what any of them is the
// beginning of a deflate stream of. A page of a database may end a stream early: what came out until then counts.
class Scanner {
 public:
  explicit Scanner(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  std::set<std::string> found_in(const std::string& directory) {
    found_.clear();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) look_into(test::read_file(entry.path().string()));
    }
    return found_;
  }

 private:
  void look(std::string_view bytes) {
    for (const std::string& text : texts_) {
      if (bytes.find(text) != std::string_view::npos) found_.insert(text);
    }
  }
  void look_into(const std::string& bytes) {
    look(bytes);
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, -15) == Z_OK);
    std::string out(64 << 10, '\0');
    for (std::size_t at = 0; at + 8 < bytes.size(); ++at) {
      // Nothing but the end of a file that was made longer.
      if (std::all_of(bytes.data() + at, bytes.data() + at + 8, [](char c) { return c == 0; })) continue;
      REQUIRE(inflateReset(&stream) == Z_OK);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + at));
      stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size() - at, 64 << 10));
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      static_cast<void>(inflate(&stream, Z_SYNC_FLUSH));
      const std::size_t got = out.size() - stream.avail_out;
      if (got > 32) look({out.data(), got});
    }
    inflateEnd(&stream);
  }

  std::vector<std::string> texts_;
  std::set<std::string> found_;
};

// One marker in each place where a sentence can lie.
struct Markers {
  std::string quarantine, batch, chunk, ring;

  static Markers random() {
    const std::string seed = system::random_uuid(system::system_dice());
    return {seed + "-quarantine", seed + "-batch", seed + "-chunk", seed + "-ring"};
  }
  std::vector<std::string> all() const { return {quarantine, batch, chunk, ring}; }
};

void fill(Life& life, const Markers& markers) {
  detail::Core& core = *life.core;
  const auto track = [&core](const std::string& marker) {
    for (int i = 0; i < 20; ++i) REQUIRE(core.event().content(marker).action("READ").track());
  };
  life.endpoint->answer = [](const test::FakeEndpoint::Request& request) {
    HttpAnswer answer;
    answer.status = 200;
    std::string rejected;
    std::size_t count = 0;
    for (std::size_t i = 0; i < request.lines.size(); ++i) {
      if (test::is_ledger_line(request.lines[i])) continue;
      rejected += (count++ == 0 ? "" : ",") + (R"({"line":)" + std::to_string(i + 1)) + R"(,"id":"","reason":"no"})";
    }
    answer.body = "{\"accepted\":" + std::to_string(request.lines.size() - count) + ",\"rejected\":[" + rejected + "]}";
    return answer;
  };
  track(markers.quarantine);
  REQUIRE(core.flush(60s));
  life.endpoint->answer = [](const test::FakeEndpoint::Request&) {
    HttpAnswer answer;
    answer.status = 503;
    return answer;
  };
  track(markers.batch);
  CHECK(core.flush(1s) == Code::still_waiting);
  track(markers.chunk);
  core.work(0ms);
  life.clock.monotonic += 1'500;
  core.work(0ms);
  track(markers.ring);
}

// The system's files, for a process that dies in the middle of them.
class DyingFiles final : public system::Files {
 public:
  // At so many operations from now; -1: never.
  int dies_at = -1;
  int operations = 0;
  void operation() noexcept {
    if (operations++ == dies_at) _exit(0);
  }
  system::Error open(const std::string& path, system::OpenMode mode,
                     std::unique_ptr<system::File>& file) noexcept override {
    operation();
    return under_.open(path, mode, file);
  }
  system::Error make_directory(const std::string& path) noexcept override { return under_.make_directory(path); }
  system::Error remove(const std::string& path) noexcept override {
    operation();
    return under_.remove(path);
  }
  system::Error rename(const std::string& from, const std::string& to) noexcept override {
    operation();
    return under_.rename(from, to);
  }
  system::Error sync_directory(const std::string& path) noexcept override {
    operation();
    return under_.sync_directory(path);
  }
  system::Error list(const std::string& path, std::vector<std::string>& names) noexcept override {
    return under_.list(path, names);
  }
  system::Error size(const std::string& path, std::uint64_t& bytes) noexcept override {
    return under_.size(path, bytes);
  }
  system::Error identity(const std::string& path, std::uint64_t& identity) noexcept override {
    return under_.identity(path, identity);
  }

 private:
  system::Files& under_ = system::system_files();
};

}  // namespace

TEST_CASE("erase() leaves nothing of ring, chunks, batches, quarantine and log, which the scanner finds before") {
  Life life;
  detail::Core& core = life.open();
  const Markers markers = Markers::random();
  fill(life, markers);
  Scanner scanner(markers.all());
  REQUIRE(scanner.found_in(life.directory.path()).size() == 4);

  // An erase by DELETE alone would not pass: what it lets go still lies there.
  const test::TempDirectory copy;
  std::filesystem::copy(life.directory.path(), copy / "queue", std::filesystem::copy_options::recursive);
  std::filesystem::remove(copy / "queue/lane-00.ring");
  CHECK(scanner.found_in(copy.path()) == std::set<std::string>{markers.quarantine, markers.batch, markers.chunk});
  {
    hold::Database database;
    REQUIRE(database.open(copy / "queue/lane-00.queue", nullptr, false));
    for (const char* table : {"DELETE FROM chunk", "DELETE FROM batch", "DELETE FROM quarantine"}) {
      REQUIRE(database.run(table));
    }
  }
  CHECK_FALSE(scanner.found_in(copy.path()).empty());

  REQUIRE(core.erase());
  CHECK(scanner.found_in(life.directory.path()).empty());
  const Stats stats = core.stats();
  CHECK(stats.accepted == 80);
  CHECK(stats.erased == 80);
  CHECK(stats.quarantined == 0);
}

TEST_CASE("an erase that a kill cut off is finished by the next opening, wherever the kill fell") {
  bool erased_all = false;
  for (int dies_at = 0; !erased_all; ++dies_at) {
    REQUIRE(dies_at < 100);
    Life life;
    const Markers markers = Markers::random();
    const std::string flag = life.directory / "finished";
    test::killed_after([&] {
      DyingFiles files;
      detail::Seams seams;
      seams.clock = &life.clock;
      seams.files = &files;
      life.core.reset(detail::Core::open(life.config, seams));
      fill(life, markers);
      files.operations = 0;
      files.dies_at = dies_at;
      REQUIRE(life.core->erase());
      files.dies_at = -1;
      test::write_file(flag, "yes");
    });
    const bool finished = std::filesystem::remove(flag);
    detail::Core& core = life.open();
    Scanner scanner(markers.all());
    const std::set<std::string> found = scanner.found_in(life.directory.path());
    const Stats stats = core.stats();
    CHECK(stats.accepted == 80);
    // The first of these operations comes after the commit that begins the erase: from then on nothing is left.
    CHECK(found.empty());
    CHECK(stats.erased == 80);
    CHECK(stats.waiting == 0);
    CHECK(stats.quarantined == 0);
    erased_all = finished;
  }
}

TEST_CASE("an erase while a request runs cancels it, and what comes after is delivered") {
  Life life;
  detail::Core& core = life.open();
  const Markers markers = Markers::random();
  life.endpoint->silent = true;
  for (int i = 0; i < 20; ++i) REQUIRE(core.event().content(markers.batch).action("READ").track());
  CHECK(core.flush(1s) == Code::still_waiting);
  REQUIRE(core.erase());
  life.endpoint->silent = false;
  Scanner scanner(markers.all());
  CHECK(scanner.found_in(life.directory.path()).empty());
  const std::size_t before = life.endpoint->requests.size();
  life.act("AFTER");
  REQUIRE(core.flush(60s));
  for (std::size_t i = before; i < life.endpoint->requests.size(); ++i) {
    for (const std::string& line : life.endpoint->requests[i].lines) {
      CHECK(line.find(markers.batch) == std::string::npos);
    }
  }
  CHECK(core.stats().delivered == 1);
  CHECK(core.stats().erased == 20);
}
