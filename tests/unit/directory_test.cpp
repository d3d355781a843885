// The directory's database while two processes open it; what its places say.
#include "hold/directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "hold/carried.hpp"
#include "hold/statements.hpp"
#include "support.hpp"

using namespace yukha;

namespace {

class Event {
 public:
  void happen() {
    const std::lock_guard<std::mutex> lock(mutex_);
    happened_ = true;
    condition_.notify_all();
  }
  void wait_for() {
    std::unique_lock<std::mutex> lock(mutex_);
    condition_.wait(lock, [this] { return happened_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool happened_ = false;
};

// Of the first process: calls when it has made the empty file of the database.
class MakingFiles final : public test::FilesUnder {
 public:
  std::function<void()> made;
  system::Error open(const std::string& path, system::OpenMode mode,
                     std::unique_ptr<system::File>& file) noexcept override {
    const system::Error error = FilesUnder::open(path, mode, file);
    if (made && path.find("/directory.db") != std::string::npos) std::exchange(made, nullptr)();
    return error;
  }
};

// Of the second one: tells when it asks for a lock that somebody has.
class AskingFiles final : public test::FilesUnder {
 public:
  Event asked;
  bool is_held = false;        // by somebody who never lets go; nobody waits for that here
  std::int64_t waited_ms = 0;  // what would have been waited for it
  system::Error open(const std::string& path, system::OpenMode mode,
                     std::unique_ptr<system::File>& file) noexcept override {
    const system::Error error = FilesUnder::open(path, mode, file);
    if (error == 0 && path.find("/directory.lock") != std::string::npos)
      file = std::make_unique<Asking>(std::move(file), *this);
    return error;
  }

 private:
  class Asking final : public system::File {
   public:
    Asking(std::unique_ptr<system::File> under, AskingFiles& files) : under_(std::move(under)), files_(files) {}
    system::Error lock(int patience_ms) noexcept override {
      if (files_.is_held) {
        files_.waited_ms += patience_ms;
        return EWOULDBLOCK;
      }
      if (under_->lock(0) == 0) return 0;
      files_.asked.happen();
      return under_->lock(patience_ms);
    }
    system::Error read(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) noexcept override {
      return under_->read(offset, into, size, got);
    }
    system::Error write(std::uint64_t offset, const void* from, std::size_t size) noexcept override {
      return under_->write(offset, from, size);
    }
    system::Error sync() noexcept override { return under_->sync(); }
    system::Error size(std::uint64_t& bytes) noexcept override { return under_->size(bytes); }
    system::Error resize(std::uint64_t bytes) noexcept override { return under_->resize(bytes); }
    system::Error reserve(std::uint64_t bytes) noexcept override { return under_->reserve(bytes); }
    char* map(std::size_t size) noexcept override { return under_->map(size); }

   private:
    std::unique_ptr<system::File> under_;
    AskingFiles& files_;
  };
};

std::set<std::string> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

}  // namespace

// Whoever looked at the half-made database without the lock would take it for damaged, or make it too.
TEST_CASE("who opens a directory that another process is making waits until it is made") {
  const test::TempDirectory place;
  test::SeededDice dice(1);
  test::SeededDice dice_of_second(2);
  MakingFiles files;
  AskingFiles files_of_second;
  hold::Directory first;
  hold::Directory second;
  Status status_of_second;
  std::atomic<bool> second_is_done{false};
  std::thread thread;
  bool done_meanwhile = false;
  std::set<std::string> names_meanwhile;

  files.made = [&] {
    thread = std::thread([&] {
      status_of_second = second.open(files_of_second, place.path(), dice_of_second, "here");
      second_is_done = true;
      files_of_second.asked.happen();
    });
    files_of_second.asked.wait_for();
    done_meanwhile = second_is_done;
    names_meanwhile = names_in(place.path());
  };
  const Status status = first.open(files, place.path(), dice, "here");
  REQUIRE(thread.joinable());
  thread.join();
  CHECK_FALSE(done_meanwhile);
  CHECK(names_meanwhile == std::set<std::string>{"directory.db", "directory.lock"});
  CHECK(status == Code::ok);
  CHECK(status_of_second == Code::ok);
  CHECK(first.state().install_id == second.state().install_id);
  CHECK_FALSE(std::filesystem::exists(place / "directory.db.damaged"));
}

TEST_CASE("a lock of the directory that is never given up delays an opening by seconds and a step once") {
  const test::TempDirectory place;
  test::SeededDice dice(1);
  AskingFiles files;
  {
    hold::Directory directory;
    REQUIRE(directory.open(files, place.path(), dice, "here"));
  }
  files.is_held = true;
  hold::Directory directory;
  CHECK(directory.open(files, place.path(), dice, "here"));
  CHECK(files.waited_ms == 3'000);
  for (int i = 0; i < 50; ++i) directory.refresh();
  CHECK(directory.set_consent(nullptr, Consent::denied));
  CHECK(files.waited_ms == 4'000);
  files.is_held = false;
  CHECK(directory.refresh().consents.all == Consent::denied);
  // Nothing is made without it.
  files.is_held = true;
  std::filesystem::remove(place / "directory.db");
  hold::Directory missing;
  CHECK(missing.open(files, place.path(), dice, "here") == Code::disk_error);
  CHECK_FALSE(std::filesystem::exists(place / "directory.db"));
}

TEST_CASE("of what is said of consent the newest counts, and of what is as new the strictest") {
  struct Said {
    std::uint64_t epoch;
    std::uint32_t times;  // how often consent was said by then; 0: nothing is said of it
    Consent all;
  };
  struct Row {
    const char* what;
    std::vector<Said> said;
    std::uint64_t epoch;
    bool knows;
    Consent all;
  };
  constexpr Consent granted = Consent::granted;
  constexpr Consent pending = Consent::pending;
  constexpr Consent denied = Consent::denied;
  const std::vector<Row> table = {
      {"nothing", {}, 0, false, granted},
      {"an epoch alone", {{3, 0, granted}}, 3, false, granted},
      {"one place", {{3, 1, denied}}, 3, true, denied},
      {"the later word", {{3, 1, denied}, {3, 2, granted}}, 3, true, granted},
      {"the earlier word afterwards", {{3, 2, granted}, {3, 1, denied}}, 3, true, granted},
      {"two words as new", {{3, 2, granted}, {3, 2, pending}}, 3, true, pending},
      {"the stricter first", {{3, 2, denied}, {3, 2, granted}}, 3, true, denied},
      {"an older epoch", {{3, 1, granted}, {2, 9, denied}}, 3, true, granted},
      {"a newer epoch", {{2, 9, denied}, {3, 1, granted}}, 3, true, granted},
      {"a newer epoch that says nothing", {{2, 9, denied}, {3, 0, granted}}, 3, false, denied},
      {"epochs that only damage makes", {{0, 1, denied}, {hold::epoch_max + 1, 1, denied}}, 0, false, granted},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    hold::Statements statements;
    for (const Said& one : row.said) {
      hold::Consents consents;
      consents.all = one.all;
      consents.times = one.times;
      statements.hear(one.epoch, one.times == 0 ? nullptr : &consents);
    }
    CHECK(statements.epoch() == row.epoch);
    CHECK(statements.knows_consents() == row.knows);
    CHECK(statements.consents().all == row.all);
    hold::Consents otherwise;
    otherwise.all = pending;
    statements.assume(otherwise);
    CHECK(statements.knows_consents());
    CHECK(statements.consents().all == (row.knows ? row.all : pending));
  }
}

TEST_CASE("a carried ledger comes back as it was, and one that does not add up does not") {
  hold::Ledger ledger;
  ledger.accepted = 21;
  ledger.delivered = 6;
  ledger.quarantined = 5;
  ledger.evicted = 4;
  ledger.erased = 3;
  ledger.lost = 2;
  for (int i = 0; i < hold::refusal_count; ++i) ledger.refused[i] = static_cast<std::uint64_t>(10 + i);
  hold::Ledger read;
  std::uint64_t epoch = 0;
  REQUIRE(hold::read_carried(hold::carried_text(ledger, 7), read, epoch));
  CHECK(epoch == 7);
  CHECK(read.waiting() == 1);
  CHECK(read.quarantined == 5);
  CHECK(std::equal(ledger.refused, ledger.refused + hold::refusal_count, read.refused));
  ledger.lost = 4;
  CHECK_FALSE(hold::read_carried(hold::carried_text(ledger, 7), read, epoch));
  for (const char* text : {"", "[]", "{", "7"}) CHECK_FALSE(hold::read_carried(text, read, epoch));
}
