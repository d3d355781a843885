// yukha.h over yukha.hpp: maps names and types, holds no logic.
#include <yukha/yukha.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <yukha/yukha.hpp>

using yukha::Code;
using yukha::Member;
using yukha::Members;
using yukha::Status;

struct yukha_tracker {
  yukha::Tracker tracker;
  std::shared_ptr<yukha::PolledTransport> transport;  // of own_transport
  std::mutex mutex;
  std::string last_error;
  std::list<yukha::LogLine> log_lines;  // taken from the tracker, not yet by the host

  yukha_result note(const Status& status) noexcept {
    if (status.code() != Code::ok) {
      try {
        const std::lock_guard<std::mutex> lock(mutex);
        last_error = status.message();
      } catch (...) {
        // Without memory for the message the code alone must do.
      }
    }
    return static_cast<yukha_result>(status.code());
  }
};

struct yukha_request {
  std::shared_ptr<yukha::PolledTransport> transport;
  std::shared_ptr<yukha::PolledRequest> request;
  std::vector<std::string> headers;
};

struct yukha_event {
  yukha_tracker* owner;
  std::optional<yukha::Event> event;

  yukha::Event& parts() {
    if (!event) event.emplace(owner->tracker.event());
    return *event;
  }

  // A mistake that C++ cannot make. As any other, the first one stays until track(), which counts it.
  void refuse(const Status& mistake) {
    if (parts().problem_) parts().problem_ = mistake;
  }
};

struct yukha_timed_event {
  yukha_tracker* owner;
  std::optional<yukha::TimedEvent> timed;
};

namespace {

constexpr std::size_t members_max = 4096;  // "a":"", takes 7 bytes and a name of its own; more cannot fit into 32 KiB

std::string_view text(const char* from, size_t size = 0) noexcept {
  if (from == nullptr) return {};
  return size == 0 ? std::string_view(from) : std::string_view(from, size);
}

// NULL is no text, and not an empty one: a user id that got lost must not make the user anonymous.
Status not_null(const char* from, const char* what) {
  return from == nullptr ? Status(Code::bad_argument, what) : Status();
}

// As C++ has them; bad_argument for a null among them.
Status convert(const yukha_member* members, size_t count, std::vector<Member>& list,
               Code too_many = Code::sentence_too_large) {
  if (count > 0 && members == nullptr) return {Code::bad_argument, "members"};
  if (count > members_max) return {too_many, "members"};
  list.resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (members[i].name == nullptr || members[i].value == nullptr) {
      return {Code::bad_argument, "a member without name or value"};
    }
    list[i] = {members[i].name, text(members[i].value, members[i].value_size)};
  }
  return {};
}

// False when the text is missing or one of the members is a mistake, which the sentence then has.
bool accepts(yukha_event* sentence, const char* given, const char* what, const yukha_member* members, size_t count,
             std::vector<Member>& list) {
  Status status = not_null(given, what);
  if (status) status = convert(members, count, list);
  if (!status) sentence->refuse(status);
  return status.good();
}

// Runs `call` with the sentence and its members, unless the text it needs is missing or one of them is a mistake.
template <typename Call>
yukha_result with_members(yukha_event* sentence, const char* given, const char* what, const yukha_member* members,
                          size_t count, const Call& call) noexcept {
  if (sentence == nullptr) return YUKHA_BAD_ARGUMENT;
  try {
    std::vector<Member> list;
    if (accepts(sentence, given, what, members, count, list)) {
      call(sentence->parts(), Members(list.data(), list.size()));
    }
    return sentence->owner->note(sentence->parts().status());
  } catch (...) {
    return sentence->owner->note(Code::out_of_memory);
  }
}

// As much as fits of a text in whole characters, with a NUL behind it; returns the whole length.
size_t copy_text(std::string_view from, char* buffer, size_t size) noexcept {
  if (buffer != nullptr && size > 0) {
    size_t count = from.size() < size ? from.size() : size - 1;
    // Not between the bytes of one character.
    while (count > 0 && count < from.size() && (from[count] & 0xC0) == 0x80) --count;
    if (count > 0) std::memcpy(buffer, from.data(), count);  // an empty view may be a null one
    buffer[count] = '\0';
  }
  return from.size();
}

