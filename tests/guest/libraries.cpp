// A host that uses the libraries that we stand on in its own way, and brings second copies of them and of us.
//
//   libraries SHAPE FOLDER ENDPOINT FILE
//
// FILE is another SQLite, or a copy of libyukha.so. The shapes are listed in libraries_test.py. For each tracker it
// tells "NAME CODE KEPT" and what open() said: the sentences NAME-0 … were answered ok, so many of them.
#include <curl/curl.h>
#include <dlfcn.h>
#include <sqlite3.h>
#include <yukha/yukha.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <yukha/yukha.hpp>

using namespace std::chrono_literals;

namespace {

constexpr const char* secret = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
bool compiled_without_locks = false;
std::string folder;
std::string endpoint;

yukha::Config config_in(const std::string& directory) {
  yukha::Config config;
  config.app_id = "guest";
  config.queue_dir = directory;
  config.endpoint = endpoint + "/v1/events";
  config.keys = {{"key", secret}};
  config.upload_interval = 100ms;
  config.sync_interval = 10ms;
  return config;
}

void tell(const std::string& name, yukha::Code opened, int kept, const std::string& message) {
  std::printf("%s %d %d %s\n", name.c_str(), static_cast<int>(opened), kept, message.c_str());
  std::fflush(stdout);
}

int track(yukha::Tracker& tracker, const std::string& name, int first, int count) {
  int kept = 0;
  for (int i = first; i < first + count; ++i)
    kept += tracker.event().content(name + "-" + std::to_string(i)).action("READ").track() == yukha::Code::ok;
  return kept;
}

// A tracker's whole life; whether all went out.
bool live(const std::string& name, yukha::Config config, int count = 200) {
  const bool use_thread = config.use_thread;
  yukha::Tracker tracker = yukha::Tracker::open(std::move(config));
  const int kept = track(tracker, name, 0, count);
  tell(name, tracker.status().code(), kept, tracker.status().message());
  if (!tracker.status()) return true;
  if (!use_thread) {
    while (tracker.stats().waiting != 0) tracker.work(10ms);
    return tracker.close() == yukha::Code::ok;
  }
  return tracker.flush(60s) == yukha::Code::ok && tracker.close() == yukha::Code::ok;
}

bool live(const std::string& name) {
  return live(name, config_in(folder + "/queue"));
}

// --- the app's own VFS --------------------------------------------------------------------------------------------

std::atomic<int> asked_of_the_apps_vfs{0};

int refuse_open(sqlite3_vfs*, const char*, sqlite3_file* file, int, int*) {
  ++asked_of_the_apps_vfs;
  file->pMethods = nullptr;
  return SQLITE_CANTOPEN;
}
int refuse_delete(sqlite3_vfs*, const char*, int) {
  ++asked_of_the_apps_vfs;
  return SQLITE_IOERR;
}
int refuse_access(sqlite3_vfs*, const char*, int, int*) {
  ++asked_of_the_apps_vfs;
  return SQLITE_IOERR;
}
int refuse_full_path(sqlite3_vfs*, const char*, int, char*) {
  ++asked_of_the_apps_vfs;
  return SQLITE_CANTOPEN;
}

// The app's default VFS has the system's clock and randomness, and no file for anybody.
void set_default_vfs() {
  static sqlite3_vfs mine = *sqlite3_vfs_find(nullptr);
  mine.zName = "the app's";
  mine.pNext = nullptr;
  mine.xOpen = refuse_open;
  mine.xDelete = refuse_delete;
  mine.xAccess = refuse_access;
  mine.xFullPathname = refuse_full_path;
  sqlite3_vfs_register(&mine, 1);
}

// --- second copies ------------------------------------------------------------------------------------------------

template <typename Function>
Function* find(void* library, const char* name) {
  auto* found = reinterpret_cast<Function*>(dlsym(library, name));
  if (found == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(66);
  }
  return found;
}

void* load(const char* file) {
  void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(66);
  }
  return library;
}

