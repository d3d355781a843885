// The worker's stages, each alone: on a lane in memory, with time that moves when it is told to.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/back_off.hpp"
#include "pipeline/faults.hpp"
#include "pipeline/flush.hpp"
#include "pipeline/keys.hpp"
#include "pipeline/lines.hpp"
#include "pipeline/quarantine.hpp"
#include "pipeline/seal.hpp"
#include "pipeline/size_cap.hpp"
#include "pipeline/splitter.hpp"
#include "pipeline/turns.hpp"
#include "pipeline/watch.hpp"
#include "support.hpp"

using namespace yukha;
using namespace yukha::pipeline;
using hold::Priority;
using test::StillClock;

namespace {

// What a stage stands on.
struct Ground {
  Ground() {
    settings.sends = true;
    settings.upload_interval_ms = 10'000;
    settings.batches = {500, 1'000'000, 1 << 20};
    settings.endpoint.url = "https://e.example/v1/events";
    lanes.ring_bytes = 64 << 10;
    lanes.batches = settings.batches;
    REQUIRE(directory.open(files, temp.path(), dice, "here"));
    lane = std::make_unique<hold::Lane>(files, dice, directory, lanes);
    REQUIRE(lane->open_in_memory("0000000000000001") == Code::ok);
    {
      system::Lock lock(intake.mutex);
      intake.write_to(*lane);
    }
    around.reset(new Surroundings{settings, directory, *lane, endpoint, files, clock, dice, log, intake,
                                  system::DiceCup(dice), clock.monotonic});
  }
  std::int64_t now() const { return clock.monotonic; }

  // So many lines come to lie in the queue, as the drain brings them.
  void track(int lines, hold::Kind kind = {}) {
    hold::Drained drained;
    std::vector<std::string> texts;
    drained.mark = lane->queue().ring_mark();
    for (int i = 0; i < lines; ++i) texts.push_back(line(++tracked));
    for (const std::string& text : texts) {
      hold::RingLine one;
      one.ordinal = ++drained.mark.accepted;
      one.kind = kind;
      one.text = text;
      drained.lines.push_back(one);
    }
    REQUIRE(lane->queue().take_over(drained, drained.mark.accepted, clock.unix_ms()));
  }
  static std::string line(int number) {
    char id[system::uuid_text_size + 1];
    std::snprintf(id, sizeof id, "019e4dcf-cfb5-75cd-9425-%012d", number);
    return "{\"id\":\"" + std::string(id) + "\",\"user\":{\"id\":\"u\"},\"device\":{\"id\":\"d\",\"seq\":\"" +
           std::to_string(number) + "\"}}";
  }
  const std::list<hold::Batch>& batches() { return lane->queue().batches(); }
  std::vector<std::string> paths() {
    std::vector<std::string> all;
    for (const hold::Batch& batch : batches()) all.push_back(batch.path);
    std::sort(all.begin(), all.end());
    return all;
  }
  const hold::Batch& at(const std::string& path) {
    const auto found =
        std::find_if(batches().begin(), batches().end(), [&path](const auto& batch) { return batch.path == path; });
    REQUIRE(found != batches().end());
    return *found;
  }
  std::string body_of(const hold::Batch& batch) {
    std::string body;
    REQUIRE(lane->queue().body(batch.id, body));
    return body;
  }

  StillClock clock;
  test::SeededDice dice{7};
  test::FilesUnder files;
  test::TempDirectory temp;
  test::FakeEndpoint endpoint;
  WorkerSettings settings;
  hold::LaneSettings lanes;
  hold::Directory directory;
  std::unique_ptr<hold::Lane> lane;
  std::vector<std::string> told;
  system::Log log{[this](LogLevel, std::string_view text) { told.emplace_back(text); }, 0};
  detail::Intake intake{directory, clock, dice, {}};
  std::unique_ptr<Surroundings> around;
  int tracked = 0;
};

// Those that choose and seal, which belong together.
struct Choosing : Ground {
  InFlight in_flight;
  Flush flush;
  Faults faults{*around};
  Watch watch{*around};
  SizeCap sizes{*around};
  BackOff back_off{*around, sizes};
  Turns turns{*around, flush, sizes, watch};
  Seal seal{*around, faults, flush, turns, back_off, in_flight};
  Step step;

