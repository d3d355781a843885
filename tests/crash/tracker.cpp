// A process that tracks from several threads and tells of each answer. The tests kill it, stop it, fork it and take its
// disk away. One command a line in, words separated by tabs, as tests/hosts/PROTOCOL.md has them:
//
//   open NAME VALUE …                 a tracker with these settings; "code name", then the message in hex
//   deny CALL ERRNO                   from now on this system call fails, in every thread (Linux); before open
//   run ID THREADS PER_SECOND COUNT KIND   each thread tracks COUNT sentences at that pace (0: as fast as it can)
//   wait, stop                        for the threads; "kept kept_in_memory refused", and the first refusal's name
//   track ID                          one sentence from this thread; "code name"
//   fork                              what a forked child is told by each call, and how it ended
//   leave_child MS                    forks a child that does nothing for so long; its process id
//   flush MS, erase, close MS, stats
//
// Sentence N of thread T has the content id ID-T-N. KIND `short`: without a text of their own; `critical`: these, all
// of them critical; `notes`: texts of many lengths, and each answer is noted on standard output when it is there and
// not before: `+T-N` kept, `~T-N` kept in memory, `!T-N` refused. A note is one write, so a kill loses at most the last
// of each thread.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <yukha/yukha.hpp>

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "../hosts/cpp/words.hpp"

namespace {

// Made before any thread is: a child of fork() would wait for the one that was making it.
const std::string long_text(9000, 'x');

using std::chrono::milliseconds;
using yukha::test::named;

void say(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (count > 0) at += static_cast<std::size_t>(count);
    if (count < 0 && errno != EINTR) _exit(3);
  }
}

// The judge knows how long sentence N is. Most are short, some go round the ring's end, a few fill a good part of it.
std::size_t text_size(std::uint64_t number) {
  return number % 97 == 96 ? 9000 : number * 7919 % 600;
}

bool is_critical(std::uint64_t number) {
  return number % 16 == 5;
}

#if defined(__linux__)
bool deny(const std::string& call, unsigned error) {
  unsigned number = 0;
  if (call == "fallocate") number = SYS_fallocate;
  if (call == "fdatasync") number = SYS_fdatasync;
  if (number == 0) return false;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // the call's number is the first word of seccomp_data
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog whole = {4, program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &whole) == 0;
}
#else
bool deny(const std::string&, unsigned) {
  return false;
}
#endif

class Process {
 public:
  ~Process() { end_run(false); }

  std::string answer(const std::vector<std::string>& words) {
    yukha::test::Words given(words);
    const std::string& command = words[0];
    if (command == "open") {
      tracker_ = yukha::Tracker::open(yukha::test::config_of(yukha::test::settings_in(words)));
      return named(tracker_.status()) + " " + yukha::test::in_hex(tracker_.status().message());
    }
    if (command == "deny") return deny(words[1], static_cast<unsigned>(given.number(2))) ? "0 ok" : "unknown";
    if (command == "run") {
      begin_run(words[1], given.number(2), given.number(3), static_cast<std::uint64_t>(given.number(4)), words[5]);
      return "0 ok";
    }
    if (command == "wait" || command == "stop") return end_run(command == "stop");
    if (command == "track") return named(track(words[1], 0, "short"));
    if (command == "fork") return fork_a_child();
    if (command == "leave_child") {
      const pid_t child = fork();
      if (child != 0) return std::to_string(child);
      close(STDOUT_FILENO);
      std::this_thread::sleep_for(milliseconds(given.number(1)));
      _exit(0);
    }
    if (command == "flush") {
      const yukha::Status status = tracker_.flush(milliseconds(given.number(1)));
      return named(status) + " " + yukha::test::in_hex(status.message());
    }
    if (command == "erase") return named(tracker_.erase());
    if (command == "close") return named(tracker_.close(milliseconds(given.number(1))));
    if (command == "stats") return stats();
    return "unknown";
  }