Status convert(const yukha_key* keys, size_t count, std::vector<yukha::SigningKey>& list) {
  if (count > 0 && keys == nullptr) return {Code::bad_argument, "keys"};
  if (count > 8) return {Code::bad_config, "keys must be 8 at most"};
  for (size_t i = 0; i < count; ++i) {
    if (keys[i].id == nullptr) return {Code::bad_argument, "a key without id"};
    list.push_back({std::string(keys[i].id), std::string(text(keys[i].secret_base64))});
  }
  return {};
}

// Our copies of what opens somebody's endpoint end here; the tracker has what it needs.
struct Wiped {
  std::vector<yukha::SigningKey>& keys;
  ~Wiped() {
    for (yukha::SigningKey& key : keys) {
      volatile char* secret = &key.secret_base64[0];
      for (size_t i = 0; i < key.secret_base64.size(); ++i) secret[i] = 0;
    }
  }
};

std::vector<std::string> separated(const char* by_semicolons) {
  std::vector<std::string> all;
  for (std::string_view left = text(by_semicolons); !left.empty();) {
    const std::size_t end = std::min(left.find(';'), left.size());
    all.emplace_back(left.substr(0, end));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return all;
}

// Fills what yukha_config has into a Config; `given` is a whole one.
Status convert(const yukha_config& given, yukha::Config& config) {
  using std::chrono::milliseconds;
  config.app_id = text(given.app_id);
  config.queue_dir = text(given.queue_dir);
  config.lane = text(given.lane);
  config.endpoint = text(given.endpoint);
  if (given.key_id != nullptr || given.key_secret_base64 != nullptr)
    config.keys.push_back({std::string(text(given.key_id)), std::string(text(given.key_secret_base64))});
  if (Status status = convert(given.keys, given.key_count, config.keys); !status) return status;
  config.app_version = text(given.app_version);
  config.os = text(given.os);
  config.model = text(given.model);
  config.locale = text(given.locale);
  std::vector<Member> device;
  if (Status status = convert(given.device, given.device_count, device, Code::too_many_members); !status) return status;
  for (const Member& member : device) config.device.emplace_back(member.name, member.value);
  config.use_thread = given.no_thread == 0;
  config.allow_plain_http = given.allow_plain_http != 0;
  config.collect_device_facts = given.no_device_facts == 0;
  if (given.upload_interval_ms != 0) config.upload_interval = milliseconds(given.upload_interval_ms);
  if (given.sync_interval_ms != 0) config.sync_interval = milliseconds(given.sync_interval_ms);
  if (given.age_max_hours != 0) config.age_max = std::chrono::hours(given.age_max_hours);
  config.ring_full_wait = milliseconds(given.ring_full_wait_ms);
  if (given.ring_bytes != 0) config.ring_bytes = static_cast<std::size_t>(given.ring_bytes);
  if (given.queue_bytes_max != 0) config.queue_bytes_max = given.queue_bytes_max;
  if (given.batch_lines_max != 0) config.batch_lines_max = given.batch_lines_max;
  if (given.batch_bytes_max != 0) config.batch_bytes_max = given.batch_bytes_max;
  config.ca_file = text(given.ca_file);
  config.pins = separated(given.pins);
  config.proxy = text(given.proxy);
  config.no_proxy = text(given.no_proxy);
  if (given.connect_timeout_ms != 0) config.connect_timeout = milliseconds(given.connect_timeout_ms);
  if (given.stall_timeout_ms != 0) config.stall_timeout = milliseconds(given.stall_timeout_ms);
  if (given.total_timeout_ms != 0) config.total_timeout = milliseconds(given.total_timeout_ms);
  config.session_timeout = milliseconds(given.session_timeout_ms);
  config.session_background_timeout = milliseconds(given.session_background_timeout_ms);
  config.track_identify = given.track_identify != 0;
  config.track_lifecycle = given.track_lifecycle != 0;
  config.debug = given.debug != 0;
  config.log_lines_max = given.log_lines_max;
  config.deny_members = separated(given.deny_members);
  config.hash_members = separated(given.hash_members);
  config.allow_members = separated(given.allow_members);
  config.hash_key_base64 = text(given.hash_key_base64);
  config.uploads_on_metered = static_cast<yukha::Uploads>(given.uploads_on_metered);
  config.uploads_on_low_battery = static_cast<yukha::Uploads>(given.uploads_on_low_battery);
  config.uploads_in_background = static_cast<yukha::Uploads>(given.uploads_in_background);
  config.suspend_in_background = given.suspend_in_background != 0;
  config.initial_consent = static_cast<yukha::Consent>(given.initial_consent);
  if (given.sample_rate != 0) config.sample_rate = given.sample_rate;
  config.obey_policy = given.obey_policy != 0;
  return {};
}

template <typename Call>
yukha_result with_tracker(yukha_tracker* tracker, const Call& call) noexcept {
  if (tracker == nullptr) return YUKHA_BAD_ARGUMENT;
  try {
    return tracker->note(call(tracker->tracker));
  } catch (...) {
    return YUKHA_OUT_OF_MEMORY;
  }
}

}  // namespace

