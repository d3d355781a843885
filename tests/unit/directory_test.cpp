// The directory's database while two processes open it.
#include "hold/directory.hpp"

#include <doctest/doctest.h>

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
