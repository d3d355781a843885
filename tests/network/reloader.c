/* A host that loads and unloads its plug-ins again and again, as the Unity editor does between play sessions.
 *
 *   yukha_reloader LIBRARY ENDPOINT FOLDER TIMES [LINGER_S]
 *
 * Each time: dlopen, open, track r-N, flush, close, free, dlclose. Before the first and after each a line of what is in
 * the process: mappings of libyukha, threads, open files, KiB of memory (RssAnon). With LINGER_S nothing need be
 * delivered, and the process stays that long after its last unloading. reload_test.py says what must come of it. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yukha/yukha.h>

static int fail(const char* what, int code) {
  fprintf(stderr, "%s: %d\n", what, code);
  return 1;
}

/* How many entries a folder of /proc has. */
static int entries(const char* path) {
  DIR* folder = opendir(path);
  if (folder == NULL) return -1;
  int count = 0;
  for (const struct dirent* entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count;
}

/* How many lines of a file of /proc have this text; the number behind the last such text goes to `number`. */
static int lines_with(const char* path, const char* text, long* number) {
  char line[4096];
  FILE* file = fopen(path, "r");
  if (file == NULL) return -1;
  int count = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    const char* found = strstr(line, text);
    if (found == NULL) continue;
    ++count;
    if (number != NULL) *number = strtol(found + strlen(text), NULL, 10);
  }
  fclose(file);
  return count;
}

/* POSIX gives functions out as void*, which ISO C cannot convert. */
#define FIND(library, name)                         \
  do {                                              \
    void* found = dlsym(library, #name);            \
    if (found == NULL) return fail("no " #name, 0); \
    memcpy(&p_##name, &found, sizeof found);        \
  } while (0)

static int play(const char* path, const char* endpoint, const char* folder, int round, int hurries) {
  void (*p_yukha_config_init)(yukha_config*, uint32_t);
  yukha_tracker* (*p_yukha_open)(const yukha_config*, yukha_result*);
  yukha_event* (*p_yukha_event_new)(yukha_tracker*);
  void (*p_yukha_event_free)(yukha_event*);
  yukha_result (*p_yukha_event_content)(yukha_event*, const char*, size_t, const yukha_member*, size_t);
  yukha_result (*p_yukha_event_action)(yukha_event*, const char*, size_t, int64_t, const yukha_member*, size_t);
  yukha_result (*p_yukha_event_track)(yukha_event*);
  yukha_result (*p_yukha_flush)(yukha_tracker*, int64_t);
  yukha_result (*p_yukha_close)(yukha_tracker*, int64_t);
  void (*p_yukha_free)(yukha_tracker*);

  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return fail(dlerror(), 0);
  FIND(library, yukha_config_init);
  FIND(library, yukha_open);
  FIND(library, yukha_event_new);
  FIND(library, yukha_event_free);
  FIND(library, yukha_event_content);
  FIND(library, yukha_event_action);
  FIND(library, yukha_event_track);
  FIND(library, yukha_flush);
  FIND(library, yukha_close);
  FIND(library, yukha_free);

  yukha_config config;
  p_yukha_config_init(&config, sizeof config);
  config.app_id = "reloader";
  config.queue_dir = folder;
  config.endpoint = endpoint;
  config.allow_plain_http = 1;
  config.key_id = "key";
  config.key_secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  yukha_result result = YUKHA_OK;
  yukha_tracker* tracker = p_yukha_open(&config, &result);
  if (tracker == NULL || result != YUKHA_OK) return fail("open", result);
  char id[32];
  snprintf(id, sizeof id, "r-%d", round);
  yukha_event* sentence = p_yukha_event_new(tracker);
  p_yukha_event_content(sentence, id, 0, NULL, 0);
  p_yukha_event_action(sentence, "PLAY", 0, -1, NULL, 0);
  if ((result = p_yukha_event_track(sentence)) != YUKHA_OK) return fail("track", result);
  p_yukha_event_free(sentence);
  if ((result = p_yukha_flush(tracker, hurries ? 100 : 30000)) != YUKHA_OK && !hurries) return fail("flush", result);
  if ((result = p_yukha_close(tracker, hurries ? 100 : 2000)) != YUKHA_OK && !hurries) return fail("close", result);
  p_yukha_free(tracker);
  return dlclose(library) == 0 ? 0 : fail("dlclose", 0);
}

static void tell(void) {
  long kibibytes = 0;
  lines_with("/proc/self/status", "RssAnon:", &kibibytes);
  /* The folder being read is one of the open files. */
  printf("%d %d %d %ld\n", lines_with("/proc/self/maps", "libyukha.so", NULL), entries("/proc/self/task"),
         entries("/proc/self/fd") - 1, kibibytes);
  fflush(stdout);
}

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) return 64;
  const int times = atoi(argv[4]);
  tell();
  for (int round = 0; round < times; ++round) {
    if (play(argv[1], argv[2], argv[3], round, argc == 6) != 0) return 1;
    tell();
  }
  if (argc == 6) sleep((unsigned)atoi(argv[5]));
  return 0;
}