extern "C" {

void yukha_config_init(yukha_config* config, uint32_t bytes) {
  if (config == nullptr || bytes < sizeof config->bytes) return;
  std::memset(config, 0, bytes);
  config->bytes = bytes;
}

yukha_tracker* yukha_open(const yukha_config* from, yukha_result* result) {
  const auto answer = [result](yukha_result code) {
    if (result != nullptr) *result = code;
  };
  try {
    auto handle = std::make_unique<yukha_tracker>();
    if (from == nullptr || from->bytes < offsetof(yukha_config, lane)) {
      answer(handle->note({Code::bad_argument, "config"}));
      return handle.release();
    }
    // An older host's struct is shorter; what it does not know of keeps its default. A newer one's tail is not read.
    yukha_config given;
    std::memset(&given, 0, sizeof given);
    std::memcpy(&given, from, from->bytes < sizeof given ? from->bytes : sizeof given);
    yukha::Config config;
    const Wiped wiped{config.keys};
    if (Status status = convert(given, config); !status) {
      answer(handle->note(status));
      return handle.release();
    }
    if (given.own_transport != 0) {
      handle->transport = std::make_shared<yukha::PolledTransport>();
      config.transport = handle->transport;
      config.sign = [transport = handle->transport.get()](std::string_view, std::string_view base,
                                                          std::string& signature) {
        return transport->postpone_signing(base, signature);
      };
    }
    handle->tracker = yukha::Tracker::open(config);
    answer(handle->note(handle->tracker.status()));
    return handle.release();
  } catch (...) {
    answer(YUKHA_OUT_OF_MEMORY);
    return nullptr;
  }
}

yukha_result yukha_identify(yukha_tracker* tracker, const char* user_id, size_t user_id_size,
                            const yukha_member* members, size_t count) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) -> Status {
    std::vector<Member> list;
    if (Status status = not_null(user_id, "user.id"); !status) return status;
    if (Status status = convert(members, count, list, Code::too_many_members); !status) return status;
    return inner.identify(text(user_id, user_id_size), {list.data(), list.size()});
  });
}

yukha_result yukha_reset(yukha_tracker* tracker) {
  return with_tracker(tracker, [](yukha::Tracker& inner) { return inner.reset(); });
}

yukha_result yukha_set(yukha_tracker* tracker, int32_t part, const yukha_member* members, size_t count) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) -> Status {
    std::vector<Member> list;
    if (Status status = convert(members, count, list, Code::too_many_members); !status) return status;
    return inner.set(static_cast<yukha::Part>(part), {list.data(), list.size()});
  });
}

