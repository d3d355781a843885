/* What only a C host can try on yukha.h: structs of other versions, nulls, eight threads, a fork, a frame loop, a full
 * ring, and a thousand trackers opened and dropped. One line a promise, then "N passed, N failed".
 *
 *   host_test DIRECTORY [TRACKERS]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <yukha/yukha.h>

#if defined(__has_feature)  // clang's way to say it
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED_BY_CLANG
#endif
#endif
#if defined(SANITIZED_BY_CLANG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { sanitized = 1 };
#else
enum { sanitized = 0 };
#endif

static const char* directory;
static int trackers_dropped = 1000;
static int passed;
static int failed;
static int faults;

#define EXPECT(condition)                                            \
  do {                                                               \
    if (!(condition)) {                                              \
      ++faults;                                                      \
      printf("  line %d does not hold: %s\n", __LINE__, #condition); \
    }                                                                \
  } while (0)

static void promise(const char* text, void (*tried)(void)) {
  faults = 0;
  tried();
  printf("%s %s\n", faults == 0 ? "ok  " : "FAIL", text);
  fflush(stdout);
  if (faults == 0) ++passed;
  if (faults != 0) ++failed;
}

/* A directory for each promise; the caller removes them all. */
static const char* place(const char* name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return path;
}

static yukha_config config_for(const char* queue_dir) {
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "host";
  config.queue_dir = queue_dir;
  config.no_device_facts = 1;
  return config;
}

static yukha_tracker* opened(const char* name) {
  const yukha_config config = config_for(place(name));
  yukha_result result = YUKHA_NOT_OPEN;
  yukha_tracker* tracker = yukha_open(&config, &result);
  EXPECT(tracker != NULL && result == YUKHA_OK);
  return tracker;
}

static yukha_result track(yukha_event* sentence, const char* what) {
  yukha_event_action(sentence, what, 0, -1, NULL, 0);
  return yukha_event_track(sentence);
}

