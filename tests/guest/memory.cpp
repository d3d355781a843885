// A host without memory: each function of yukha.h while its thread gets none, or none from the n-th request on.
// Whatever left a function would end the process here.
//
// usage: memory DIRECTORY STEP   (every STEP-th of the requests is the first that fails)
#include <yukha/yukha.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace {

// Of this thread alone: the worker's has memory.
thread_local long left = -1;  // requests that are granted; negative: all
thread_local bool refused = false;

void* take(std::size_t size) noexcept {
  if (left == 0) {
    refused = true;
    return nullptr;
  }
  if (left > 0) --left;
  return std::malloc(size == 0 ? 1 : size);
}

template <typename Call>
void starve(long granted, const Call& call) {
  refused = false;
  left = granted;
  call();
  left = -1;
}

// With no request granted, then one, then two, until the call asks for no more.
template <typename Call>
long starve_each(long step, const Call& call) {
  long granted = 0;
  do {
    starve(granted, call);
    granted += step;
  } while (refused && granted < 20'000);
  return granted;
}

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = take(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return take(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return take(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string directory = argv[1];
  const long step = std::atol(argv[2]);
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "shop";
  config.queue_dir = directory.c_str();
  config.endpoint = "https://localhost:1/";
  config.own_transport = 1;
  config.no_thread = 1;
  config.debug = 1;
  config.log_lines_max = 10;
  config.track_lifecycle = 1;
  const yukha_key key = {"a key with a name that is long", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="};
  config.keys = &key;
  config.key_count = 1;
  const std::string long_text(3000, 'x');
  const yukha_member members[] = {{"a_member_of_some_length", long_text.c_str(), 0}, {"b", "2", 0}};
  const std::string json =
      "{\"action\":{\"type\":\"READ\",\"note\":\"" + long_text + "\"},\"location\":{\"screen\":\"F\"}}";
  long tried = 0;

  // open() does most of what it does with files; what it cannot have is answered.
  tried += starve_each(step, [&] { yukha_free(yukha_open(&config, nullptr)); });
  config.own_transport = config.no_thread = 0;
  tried += starve_each(step, [&] { yukha_free(yukha_open(&config, nullptr)); });
  config.own_transport = config.no_thread = 1;
  yukha_tracker* const tracker = yukha_open(&config, nullptr);
  if (tracker == nullptr) return 3;
  char text[100];
  const auto each = [&](const auto& call) { tried += starve_each(step, [&] { call(); }); };
  each([&] { yukha_identify(tracker, long_text.c_str(), 1000, members + 1, 1); });
  each([&] { yukha_set(tracker, YUKHA_PART_USER, members, 2); });
  each([&] { yukha_unset(tracker, YUKHA_PART_USER, members[0].name); });
  each([&] { yukha_set_experiment(tracker, "an_experiment_with_a_long_name", "b", 0); });
  each([&] { yukha_reset(tracker); });
  each([&] { yukha_set_advertising_id(tracker, long_text.c_str(), 1000); });
  each([&] { yukha_track_json(tracker, json.c_str(), json.size()); });
  each([&] { yukha_track_json(tracker, "{\"a_part_that_is_not_known\":1}", 0); });
  each([&] {
    yukha_event* const sentence = yukha_event_new(tracker);
    yukha_event_location(sentence, "FEED", 0, members, 2);
    yukha_event_content(sentence, long_text.c_str(), 0, members, 2);
    yukha_event_referral(sentence, nullptr, 0);
    yukha_event_action(sentence, "READ", 0, 10, members, 2);
    yukha_event_user(sentence, nullptr, 2);
    yukha_event_device(sentence, members, 5000);
    yukha_event_at(sentence, -1);
    yukha_event_critical(sentence);
    yukha_event_purpose(sentence, 9);
    yukha_event_track(sentence);
    yukha_event_action(sentence, "READ", 0, -1, members, 2);
    yukha_event_track(sentence);
    yukha_event_action(sentence, "READ", 0, -1, members, 2);
    yukha_timed_event* const scope = yukha_timed_event_start(sentence, 0, 0);
    yukha_timed_event_pause(scope);
    yukha_timed_event_resume(scope);
    yukha_timed_event_set_visible_fraction(scope, 1);
    yukha_timed_event_duration_ms(scope);
    yukha_timed_event_end(scope, members, 2);
    yukha_timed_event_free(scope);
    yukha_event_free(sentence);
  });
  each([&] { yukha_flush(tracker, 0); });
  each([&] { yukha_work(tracker, 0); });
  each([&] {
    yukha_request* const request = yukha_request_take(tracker, 0);
    yukha_request_url(request);
    yukha_request_header(request, 0);
    yukha_request_signature_base(request);
    const char* const headers[] = {"Date: Sun, 06 Nov 1994 08:49:37 GMT", "Content-Type: application/json"};
    if (request != nullptr) yukha_request_answer(request, 200, headers, 2, json.c_str(), json.size());
    if (request != nullptr) yukha_request_free(request);
  });
  each([&] { yukha_work(tracker, 0); });
  each([&] {
    int32_t level = 0;
    yukha_take_log_line(tracker, &level, text, sizeof text);
  });
  each([&] { yukha_last_trouble(tracker, text, sizeof text); });
  each([&] { yukha_last_error(tracker, text, sizeof text); });
  each([&] {
    uint64_t number = 0;
    yukha_quarantined(tracker, &number, text, sizeof text, text, sizeof text);
    yukha_resend_quarantined(tracker, 0);
    yukha_erase_quarantined(tracker, 0);
  });
  each([&] {
    yukha_stats stats;
    yukha_get_stats(tracker, &stats, sizeof stats);
    yukha_get_consent(tracker);
    yukha_get_purpose_consent(tracker, YUKHA_ADVERTISING);
  });
  each([&] { yukha_set_signing_keys(tracker, &key, 1); });
  each([&] { yukha_set_consent(tracker, YUKHA_PENDING); });
  each([&] { yukha_set_purpose_consent(tracker, YUKHA_ADVERTISING, YUKHA_GRANTED); });
  each([&] { yukha_set_network(tracker, YUKHA_NETWORK_METERED); });
  each([&] { yukha_set_low_battery(tracker, 1); });
  each([&] { yukha_enter_background(tracker, 0); });
  each([&] { yukha_enter_foreground(tracker); });
  each([&] { yukha_erase(tracker); });
  each([&] { yukha_close(tracker, 100); });
  starve(0, [&] { yukha_free(tracker); });
  std::printf("%ld calls were starved\n", tried);
  return 0;
}
