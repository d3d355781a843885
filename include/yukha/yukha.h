/* yukha for C, and for every language that can call C. yukha.hpp says the same to C++ in more words.
 *
 * Text is UTF-8 and borrowed for the call. Where a size stands beside it, 0 says that it ends with NUL; any other size
 * is in bytes, and NUL may be among them. Invalid UTF-8 becomes U+FFFD. A handle comes from a function that ends in
 * _open, _new, _start or _take and goes to the one that ends in _free; nothing else gives or takes ownership. NULL is
 * no handle and no text: it is answered with YUKHA_BAD_ARGUMENT, not followed. An empty text is "". */
#ifndef YUKHA_YUKHA_H
#define YUKHA_YUKHA_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ffi.cdef begins */

typedef int32_t yukha_result;

enum {
  YUKHA_OK = 0,
  YUKHA_KEPT_IN_MEMORY = 1,
  YUKHA_STILL_WAITING = 2,
  YUKHA_CUT_SHORT = 3,
  YUKHA_TOO_SHORT = 4,
  YUKHA_SAMPLED_OUT = 5,
  YUKHA_STOPPED_BY_POLICY = 6,
  YUKHA_RING_FULL = -1,
  YUKHA_CLOSED = -2,
  YUKHA_NOT_OPEN = -3,
  YUKHA_CONSENT_DENIED = -4,
  YUKHA_FORKED_CHILD = -5,
  YUKHA_SENTENCE_TOO_LARGE = -6,
  YUKHA_BAD_MEMBER_NAME = -7,
  YUKHA_RESERVED_MEMBER = -8,
  YUKHA_REPEATED_MEMBER = -9,
  YUKHA_MISSING_ACTION = -10,
  YUKHA_BAD_TIME = -11,
  YUKHA_ALREADY_TRACKED = -12,
  YUKHA_NOT_A_SENTENCE = -13,
  YUKHA_TOO_MANY_MEMBERS = -14,
  YUKHA_TOO_MANY_TIMED_EVENTS = -15,
  YUKHA_BAD_CONFIG = -20,
  YUKHA_BAD_KEY = -21,
  YUKHA_BAD_ENDPOINT = -22,
  YUKHA_PLAIN_HTTP = -23,
  YUKHA_BAD_ARGUMENT = -24,
  YUKHA_LANE_HELD = -30,
  YUKHA_NO_FREE_LANE = -31,
  YUKHA_NEWER_FORMAT = -32,
  YUKHA_DISK_FULL = -33,
  YUKHA_DISK_ERROR = -34,
  YUKHA_OUT_OF_MEMORY = -35,
  YUKHA_NO_RANDOMNESS = -36
};

/* granted: keep and send. pending: keep, send nothing. denied: keep nothing, and what waits is erased. */
enum { YUKHA_GRANTED = 0, YUKHA_PENDING = 1, YUKHA_DENIED = 2 };
/* What a sentence is kept for. */
enum { YUKHA_ANALYTICS = 0, YUKHA_ADVERTISING = 1, YUKHA_PERSONALIZATION = 2 };

/* What goes out of itself, and what the network is. */
enum { YUKHA_UPLOADS_ALL = 0, YUKHA_UPLOADS_CRITICAL = 1, YUKHA_UPLOADS_NONE = 2 };
enum { YUKHA_NETWORK_UNKNOWN = 0, YUKHA_NETWORK_UNMETERED = 1, YUKHA_NETWORK_METERED = 2, YUKHA_NETWORK_OFFLINE = 3 };

/* The parts of a sentence that have members. */
enum { YUKHA_PART_USER = 0, YUKHA_PART_DEVICE = 1, YUKHA_PART_CONTENT = 3, YUKHA_PART_ACTION = 5 };

typedef struct yukha_tracker yukha_tracker;
typedef struct yukha_event yukha_event;
typedef struct yukha_request yukha_request;
typedef struct yukha_timed_event yukha_timed_event;

