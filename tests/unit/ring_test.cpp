#include "hold/ring.hpp"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "support.hpp"
#include "system/crc32c.hpp"

using namespace yukha;
using namespace yukha::hold;
using test::TempDirectory;

namespace {

constexpr std::size_t header_bytes = 4096;
constexpr std::size_t small = 4096;
constexpr std::uint64_t ring_id = 77;

struct Opened {
  std::unique_ptr<Ring> ring = std::make_unique<Ring>();
  RingFound found;
  system::Error error = 0;
};

Opened open(system::Files& files, const std::string& path, std::size_t capacity, const RingMark& mark,
            std::uint64_t epoch = 1, std::uint64_t id = ring_id) {
  Opened opened;
  opened.error = opened.ring->open(files, path, capacity, epoch, id, mark, opened.found);
  return opened;
}

// What a database that took everything over up to here would have remembered.
RingMark mark_of(const Ring& ring) {
  RingMark mark;
  mark.ring_id = ring.id();
  mark.position = ring.tail();
  mark.accepted = ring.accepted();
  for (int i = 0; i < refusal_count; ++i) mark.refused[i] = ring.refused(static_cast<Refusal>(i));
  return mark;
}

std::string line_of(std::uint64_t number, std::size_t size) {
  std::string line = "line " + std::to_string(number) + " ";
  while (line.size() < size) line += static_cast<char>('a' + (line.size() + number) % 26);
  line.resize(size);
  return line;
}

std::vector<RingLine> read_all(Ring& ring, std::string& scratch) {
  std::vector<RingLine> lines;
  ring.read(ring.tail(), ring.head(), SIZE_MAX, scratch, lines);
  return lines;
}

// Both ways a ring reaches the disk.
template <typename Test>
void in_both_modes(const Test& test) {
  test::UnreservedFiles written;
  for (system::Files* files : {&system::system_files(), static_cast<system::Files*>(&written)}) {
    CAPTURE(files == &written);
    test(*files);
  }
}

// A ring of which the database has the first three of ten lines, as the process that died left it.
struct Left {
  std::string bytes;
  RingMark mark;
  std::vector<std::string> texts;  // of the seven the database does not have
  std::vector<std::uint64_t> positions;
};

Left left_behind(system::Files& files) {
  const TempDirectory directory;
  const std::string path = directory / "a.ring";
  Left left;
  {
    Opened opened = open(files, path, small, {});
    Ring& ring = *opened.ring;
    for (std::uint64_t i = 1; i <= 10; ++i) {
      const std::string text = line_of(i, 20 + 13 * static_cast<std::size_t>(i));
      REQUIRE(ring.append(text, i % 4 == 0 ? Priority::critical : Priority::normal) == Ring::Append::done);
      if (i > 3) left.texts.push_back(text);
    }
    ring.refuse(Refusal::invalid);
    std::string scratch;
    const std::vector<RingLine> lines = read_all(ring, scratch);
    for (std::size_t i = 3; i < lines.size(); ++i) left.positions.push_back(lines[i].position);
    ring.release(lines[3].position);
    left.mark = mark_of(ring);
    left.mark.accepted = 3;
    left.mark.refused[static_cast<int>(Refusal::invalid)] = 0;
  }
  left.bytes = test::read_file(path);
  return left;
}

// Every line found is one of those that were left, in order, with its own ordinal and priority.
void check_no_wrong_line(const Left& left, const RingFound& found) {
  std::uint64_t before = left.mark.accepted;
  for (const RingLine& line : found.lines) {
    REQUIRE(line.ordinal > before);
    REQUIRE(line.ordinal <= 10);
    CHECK(line.text == left.texts[line.ordinal - 4]);
    CHECK(line.kind.priority == (line.ordinal % 4 == 0 ? Priority::critical : Priority::normal));
    before = line.ordinal;
  }
  CHECK(found.accepted - left.mark.accepted == found.lines.size() + found.lost);
}

}  // namespace