static void nulls_are_answered(void) {
  const yukha_member good = {"a", "b", 0};
  const yukha_member no_name = {NULL, "b", 0};
  const yukha_member no_value = {"a", NULL, 0};
  char buffer[8];
  yukha_stats stats;
  yukha_result result = YUKHA_OK;

  yukha_config_init(NULL, sizeof(yukha_config));
  EXPECT(yukha_identify(NULL, "u", 0, NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_new(NULL) == NULL);
  yukha_event_free(NULL);
  EXPECT(yukha_event_location(NULL, "FEED", 0, NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_content(NULL, "c", 0, NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_referral(NULL, "r", 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_action(NULL, "a", 0, -1, NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_user(NULL, &good, 1) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_device(NULL, &good, 1) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_at(NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_critical(NULL) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_track(NULL) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_track_json(NULL, "{}", 2) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_set_consent(NULL, YUKHA_GRANTED) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_get_consent(NULL) == YUKHA_PENDING);
  EXPECT(yukha_erase(NULL) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_flush(NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_get_stats(NULL, &stats, sizeof stats) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_work(NULL, 0) < 0);
  EXPECT(yukha_close(NULL, 0) == YUKHA_BAD_ARGUMENT);
  yukha_free(NULL);
  EXPECT(yukha_last_error(NULL, buffer, sizeof buffer) == 0);

  /* Without a config there is a tracker, and it says so. */
  yukha_tracker* none = yukha_open(NULL, &result);
  EXPECT(none != NULL && result == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_identify(none, "u", 0, NULL, 0) == YUKHA_NOT_OPEN);
  EXPECT(yukha_flush(none, 0) == YUKHA_NOT_OPEN);
  EXPECT(yukha_close(none, 0) == YUKHA_NOT_OPEN);
  EXPECT(yukha_last_error(none, NULL, 0) > 0);
  yukha_event* nowhere = yukha_event_new(none);
  EXPECT(track(nowhere, "A") == YUKHA_NOT_OPEN);
  yukha_event_free(nowhere);
  yukha_free(none);
  yukha_free(yukha_open(NULL, NULL));

  yukha_tracker* tracker = opened("nulls");
  EXPECT(yukha_get_stats(tracker, NULL, sizeof stats) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_track_json(tracker, NULL, 9) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_identify(tracker, NULL, 0, NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_identify(tracker, "u", 0, NULL, 1) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_identify(tracker, "u", 0, &no_name, 1) == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_identify(tracker, "u", 0, &no_value, 1) == YUKHA_BAD_ARGUMENT);
  yukha_event* sentence = yukha_event_new(tracker);
  EXPECT(yukha_event_content(sentence, "c", 0, &no_value, 1) == YUKHA_BAD_ARGUMENT);
  EXPECT(track(sentence, "A") == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_user(sentence, NULL, 1) == YUKHA_BAD_ARGUMENT);
  EXPECT(track(sentence, "A") == YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_event_location(sentence, NULL, 0, NULL, 0) == YUKHA_BAD_ARGUMENT);
  EXPECT(track(sentence, "A") == YUKHA_BAD_ARGUMENT);
  /* The handle is empty again after each of them. */
  EXPECT(track(sentence, "A") == YUKHA_OK);
  EXPECT(yukha_get_stats(tracker, &stats, sizeof stats) == YUKHA_OK);
  EXPECT(stats.accepted == 1);
  EXPECT(stats.refused_invalid == 3);
  yukha_event_free(sentence);
  yukha_free(tracker);
}

/* As a host compiled against an older header, which ended after `allow_plain_http`, and against a newer one. */
static void configs_of_other_sizes_work(void) {
  union {
    yukha_config config;
    unsigned char bytes[sizeof(yukha_config) + 256];
  } other;
  const uint32_t sizes[] = {(uint32_t)offsetof(yukha_config, lane), (uint32_t)offsetof(yukha_config, no_device_facts),
                            (uint32_t)sizeof(yukha_config), (uint32_t)sizeof other};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    /* What lies behind the end the host knows must be neither read nor written. */
    memset(&other, 0xEE, sizeof other);
    yukha_config_init(&other.config, sizes[i]);
    for (size_t k = sizes[i]; k < sizeof other; ++k) EXPECT(other.bytes[k] == 0xEE);
    other.config.app_id = "host";
    other.config.queue_dir = place("sizes");
    if (sizes[i] == sizeof other) memset(other.bytes + sizeof(yukha_config), 0xFF, 256);
    yukha_result result = YUKHA_NOT_OPEN;
    yukha_tracker* tracker = yukha_open(&other.config, &result);
    EXPECT(result == YUKHA_OK);
    yukha_event* sentence = yukha_event_new(tracker);
    EXPECT(track(sentence, "A") == YUKHA_OK);
    yukha_event_free(sentence);
    yukha_free(tracker);
  }
  const uint32_t too_small[] = {0, 4, (uint32_t)offsetof(yukha_config, queue_dir)};
  for (size_t i = 0; i < 3; ++i) {
    memset(&other, 0, sizeof other);
    other.config.bytes = too_small[i];
    yukha_result result = YUKHA_OK;
    yukha_tracker* tracker = yukha_open(&other.config, &result);
    EXPECT(result == YUKHA_BAD_ARGUMENT);
    yukha_free(tracker);
  }
}

static void stats_of_other_sizes_work(void) {
  yukha_tracker* tracker = opened("stats");
  yukha_event* sentence = yukha_event_new(tracker);
  EXPECT(track(sentence, "A") == YUKHA_OK);
  union {
    yukha_stats stats;
    unsigned char bytes[sizeof(yukha_stats) + 64];
  } other;
  const uint32_t sizes[] = {4, (uint32_t)offsetof(yukha_stats, delivered), (uint32_t)sizeof(yukha_stats),
                            (uint32_t)sizeof other};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    memset(&other, 0xEE, sizeof other);
    EXPECT(yukha_get_stats(tracker, &other.stats, sizes[i]) == YUKHA_OK);
    for (size_t k = sizes[i]; k < sizeof other; ++k) EXPECT(other.bytes[k] == 0xEE);
    if (sizes[i] > 4) EXPECT(other.stats.accepted == 1);
    if (sizes[i] == sizeof other) EXPECT(other.bytes[sizeof(yukha_stats)] == 0);
  }
  EXPECT(yukha_get_stats(tracker, &other.stats, 3) == YUKHA_BAD_ARGUMENT);
  yukha_event_free(sentence);
  yukha_free(tracker);
}

static void last_error_fits_every_buffer(void) {
  yukha_tracker* tracker = opened("last_error");
  EXPECT(yukha_last_error(tracker, NULL, 0) == 0);
  EXPECT(yukha_set_consent(tracker, 9) == YUKHA_BAD_ARGUMENT);
  const size_t length = yukha_last_error(tracker, NULL, 0);
  EXPECT(length > 10 && length < 200);
  for (size_t size = 0; size <= length + 2; ++size) {
    char buffer[256];
    memset(buffer, '#', sizeof buffer);
    EXPECT(yukha_last_error(tracker, buffer, size) == length);
    if (size > 0) EXPECT(strlen(buffer) == (size <= length ? size - 1 : length));
    EXPECT(buffer[size] == '#');
  }
  for (int32_t code = -100; code < 100; ++code) EXPECT(yukha_result_name(code) != NULL);
  yukha_free(tracker);
}

static void extreme_deadlines_end(void) {
  yukha_tracker* tracker = opened("deadlines");
  EXPECT(yukha_flush(tracker, INT64_MAX) == YUKHA_OK);
  EXPECT(yukha_flush(tracker, INT64_MIN) != YUKHA_BAD_ARGUMENT);
  EXPECT(yukha_work(tracker, INT64_MIN) < 0);
  EXPECT(yukha_close(tracker, INT64_MAX) == YUKHA_OK);
  EXPECT(yukha_close(tracker, INT64_MIN) == YUKHA_OK);
  yukha_free(tracker);
}

/* no_thread: nothing takes from the ring until the host calls yukha_work. */
static void a_full_ring_is_refused_and_counted(void) {
  char queue_dir[4096];
  snprintf(queue_dir, sizeof queue_dir, "%s", place("full"));
  yukha_config config = config_for(queue_dir);
  config.no_thread = 1;
  config.ring_bytes = 64 * 1024;
  yukha_result result = YUKHA_NOT_OPEN;
  yukha_tracker* tracker = yukha_open(&config, &result);
  EXPECT(result == YUKHA_OK);
  yukha_event* sentence = yukha_event_new(tracker);
  char* large = malloc(20001);
  EXPECT(large != NULL);
  memset(large, 'x', 20000);
  large[20000] = '\0';
  unsigned kept = 0;
  unsigned refused = 0;
  for (int i = 0; i < 200 && refused == 0; ++i) {
    yukha_event_content(sentence, large, 20000, NULL, 0);
    const yukha_result answer = track(sentence, "A");
    EXPECT(answer == YUKHA_OK || answer == YUKHA_RING_FULL);
    if (answer == YUKHA_OK) ++kept;
    if (answer == YUKHA_RING_FULL) ++refused;
  }
  yukha_stats stats;
  yukha_get_stats(tracker, &stats, sizeof stats);
  /* A host without a thread may be given the work in track(); then the ring never fills. */
  EXPECT(stats.accepted == kept && stats.refused_ring_full == refused);
  for (int frame = 0; frame < 50; ++frame) yukha_work(tracker, 1);
  EXPECT(track(sentence, "A") == YUKHA_OK);
  printf("  %u kept, then %u refused; room again after work\n", kept, refused);
  free(large);
  yukha_event_free(sentence);
  yukha_free(tracker);
}

enum { threads = 8, rounds = 2000 };
static yukha_tracker* shared_tracker;
static yukha_result thread_answers[threads];

static void* many_calls(void* given) {
  const size_t number = (size_t)given;
  const yukha_member member = {"number", "of a thread", 0};
  yukha_event* sentence = yukha_event_new(shared_tracker);
  char user[32];
  snprintf(user, sizeof user, "u_%zu", number);
  for (int i = 0; i < rounds; ++i) {
    yukha_event_content(sentence, "c", 0, &member, 1);
    yukha_result answer = track(sentence, "A");
    if (i % 100 == 0 && answer == YUKHA_OK) answer = yukha_identify(shared_tracker, user, 0, &member, 1);
    if (i % 100 == 50) {
      yukha_stats stats;
      char text[64];
      yukha_get_stats(shared_tracker, &stats, sizeof stats);
      yukha_set_consent(shared_tracker, 9);
      yukha_last_error(shared_tracker, text, sizeof text);
    }
    if (answer != YUKHA_OK) thread_answers[number] = answer;
  }
  yukha_event_free(sentence);
  return NULL;
}

static void eight_threads_may_call_at_once(void) {
  char queue_dir[4096];
  snprintf(queue_dir, sizeof queue_dir, "%s", place("threads"));
  yukha_config config = config_for(queue_dir);
  config.ring_full_wait_ms = 20000;
  shared_tracker = yukha_open(&config, NULL);
  pthread_t running[threads];
  for (size_t i = 0; i < threads; ++i) pthread_create(&running[i], NULL, many_calls, (void*)i);
  for (size_t i = 0; i < threads; ++i) pthread_join(running[i], NULL);
  for (size_t i = 0; i < threads; ++i) EXPECT(thread_answers[i] == YUKHA_OK);
  yukha_stats stats;
  yukha_get_stats(shared_tracker, &stats, sizeof stats);
  EXPECT(stats.accepted == threads * rounds && stats.waiting == threads * rounds && stats.refused == 0);
  yukha_free(shared_tracker);
}

static void* closes(void* given) {
  (void)given;
  yukha_close(shared_tracker, 2000);
  return NULL;
}

static void close_may_come_while_others_track(void) {
  shared_tracker = opened("closing");
  pthread_t closing[2];
  yukha_event* sentence = yukha_event_new(shared_tracker);
  EXPECT(track(sentence, "A") == YUKHA_OK);
  for (int i = 0; i < 2; ++i) pthread_create(&closing[i], NULL, closes, NULL);
  yukha_result answer = YUKHA_OK;
  for (int i = 0; i < 10000000 && answer != YUKHA_CLOSED; ++i) answer = track(sentence, "A");
  EXPECT(answer == YUKHA_CLOSED);
  for (int i = 0; i < 2; ++i) pthread_join(closing[i], NULL);
  EXPECT(yukha_close(shared_tracker, 0) == YUKHA_OK);
  yukha_event_free(sentence);
  yukha_free(shared_tracker);
}

static void a_forked_child_is_refused(void) {
  yukha_tracker* tracker = opened("fork");
  yukha_event* sentence = yukha_event_new(tracker);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    int wrong = track(sentence, "A") != YUKHA_FORKED_CHILD;
    wrong += yukha_identify(tracker, "u", 0, NULL, 0) != YUKHA_FORKED_CHILD;
    wrong += yukha_flush(tracker, 100) != YUKHA_FORKED_CHILD;
    yukha_event_free(sentence);
    yukha_free(tracker);
    _exit(wrong);
  }
  int status = -1;
  EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT(track(sentence, "A") == YUKHA_OK);
  yukha_event_free(sentence);
  yukha_free(tracker);
}

static int entries_of(const char* path) {
  int count = 0;
  DIR* list = opendir(path);
  if (list == NULL) return -1;
  while (readdir(list) != NULL) ++count;
  closedir(list);
  return count;
}

static long resident_kib(void) {
  char line[256];
  long kib = -1;
  FILE* status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    if (strncmp(line, "RssAnon:", 8) == 0) kib = strtol(line + 8, NULL, 10);
  }
  if (status != NULL) fclose(status);
  return kib;
}

static void open_and_drop(int number) {
  char queue_dir[4096];
  char lane[32];
  snprintf(queue_dir, sizeof queue_dir, "%s", place("dropped"));
  snprintf(lane, sizeof lane, "lane-%d", number % 4);
  yukha_config config = config_for(queue_dir);
  config.lane = lane;
  config.endpoint = "http://127.0.0.1:9/";
  config.key_id = "k";
  config.key_secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  config.ring_bytes = 64 * 1024;
  yukha_result result = YUKHA_NOT_OPEN;
  yukha_tracker* tracker = yukha_open(&config, &result);
  EXPECT(result == YUKHA_OK);
  yukha_event* sentence = yukha_event_new(tracker);
  if (number % 3 == 0) EXPECT(track(sentence, "A") == YUKHA_OK);
  /* A sentence may be dropped half made, a tracker without a close, and one that could not open as well. */
  yukha_event_content(sentence, "half", 0, NULL, 0);
  if (number % 2 == 0) yukha_close(tracker, 0);
  yukha_event_free(sentence);
  config.app_id = "Not An Id";
  yukha_free(yukha_open(&config, NULL));
  yukha_free(tracker);
}

static void dropped_trackers_leave_nothing(void) {
  /* curl, OpenSSL and SQLite take what they keep for ever the first time; the queue grows to what it reuses. */
  for (int i = 0; i < 50; ++i) open_and_drop(i);
  malloc_trim(0);
  const int handles = entries_of("/proc/self/fd");
  const int running = entries_of("/proc/self/task");
  const long memory = resident_kib();
  struct timespec began;
  struct timespec ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  for (int i = 0; i < trackers_dropped; ++i) open_and_drop(i);
  clock_gettime(CLOCK_MONOTONIC, &ended);
  malloc_trim(0);
  const int handles_now = entries_of("/proc/self/fd");
  const int running_now = entries_of("/proc/self/task");
  const long memory_now = resident_kib();
  printf(
      "  %d trackers: handles %d to %d, threads %d to %d, anonymous memory %ld to %ld KiB, %.1f ms each\n",
      trackers_dropped, handles - 3, handles_now - 3, running - 2, running_now - 2, memory, memory_now,
      ((double)(ended.tv_sec - began.tv_sec) * 1e3 + (double)(ended.tv_nsec - began.tv_nsec) / 1e6) / trackers_dropped);
  EXPECT(handles_now == handles);
  EXPECT(running_now == running);
  /* A tracker that leaked one buffer of a page each would show as 4,000 KiB. A sanitizer keeps freed memory aside. */
  if (!sanitized) EXPECT(memory_now - memory < 512);
}

int main(int count, char** arguments) {
  if (count < 2) return 64;
  directory = arguments[1];
  if (count > 2) trackers_dropped = atoi(arguments[2]);
  promise("a null is answered, and the sentence with it is not kept", nulls_are_answered);
  promise("a config of an older and of a newer version works", configs_of_other_sizes_work);
  promise("stats of an older and of a newer version work", stats_of_other_sizes_work);
  promise("the last error fits every buffer", last_error_fits_every_buffer);
  promise("the smallest and the largest deadline come to an end", extreme_deadlines_end);
  promise("a full ring is a refusal, and counted", a_full_ring_is_refused_and_counted);
  promise("eight threads may call at once", eight_threads_may_call_at_once);
  promise("close may come twice at once, while others track", close_may_come_while_others_track);
  promise("a forked child is refused, and its parent goes on", a_forked_child_is_refused);
  promise("trackers opened and dropped leave nothing behind", dropped_trackers_leave_nothing);
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