/* A further fact about a part: name, value, and the value's size (0: it ends with NUL). */
typedef struct yukha_member {
  const char* name;
  const char* value;
  size_t value_size;
} yukha_member;

/* A secret that signs requests; config.hpp says what it proves and what not. An empty secret is for own_transport: the
 * host signs. */
typedef struct yukha_key {
  const char* id;
  const char* secret_base64;
} yukha_key;

/* The settings a C host needs; 0 or NULL leaves a default. Fill it with yukha_config_init, which writes `bytes`: so a
 * library of another version knows which of them are there. */
typedef struct yukha_config {
  uint32_t bytes;
  uint32_t no_thread;    /* 1: the host calls yukha_work */
  const char* app_id;    /* required: [a-z0-9][a-z0-9.-]{0,127} */
  const char* queue_dir; /* required: a directory of the app's own */
  const char* lane;
  const char* endpoint; /* https://host/path; NULL: sentences are kept, not sent */
  const char* key_id;
  const char* key_secret_base64;
  const char* app_version;
  const char* os;
  const char* model;
  const char* locale;
  uint32_t allow_plain_http;
  uint32_t no_device_facts;
  uint32_t upload_interval_ms;
  uint32_t sync_interval_ms;
  uint32_t ring_full_wait_ms;
  uint32_t age_max_hours;
  uint64_t ring_bytes;
  uint64_t queue_bytes_max;
  const yukha_key* keys; /* after key_id, in the order in which they are tried */
  size_t key_count;
  const yukha_member* device; /* more facts about the device, for every sentence */
  size_t device_count;
  uint32_t batch_lines_max;
  uint32_t batch_bytes_max;
  const char* ca_file; /* config.hpp has the words for the network */
  const char* pins;    /* several are separated by ; */
  const char* proxy;
  const char* no_proxy;
  uint32_t connect_timeout_ms;
  uint32_t stall_timeout_ms;
  uint32_t total_timeout_ms;
  uint32_t own_transport;      /* 1: the host brings requests to the endpoint, see yukha_request_take */
  uint32_t session_timeout_ms; /* 0: no sessions; config.hpp has the words */
  uint32_t session_background_timeout_ms;
  uint32_t track_identify;  /* 1: a sentence yukha_identify when somebody anonymous gets a name */
  uint32_t track_lifecycle; /* 1: yukha_first_open, yukha_update, yukha_restart */
  uint32_t debug;           /* 1: each sentence is a log line that a person can read */
  uint32_t log_lines_max;   /* how many are kept for yukha_take_log_line; 0: none */
  const char* deny_members; /* user.plan and the like, several separated by ; */
  const char* hash_members;
  const char* allow_members;
  const char* hash_key_base64;
  double sample_rate;         /* 0: everybody */
  int32_t uploads_on_metered; /* YUKHA_UPLOADS_…; config.hpp has the words */
  int32_t uploads_on_low_battery;
  int32_t uploads_in_background;
  uint32_t suspend_in_background;
  int32_t initial_consent; /* YUKHA_GRANTED, …: of a new install */
  uint32_t obey_policy;    /* 1: what the endpoint asks of its clients is done; config.hpp says what that may be */
} yukha_config;

/* accepted = delivered + waiting + quarantined + evicted + erased + lost, over all runs of the lane. */
typedef struct yukha_stats {
  uint32_t bytes;
  uint32_t failures;
  uint64_t accepted;
  uint64_t delivered;
  uint64_t waiting;
  uint64_t quarantined;
  uint64_t evicted;
  uint64_t erased;
  uint64_t lost;
  uint64_t refused;
  uint64_t refused_ring_full;
  uint64_t refused_consent;
  uint64_t refused_invalid;
  uint64_t refused_closed;
  uint64_t requests;
  int64_t next_attempt_ms;
  uint64_t refused_sampled;
  uint64_t refused_policy;
  int64_t policy_ms; /* how long the endpoint's policy still holds; 0: there is none */
} yukha_stats;

