// What the app's threads ask of the worker, and what they hear of it.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "core/mailbox.hpp"
#include "support.hpp"

using namespace yukha;
using detail::Mailbox;
using test::StillClock;

namespace {

struct Post {
  // The worker's next step carries out what is asked for.
  Mailbox::Letters step(std::uint64_t flushed = 0) {
    const Mailbox::Letters letters = mailbox.take();
    if (letters.erase != 0) mailbox.tell_erased(letters, Code::ok);
    pipeline::Progress progress;
    progress.flushed = flushed;
    progress.drained = drained;
    mailbox.tell_step(letters, progress);
    mailbox.end_step(letters);
    return letters;
  }
  bool is_done(const Mailbox::Request& request) {
    return mailbox.look([&](const Mailbox::Told& told) { return request.is_done(told); });
  }
  Mailbox::Outcome wait(const Mailbox::Request& request, std::int64_t ms) {
    return mailbox.wait(clock.monotonic + ms, [&](const Mailbox::Told& told) { return request.is_done(told); });
  }

  StillClock clock;
  bool drained = true;
  Mailbox mailbox{clock};
};

}  // namespace

TEST_CASE("an errand is run for as long as somebody waits for it") {
  Post post;
  CHECK(post.step().orders.flush == 0);
  {
    const Mailbox::Request flush(post.mailbox, Mailbox::Errand::flush);
    CHECK(post.step().orders.flush == 1);
    CHECK(post.step().orders.flush == 1);
    CHECK_FALSE(post.is_done(flush));
    CHECK(post.wait(flush, 0) == Mailbox::Outcome::late);
  }
  CHECK(post.step().orders.flush == 0);
  const Mailbox::Request again(post.mailbox, Mailbox::Errand::flush);
  CHECK(post.step(2).orders.flush == 2);
  CHECK(post.is_done(again));
  CHECK(post.step().orders.flush == 0);
  CHECK(post.is_done(again));  // a worker that begins to count anew takes nothing back
}

TEST_CASE("an erase that ran already when it was asked for is not the one that was asked for") {
  Post post;
  const Mailbox::Request first(post.mailbox, Mailbox::Errand::erase);
  const Mailbox::Letters running = post.mailbox.take();
  const Mailbox::Request second(post.mailbox, Mailbox::Errand::erase);
  post.mailbox.tell_erased(running, Code::disk_error);
  post.mailbox.end_step(running);
  CHECK(post.is_done(first));
  CHECK(post.mailbox.told().erased == Code::disk_error);
  CHECK_FALSE(post.is_done(second));
  CHECK(post.mailbox.idle().has_errand);
  post.step();
  CHECK(post.is_done(second));
  CHECK(post.mailbox.told().erased == Code::ok);
  CHECK_FALSE(post.mailbox.idle().has_errand);
}

TEST_CASE("who asks to be suspended has an answer, even where the step threw") {
  Post post;
  const Mailbox::Request suspend(post.mailbox, Mailbox::Errand::suspend);
  const Mailbox::Letters letters = post.mailbox.take();
  CHECK(letters.suspend != 0);
  post.mailbox.end_step(letters);
  CHECK(post.wait(suspend, 0) == Mailbox::Outcome::done);
}

TEST_CASE("nobody waits for a worker that is not there, and the next one finds what is asked for") {
  Post post;
  const Mailbox::Request erase(post.mailbox, Mailbox::Errand::erase);
  post.mailbox.worker_left();
  CHECK(post.wait(erase, 1'000'000) == Mailbox::Outcome::suspended);
  CHECK_FALSE(post.mailbox.idle().has_errand);
  post.mailbox.worker_came();
  post.step();
  CHECK(post.wait(erase, 0) == Mailbox::Outcome::done);
  const Mailbox::Request late(post.mailbox, Mailbox::Errand::erase);
  post.mailbox.end();
  CHECK(post.wait(late, 1'000'000) == Mailbox::Outcome::ended);
}

TEST_CASE("what is closed ends once a step has seen it and nothing is left, or its time is up") {
  Post post;
  CHECK(post.mailbox.until_close(-1) == -1);
  post.step();
  CHECK_FALSE(post.mailbox.has_finished());
  post.mailbox.close(post.clock.monotonic + 500);
  CHECK_FALSE(post.mailbox.has_finished());  // what came since the last step is not on the disk
  post.drained = false;
  CHECK(post.step().orders.close);
  CHECK_FALSE(post.mailbox.has_finished());
  CHECK(post.mailbox.until_close(-1) == 500);
  CHECK(post.mailbox.until_close(20) == 20);
  SUBCASE("nothing is left") {
    post.drained = true;
    post.step();
    CHECK(post.mailbox.has_finished());
  }
  SUBCASE("its time is up") {
    post.clock.monotonic += 500;
    CHECK(post.mailbox.has_finished());
    CHECK(post.mailbox.until_close(-1) == 0);
  }
}

TEST_CASE("a thread that waits hears of the step that did it") {
  Post post;
  std::atomic<bool> asked{false};
  std::thread app([&] {
    const Mailbox::Request erase(post.mailbox, Mailbox::Errand::erase);
    asked = true;
    CHECK(post.wait(erase, 60'000) == Mailbox::Outcome::done);
  });
  while (!asked) std::this_thread::yield();
  CHECK(post.step().erase == 1);
  app.join();
}