TEST_CASE("a ring's bytes are those of the worked example in FORMAT.md") {
  std::string expected(header_bytes + small, '\0');
  std::istringstream page(test::read_file(YUKHA_SOURCE_DIR "/src/hold/FORMAT.md"));
  std::size_t rows = 0;
  for (std::string row; std::getline(page, row);) {
    if (row.size() < 10 || row.find_first_not_of("0123456789abcdef") != 8 || row.compare(8, 2, "  ") != 0) continue;
    const std::size_t offset = std::stoul(row.substr(0, 8), nullptr, 16);
    REQUIRE(offset + 16 <= expected.size());
    std::istringstream bytes(row.substr(10, 47));
    std::size_t count = 0;
    for (std::string byte; bytes >> byte; ++count) {
      expected[offset + count] = static_cast<char>(std::stoul(byte, nullptr, 16));
    }
    ++rows;
  }
  CHECK(rows == 13);

  TempDirectory directory;
  {
    Opened opened = open(system::system_files(), directory / "ring", small, {}, 3);
    REQUIRE(opened.error == 0);
    CHECK(opened.ring->append(R"({"id":"a"})", Priority::critical) == Ring::Append::done);
    opened.ring->refuse(Refusal::ring_full);
    opened.ring->refuse(Refusal::ring_full);
  }
  CHECK(test::read_file(directory / "ring") == expected);
}

TEST_CASE("crc32c gives the values of RFC 3720 B.4, in one piece and in two") {
  std::string zeros(32, '\0');
  std::string ones(32, '\xFF');
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  const std::pair<std::string, std::uint32_t> known[] = {
      {zeros, 0x8A9136AA}, {ones, 0x62A8AB43}, {rising, 0x46DD794E}, {"123456789", 0xE3069283}, {"", 0}};
  for (const auto& [bytes, crc] : known) {
    CHECK(system::crc32c(0, bytes.data(), bytes.size()) == crc);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const std::uint32_t first = system::crc32c(0, bytes.data(), cut);
      CHECK(system::crc32c(first, bytes.data() + cut, bytes.size() - cut) == crc);
    }
  }
}

TEST_CASE("crc32c of a long text is the same however it is cut") {
  std::string bytes;
  for (unsigned i = 0; i < 2000; ++i) bytes += static_cast<char>(i * i * 2654435761U >> 24);
  for (std::size_t size = 0; size <= bytes.size(); size += size < 700 ? 1 : 97) {
    std::uint32_t one_by_one = 0;
    for (std::size_t i = 0; i < size; ++i) one_by_one = system::crc32c(one_by_one, &bytes[i], 1);
    REQUIRE(system::crc32c(0, bytes.data(), size) == one_by_one);
  }
}

TEST_CASE("lines come out of the ring as they went in, wherever they wrap") {
  in_both_modes([](system::Files& files) {
    const TempDirectory directory;
    Opened opened = open(files, directory / "a.ring", small, {});
    REQUIRE(opened.error == 0);
    std::vector<bool> begun_at(small / 8);
    std::uint64_t number = 0;
    for (int round = 0; round < 1500; ++round) {
      std::vector<std::string> texts;
      for (int i = 0; i < 3; ++i) {
        ++number;
        texts.push_back(line_of(number, static_cast<std::size_t>(number * 7 % 211)));
        begun_at[opened.ring->head() % small / 8] = true;
        REQUIRE(opened.ring->append(texts.back(), Priority::normal) == Ring::Append::done);
      }
      std::string scratch;
      const std::vector<RingLine> lines = read_all(*opened.ring, scratch);
      REQUIRE(lines.size() == texts.size());
      for (std::size_t i = 0; i < lines.size(); ++i) {
        CHECK(lines[i].text == texts[i]);
        CHECK(lines[i].ordinal == number - 2 + i);
      }
      if (round % 10 == 9) {
        // The next process finds the same three.
        RingMark mark = mark_of(*opened.ring);
        mark.accepted = number - 3;
        opened = open(files, directory / "a.ring", small, mark);
        REQUIRE(opened.found.lines.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
          CHECK(opened.found.lines[i].text == texts[i]);
          CHECK(opened.found.lines[i].ordinal == number - 2 + i);
        }
        CHECK(opened.found.lost == 0);
        CHECK(opened.found.accepted == number);
      }
      opened.ring->release(opened.ring->head());
      CHECK(opened.ring->used() == 0);
    }
    CHECK(std::all_of(begun_at.begin(), begun_at.end(), [](bool begun) { return begun; }));
  });
}