// The other SQLite looks at a file of ours, as a browser of databases does, and closes it. POSIX locks do not know that
// it is another one.
void look_with(void* sqlite, const std::string& file, int flags) {
  sqlite3* database = nullptr;
  int rows = 0;
  const int opened =
      find<decltype(sqlite3_open_v2)>(sqlite, "sqlite3_open_v2")(file.c_str(), &database, flags, nullptr);
  int looked = opened;
  if (opened == SQLITE_OK) {
    looked = find<decltype(sqlite3_exec)>(sqlite, "sqlite3_exec")(
        database, "SELECT * FROM sqlite_master",
        [](void* count, int, char**, char**) { return ++*static_cast<int*>(count), 0; }, &rows, nullptr);
  }
  find<decltype(sqlite3_close)>(sqlite, "sqlite3_close")(database);
  if (std::getenv("TELL") != nullptr) std::fprintf(stderr, "%s: %d, %d rows\n", file.c_str(), looked, rows);
}

bool second_sqlite(const char* file, int flags) {
  void* const sqlite = load(file);
  if (find<decltype(sqlite3_open_v2)>(sqlite, "sqlite3_open_v2") == &sqlite3_open_v2) return false;
  const std::string queue = folder + "/queue";
  yukha::Config config = config_in(queue);
  config.endpoint.clear();  // all has to be in the files
  yukha::Tracker tracker = yukha::Tracker::open(config);
  int kept = 0;
  for (int round = 0; round < 20; ++round) {
    kept += track(tracker, "first", kept, 50);
    std::this_thread::sleep_for(5ms);
    for (const char* name : {"/lane-00.queue", "/directory.db"}) look_with(sqlite, queue + name, flags);
  }
  tell("first", tracker.status().code(), kept, tracker.status().message());
  yukha::Config named = config;
  named.lane = "lane-00";
  const yukha::Code held = yukha::Tracker::open(named).status().code();
  if (held != yukha::Code::lane_held) {
    std::fprintf(stderr, "the lane was given twice: %d\n", static_cast<int>(held));
    return false;
  }
  yukha::Tracker second = yukha::Tracker::open(config);
  const int kept_by_second = track(second, "second", 0, 200);
  tell("second", second.status().code(), kept_by_second, second.status().message());
  kept += track(tracker, "first", kept, 200);
  tell("first", tracker.status().code(), kept, tracker.status().message());
  const yukha::Stats stats = tracker.stats();
  if (stats.lost != 0 || stats.waiting != stats.accepted) return false;
  if (tracker.close() != yukha::Code::ok || second.close() != yukha::Code::ok) return false;
  dlclose(sqlite);
  // Another process could do the rest; the same does.
  return live("sender", config_in(queue));
}

// The plugin's tracker by a copy of the library of its own.
struct Plugin {
  void* library;
  yukha_tracker* tracker = nullptr;