yukha_result yukha_unset(yukha_tracker* tracker, int32_t part, const char* name) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) {
    return name == nullptr ? Status(Code::bad_argument, "name") : inner.unset(static_cast<yukha::Part>(part), name);
  });
}

yukha_result yukha_set_experiment(yukha_tracker* tracker, const char* name, const char* variant, size_t variant_size) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) {
    if (name == nullptr || variant == nullptr) return Status(Code::bad_argument, "experiment");
    return inner.set_experiment(name, text(variant, variant_size));
  });
}

yukha_event* yukha_event_new(yukha_tracker* tracker) {
  if (tracker == nullptr) return nullptr;
  return new (std::nothrow) yukha_event{tracker, std::nullopt};
}

void yukha_event_free(yukha_event* sentence) {
  delete sentence;
}

yukha_result yukha_event_location(yukha_event* sentence, const char* screen, size_t screen_size,
                                  const yukha_member* parameters, size_t count) {
  return with_members(sentence, screen, "location", parameters, count,
                      [&](yukha::Event& event, Members list) { event.location(text(screen, screen_size), list); });
}

yukha_result yukha_event_content(yukha_event* sentence, const char* id, size_t id_size, const yukha_member* members,
                                 size_t count) {
  return with_members(sentence, id, "content.id", members, count,
                      [&](yukha::Event& event, Members list) { event.content(text(id, id_size), list); });
}

yukha_result yukha_event_referral(yukha_event* sentence, const char* origin, size_t origin_size) {
  return with_members(sentence, origin, "referral", nullptr, 0,
                      [&](yukha::Event& event, Members) { event.referral(text(origin, origin_size)); });
}

yukha_result yukha_event_action(yukha_event* sentence, const char* action_type, size_t action_type_size,
                                int64_t duration_ms, const yukha_member* members, size_t count) {
  return with_members(sentence, action_type, "action.type", members, count, [&](yukha::Event& event, Members list) {
    const std::string_view what = text(action_type, action_type_size);
    if (duration_ms == -1) {
      event.action(what, list);
    } else {
      event.action(what, std::chrono::milliseconds(duration_ms), list);
    }
  });
}

yukha_result yukha_event_user(yukha_event* sentence, const yukha_member* members, size_t count) {
  return with_members(sentence, "", "", members, count, [](yukha::Event& event, Members list) { event.user(list); });
}

yukha_result yukha_event_device(yukha_event* sentence, const yukha_member* members, size_t count) {
  return with_members(sentence, "", "", members, count, [](yukha::Event& event, Members list) { event.device(list); });
}

yukha_result yukha_event_at(yukha_event* sentence, int64_t unix_ms) {
  return with_members(sentence, "", "", nullptr, 0, [&](yukha::Event& event, Members) { event.at_unix_ms(unix_ms); });
}

yukha_result yukha_event_critical(yukha_event* sentence) {
  return with_members(sentence, "", "", nullptr, 0, [](yukha::Event& event, Members) { event.critical(); });
}

yukha_result yukha_event_purpose(yukha_event* sentence, int32_t purpose) {
  return with_members(sentence, "", "", nullptr, 0,
                      [&](yukha::Event& event, Members) { event.purpose(static_cast<yukha::Purpose>(purpose)); });
}

yukha_result yukha_event_track(yukha_event* sentence) {
  if (sentence == nullptr) return YUKHA_BAD_ARGUMENT;
  try {
    const Status status = sentence->parts().track();
    sentence->event.reset();
    return sentence->owner->note(status);
  } catch (...) {
    return YUKHA_OUT_OF_MEMORY;
  }
}