TEST_CASE("a reader with little room gets the lines piece by piece, at least one at a time") {
  const TempDirectory directory;
  Opened opened = open(system::system_files(), directory / "a.ring", small, {});
  for (std::uint64_t i = 1; i <= 6; ++i) {
    REQUIRE(opened.ring->append(line_of(i, 100), Priority::normal) == Ring::Append::done);
  }
  std::string scratch;
  std::vector<RingLine> lines;
  opened.ring->read(opened.ring->tail(), opened.ring->head(), 250, scratch, lines);
  CHECK(lines.size() == 2);
  opened.ring->read(opened.ring->tail(), opened.ring->head(), 1, scratch, lines);
  CHECK(lines.size() == 1);
  opened.ring->read(opened.ring->head(), opened.ring->head(), 250, scratch, lines);
  CHECK(lines.empty());
}

TEST_CASE("a full ring refuses, counts it, and takes the line once there is room") {
  in_both_modes([](system::Files& files) {
    const TempDirectory directory;
    Opened opened = open(files, directory / "a.ring", small, {});
    Ring& ring = *opened.ring;
    std::uint64_t number = 0;
    while (ring.append(line_of(number + 1, 100), Priority::normal) == Ring::Append::done) ++number;
    CHECK(number == small / 128);
    CHECK(ring.used() <= ring.capacity());
    CHECK(ring.accepted() == number);
    ring.refuse(Refusal::ring_full);
    CHECK(ring.refused(Refusal::ring_full) == 1);
    std::string scratch;
    const std::vector<RingLine> lines = read_all(ring, scratch);
    REQUIRE(lines.size() == number);
    ring.release(lines[1].position);
    CHECK(ring.append(line_of(number + 1, 100), Priority::normal) == Ring::Append::done);
    CHECK(ring.append(line_of(number + 2, 100), Priority::normal) == Ring::Append::full);
  });
}

TEST_CASE("a line may fill the ring to its last byte and not one more") {
  in_both_modes([](system::Files& files) {
    const TempDirectory directory;
    Opened opened = open(files, directory / "a.ring", small, {});
    const std::size_t most = small - static_cast<std::size_t>(Ring::end_of(0, 0));
    CHECK(opened.ring->append(std::string(most + 1, 'x'), Priority::normal) == Ring::Append::full);
    CHECK(opened.ring->append(std::string(most, 'x'), Priority::critical) == Ring::Append::done);
    CHECK(opened.ring->append("", Priority::normal) == Ring::Append::full);
    RingMark mark = mark_of(*opened.ring);
    mark.accepted = 0;
    opened = open(files, directory / "a.ring", small, mark);
    REQUIRE(opened.found.lines.size() == 1);
    CHECK(opened.found.lines[0].text == std::string(most, 'x'));
    opened.ring->release(opened.ring->head());
    CHECK(opened.ring->append("", Priority::normal) == Ring::Append::done);
  });
}

TEST_CASE("reopening finds exactly the lines that were not taken over") {
  in_both_modes([](system::Files& files) {
    const TempDirectory directory;
    const Left left = left_behind(files);
    test::write_file(directory / "a.ring", left.bytes);
    const Opened opened = open(files, directory / "a.ring", small, left.mark);
    CHECK(opened.error == 0);
    CHECK(opened.found.lines.size() == left.texts.size());
    check_no_wrong_line(left, opened.found);
    CHECK(opened.found.accepted == 10);
    CHECK(opened.found.lost == 0);
    CHECK_FALSE(opened.found.damaged);
    CHECK_FALSE(opened.found.begin_anew);
    CHECK(opened.found.next_position == opened.ring->head());
    // The counters of refusals go on.
    CHECK(opened.found.refused[static_cast<int>(Refusal::invalid)] == 1);
    CHECK(opened.ring->refused(Refusal::invalid) == 1);
    CHECK(opened.ring->accepted() == 10);
  });
}