  yukha_result open(const std::string& directory, std::string& message) {
    yukha_config config;
    find<decltype(yukha_config_init)>(library, "yukha_config_init")(&config, sizeof config);
    const std::string url = endpoint + "/v1/events";
    config.app_id = "guest";
    config.queue_dir = directory.c_str();
    config.endpoint = url.c_str();
    config.key_id = "key";
    config.key_secret_base64 = secret;
    config.upload_interval_ms = 100;
    config.sync_interval_ms = 10;
    yukha_result result = 0;
    tracker = find<decltype(yukha_open)>(library, "yukha_open")(&config, &result);
    char text[300] = "";
    find<decltype(yukha_last_error)>(library, "yukha_last_error")(tracker, text, sizeof text);
    message = text;
    return result;
  }
  int track(const std::string& name, int first, int count) const {
    const auto track_json = find<decltype(yukha_track_json)>(library, "yukha_track_json");
    int kept = 0;
    for (int i = first; i < first + count; ++i) {
      const std::string json =
          R"({"content":{"id":")" + name + "-" + std::to_string(i) + R"("},"action":{"type":"READ"}})";
      kept += track_json(tracker, json.c_str(), json.size()) == YUKHA_OK;
    }
    return kept;
  }
  bool close() const {
    return find<decltype(yukha_flush)>(library, "yukha_flush")(tracker, 60'000) == YUKHA_OK &&
           find<decltype(yukha_close)>(library, "yukha_close")(tracker, 2000) == YUKHA_OK;
  }
  void free() const { find<decltype(yukha_free)>(library, "yukha_free")(tracker); }
};

// The thread sanitizer keeps a library's exit handler when the library goes, and calls it at the end of the process.
#if defined(__SANITIZE_THREAD__)
constexpr bool can_unload = false;
#else
constexpr bool can_unload = true;
#endif

// FOLDER/queue for the app, the same or another directory for the plugin, both at once.
bool second_yukha(const char* file, const std::string& plugins_queue, bool unload) {
  static Plugin plugin{load(file)};
  if (find<decltype(yukha_open)>(plugin.library, "yukha_open") == &yukha_open) return false;
  for (int round = 0; round < 3; ++round) {
    const std::string in_round = std::to_string(round);
    yukha::Tracker tracker = yukha::Tracker::open(config_in(folder + "/queue"));
    std::string message;
    const yukha_result opened = plugin.open(plugins_queue, message);
    int kept_by_plugin = 0;
    std::thread plugins([&] { kept_by_plugin = plugin.track("plugin" + in_round, 0, 500); });
    const int kept = track(tracker, "app" + in_round, 0, 500);
    plugins.join();
    tell("app" + in_round, tracker.status().code(), kept, tracker.status().message());
    tell("plugin" + in_round, static_cast<yukha::Code>(opened), kept_by_plugin, message);
    // One after the other is closed first.
    bool right = round % 2 == 1 || plugin.close();
    right = right && tracker.flush(60s) == yukha::Code::ok && tracker.close() == yukha::Code::ok;
    right = right && (round % 2 == 0 || plugin.close());
    plugin.free();
    if (!right) return false;
    if (!unload) continue;
    dlclose(plugin.library);
    // What it left behind with fork() would run here.
    const int status = std::system("true");
    if (status != 0) return false;
    plugin.library = load(file);
  }
  // The plugin is left open at the end, or unloaded.
  std::string message;
  if (unload) {
    dlclose(plugin.library);
    return dlopen(file, RTLD_NOW | RTLD_NOLOAD) == nullptr && live("last", config_in(folder + "/queue"));
  }
  const yukha_result opened = plugin.open(plugins_queue, message);
  const int kept = plugin.track("left", 0, 100);
  tell("left", static_cast<yukha::Code>(opened), kept, message);
  return find<decltype(yukha_flush)>(plugin.library, "yukha_flush")(plugin.tracker, 60'000) == YUKHA_OK;
}

}  // namespace

// The app's SQLite may be one that was compiled without locks; the library asks this one.
int sqlite3_threadsafe() {
  if (compiled_without_locks) return 0;
  return find<int()>(RTLD_NEXT, "sqlite3_threadsafe")();
}

namespace {

bool run(const std::string& shape, const char* file) {
  const auto is = [&shape](const char* name) { return shape == name; };
  if (is("singlethread")) {
    if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK || !live("refused")) return false;
    // The cure, in the same process.
    sqlite3_shutdown();
    return sqlite3_config(SQLITE_CONFIG_MULTITHREAD) == SQLITE_OK && live("cured");
  }
  if (is("singlethread_without_thread")) {
    yukha::Config config = config_in(folder + "/queue");
    config.use_thread = false;
    return sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK && live("alone", config);
  }
  if (is("compiled_singlethread")) {
    compiled_without_locks = true;
    return live("refused");
  }
  if (is("multithread")) return sqlite3_config(SQLITE_CONFIG_MULTITHREAD) == SQLITE_OK && live("one");
  if (is("serialized")) return sqlite3_config(SQLITE_CONFIG_SERIALIZED) == SQLITE_OK && live("one");
  if (is("vfs_before")) {
    set_default_vfs();
    return live("one") && live("two") && asked_of_the_apps_vfs == 0;
  }
  if (is("vfs_after")) {
    yukha::Tracker tracker = yukha::Tracker::open(config_in(folder + "/queue"));
    int kept = track(tracker, "first", 0, 100);
    set_default_vfs();
    kept += track(tracker, "first", kept, 100);
    tell("first", tracker.status().code(), kept, tracker.status().message());
    const bool erased_none = tracker.flush(60s) == yukha::Code::ok;
    // A lane that is made anew, and another one beside it.
    const bool second = live("second");
    const bool erased = tracker.erase() == yukha::Code::ok;
    kept = track(tracker, "third", 0, 100);
    tell("third", tracker.status().code(), kept, tracker.status().message());
    return erased_none && second && erased && tracker.flush(60s) == yukha::Code::ok &&
           tracker.close() == yukha::Code::ok && asked_of_the_apps_vfs == 0;
  }
  if (is("soft_limit")) {
    sqlite3_soft_heap_limit64(1);
    return live("one", config_in(folder + "/queue"), 1000);
  }
  if (is("shared_cache") || is("mapped")) {
    if (is("mapped")) sqlite3_config(SQLITE_CONFIG_MMAP_SIZE, sqlite3_int64{1} << 26, sqlite3_int64{1} << 26);
    if (is("shared_cache")) sqlite3_enable_shared_cache(1);
    // Several in one directory, at once.
    std::atomic<int> wrong{0};
    std::thread threads[3];
    for (int i = 0; i < 3; ++i) {
      threads[i] = std::thread([i, &wrong] {
        const std::string name(1, static_cast<char>('a' + i));
        for (int round = 0; round < 3; ++round) wrong += !live(name + std::to_string(round));
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (wrong != 0) return false;
    // In a shared cache nobody reads what somebody is writing; files know more patience.
    sqlite3* apps = nullptr;
    if (sqlite3_open((folder + "/queue/directory.db").c_str(), &apps) != SQLITE_OK) return false;
    sqlite3_exec(apps, "BEGIN IMMEDIATE; UPDATE directory SET failures = failures", nullptr, nullptr, nullptr);
    const yukha::Code opened = yukha::Tracker::open(config_in(folder + "/queue")).status().code();
    sqlite3_exec(apps, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(apps);
    if (opened != yukha::Code::ok) return false;
    // What lies in a mapping ends the process by SIGBUS when the disk cannot be read.
    yukha::Tracker tracker = yukha::Tracker::open(config_in(folder + "/queue"));
    static_cast<void>(tracker.flush(1s));
    std::FILE* const maps = std::fopen("/proc/self/maps", "re");
    char line[1000];
    bool mapped = false;
    while (maps != nullptr && std::fgets(line, sizeof line, maps) != nullptr)
      mapped = mapped || std::strstr(line, ".queue") != nullptr || std::strstr(line, "directory.db") != nullptr;
    if (maps != nullptr) std::fclose(maps);
    return !mapped;
  }
  if (is("shut_down")) {
    // Before the first open, between two, and after the last; with an init of its own, and with none.
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl_global_cleanup();
    sqlite3_initialize();
    sqlite3_shutdown();
    for (const char* name : {"one", "two", "three"}) {
      if (!live(name)) return false;
      sqlite3_shutdown();
      curl_global_cleanup();
    }
    return true;
  }
  if (is("second_sqlite_reads")) return second_sqlite(file, SQLITE_OPEN_READONLY);
  if (is("second_sqlite_writes")) return second_sqlite(file, SQLITE_OPEN_READWRITE);
  if (is("second_yukha")) return second_yukha(file, folder + "/queue", false);
  if (is("second_yukha_elsewhere")) return second_yukha(file, folder + "/queue-of-the-plugin", false);
  if (is("second_yukha_unloaded")) return second_yukha(file, folder + "/queue", can_unload);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  folder = argv[2];
  endpoint = argv[3];
  return run(argv[1], argv[4]) ? 0 : 65;
}
