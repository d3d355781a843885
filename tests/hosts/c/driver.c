/* Does on yukha.h what PROTOCOL.md says. One command a line in, one answer a line out. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yukha/yukha.h>

enum { words_max = 4096 };

/* NULL for the language's null; otherwise `size` bytes and a NUL. */
typedef struct text {
  char* bytes;
  size_t size;
} text;

static char* words[words_max];
static size_t word_count;
static text texts[words_max];
static yukha_member members[words_max / 2];

static yukha_tracker* tracker;
static yukha_event* sentence;
static int cannot_say; /* this sentence, or the call */

static int digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* In the word's own place, which is twice as long as the text. */
static text decoded(char* word) {
  text out = {word, 0};
  if (strcmp(word, "null") == 0) {
    out.bytes = NULL;
    return out;
  }
  if (strcmp(word, "-") != 0) {
    const size_t length = strlen(word);
    for (size_t i = 0; i + 1 < length; i += 2) word[out.size++] = (char)(digit(word[i]) * 16 + digit(word[i + 1]));
  }
  word[out.size] = '\0';
  return out;
}

static text text_at(size_t place) {
  static text none;
  if (place >= word_count) return none;
  if (texts[place].bytes == NULL) texts[place] = decoded(words[place]);
  return texts[place];
}

/* The words from `first` on, two for a member. A name ends with NUL in C, which cannot say one that holds a NUL. */
static size_t members_from(size_t first) {
  size_t count = 0;
  for (size_t i = first; i + 1 < word_count; i += 2, ++count) {
    const text value = text_at(i + 1);
    if (text_at(i).bytes != NULL && memchr(text_at(i).bytes, 0, text_at(i).size) != NULL) cannot_say = 1;
    members[count].name = text_at(i).bytes;
    members[count].value = value.bytes;
    members[count].value_size = value.size;
  }
  return count;
}

static void answer(yukha_result result) {
  if (cannot_say) {
    puts("skip");
    return;
  }
  printf("%d %s\n", (int)result, yukha_result_name(result));
}

static void answer_in_hex(const char* from, size_t size) {
  if (size == 0) putchar('-');
  for (size_t i = 0; i < size; ++i) printf("%02x", (unsigned char)from[i]);
  putchar('\n');
}

static void open_tracker(void) {
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  const struct {
    const char* name;
    const char** place;
  } strings[] = {
      {"app_id", &config.app_id},
      {"queue_dir", &config.queue_dir},
      {"lane", &config.lane},
      {"endpoint", &config.endpoint},
      {"key_id", &config.key_id},
      {"key_secret", &config.key_secret_base64},
      {"app_version", &config.app_version},
      {"os", &config.os},
      {"model", &config.model},
      {"locale", &config.locale},
  };
  const struct {
    const char* name;
    uint32_t* place;
  } numbers[] = {
      {"upload_interval_ms", &config.upload_interval_ms}, {"sync_interval_ms", &config.sync_interval_ms},
      {"ring_full_wait_ms", &config.ring_full_wait_ms},   {"age_max_hours", &config.age_max_hours},
      {"allow_plain_http", &config.allow_plain_http},     {"no_device_facts", &config.no_device_facts},
  };
  for (size_t i = 1; i + 1 < word_count; i += 2) {
    const char* name = words[i];
    const char* value = text_at(i + 1).bytes;
    const unsigned long long number = value == NULL ? 0 : strtoull(value, NULL, 10);
    for (size_t k = 0; k < sizeof strings / sizeof *strings; ++k) {
      if (strcmp(name, strings[k].name) == 0) *strings[k].place = value;
    }
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; ++k) {
      if (strcmp(name, numbers[k].name) == 0) *numbers[k].place = (uint32_t)number;
    }
    if (strcmp(name, "ring_bytes") == 0) config.ring_bytes = number;
    if (strcmp(name, "queue_bytes_max") == 0) config.queue_bytes_max = number;
  }
  yukha_result result = YUKHA_OUT_OF_MEMORY;
  tracker = yukha_open(&config, &result);
  answer(result);
}