TEST_CASE("what a ring wrote can be read by the other mode") {
  test::UnreservedFiles written;
  for (const bool written_first : {false, true}) {
    const TempDirectory directory;
    system::Files& first = written_first ? static_cast<system::Files&>(written) : system::system_files();
    system::Files& second = written_first ? system::system_files() : static_cast<system::Files&>(written);
    const Left left = left_behind(first);
    test::write_file(directory / "a.ring", left.bytes);
    const Opened opened = open(second, directory / "a.ring", small, left.mark);
    CHECK(opened.found.lines.size() == left.texts.size());
    check_no_wrong_line(left, opened.found);
  }
}

TEST_CASE("a file cut at any byte opens and loses only what was cut" * doctest::test_suite("exhaustive")) {
  in_both_modes([](system::Files& files) {
    const Left left = left_behind(files);
    const TempDirectory directory;
    const std::string path = directory / "a.ring";
    bool mapped = false;
    for (std::size_t cut = 0; cut <= left.bytes.size(); ++cut) {
      // Beyond the last record every 512th is enough.
      if (cut > header_bytes + 1600 && cut % 512 != 0) continue;
      CAPTURE(cut);
      test::write_file(path, std::string_view(left.bytes).substr(0, cut));
      Opened opened = open(files, path, small, left.mark);
      REQUIRE(opened.error == 0);
      mapped = opened.ring->mode() == Ring::Mode::mapped;
      check_no_wrong_line(left, opened.found);
      std::size_t whole = 0;
      for (std::size_t i = 0; i < left.texts.size(); ++i) {
        const std::uint64_t end = Ring::end_of(left.positions[i], left.texts[i].size()) % small;
        // The padding behind a record may be cut without harm.
        if (header_bytes + end <= cut) ++whole;
      }
      CHECK(opened.found.lines.size() >= whole);
      CHECK(opened.found.lines.size() <= whole + 1);
      // The header of a mapped ring knows how many there were, from its counter on.
      if (mapped && cut >= 80) {
        CHECK(opened.found.accepted == 10);
        CHECK(opened.found.lost == left.texts.size() - opened.found.lines.size());
      }
      CHECK(opened.ring->append("goes on", Priority::normal) == Ring::Append::done);
    }
  });
}

TEST_CASE("a larger file cut at every 512 bytes opens and gives a beginning of what it held") {
  const std::size_t capacity = 64 * 1024;
  const TempDirectory directory;
  const std::string path = directory / "a.ring";
  RingMark mark;
  std::uint64_t total = 0;
  {
    Opened opened = open(system::system_files(), path, capacity, {});
    while (opened.ring->append(line_of(total + 1, 300), Priority::normal) == Ring::Append::done) ++total;
    mark = mark_of(*opened.ring);
    mark.accepted = 0;
  }
  const std::string bytes = test::read_file(path);
  for (std::size_t cut = header_bytes; cut <= bytes.size(); cut += 512) {
    CAPTURE(cut);
    test::write_file(path, std::string_view(bytes).substr(0, cut));
    const Opened opened = open(system::system_files(), path, capacity, mark);
    REQUIRE(opened.error == 0);
    CHECK(opened.found.lines.size() == (cut - header_bytes) / Ring::end_of(0, 300));
    for (std::size_t i = 0; i < opened.found.lines.size(); ++i) {
      CHECK(opened.found.lines[i].text == line_of(i + 1, 300));
    }
    if (opened.ring->mode() == Ring::Mode::mapped) {
      CHECK(opened.found.lines.size() + opened.found.lost == total);
    }
  }
}