yukha_timed_event* yukha_timed_event_start(yukha_event* sentence, double min_visible_fraction,
                                           int64_t min_duration_ms) {
  if (sentence == nullptr) return nullptr;
  try {
    auto handle = std::make_unique<yukha_timed_event>(yukha_timed_event{sentence->owner, std::nullopt});
    handle->timed.emplace(sentence->parts().start({min_visible_fraction, std::chrono::milliseconds(min_duration_ms)}));
    sentence->event.reset();
    sentence->owner->note(handle->timed->status());
    // What cannot begin counts as a sentence that was refused.
    return handle->timed->status() ? handle.release() : nullptr;
  } catch (...) {
    sentence->owner->note(Code::out_of_memory);
    return nullptr;
  }
}

void yukha_timed_event_pause(yukha_timed_event* timed) {
  if (timed != nullptr) timed->timed->pause();
}

void yukha_timed_event_resume(yukha_timed_event* timed) {
  if (timed != nullptr) timed->timed->resume();
}

void yukha_timed_event_set_visible_fraction(yukha_timed_event* timed, double fraction) {
  if (timed != nullptr) timed->timed->set_visible_fraction(fraction);
}

int64_t yukha_timed_event_duration_ms(yukha_timed_event* timed) {
  return timed == nullptr ? 0 : timed->timed->duration().count();
}

yukha_result yukha_timed_event_end(yukha_timed_event* timed, const yukha_member* members, size_t count) {
  if (timed == nullptr) return YUKHA_BAD_ARGUMENT;
  try {
    std::vector<Member> list;
    const Status given = convert(members, count, list);
    return timed->owner->note(given ? timed->timed->end({list.data(), list.size()}) : given);
  } catch (...) {
    return timed->owner->note(Code::out_of_memory);
  }
}

void yukha_timed_event_free(yukha_timed_event* timed) {
  if (timed != nullptr) timed->timed->cancel();
  delete timed;
}

yukha_result yukha_track_json(yukha_tracker* tracker, const char* json, size_t size) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) {
    return json == nullptr ? Status(Code::bad_argument, "json") : inner.track_json(text(json, size));
  });
}

yukha_result yukha_set_consent(yukha_tracker* tracker, int32_t consent) {
  return with_tracker(tracker,
                      [&](yukha::Tracker& inner) { return inner.set_consent(static_cast<yukha::Consent>(consent)); });
}

int32_t yukha_get_consent(yukha_tracker* tracker) {
  return tracker == nullptr ? YUKHA_PENDING : static_cast<int32_t>(tracker->tracker.consent());
}

yukha_result yukha_set_purpose_consent(yukha_tracker* tracker, int32_t purpose, int32_t consent) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) {
    return inner.set_consent(static_cast<yukha::Purpose>(purpose), static_cast<yukha::Consent>(consent));
  });
}

int32_t yukha_get_purpose_consent(yukha_tracker* tracker, int32_t purpose) {
  if (tracker == nullptr) return YUKHA_PENDING;
  return static_cast<int32_t>(tracker->tracker.consent(static_cast<yukha::Purpose>(purpose)));
}

yukha_result yukha_set_advertising_id(yukha_tracker* tracker, const char* id, size_t size) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) {
    return id == nullptr ? Status(Code::bad_argument, "ad_id") : inner.set_advertising_id(text(id, size));
  });
}

yukha_result yukha_erase(yukha_tracker* tracker) {
  return with_tracker(tracker, [](yukha::Tracker& inner) { return inner.erase(); });
}

yukha_result yukha_flush(yukha_tracker* tracker, int64_t deadline_ms) {
  return with_tracker(tracker,
                      [&](yukha::Tracker& inner) { return inner.flush(std::chrono::milliseconds(deadline_ms)); });
}

yukha_result yukha_enter_background(yukha_tracker* tracker, int64_t budget_ms) {
  return with_tracker(
      tracker, [&](yukha::Tracker& inner) { return inner.enter_background(std::chrono::milliseconds(budget_ms)); });
}

yukha_result yukha_enter_foreground(yukha_tracker* tracker) {
  return with_tracker(tracker, [](yukha::Tracker& inner) { return inner.enter_foreground(); });
}