  Step& at_now() {
    step = Step();
    step.now_ms = now();
    return step;
  }
  void seal_all() { REQUIRE(seal.all(*lane, now())); }
  bool pick(hold::Batch& batch, Turns::Lone lone = Turns::Lone::wait) {
    return turns.pick(at_now(), *lane, lone, batch);
  }
};

}  // namespace

// --- lines -----------------------------------------------------------------------------------------------------------

TEST_CASE("lines that are sealed are read back, and their key is theirs") {
  const std::string text = Ground::line(1) + "\n" + Ground::line(2) + "\n";
  std::string key;
  std::string body;
  REQUIRE(seal_lines(text, key, body));
  CHECK(key == key_of(text));
  CHECK(key != key_of(Ground::line(1) + "\n"));
  CHECK(key[14] == '8');
  std::vector<std::string> lines;
  REQUIRE(read_lines(body, lines));
  CHECK(lines == std::vector<std::string>{Ground::line(1), Ground::line(2)});
  lines.clear();
  CHECK_FALSE(read_lines("no gzip", lines));
  CHECK_FALSE(read_lines(send::gzip("no line end"), lines));
  CHECK_FALSE(read_lines(send::gzip(""), lines));
}

TEST_CASE("an answer that rejects what was not sent is no answer to this") {
  const std::vector<std::string> lines{Ground::line(1), Ground::line(2)};
  send::Judgement judgement;
  std::vector<hold::Rejected> rejected;
  std::vector<char> gone;
  judgement.rejected = {{2, id_in(lines[1]), "bad"}};
  REQUIRE(collect_rejected(judgement, lines, rejected, gone));
  CHECK(gone == std::vector<char>{0, 1});
  REQUIRE(rejected.size() == 1);
  CHECK(rejected[0].line == lines[1]);
  for (const send::RejectedLine& wrong : {send::RejectedLine{3, "", "bad"}, send::RejectedLine{0, "", "bad"},
                                          send::RejectedLine{1, id_in(lines[1]), "bad"}}) {
    judgement.rejected = {wrong};
    CHECK_FALSE(collect_rejected(judgement, lines, rejected, gone));
  }
}

TEST_CASE("what a line is for and whose it is stands where no app can write") {
  const std::string own = R"({"id":"x","user":{"id":"u"},"device":{"id":"d","seq":"0000000000"}})";
  const std::string said =
      R"({"id":"x","user":{"id":"u","name":"\"purpose\":\"advertising\""},"device":{"id":"d","seq":"0000000001"},)"
      R"("content":{"seq":"0000000000","purpose":"advertising"}})";
  CHECK(is_own(own));
  CHECK_FALSE(is_own(said));
  CHECK(purpose_of(said) == Purpose::analytics);
  CHECK(purpose_of(R"({"user":{"id":"u","purpose":"advertising"},"device":{}})") == Purpose::advertising);
}

// --- faults and back-off ---------------------------------------------------------------------------------------------

TEST_CASE("a fault on one way does not stop the other") {
  Ground ground;
  Faults faults(*ground.around);
  faults.on_way_out(*ground.lane, "settling", ground.now());
  CHECK(faults.in_again_ms() <= ground.now());
  CHECK(faults.out_again_ms() == ground.now() + Faults::again_after_ms);
  faults.on_way_in(*ground.lane, "sealing", ground.now());
  CHECK(faults.in_again_ms() == ground.now() + Faults::again_after_ms);
  CHECK(faults.last_error().find("sealing: ") == 0);
  CHECK(ground.told.size() == 2);
  CHECK_FALSE(faults.repair_due(ground.now()));
}

