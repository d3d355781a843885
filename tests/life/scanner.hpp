// Where bytes of a sentence lie: in a file, in a page that was let go, inside a compressed batch.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "life/support.hpp"

namespace yukha::test {

// Looks for texts in every file of a directory: in the bytes as they lie there, and in what any of them is the
// beginning of a deflate stream of. A page of a database may end a stream early: what came out until then counts.
class Scanner {
 public:
  explicit Scanner(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  std::set<std::string> found_in(const std::string& directory) {
    found_.clear();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) look_into(read_file(entry.path().string()));
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

inline void fill(Life& life, const Markers& markers, Purpose purpose = Purpose::analytics) {
  using namespace std::chrono_literals;
  detail::Core& core = *life.core;
  const auto track = [&core, purpose](const std::string& marker) {
    for (int i = 0; i < 20; ++i) REQUIRE(core.event().content(marker).action("READ").purpose(purpose).track());
  };
  life.endpoint->answer = [](const FakeEndpoint::Request& request) {
    HttpAnswer answer;
    answer.status = 200;
    std::string rejected;
    std::size_t count = 0;
    for (std::size_t i = 0; i < request.lines.size(); ++i) {
      if (is_ledger_line(request.lines[i])) continue;
      rejected += (count++ == 0 ? "" : ",") + (R"({"line":)" + std::to_string(i + 1)) + R"(,"id":"","reason":"no"})";
    }
    answer.body = "{\"accepted\":" + std::to_string(request.lines.size() - count) + ",\"rejected\":[" + rejected + "]}";
    return answer;
  };
  track(markers.quarantine);
  REQUIRE(core.flush(60s));
  life.endpoint->answer = [](const FakeEndpoint::Request&) {
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

// Runs `act` on what `prepare` left in a process that dies at its first operation, its second, and so on, until it
// lives through all of them; the next opening is looked at each time.
template <typename Prepare, typename Act, typename Look>
void killed_at_each_operation(const Prepare& prepare, const Act& act, const Look& look) {
  bool finished = false;
  for (int dies_at = 0; !finished; ++dies_at) {
    REQUIRE(dies_at < 100);
    Life life;
    const std::string flag = life.directory / "finished";
    killed_after([&] {
      DyingFiles files;
      detail::Seams seams;
      seams.clock = &life.clock;
      seams.files = &files;
      life.core.reset(detail::Core::open(life.config, seams));
      prepare(life);
      files.operations = 0;
      files.dies_at = dies_at;
      act(*life.core);
      files.dies_at = -1;
      write_file(flag, "yes");
    });
    finished = std::filesystem::remove(flag);
    look(life.open(), life.directory.path());
  }
}

}  // namespace yukha::test