yukha_result yukha_set_network(yukha_tracker* tracker, int32_t network) {
  return with_tracker(tracker,
                      [&](yukha::Tracker& inner) { return inner.set_network(static_cast<yukha::Network>(network)); });
}

yukha_result yukha_set_low_battery(yukha_tracker* tracker, int32_t low) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) { return inner.set_low_battery(low != 0); });
}

yukha_result yukha_get_stats(yukha_tracker* tracker, yukha_stats* stats, uint32_t bytes) {
  if (tracker == nullptr || stats == nullptr || bytes < sizeof stats->bytes) return YUKHA_BAD_ARGUMENT;
  const yukha::Stats from = tracker->tracker.stats();
  yukha_stats full;
  std::memset(&full, 0, sizeof full);
  full.bytes = bytes;
  full.failures = static_cast<uint32_t>(from.failures);
  full.accepted = from.accepted;
  full.delivered = from.delivered;
  full.waiting = from.waiting;
  full.quarantined = from.quarantined;
  full.evicted = from.evicted;
  full.erased = from.erased;
  full.lost = from.lost;
  full.refused = from.refused;
  full.refused_ring_full = from.refused_ring_full;
  full.refused_consent = from.refused_consent;
  full.refused_invalid = from.refused_invalid;
  full.refused_closed = from.refused_closed;
  full.refused_sampled = from.refused_sampled;
  full.refused_policy = from.refused_policy;
  full.policy_ms = from.policy_ms;
  full.requests = from.requests;
  full.next_attempt_ms = from.next_attempt_ms;
  std::memset(stats, 0, bytes);
  std::memcpy(stats, &full, bytes < sizeof full ? bytes : sizeof full);
  return YUKHA_OK;
}

size_t yukha_take_log_line(yukha_tracker* tracker, int32_t* level, char* buffer, size_t size) {
  yukha::LogLine next;
  try {
    if (tracker != nullptr) {
      const std::lock_guard<std::mutex> lock(tracker->mutex);
      if (tracker->log_lines.empty()) {
        for (yukha::LogLine& one : tracker->tracker.take_log_lines()) tracker->log_lines.push_back(std::move(one));
      }
      if (!tracker->log_lines.empty()) {
        next = tracker->log_lines.front();
        // Whoever only asks how long it is comes back for it.
        if (buffer != nullptr && size > 0) tracker->log_lines.pop_front();
      }
    }
  } catch (...) {
    next = {};
  }
  if (level != nullptr) *level = static_cast<int32_t>(next.level);
  return copy_text(next.text, buffer, size);
}

size_t yukha_last_trouble(yukha_tracker* tracker, char* buffer, size_t size) {
  if (tracker == nullptr) return copy_text({}, buffer, size);
  return copy_text(tracker->tracker.stats().last_trouble, buffer, size);
}

yukha_result yukha_set_signing_keys(yukha_tracker* tracker, const yukha_key* keys, size_t count) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) {
    std::vector<yukha::SigningKey> list;
    const Wiped wiped{list};
    Status status = convert(keys, count, list);
    return status ? inner.set_signing_keys(list) : status;
  });
}

size_t yukha_quarantined(yukha_tracker* tracker, uint64_t* number, char* sentence, size_t size, char* reason,
                         size_t reason_size) {
  yukha::Quarantined next;
  try {
    if (tracker != nullptr && number != nullptr) {
      for (yukha::Quarantined& one : tracker->tracker.quarantined(*number, 1)) next = std::move(one);
      if (next.number != 0) *number = next.number;
    }
  } catch (...) {
    next = {};
  }
  copy_text(next.reason, reason, reason_size);
  return copy_text(next.sentence, sentence, size);
}

yukha_result yukha_resend_quarantined(yukha_tracker* tracker, uint64_t number) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) { return inner.resend_quarantined(number); });
}

yukha_result yukha_erase_quarantined(yukha_tracker* tracker, uint64_t number) {
  return with_tracker(tracker, [&](yukha::Tracker& inner) { return inner.erase_quarantined(number); });
}