TEST_CASE("a back-off grows, is shared, ends with an acceptance, and early at most once in ten seconds") {
  Ground ground;
  const SizeCap sizes(*ground.around);
  BackOff back_off(*ground.around, sizes);
  std::int64_t longest = 0;
  for (int i = 0; i < 40; ++i) {
    back_off.begin(send::usual_backoff, {}, ground.now());
    longest = std::max(longest, back_off.until_ms() - ground.now());
    ground.clock.monotonic = std::max(ground.clock.monotonic, back_off.until_ms());
  }
  CHECK(longest > send::usual_backoff.first_ms);
  CHECK(longest <= send::usual_backoff.most_ms);
  CHECK(back_off.failures() == 40);
  CHECK(ground.directory.state().back_off.failures == 40);
  BackOff next(*ground.around, sizes);
  next.hear(ground.now());
  CHECK(next.failures() == 40);

  back_off.begin(send::usual_backoff, 30'000, ground.now());
  CHECK(back_off.until_ms() >= ground.now() + 30'000);
  back_off.end_early(ground.now());
  CHECK(back_off.until_ms() == ground.now());
  back_off.begin(send::usual_backoff, 30'000, ground.now());
  ground.clock.monotonic += 9'999;
  back_off.end_early(ground.now());
  CHECK(back_off.until_ms() > ground.now());
  back_off.end(ground.now());
  CHECK(back_off.failures() == 0);
  CHECK(back_off.until_ms() == ground.now());
  next.hear(ground.now());
  CHECK(next.failures() == 0);
}

TEST_CASE("another endpoint, or other keys, are owed no back-off") {
  Ground ground;
  const SizeCap sizes(*ground.around);
  BackOff back_off(*ground.around, sizes);
  back_off.begin(send::long_backoff, 60'000, ground.now());
  ground.settings.endpoint.url += "/other";
  BackOff other(*ground.around, sizes);
  other.hear(ground.now());
  CHECK(other.failures() == 0);
  CHECK(other.until_ms() <= ground.now());
}

TEST_CASE("what a policy asks for delays requests, and not what an answer asks for once more") {
  Ground ground;
  const SizeCap sizes(*ground.around);
  BackOff back_off(*ground.around, sizes);
  send::Policy policy;
  policy.arrived_unix_ms = ground.clock.unix_ms();
  policy.for_s = 100;
  policy.upload_interval_s = 20;
  back_off.keep_to(policy);
  CHECK(back_off.until_ms() == ground.now() + 20'000);
  CHECK(back_off.failed_until_ms() <= ground.now());
  ground.clock.monotonic += 30'000;
  back_off.request_began(ground.now());
  CHECK(back_off.until_ms() == ground.now() + 20'000);
  ground.clock.monotonic += 60'000;
  back_off.request_began(ground.now());
  // It ends with the policy.
  CHECK(back_off.until_ms() == ground.now() + 10'000);
}

// --- sizes -----------------------------------------------------------------------------------------------------------

TEST_CASE("a size that was refused is halved, and raised again after twenty acceptances") {
  Ground ground;
  SizeCap sizes(*ground.around);
  hold::Batch batch;
  batch.bytes = 100'000;
  CHECK(sizes.fits(batch));
  sizes.refused();
  sizes.refused_as_too_large(batch.bytes);
  CHECK_FALSE(sizes.fits(batch));
  batch.bytes = 50'000;
  CHECK(sizes.fits(batch));
  for (int i = 0; i < 19; ++i) sizes.accepted(batch.bytes);
  batch.bytes = 100'000;
  CHECK_FALSE(sizes.fits(batch));
  sizes.accepted(50'000);
  CHECK(sizes.fits(batch));
}

TEST_CASE("three bodies cut off ask for a smaller one, and once that passed larger ones are not sent") {
  Ground ground;
  SizeCap sizes(*ground.around);
  CHECK(sizes.cut_off(80'000) == 0);
  CHECK(sizes.cut_off(60'000) == 0);
  CHECK_FALSE(sizes.smallest_first());
  CHECK(sizes.cut_off(70'000) == 30'000);
  CHECK(sizes.smallest_first());
  sizes.accepted(10'000);
  hold::Batch batch;
  batch.bytes = 30'001;
  CHECK_FALSE(sizes.fits(batch));
  batch.bytes = 30'000;
  CHECK(sizes.fits(batch));
}

TEST_CASE("when much was sent in vain only probes go out, also in the next process") {
  Ground ground;
  {
    SizeCap sizes(*ground.around);
    sizes.sent((4 << 20) - 1);
    CHECK_FALSE(sizes.is_spent());
    sizes.sent(1);
    CHECK(sizes.is_spent());
    sizes.keep();
  }
  SizeCap sizes(*ground.around);
  CHECK(sizes.is_spent());
  hold::Batch batch;
  batch.bytes = 1000;
  batch.body_bytes = 16 << 10;
  CHECK(sizes.fits(batch));
  ++batch.body_bytes;
  CHECK_FALSE(sizes.fits(batch));
  sizes.accepted(batch.bytes);
  CHECK_FALSE(sizes.is_spent());
}

// --- sealing and turns -----------------------------------------------------------------------------------------------

TEST_CASE("a batch that is not full is sealed when its oldest sentence waited for the interval and nothing else goes") {
  Choosing all;
  all.track(3);
  all.seal.step(all.at_now());
  CHECK(all.batches().empty());
  CHECK(all.step.seal_at_ms == all.now() + all.settings.upload_interval_ms);
  all.clock.monotonic = all.step.seal_at_ms;
  all.seal.step(all.at_now());
  REQUIRE(all.batches().size() == 1);
  CHECK(all.batches().front().lines == 3);
  // One that can be sent is there: the next stays open.
  all.track(2);
  all.clock.monotonic += 2 * all.settings.upload_interval_ms;
  all.seal.step(all.at_now());
  CHECK(all.batches().size() == 1);
}

TEST_CASE("a critical sentence is sealed at once, and a flush seals all that lay before it") {
  Choosing all;
  all.track(1, {Priority::critical, Purpose::analytics});
  all.seal.step(all.at_now());
  CHECK(all.batches().size() == 1);
  all.track(1);
  all.flush.begin(1, all.lane->ring().head());
  all.seal.step(all.at_now());
  CHECK(all.flush.sealed);
  CHECK(all.batches().size() == 2);
  CHECK(all.flush.keys.size() == 2);
}

TEST_CASE("critical ones have the turn, and the other one after a turn in vain") {
  Choosing all;
  all.track(1);
  all.seal_all();
  all.track(1, {Priority::critical, Purpose::analytics});
  all.seal_all();
  hold::Batch batch;
  REQUIRE(all.pick(batch));
  CHECK(batch.kind.priority == Priority::critical);
  all.turns.answered(false, Priority::critical);
  REQUIRE(all.pick(batch));
  CHECK(batch.kind.priority == Priority::normal);
  all.turns.answered(true, Priority::normal);
  REQUIRE(all.pick(batch));
  CHECK(batch.kind.priority == Priority::critical);
}

TEST_CASE("who is held back waits for its time, and says when that is") {
  Choosing all;
  all.track(1);
  all.seal_all();
  hold::Batch batch;
  REQUIRE(all.pick(batch));
  all.turns.hold_back(batch, all.now() + 5'000, all.now());
  CHECK_FALSE(all.pick(batch));
  CHECK(all.step.send_at_ms == all.now() + 5'000);
  all.clock.monotonic += 5'000;
  CHECK(all.pick(batch));
}

TEST_CASE("nothing leaves without the consent to it, and only critical ones where the app wants it so") {
  Choosing all;
  all.track(1, {Priority::normal, Purpose::advertising});
  all.seal_all();
  hold::Batch batch;
  CHECK_FALSE(all.pick(batch));
  CHECK(all.turns.allowed_to_send());
  REQUIRE(all.directory.set_consent(nullptr, Consent::pending));
  CHECK_FALSE(all.turns.allowed_to_send());
  REQUIRE(all.directory.set_consent(nullptr, Consent::granted));
  CHECK(all.turns.set_uploads(Uploads::critical, Uploads::all));
  CHECK_FALSE(all.turns.may_leave({Priority::normal, Purpose::analytics}));
  CHECK(all.turns.may_leave({Priority::critical, Purpose::analytics}));
  all.flush.begin(1, 0);
  CHECK(all.turns.may_leave({Priority::normal, Purpose::analytics}));
  CHECK_FALSE(all.turns.set_uploads(Uploads::critical, Uploads::all));
}

// --- the search for a sentence that is refused
// -------------------------------------------------------------------------

TEST_CASE("the search halves until one stands alone, and the rest goes as one") {
  Choosing all;
  Splitter splitter(*all.around, all.faults);
  all.track(8);
  all.seal_all();
  const hold::Batch whole = all.batches().front();
  REQUIRE(splitter.split(*all.lane, whole, all.body_of(whole), Splitter::Why::search, all.now()));
  CHECK(all.paths() == std::vector<std::string>{"0", "1"});
  CHECK(all.at("0").bisect == hold::Bisect::suspect);
  CHECK(all.at("1").bisect == hold::Bisect::held_back);
  // The suspect was accepted: it is in the other half.
  const hold::Batch accepted = all.at("0");
  REQUIRE(all.lane->queue().settle(accepted.id, {}));
  splitter.go_on(*all.lane, accepted, all.now());
  CHECK(all.paths() == std::vector<std::string>{"10", "11"});
  const hold::Batch refused = all.at("10");
  REQUIRE(splitter.split(*all.lane, refused, all.body_of(refused), Splitter::Why::search, all.now()));
  CHECK(all.at("100").lines == 1);
  // It stands alone: the others are joined.
  splitter.join_rest(*all.lane, all.at("100"), all.now());
  CHECK(all.paths() == std::vector<std::string>{"100", "r"});
  CHECK(all.at("r").lines == 3);
  CHECK(all.at("r").bisect == hold::Bisect::none);
}

TEST_CASE("a suspect that is too large begins two searches, and no two parts share a path") {
  Choosing all;
  Splitter splitter(*all.around, all.faults);
  all.track(8);
  all.seal_all();
  const hold::Batch whole = all.batches().front();
  REQUIRE(splitter.split(*all.lane, whole, all.body_of(whole), Splitter::Why::search, all.now()));
  REQUIRE(splitter.split_waiting(*all.lane, all.at("0"), Splitter::Why::too_large, all.now()));
  CHECK(all.at("00").bisect == hold::Bisect::none);
  CHECK(all.at("01").bisect == hold::Bisect::none);
  CHECK(all.lane->queue().free_orphans());
  for (const char* half : {"00", "01"}) {
    REQUIRE(splitter.split_waiting(*all.lane, all.at(half), Splitter::Why::search, all.now()));
    splitter.join_rest(*all.lane, all.at(std::string(half) + "0"), all.now());
  }
  CHECK(all.paths() == std::vector<std::string>{"000", "00r", "010", "01r", "1"});
}

// --- keys and quarantine ---------------------------------------------------------------------------------------------

TEST_CASE("each key is tried once, then the app is asked once, then the first one is in use again") {
  Ground ground;
  Faults faults(*ground.around);
  Keys keys(*ground.around, faults);
  ground.settings.keys = {{"a", std::string(16, 'a')}, {"b", std::string(16, 'b')}};
  int asked = 0;
  ground.settings.provide_keys = [&asked] {
    ++asked;
    return std::vector<SigningKey>();
  };
  Flight flight;
  flight.first_key = keys.in_use();
  CHECK(keys.try_another(flight));
  CHECK(keys.in_use() == 1);
  CHECK_FALSE(keys.try_another(flight));
  CHECK_FALSE(keys.try_another(flight));
  CHECK(asked == 1);
  keys.go_back_to_first(flight);
  CHECK(keys.in_use() == 0);
}

TEST_CASE("what is sent again from quarantine has a key of its own, and a number that is none an error") {
  Choosing all;
  Quarantine quarantine(*all.around, all.faults);
  all.track(2);
  all.seal_all();
  const hold::Batch batch = all.batches().front();
  REQUIRE(all.lane->queue().settle(
      batch.id, {{id_in(Ground::line(1)), "bad", Ground::line(1), false}, {"", "bad", Ground::line(2), false}}));
  CHECK(all.batches().empty());
  const std::vector<Quarantined> listed = quarantine.list(0, 10);
  REQUIRE(listed.size() == 2);
  CHECK(quarantine.resend(99, all.now()) == Code::bad_argument);
  CHECK(quarantine.erase(99, all.now()) == Code::bad_argument);
  CHECK(quarantine.resend(listed[0].number, all.now()) == Code::ok);
  REQUIRE(all.batches().size() == 1);
  CHECK(all.batches().front().key != key_of(Ground::line(1) + "\n"));
  CHECK(quarantine.erase(0, all.now()) == Code::ok);
  CHECK(quarantine.list(0, 10).empty());
}