TEST_CASE("a flipped byte never makes a wrong line, and costs one line at most") {
  in_both_modes([](system::Files& files) {
    const Left left = left_behind(files);
    const TempDirectory directory;
    const std::string path = directory / "a.ring";
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < header_bytes; at += at < 160 ? 1 : 97) places.push_back(at);
    const std::size_t first = header_bytes + left.positions[2] % small;
    const std::size_t behind = header_bytes + left.positions[4] % small;
    for (std::size_t at = first; at < behind; ++at) places.push_back(at);
    for (const std::size_t at : places) {
      for (const int flip : {0x01, 0x80, 0xFF}) {
        CAPTURE(at);
        CAPTURE(flip);
        std::string bytes = left.bytes;
        bytes[at] = static_cast<char>(bytes[at] ^ flip);
        test::write_file(path, bytes);
        Opened opened = open(files, path, small, left.mark);
        REQUIRE(opened.error == 0);
        check_no_wrong_line(left, opened.found);
        const std::size_t least = at < header_bytes ? left.texts.size() : left.texts.size() - 1;
        CHECK(opened.found.lines.size() >= least);
        if (at >= header_bytes) CHECK(opened.found.lost == left.texts.size() - opened.found.lines.size());
      }
    }
  });
}

TEST_CASE("a damaged header costs no line that the database's memory of the ring can find") {
  in_both_modes([](system::Files& files) {
    const Left left = left_behind(files);
    const TempDirectory directory;
    std::string bytes = left.bytes;
    for (std::size_t i = 0; i < header_bytes; ++i) bytes[i] = static_cast<char>(0x5A);
    test::write_file(directory / "a.ring", bytes);
    Opened opened = open(files, directory / "a.ring", small, left.mark);
    CHECK(opened.found.damaged);
    CHECK(opened.found.begin_anew);
    CHECK(opened.found.lines.size() == left.texts.size());
    check_no_wrong_line(left, opened.found);
  });
}

TEST_CASE("a line of an earlier lap is never taken") {
  in_both_modes([](system::Files& files) {
    const TempDirectory directory;
    const std::string path = directory / "a.ring";
    Opened opened = open(files, path, small, {});
    std::uint64_t number = 0;
    for (int lap = 0; lap < 5; ++lap) {
      while (opened.ring->append(line_of(number + 1, 90), Priority::normal) == Ring::Append::done) ++number;
      opened.ring->release(opened.ring->head());
      // Nothing waits: whatever the file still shows is old.
      opened = open(files, path, small, mark_of(*opened.ring));
      CHECK(opened.found.lines.empty());
      CHECK(opened.found.lost == 0);
      // A few of the new lap beside many of the old one.
      for (int i = 0; i < lap; ++i) {
        ++number;
        REQUIRE(opened.ring->append(line_of(number, 90), Priority::normal) == Ring::Append::done);
      }
      RingMark mark = mark_of(*opened.ring);
      mark.accepted -= static_cast<std::uint64_t>(lap);
      opened = open(files, path, small, mark);
      CHECK(opened.found.lines.size() == static_cast<std::size_t>(lap));
    }
  });
}

TEST_CASE("another epoch begins anew and never finds what was erased") {
  in_both_modes([](system::Files& files) {
    const Left left = left_behind(files);
    const TempDirectory directory;
    test::write_file(directory / "a.ring", left.bytes);
    RingMark mark = left.mark;
    mark.accepted = 10;
    {
      const Opened opened = open(files, directory / "a.ring", small, mark, 2, ring_id + 1);
      CHECK(opened.found.lines.empty());
      CHECK(opened.found.accepted == 10);
      CHECK(opened.ring->id() == ring_id + 1);
      CHECK(opened.ring->accepted() == 10);
      CHECK(opened.ring->append("new", Priority::normal) == Ring::Append::done);
    }
    mark.ring_id = 0;
    mark.position = 0;
    const Opened opened = open(files, directory / "a.ring", small, mark, 2, ring_id + 2);
    REQUIRE(opened.found.lines.size() == 1);
    CHECK(opened.found.lines[0].text == "new");
    CHECK(opened.found.lines[0].ordinal == 11);
  });
}