/* Threads: any. Blocks: never. */
void yukha_config_init(yukha_config* config, uint32_t bytes);

/* Always gives a tracker that can be called, or NULL when there is no memory for one; `result` (may be NULL) says how
 * it went. Threads: any. Blocks: for a few disk writes. */
yukha_tracker* yukha_open(const yukha_config* config, yukha_result* result);

/* Who: from now on. An empty id goes back to the anonymous one. Threads: any. Blocks: never. */
yukha_result yukha_identify(yukha_tracker* tracker, const char* user_id, size_t user_id_size,
                            const yukha_member* members, size_t count);

/* Back to anonymous, as after a logout; what yukha_set gave the user goes, too. Threads: any. Blocks: never. */
yukha_result yukha_reset(yukha_tracker* tracker);

/* Members for every sentence from now on, until yukha_unset; those of the same name are replaced. A sentence's own
 * member goes before one that was set. The experiment becomes user.experiment_<name>. Threads: any. Blocks: never. */
yukha_result yukha_set(yukha_tracker* tracker, int32_t part, const yukha_member* members, size_t count);
yukha_result yukha_unset(yukha_tracker* tracker, int32_t part, const char* name);
yukha_result yukha_set_experiment(yukha_tracker* tracker, const char* name, const char* variant, size_t variant_size);

/* An event in the making, which becomes a sentence: made once, used for one sentence after another, freed before its
 * tracker. Its parts are given in any order, each at most once; only the action is required. The first mistake is
 * remembered and answered by yukha_event_track, too. Threads: one at a time for each event. Blocks: never. */
yukha_event* yukha_event_new(yukha_tracker* tracker);
void yukha_event_free(yukha_event* sentence);
/* Where: a screen with parameters, or a URL. */
yukha_result yukha_event_location(yukha_event* sentence, const char* screen, size_t screen_size,
                                  const yukha_member* parameters, size_t count);
/* What it was about. */
yukha_result yukha_event_content(yukha_event* sentence, const char* id, size_t id_size, const yukha_member* members,
                                 size_t count);
/* What led here. */
yukha_result yukha_event_referral(yukha_event* sentence, const char* origin, size_t origin_size);
/* What the user did, and for how long; -1: for no time that is known. */
yukha_result yukha_event_action(yukha_event* sentence, const char* action_type, size_t action_type_size,
                                int64_t duration_ms, const yukha_member* members, size_t count);
/* More members of the user or the device, for this sentence alone. */
yukha_result yukha_event_user(yukha_event* sentence, const yukha_member* members, size_t count);
yukha_result yukha_event_device(yukha_event* sentence, const yukha_member* members, size_t count);
/* When, if not now: milliseconds since 1970. */
yukha_result yukha_event_at(yukha_event* sentence, int64_t unix_ms);
yukha_result yukha_event_critical(yukha_event* sentence);
/* Kept and sent as the consent to this purpose allows, instead of that to analytics. */
yukha_result yukha_event_purpose(yukha_event* sentence, int32_t purpose);

/* Keeps the sentence: YUKHA_OK, YUKHA_KEPT_IN_MEMORY, or why not. The handle is empty again, ready for the next.
 * Threads: one at a time for each event. Blocks: never, or up to ring_full_wait_ms. */
yukha_result yukha_event_track(yukha_event* sentence);

/* Starts something that takes time, with the parts that `sentence` has by now; `sentence` is empty again afterwards.
 * timed_event.hpp says what becomes of it. Its time runs only while at least min_visible_fraction of it is visible,
 * from 0 (always) to 1, and it is tracked only when that time reached min_duration_ms. NULL when it cannot start;
 * yukha_last_error says why. It is freed before its tracker.
 * Threads: one at a time for each. Blocks: never, but for yukha_timed_event_end as yukha_event_track. */