yukha_request* yukha_request_take(yukha_tracker* tracker, int64_t wait_ms) {
  if (tracker == nullptr || !tracker->transport) return nullptr;
  try {
    auto handle = std::make_unique<yukha_request>();
    handle->transport = tracker->transport;
    handle->request = handle->transport->take(std::chrono::milliseconds(wait_ms));
    if (!handle->request) return nullptr;
    for (const yukha::HttpHeader& header : handle->request->headers) {
      handle->headers.push_back(header.name + ": " + header.value);
    }
    return handle.release();
  } catch (...) {
    return nullptr;
  }
}

const char* yukha_request_url(const yukha_request* request) {
  return request == nullptr ? nullptr : request->request->url.c_str();
}

const char* yukha_request_header(const yukha_request* request, size_t number) {
  return request == nullptr || number >= request->headers.size() ? nullptr : request->headers[number].c_str();
}

const void* yukha_request_body(const yukha_request* request, size_t* size) {
  if (size != nullptr) *size = request == nullptr ? 0 : request->request->body.size();
  return request == nullptr ? nullptr : request->request->body.data();
}

int64_t yukha_request_timeout_ms(const yukha_request* request) {
  return request == nullptr ? 0 : request->request->total_timeout.count();
}

const char* yukha_request_signature_base(const yukha_request* request) {
  if (request == nullptr || request->request->signature_base.empty()) return nullptr;
  return request->request->signature_base.c_str();
}

int32_t yukha_request_wanted(const yukha_request* request) {
  return request != nullptr && request->transport->wanted(*request->request) ? 1 : 0;
}

yukha_result yukha_request_answer(yukha_request* request, int32_t status, const char* const* headers, size_t count,
                                  const void* body, size_t size) {
  if (request == nullptr || (headers == nullptr && count > 0) || (body == nullptr && size > 0)) {
    return YUKHA_BAD_ARGUMENT;
  }
  try {
    std::vector<std::string_view> lines;
    for (size_t i = 0; i < count; ++i) {
      if (headers[i] == nullptr) return YUKHA_BAD_ARGUMENT;
      lines.emplace_back(headers[i]);
    }
    const std::string_view content(static_cast<const char*>(body), size);
    return request->transport->answer(*request->request, status, lines, content) ? YUKHA_OK : YUKHA_CLOSED;
  } catch (...) {
    return YUKHA_OUT_OF_MEMORY;
  }
}

void yukha_request_free(yukha_request* request) {
  static const char why[] = "the host gave the request up";
  yukha_request_answer(request, 0, nullptr, 0, why, sizeof why - 1);
  delete request;
}

int64_t yukha_work(yukha_tracker* tracker, int64_t budget_ms) {
  return tracker == nullptr ? -1 : tracker->tracker.work(std::chrono::milliseconds(budget_ms)).count();
}

yukha_result yukha_close(yukha_tracker* tracker, int64_t deadline_ms) {
  return with_tracker(tracker,
                      [&](yukha::Tracker& inner) { return inner.close(std::chrono::milliseconds(deadline_ms)); });
}

void yukha_free(yukha_tracker* tracker) {
  // Whoever waits for a request on another thread gets none and comes back.
  if (tracker != nullptr && tracker->transport) tracker->transport->end();
  delete tracker;
}

size_t yukha_last_error(yukha_tracker* tracker, char* buffer, size_t size) {
  try {
    if (tracker == nullptr) return copy_text({}, buffer, size);
    const std::lock_guard<std::mutex> lock(tracker->mutex);
    return copy_text(tracker->last_error, buffer, size);
  } catch (...) {
    return copy_text({}, buffer, size);  // the system gave no lock
  }
}

const char* yukha_result_name(yukha_result result) {
  return yukha::code_name(static_cast<Code>(result));
}

const char* yukha_version(void) {
  return YUKHA_VERSION;
}

}  // extern "C"
