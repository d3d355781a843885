// Bytes as a sequence of calls from yukha.h on two trackers: nulls, wrong sizes, calls after the end. Nothing breaks,
// every answer has a name, and the ledger balances.
#include <yukha/yukha.h>

#include <cstring>

#include "fuzz.hpp"

using namespace yukha;
using fuzz::promise;

namespace {

yukha_result checked(yukha_result result) {
  promise(*yukha_result_name(result) != '\0', "every answer has a name");
  return result;
}

// A text of the input's: C's, with a size, or null. Kept for the length of the input.
class Texts {
 public:
  explicit Texts(fuzz::Input& input) : input_(input) {}
  const char* text() {
    if (input_.below(12) == 0) return nullptr;
    kept_.push_back(std::make_unique<std::string>(input_.text(input_.below(40))));
    return kept_.back()->c_str();
  }
  // At most the text's own size, as the contract has it.
  const char* text(std::size_t& size) {
    const char* const one = text();
    size = one == nullptr ? input_.below(3) : input_.below(3) == 0 ? 0 : kept_.back()->size();
    return one;
  }
  const yukha_member* members(std::size_t& count) {
    constexpr const char* names[] = {"a", "b", "id", "type", "seq", "plan", "", "Bad", nullptr};
    count = input_.below(4);
    if (input_.below(12) == 0) return nullptr;
    lists_.push_back(std::make_unique<std::vector<yukha_member>>(count));
    for (yukha_member& member : *lists_.back()) {
      member.name = names[input_.below(std::size(names))];
      member.value = text(member.value_size);
    }
    return lists_.back()->data();
  }