static void answer_stats(void) {
  yukha_stats stats;
  memset(&stats, 0, sizeof stats);
  yukha_get_stats(tracker, &stats, sizeof stats);
  const uint64_t numbers[] = {stats.accepted, stats.delivered, stats.waiting, stats.quarantined,
                              stats.evicted,  stats.erased,    stats.lost,    stats.refused};
  for (size_t i = 0; i < 8; ++i) printf(i == 0 ? "%llu" : " %llu", (unsigned long long)numbers[i]);
  putchar('\n');
}

static void answer_last_error(void) {
  const size_t size = yukha_last_error(tracker, NULL, 0);
  char* buffer = malloc(size + 1);
  if (buffer == NULL) exit(1);
  yukha_last_error(tracker, buffer, size + 1);
  answer_in_hex(buffer, size);
  free(buffer);
}

static int64_t number_at(size_t place) {
  return place < word_count ? strtoll(words[place], NULL, 10) : 0;
}

static void obey(const char* command) {
#define IS(name) (strcmp(command, name) == 0)
  if (sentence == NULL || IS("begin")) cannot_say = 0;
  if (IS("open")) {
    open_tracker();
  } else if (IS("identify")) {
    const size_t count = members_from(2);
    answer(yukha_identify(tracker, text_at(1).bytes, text_at(1).size, members, count));
  } else if (IS("begin")) {
    yukha_event_free(sentence);
    sentence = yukha_event_new(tracker);
    answer(YUKHA_OK);
  } else if (IS("location")) {
    const size_t count = members_from(2);
    answer(yukha_event_location(sentence, text_at(1).bytes, text_at(1).size, members, count));
  } else if (IS("content")) {
    const size_t count = members_from(2);
    answer(yukha_event_content(sentence, text_at(1).bytes, text_at(1).size, members, count));
  } else if (IS("referral")) {
    answer(yukha_event_referral(sentence, text_at(1).bytes, text_at(1).size));
  } else if (IS("action")) {
    const size_t count = members_from(3);
    answer(yukha_event_action(sentence, text_at(1).bytes, text_at(1).size, number_at(2), members, count));
  } else if (IS("user")) {
    const size_t count = members_from(1);
    answer(yukha_event_user(sentence, members, count));
  } else if (IS("device")) {
    const size_t count = members_from(1);
    answer(yukha_event_device(sentence, members, count));
  } else if (IS("at")) {
    answer(yukha_event_at(sentence, number_at(1)));
  } else if (IS("critical")) {
    answer(yukha_event_critical(sentence));
  } else if (IS("track")) {
    answer(cannot_say ? YUKHA_OK : yukha_event_track(sentence));
    yukha_event_free(sentence);
    sentence = NULL;
  } else if (IS("track_json")) {
    answer(yukha_track_json(tracker, text_at(1).bytes, text_at(1).size));
  } else if (IS("consent")) {
    answer(yukha_set_consent(tracker, (int32_t)number_at(1)));
  } else if (IS("get_consent")) {
    printf("%d\n", (int)yukha_get_consent(tracker));
  } else if (IS("erase")) {
    answer(yukha_erase(tracker));
  } else if (IS("flush")) {
    answer(yukha_flush(tracker, number_at(1)));
  } else if (IS("stats")) {
    answer_stats();
  } else if (IS("close")) {
    answer(yukha_close(tracker, number_at(1)));
  } else if (IS("free")) {
    yukha_event_free(sentence);
    sentence = NULL;
    yukha_free(tracker);
    tracker = NULL;
    answer(YUKHA_OK);
  } else if (IS("last_error")) {
    answer_last_error();
  } else if (IS("version")) {
    answer_in_hex(yukha_version(), strlen(yukha_version()));
  } else {
    puts("unknown");
  }
#undef IS
}

int main(void) {
  char* line = NULL;
  size_t room = 0;
  ssize_t length = 0;
  while ((length = getline(&line, &room, stdin)) > 0) {
    if (line[length - 1] == '\n') line[length - 1] = '\0';
    word_count = 0;
    memset(texts, 0, sizeof texts);
    for (char* at = line; at != NULL && word_count < words_max;) {
      words[word_count++] = at;
      at = strchr(at, '\t');
      if (at != NULL) *at++ = '\0';
    }
    obey(words[0]);
    fflush(stdout);
  }
  yukha_event_free(sentence);
  yukha_free(tracker);
  free(line);
  return 0;
}