yukha_timed_event* yukha_timed_event_start(yukha_event* sentence, double min_visible_fraction, int64_t min_duration_ms);
void yukha_timed_event_pause(yukha_timed_event* timed);
void yukha_timed_event_resume(yukha_timed_event* timed);
void yukha_timed_event_set_visible_fraction(yukha_timed_event* timed, double fraction);
int64_t yukha_timed_event_duration_ms(yukha_timed_event* timed);
/* Tracks the sentence with its duration and these members of the action: as yukha_event_track, or YUKHA_TOO_SHORT. */
yukha_result yukha_timed_event_end(yukha_timed_event* timed, const yukha_member* members, size_t count);
/* Gives the handle back, and cancels what did not end: nothing is tracked. */
void yukha_timed_event_free(yukha_timed_event* timed);

/* The six parts as one JSON object, in one call; Tracker::track_json describes it. Invalid UTF-8 is no JSON; a
 * mistake is told with the byte where it stands.
 * Threads: any. Blocks: as yukha_event_track. */
yukha_result yukha_track_json(yukha_tracker* tracker, const char* json, size_t size);

/* The overall consent, and the consent to one purpose: the stricter of the two applies. Analytics begins granted, the
 * other purposes denied. tracker.hpp says what a denial removes.
 * Threads: any. Blocks: for a few disk writes, a denial also for a worker's step. */
yukha_result yukha_set_consent(yukha_tracker* tracker, int32_t consent);
int32_t yukha_get_consent(yukha_tracker* tracker);
yukha_result yukha_set_purpose_consent(yukha_tracker* tracker, int32_t purpose, int32_t consent);
int32_t yukha_get_purpose_consent(yukha_tracker* tracker, int32_t purpose);

/* The system's advertising id, written into sentences of the purpose advertising alone; "" for none.
 * Threads: any. Blocks: never. */
yukha_result yukha_set_advertising_id(yukha_tracker* tracker, const char* id, size_t size);

/* Removes every sentence of the queue directory. Threads: any. Blocks: for a few disk writes. */
yukha_result yukha_erase(yukha_tracker* tracker);

/* Delivers what is here now, and what earlier processes left in lanes that nobody holds, or YUKHA_STILL_WAITING; see
 * tracker.hpp. Threads: any. Blocks: up to deadline_ms. */
yukha_result yukha_flush(yukha_tracker* tracker, int64_t deadline_ms);

/* Call them when the app leaves the screen and when it is back; tracker.hpp says what they do. The first sends what it
 * can within budget_ms and answers as yukha_flush.
 * Threads: any. Blocks: up to budget_ms, plus disk writes; the second for a worker's step. */
yukha_result yukha_enter_background(yukha_tracker* tracker, int64_t budget_ms);
yukha_result yukha_enter_foreground(yukha_tracker* tracker);
/* Tells the worker what the app knows: YUKHA_NETWORK_…, and 1 for a low battery. While offline no request is started.
 * Threads: any. Blocks: for a worker's step. */
yukha_result yukha_set_network(yukha_tracker* tracker, int32_t network);
yukha_result yukha_set_low_battery(yukha_tracker* tracker, int32_t low);

/* Fills as much of `stats` as `bytes` allows. Threads: any. Blocks: never. */
yukha_result yukha_get_stats(yukha_tracker* tracker, yukha_stats* stats, uint32_t bytes);

/* Takes the next line of the log; `level` (may be NULL) says how much it matters: 1 an error, 2 a warning, 3
 * information, 4 for debugging. Copies as yukha_last_error, and returns 0 when there is no line. Without a buffer the
 * line is not taken. Threads: any, one at a time. Blocks: never. */
size_t yukha_take_log_line(yukha_tracker* tracker, int32_t* level, char* buffer, size_t size);

/* Why the latest request did not deliver; empty after one that did. Copies as yukha_last_error.
 * Threads: any. Blocks: never. */
size_t yukha_last_trouble(yukha_tracker* tracker, char* buffer, size_t size);

