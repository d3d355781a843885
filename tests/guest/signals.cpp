// A host with signals and a file size limit of its own.
//
//   signals sent FOLDER TIMES        signals for the app, none of which the worker may take
//   signals disposition FOLDER TIMES ENDPOINT   trackers come and go while another thread looks at SIGPIPE's handler
//   signals limit FOLDER BYTES       nothing of ours may raise SIGXFSZ when files may not grow beyond this
//   signals pending FOLDER BYTES     the same, and a signal that waited before goes on waiting
//
// Exit code 1, with a line on standard error, when a promise was broken.
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <yukha/yukha.hpp>

using namespace std::chrono_literals;

namespace {

yukha::Config config_in(const std::string& folder) {
  yukha::Config config;
  config.app_id = "guest";
  config.queue_dir = folder;
  config.sync_interval = 10ms;
  config.upload_interval = 100ms;
  return config;
}

int wrong(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  return 1;
}

std::atomic<int> on_app{0};
std::atomic<int> elsewhere{0};
long app_thread = 0;

void count(int) {
  ++(syscall(SYS_gettid) == app_thread ? on_app : elsewhere);
}

void never(int) {
  constexpr std::string_view text = "a signal of ours reached the app\n";
  if (write(2, text.data(), text.size()) < 0) _exit(3);
  _exit(2);
}

// What the blocked signals of the thread of this name are, in the system's own words; empty when there is none.
std::string blocked_of(const std::string& name) {
  std::string blocked;
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* entry = readdir(tasks)) {
    const std::string task = std::string("/proc/self/task/") + entry->d_name;
    std::string line;
    std::getline(std::ifstream(task + "/comm"), line);
    if (line != name) continue;
    std::ifstream status(task + "/status");
    while (std::getline(status, line)) {
      if (line.rfind("SigBlk:", 0) == 0) blocked = line.substr(line.find_first_not_of(" \t", 7));
    }
  }
  closedir(tasks);
  return blocked;
}

int sent(const std::string& folder, int times) {
  app_thread = syscall(SYS_gettid);
  struct sigaction action {};
  action.sa_handler = count;
  for (const int signal : {SIGUSR1, SIGTERM, SIGCHLD, SIGHUP}) sigaction(signal, &action, nullptr);
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  yukha::Tracker tracker = yukha::Tracker::open(config_in(folder));
  if (tracker.status() != yukha::Code::ok) return 65;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < 32; ++signal) {
    if (sigismember(&before, signal) != sigismember(&after, signal)) return wrong("the app's mask is another one");
  }
  // Its name is the first thing it does; the mask it is born with.
  std::string text;
  for (int i = 0; i < 6000 && text.empty(); ++i) {
    text = blocked_of("yukha");
    std::this_thread::sleep_for(10ms);
  }
  unsigned long long left_open = 0;
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGKILL, SIGSTOP}) {
    left_open |= 1ULL << (fault - 1);
  }
  const unsigned long long standard = 0x7fffffffULL;
  if ((std::strtoull(text.c_str(), nullptr, 16) & standard) != (standard & ~left_open)) return wrong(text.c_str());
  // The app's thread has them blocked for a while: who does not, takes them.
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : {SIGUSR1, SIGTERM, SIGCHLD, SIGHUP}) sigaddset(&ours, signal);
  for (int i = 0; i < times; ++i) {
    pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    for (const int signal : {SIGUSR1, SIGTERM, SIGCHLD, SIGHUP}) kill(getpid(), signal);
    static_cast<void>(tracker.event().action("READ").track());
    std::this_thread::sleep_for(1ms);
    pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
  }
  std::printf("%d of %d on the app's thread\n", on_app.load(), times * 4);
  return elsewhere == 0 && on_app == times * 4 ? 0 : wrong("the worker took a signal");
}

int disposition(const std::string& folder, int times, const char* endpoint) {
  struct sigaction action {};
  action.sa_handler = count;
  sigaction(SIGPIPE, &action, nullptr);
  std::atomic<bool> goes_on{true};
  std::atomic<int> others{0};
  std::atomic<long> looks{0};
  std::thread looker([&] {
    while (goes_on) {
      struct sigaction now {};
      sigaction(SIGPIPE, nullptr, &now);
      ++looks;
      if (now.sa_handler != count) ++others;
    }
  });
  for (int i = 0; i < times; ++i) {
    yukha::Config config = config_in(folder);
    config.endpoint = endpoint;
    config.keys = {{"key", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
    yukha::Tracker tracker = yukha::Tracker::open(config);
    static_cast<void>(tracker.event().action("READ").track());
    if (i % 2 == 0) static_cast<void>(tracker.flush(2s));  // the others never send
  }
  goes_on = false;
  looker.join();
  std::printf("%ld looks, another disposition in %d\n", looks.load(), others.load());
  return others == 0 ? 0 : wrong("the app's handler was away");
}

int limit(const std::string& folder, rlim_t bytes, bool one_waits, bool use_thread) {
  struct sigaction action {};
  action.sa_handler = never;
  sigaction(SIGXFSZ, &action, nullptr);
  sigaction(SIGPIPE, &action, nullptr);
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigaddset(&pipe, SIGXFSZ);
  if (one_waits) {
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    pthread_kill(pthread_self(), SIGPIPE);
  }
  const rlimit most{bytes, bytes};
  setrlimit(RLIMIT_FSIZE, &most);
  {
    yukha::Config config = config_in(folder);
    config.use_thread = use_thread;
    yukha::Tracker tracker = yukha::Tracker::open(config);
    std::printf("open: %s\n", tracker.status().message().c_str());
    const std::string text(2000, 'x');
    for (int i = 0; i < 3000; ++i) {
      static_cast<void>(tracker.event().content("c", {{"v", text}}).action("READ").track());
      if (i % 500 == 0) tracker.work(1ms);
    }
    static_cast<void>(tracker.set_consent(yukha::Purpose::advertising, yukha::Consent::granted));
    static_cast<void>(tracker.enter_background(10ms));
    static_cast<void>(tracker.event().action("READ").track());
    static_cast<void>(tracker.erase());
    static_cast<void>(tracker.close());
  }
  sigset_t waiting;
  sigpending(&waiting);
  if (sigismember(&waiting, SIGXFSZ) == 1) return wrong("a signal of ours waits");
  if (sigismember(&waiting, SIGPIPE) != (one_waits ? 1 : 0))
    return wrong("the app's own signal does not wait any more");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 64;
  const std::string shape = argv[1];
  if (shape == "sent") return sent(argv[2], std::atoi(argv[3]));
  if (shape == "disposition") return disposition(argv[2], std::atoi(argv[3]), argv[4]);
  const auto bytes = static_cast<rlim_t>(std::atoll(argv[3]));
  return limit(argv[2], bytes, shape.find("pending") != std::string::npos,
               shape.find("threadless") == std::string::npos);
}