TEST_CASE("a ring of another capacity still gives its lines, and asks to begin anew") {
  in_both_modes([](system::Files& files) {
    for (const std::size_t capacity : {2 * small, small / 2 + small, small}) {
      const Left left = left_behind(files);
      const TempDirectory directory;
      test::write_file(directory / "a.ring", left.bytes);
      Opened opened = open(files, directory / "a.ring", capacity, left.mark);
      CHECK(opened.found.lines.size() == left.texts.size());
      check_no_wrong_line(left, opened.found);
      CHECK(opened.found.begin_anew == (capacity != small));
      if (!opened.found.begin_anew) continue;
      const RingMark mark = mark_of(*opened.ring);
      opened.ring->close();
      REQUIRE(files.remove(directory / "a.ring") == 0);
      opened = open(files, directory / "a.ring", capacity, mark, 1, ring_id + 1);
      CHECK(opened.ring->capacity() == capacity);
      CHECK(opened.found.lines.empty());
      CHECK(opened.ring->accepted() == 10);
    }
  });
}

TEST_CASE("a ring that cannot be read now is left as it is for later") {
  test::UnreservedFiles files;
  const Left left = left_behind(files);
  const TempDirectory directory;
  test::write_file(directory / "a.ring", left.bytes);
  files.reading_fails = true;
  {
    const Opened opened = open(files, directory / "a.ring", small, left.mark);
    CHECK(opened.error == EIO);
    CHECK_FALSE(opened.found.begin_anew);
  }
  files.reading_fails = false;
  const Opened opened = open(files, directory / "a.ring", small, left.mark);
  CHECK(opened.found.lines.size() == left.texts.size());
}

TEST_CASE("a ring whose file cannot be had works in memory and says why") {
  Opened opened = open(system::system_files(), "/dev/null/a.ring", small, {});
  CHECK(opened.error == ENOTDIR);
  CHECK(opened.ring->mode() == Ring::Mode::memory);
  CHECK(opened.ring->append("kept", Priority::normal) == Ring::Append::done);
  std::string scratch;
  CHECK(read_all(*opened.ring, scratch).size() == 1);
}

TEST_CASE("a ring whose file the system has no memory for works in memory, and finds what the mark says") {
  class NoMemory final : public test::FilesUnder {
   public:
    system::Error open(const std::string&, system::OpenMode, std::unique_ptr<system::File>&) noexcept override {
      return ENOMEM;
    }
  };
  NoMemory files;
  RingMark mark;
  mark.accepted = 7;
  mark.refused[0] = 2;
  Opened opened = open(files, "a.ring", small, mark);
  CHECK(opened.error == ENOMEM);
  CHECK(opened.found.accepted == 7);
  CHECK(opened.found.refused[0] == 2);
  CHECK(opened.ring->append("kept", Priority::normal) == Ring::Append::done);
}

TEST_CASE("a line whose write failed is not found again, however much of it was written") {
  test::UnreservedFiles files;
  const TempDirectory directory;
  const std::string path = directory / "a.ring";
  RingMark mark;
  {
    const Opened opened = open(files, path, small, {});
    mark = mark_of(*opened.ring);
    REQUIRE(opened.ring->append(line_of(1, 100), Priority::normal) == Ring::Append::done);
    files.next_write_fails_late = true;
    REQUIRE(opened.ring->append(line_of(2, 100), Priority::normal) == Ring::Append::disk_error);
  }
  const Opened again = open(files, path, small, mark);
  REQUIRE(again.found.lines.size() == 1);
  CHECK(again.found.lines[0].text == line_of(1, 100));
  CHECK(again.found.accepted == 1);
}

TEST_CASE("what nobody would bring to a database is refused once somebody else has opened the ring") {
  in_both_modes([](system::Files& files) {
    const TempDirectory directory;
    const Opened first = open(files, directory / "a.ring", small, {});
    REQUIRE(first.ring->append(line_of(1, 100), Priority::normal) == Ring::Append::done);
    const Opened second = open(files, directory / "a.ring", small, mark_of(*first.ring), 1, 78);
    CHECK_FALSE(first.ring->is_mine());
    CHECK(first.ring->append(line_of(2, 100), Priority::normal) == Ring::Append::disk_error);
    CHECK(first.ring->accepted() == 1);
    CHECK(second.ring->append(line_of(2, 100), Priority::normal) == Ring::Append::done);
  });
}