 private:
  yukha::Status track(const std::string& id, std::uint64_t number, const std::string& kind) {
    yukha::Event event = tracker_.event();
    event.location("FEED", {{"y", "3"}})
        .content(id, {{"text", std::string_view(long_text).substr(0, kind == "notes" ? text_size(number) : 0)}})
        .referral("CLICK")
        .action("READ", milliseconds(12));
    if (is_critical(number) || kind == "critical") event.critical();
    return event.track();
  }

  void begin_run(const std::string& id, std::int64_t threads, std::int64_t per_second, std::uint64_t count,
                 const std::string& kind) {
    end_run(true);
    stopping_ = false;
    kept_ = in_memory_ = refused_ = 0;
    first_refusal_ = "none";
    for (std::int64_t thread = 0; thread < threads; ++thread) {
      threads_.emplace_back([=] { track_on(id, std::to_string(thread), per_second, count, kind); });
    }
  }

  void track_on(const std::string& id, const std::string& thread, std::int64_t per_second, std::uint64_t count,
                const std::string& kind) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t number = 0; number < count && !stopping_; ++number) {
      if (per_second > 0) {
        // Bursts of eight: threads that all sleep between two calls would seldom be in one at the same time.
        const auto due = std::chrono::microseconds(number / 8 * 8 * 1'000'000 / static_cast<std::uint64_t>(per_second));
        std::this_thread::sleep_until(begin + due);
      }
      const std::string name = thread + "-" + std::to_string(number);
      const yukha::Status status = track(id + "-" + name, number, kind);
      if (status == yukha::Code::ok) {
        ++kept_;
      } else if (status == yukha::Code::kept_in_memory) {
        ++in_memory_;
      } else if (++refused_ == 1) {
        const std::lock_guard<std::mutex> lock(first_refusal_mutex_);
        first_refusal_ = yukha::code_name(status.code());
      }
      if (kind == "notes") say((status.kept() ? "+" : status.good() ? "~" : "!") + name);
    }
  }

  std::string end_run(bool at_once) {
    if (at_once) stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    const std::lock_guard<std::mutex> lock(first_refusal_mutex_);
    return std::to_string(kept_) + " " + std::to_string(in_memory_) + " " + std::to_string(refused_) + " " +
           first_refusal_;
  }

  // The child makes every call, ends by exit() with the tracker still there, and tells through a pipe.
  std::string fork_a_child() {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
      std::string told = named(track("child-of-a-fork", 0, "short"));
      told += "," + named(tracker_.identify("child"));
      told += "," + named(tracker_.flush(milliseconds(100)));
      told += "," + named(tracker_.erase());
      told += "," + named(tracker_.set_consent(yukha::Consent::denied));
      told += "," + named(tracker_.close());
      told += "," + std::to_string(tracker_.stats().accepted);
      if (write(ends[1], told.data(), told.size()) < 0) _exit(4);
      for (std::thread& thread : threads_) thread.detach();  // they are the parent's
      threads_.clear();
      tracker_ = yukha::Tracker();
      std::exit(0);
    }
    close(ends[1]);
    std::string told;
    char piece[256];
    for (ssize_t count = 0; (count = read(ends[0], piece, sizeof piece)) > 0;) {
      told.append(piece, static_cast<std::size_t>(count));
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return told + "," +
           (WIFEXITED(status) ? "exit " + std::to_string(WEXITSTATUS(status))
                              : "signal " + std::to_string(WTERMSIG(status)));
  }

  std::string stats() const {
    const yukha::Stats stats = tracker_.stats();
    std::string out;
    for (const std::uint64_t number : {stats.accepted, stats.delivered, stats.waiting, stats.quarantined, stats.evicted,
                                       stats.erased, stats.lost, stats.refused, stats.requests, stats.failures}) {
      out += (out.empty() ? "" : " ") + std::to_string(number);
    }
    return out;
  }

  yukha::Tracker tracker_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> kept_{0};
  std::atomic<std::uint64_t> in_memory_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::mutex first_refusal_mutex_;
  std::string first_refusal_ = "none";
};

Process process;  // static: a host's own exit() meets it with the tracker open

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) say("=" + process.answer(yukha::test::split(line)));
}