/* Signs with these keys from now on, in place of those in yukha_config. Threads: any. Blocks: for a few disk writes. */
yukha_result yukha_set_signing_keys(yukha_tracker* tracker, const yukha_key* keys, size_t count);

/* The sentence in quarantine with the next number above *number, which becomes its number; the first is above 0. Copies
 * its line of JSON and the reason as yukha_last_error does, and returns the line's whole length; 0 when there are no
 * more. Threads: any. Blocks: for a disk read. */
size_t yukha_quarantined(yukha_tracker* tracker, uint64_t* number, char* sentence, size_t size, char* reason,
                         size_t reason_size);
/* One of them, or all for number 0: is sent again under a new key, or is removed and counts as erased.
 * Threads: any. Blocks: for a few disk writes. */
yukha_result yukha_resend_quarantined(yukha_tracker* tracker, uint64_t number);
yukha_result yukha_erase_quarantined(yukha_tracker* tracker, uint64_t number);

/* For own_transport: the request that waits to be POSTed, or NULL after wait_ms without one. The host sends url,
 * headers and body as they are, follows no redirect, and brings the answer with yukha_request_answer. What it is given
 * stays until yukha_request_free, which also gives up a request without an answer: so does time, total_timeout_ms after
 * it was made. There is one request at a time. Threads: any. Blocks: up to wait_ms. */
yukha_request* yukha_request_take(yukha_tracker* tracker, int64_t wait_ms);
/* Threads: one at a time for each request. Blocks: never. */
const char* yukha_request_url(const yukha_request* request);
/* The header with this number from 0, as "Name: value"; NULL behind the last. */
const char* yukha_request_header(const yukha_request* request, size_t number);
const void* yukha_request_body(const yukha_request* request, size_t* size);
int64_t yukha_request_timeout_ms(const yukha_request* request);
/* For a key without a secret: HMAC-SHA256 over this, in base64, belongs into the header "Signature: yukha=:<it>:". NULL
 * when the request is signed. */
const char* yukha_request_signature_base(const yukha_request* request);
/* 1 while somebody waits for the answer, 0 when it may be dropped. */
int32_t yukha_request_wanted(const yukha_request* request);
/* The answer whole: status, headers as "Name: value", body. Status 0 means that none came, or not all of it, and -1
 * that there was no connection, so that nothing of the request left the device; the body then says why. Being offline
 * under status 0 makes batches smaller and back-off longer. YUKHA_CLOSED: nobody waits for it any more. */
yukha_result yukha_request_answer(yukha_request* request, int32_t status, const char* const* headers, size_t count,
                                  const void* body, size_t size);
void yukha_request_free(yukha_request* request);

/* For a host without a thread to spare: does what is due; returns the milliseconds until there is more, negative for
 * nothing. Threads: any, one at a time. Blocks: up to budget_ms, plus disk writes. */
int64_t yukha_work(yukha_tracker* tracker, int64_t budget_ms);

/* Brings everything to disk and ends; later calls are refused with YUKHA_CLOSED. Threads: any. Blocks: up to
 * deadline_ms, plus disk writes. */
yukha_result yukha_close(yukha_tracker* tracker, int64_t deadline_ms);

/* Closes if need be and gives the handle back; nobody may use it any more. Threads: one. Blocks: as yukha_close. */
void yukha_free(yukha_tracker* tracker);

/* The message of this tracker's last call that was not YUKHA_OK, on any thread. Copies at most size - 1 bytes, in
 * whole characters, and a NUL; returns the whole length. Threads: any. Blocks: never. */
size_t yukha_last_error(yukha_tracker* tracker, char* buffer, size_t size);

/* "ring_full" for YUKHA_RING_FULL. Threads: any. Blocks: never. */
const char* yukha_result_name(yukha_result result);
const char* yukha_version(void);

/* ffi.cdef ends */

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* YUKHA_YUKHA_H */