TEST_CASE("whoever lost a ring to another process writes nothing into it any more") {
  in_both_modes([](system::Files& files) {
    const TempDirectory directory;
    const Opened first = open(files, directory / "a.ring", small, {});
    Opened second = open(files, directory / "a.ring", small, mark_of(*first.ring), 1, 78);
    second.ring->note_session({5, 1'000});
    second.ring->note_consents({});
    const RingMark mark = mark_of(*second.ring);
    REQUIRE(second.ring->append(line_of(2, 100), Priority::normal) == Ring::Append::done);

    // As track() does, which composes the line where it will lie.
    if (char* room = first.ring->room(100)) std::memset(room, 'x', 100);
    CHECK(first.ring->append(line_of(3, 100), Priority::normal) == Ring::Append::disk_error);
    first.ring->refuse(Refusal::invalid);
    first.ring->pass_over(7);
    first.ring->note_session({9, 2'000});
    hold::Consents denied;
    denied.all = Consent::denied;
    denied.asked = true;
    first.ring->note_consents(denied);
    first.ring->release(first.ring->head() + 4096);
    std::uint64_t from = first.ring->head();
    static_cast<void>(first.ring->wipe(from));

    second.ring->close();
    const Opened third = open(files, directory / "a.ring", small, mark, 1, 79);
    REQUIRE(third.found.lines.size() == 1);
    CHECK(third.found.lines[0].text == line_of(2, 100));
    CHECK(third.found.accepted == 1);
    CHECK(third.found.refused[static_cast<int>(Refusal::invalid)] == 0);
    CHECK(third.ring->session().ordinal == 5);
    REQUIRE(third.ring->consents());
    CHECK(third.ring->consents()->all == hold::Consents().all);
  });
}

TEST_CASE("a ring whose owner could not be written is not taken for a stranger's") {
  test::UnreservedFiles files;
  const TempDirectory directory;
  RingMark mark;
  {
    const Opened opened = open(files, directory / "a.ring", small, {});
    mark = mark_of(*opened.ring);
  }
  files.refuses_writes_at = 128;
  const Opened again = open(files, directory / "a.ring", small, mark, 1, 78);
  REQUIRE(again.error == 0);
  CHECK(again.ring->is_mine());
  files.refuses_writes_at = UINT64_MAX;
  const Opened stranger = open(files, directory / "a.ring", small, mark, 1, 78);
  CHECK(stranger.ring->is_mine());
}

#if defined(RUSAGE_THREAD) && defined(MADV_POPULATE_WRITE)
TEST_CASE("pages made ready beforehand cost the thread that appends no fault") {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  const bool known = madvise(page, 4096, MADV_POPULATE_WRITE) == 0;
  munmap(page, 4096);
  if (!known) return;  // by an older kernel
  const std::string text = line_of(1, 480);
  long faults[2] = {};
  for (const bool ready : {false, true}) {
    const TempDirectory directory;
    const Opened opened = open(system::system_files(), directory / "a.ring", 256 << 10, {});
    Ring& ring = *opened.ring;
    if (ring.mode() != Ring::Mode::mapped) return;
    for (int i = 0; i < 200; ++i) {
      if (ready && i % 20 == 0) ring.warm(20 * Ring::end_of(0, text.size()));
      rusage before{};
      rusage after{};
      getrusage(RUSAGE_THREAD, &before);
      const Ring::Append result = ring.append(text, Priority::normal);
      getrusage(RUSAGE_THREAD, &after);
      REQUIRE(result == Ring::Append::done);
      faults[ready ? 1 : 0] += after.ru_minflt - before.ru_minflt;
    }
  }
  MESSAGE("faults: " << faults[0] << " and " << faults[1]);
  // A tmpfs has none to spare, and a sanitizer adds as many of its own to both.
  if (faults[0] > 10) CHECK(faults[1] <= faults[0] - 10);
}
#endif