 private:
  fuzz::Input& input_;
  std::vector<std::unique_ptr<std::string>> kept_;
  std::vector<std::unique_ptr<std::vector<yukha_member>>> lists_;
};

struct Hands {
  yukha_tracker* tracker = nullptr;
  yukha_event* sentence = nullptr;
  yukha_request* request = nullptr;  // may outlive its tracker
  std::uint64_t kept = 0;            // of the tracker that is open now
  std::uint64_t refused = 0;
  std::uint64_t accepted_before = 0;
  bool closed = false;
};

yukha_stats stats_of(yukha_tracker* tracker) {
  yukha_stats stats;
  promise(yukha_get_stats(tracker, &stats, sizeof stats) == YUKHA_OK && stats.bytes == sizeof stats, "stats are told");
  Stats sums;
  sums.accepted = stats.accepted;
  sums.delivered = stats.delivered;
  sums.waiting = stats.waiting;
  sums.quarantined = stats.quarantined;
  sums.evicted = stats.evicted;
  sums.erased = stats.erased;
  sums.lost = stats.lost;
  fuzz::promise_sane(sums);
  promise(
      stats.refused >= stats.refused_ring_full + stats.refused_consent + stats.refused_invalid + stats.refused_closed,
      "what was refused is counted");
  return stats;
}

void open(Hands& hands, Texts& texts, fuzz::Input& input, const std::string& place, std::size_t which) {
  if (hands.tracker != nullptr) return;
  yukha_config config;
  const std::uint32_t bytes = input.below(8) == 0 ? static_cast<std::uint32_t>(input.below(sizeof config + 1))
                                                  : static_cast<std::uint32_t>(sizeof config);
  std::memset(&config, 0, sizeof config);
  yukha_config_init(&config, bytes);
  const std::size_t room = config.bytes;
  const auto has = [room](const void* field, const void* begin) {
    return static_cast<std::size_t>(static_cast<const char*>(field) - static_cast<const char*>(begin)) + 8 <= room;
  };
  if (has(&config.queue_dir, &config)) {
    config.app_id = input.below(16) == 0 ? texts.text() : "shop";
    config.queue_dir = place.c_str();
  }
  // What a host of an older version does not know stays as it is: a thread and a network of the library's own.
  if (room != sizeof config) {
    if (room > offsetof(yukha_config, lane)) return;
  } else {
    config.lane = which == 0 ? "a" : "b";
    config.no_thread = 1;
    config.no_device_facts = 1;
    config.own_transport = 1;
    config.ring_bytes = 64 << 10;
    config.upload_interval_ms = 100;
    config.sync_interval_ms = 10;
    if (input.below(8) != 0) config.endpoint = "https://collect.example.com";
    if (input.below(8) == 0) config.endpoint = texts.text();
    if (input.below(2) == 0) config.key_id = "k";  // the host signs
    if (input.below(16) == 0) config.key_secret_base64 = texts.text();
    if (input.below(16) == 0) config.lane = texts.text();
    if (input.below(8) == 0) config.pins = texts.text();
    if (input.below(8) == 0) config.device = texts.members(config.device_count);
    if (input.below(16) == 0) config.batch_lines_max = static_cast<std::uint32_t>(input.any_number());
    if (input.below(16) == 0) config.total_timeout_ms = static_cast<std::uint32_t>(input.any_number());
    if (input.below(16) == 0) config.key_count = input.below(3);  // without keys
  }
  yukha_result result = 12345;
  hands.tracker = yukha_open(input.below(16) == 0 ? nullptr : &config, &result);
  checked(result);
  promise(hands.tracker != nullptr, "open gives a tracker that can be called");
  hands.kept = hands.refused = 0;
  hands.closed = false;
  hands.accepted_before = stats_of(hands.tracker).accepted;
}

void count(Hands& hands, yukha_result result) {
  if (checked(result) == YUKHA_OK || result == YUKHA_KEPT_IN_MEMORY) ++hands.kept;
  promise(!hands.closed || result < 0, "nothing is kept after the end");
}

void answer(yukha_request* request, Texts& texts, fuzz::Input& input) {
  promise(request == nullptr || std::strncmp(yukha_request_url(request), "https://", 8) == 0, "a request has a URL");
  std::size_t size = 0;
  const void* const body = yukha_request_body(request, &size);
  std::string lines;
  std::size_t count = 0;
  if (body != nullptr && send::gunzip({static_cast<const char*>(body), size}, 1 << 20, lines)) {
    count = test::split_lines(lines).size();
  }
  for (std::size_t i = 0; yukha_request_header(request, i) != nullptr; ++i) promise(i < 20, "headers come to an end");
  static_cast<void>(yukha_request_signature_base(request));
  static_cast<void>(yukha_request_wanted(request));
  static_cast<void>(yukha_request_timeout_ms(request));
  const char* headers[] = {"Date: Sun, 06 Nov 2033 08:49:37 GMT", texts.text(), "nothing"};
  std::string said = "{\"accepted\":" + std::to_string(count) + ",\"rejected\":[]}";
  std::int32_t status = 200;
  switch (input.below(4)) {
    case 0:
      said = input.short_text();
      status = static_cast<std::int32_t>(input.any_number());
      break;
    case 1:
      status = std::array{400, 401, 409, 413, 422, 503, 307, 0}[input.below(8)];
      said = R"({"rejected":[{"line":1,"reason":"because"}]})";
      break;
    default:
      break;
  }
  checked(yukha_request_answer(request, status, input.below(16) == 0 ? nullptr : headers, input.below(4), said.data(),
                               said.size()));
}

void call(Hands& hands, Texts& texts, fuzz::Input& input) {
  yukha_tracker* const tracker = input.below(24) == 0 ? nullptr : hands.tracker;
  yukha_event* const sentence = input.below(24) == 0 ? nullptr : hands.sentence;
  std::size_t size = 0;
  std::size_t members = 0;
  char buffer[64];
  switch (input.below(31)) {
    case 28:
      checked(yukha_event_purpose(sentence, static_cast<std::int32_t>(input.below(4)) - (input.below(8) == 0 ? 2 : 0)));
      break;
    case 29: {
      const auto purpose = static_cast<std::int32_t>(input.below(4));
      checked(yukha_set_purpose_consent(tracker, purpose, static_cast<std::int32_t>(input.below(4))));
      const std::int32_t consent = yukha_get_purpose_consent(tracker, purpose);
      promise(consent >= YUKHA_GRANTED && consent <= YUKHA_DENIED, "consent is one of three");
      break;
    }
    case 30: {
      const char* const id = texts.text(size);
      checked(yukha_set_advertising_id(tracker, id, size));
      break;
    }
    case 0: {
      const char* const id = texts.text(size);
      const yukha_member* const list = texts.members(members);
      checked(yukha_identify(tracker, id, size, list, members));
      break;
    }
    case 1:
    case 2:
      if (hands.sentence == nullptr) hands.sentence = yukha_event_new(tracker);
      break;
    case 3:
      yukha_event_free(hands.sentence);
      hands.sentence = nullptr;
      break;
    case 4: {
      const char* const screen = texts.text(size);
      const yukha_member* const list = texts.members(members);
      checked(yukha_event_location(sentence, screen, size, list, members));
      break;
    }
    case 5: {
      const char* const id = texts.text(size);
      const yukha_member* const list = texts.members(members);
      checked(yukha_event_content(sentence, id, size, list, members));
      break;
    }
    case 6: {
      const char* const from = texts.text(size);
      checked(yukha_event_referral(sentence, from, size));
      break;
    }
    case 7:
    case 8: {
      const char* const type = texts.text(size);
      const yukha_member* const list = texts.members(members);
      checked(yukha_event_action(sentence, type, size, input.any_number(), list, members));
      break;
    }
    case 9: {
      const yukha_member* const list = texts.members(members);
      checked(input.below(2) == 0 ? yukha_event_user(sentence, list, members)
                                  : yukha_event_device(sentence, list, members));
      break;
    }
    case 10:
      checked(input.below(2) == 0 ? yukha_event_at(sentence, input.any_number()) : yukha_event_critical(sentence));
      break;
    case 11:
    case 12:
      if (sentence != nullptr) count(hands, yukha_event_track(sentence));
      checked(yukha_event_track(nullptr));
      break;
    case 13: {
      const char* const json = texts.text(size);
      if (tracker != nullptr) count(hands, yukha_track_json(tracker, json, size));
      break;
    }
    case 14:
    case 15:
      if (tracker != nullptr) count(hands, yukha_track_json(tracker, "{\"action\":{\"type\":\"READ\"}}", 0));
      break;
    case 16: {
      checked(yukha_set_consent(tracker, static_cast<std::int32_t>(input.below(4)) - (input.below(8) == 0 ? 2 : 0)));
      const std::int32_t consent = yukha_get_consent(tracker);
      promise(consent >= YUKHA_GRANTED && consent <= YUKHA_DENIED, "consent is one of three");
      break;
    }
    case 17:
      if (input.below(4) == 0) checked(yukha_erase(tracker));
      break;
    case 18:
      checked(yukha_flush(tracker, input.below(2) == 0 ? 0 : -static_cast<std::int64_t>(input.below(9))));
      break;
    case 19: {
      yukha_stats stats[2];
      checked(yukha_get_stats(tracker, input.below(8) == 0 ? nullptr : stats,
                              static_cast<std::uint32_t>(input.below(sizeof stats))));
      break;
    }
    case 20: {
      const std::size_t room = input.below(sizeof buffer);
      std::memset(buffer, 'x', sizeof buffer);
      static_cast<void>(input.below(2) == 0 ? yukha_last_trouble(tracker, buffer, room)
                                            : yukha_last_error(tracker, buffer, room));
      promise(buffer[room] == 'x', "no more is written than there is room for");
      promise(room == 0 || std::memchr(buffer, '\0', room) != nullptr, "a text ends");
      static_cast<void>(yukha_last_error(tracker, nullptr, room));
      break;
    }
    case 21: {
      const yukha_key keys[] = {{texts.text(), texts.text()}, {"k2", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
      checked(yukha_set_signing_keys(tracker, input.below(8) == 0 ? nullptr : keys + input.below(2), input.below(2)));
      break;
    }
    case 22: {
      std::uint64_t number = input.number(1);
      const std::uint64_t before = number;
      const std::size_t told = yukha_quarantined(tracker, &number, buffer, input.below(sizeof buffer), nullptr, 0);
      promise(told == 0 ? number == before : number > before, "quarantine is gone through in order");
      static_cast<void>(yukha_quarantined(tracker, nullptr, nullptr, 9, buffer, 3));
      break;
    }
    case 23:
      checked(input.below(2) == 0 ? yukha_resend_quarantined(tracker, input.number(1))
                                  : yukha_erase_quarantined(tracker, input.number(1)));
      break;
    case 24:
      if (hands.request == nullptr) hands.request = yukha_request_take(tracker, -1);
      break;
    case 25:
      answer(hands.request, texts, input);
      if (input.below(2) == 0) {
        yukha_request_free(hands.request);
        hands.request = nullptr;
      }
      break;
    case 26:
      static_cast<void>(yukha_work(tracker, static_cast<std::int64_t>(input.below(2))));
      break;
    case 27:
      if (input.below(4) != 0) break;
      hands.closed = hands.closed || tracker != nullptr;
      checked(yukha_close(tracker, 0));
      break;
    default:
      break;
  }
  if (hands.tracker == nullptr) return;
  const yukha_stats stats = stats_of(hands.tracker);
  promise(stats.accepted - hands.accepted_before == hands.kept,
          "what was answered as kept is counted, and nothing else");
}

// In the order that the contract asks for.
void give_back(Hands& hands) {
  yukha_event_free(hands.sentence);
  hands.sentence = nullptr;
  yukha_free(hands.tracker);
  hands.tracker = nullptr;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const test::TempDirectory place;
  Hands both[2];
  Texts texts(input);
  for (std::size_t i = 0; i < 2; ++i) open(both[i], texts, input, place.path(), i);
  for (int calls = 0; calls < 200 && !input.empty(); ++calls) {
    const std::size_t which = input.below(2);
    Hands& hands = both[which];
    if (input.below(40) == 0) give_back(hands);
    open(hands, texts, input, place.path(), which);
    call(hands, texts, input);
  }
  for (Hands& hands : both) {
    give_back(hands);
    yukha_request_free(hands.request);
  }
  yukha_request_free(nullptr);
  yukha_event_free(nullptr);
  yukha_free(nullptr);
  return 0;
}
