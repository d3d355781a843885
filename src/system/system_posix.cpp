// Linux, Android, macOS and iOS: clock, dice, files, device facts and the fork guard by POSIX and its neighbours.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "system/clock.hpp"
#include "system/descriptors.hpp"
#include "system/device.hpp"
#include "system/dice.hpp"
#include "system/files.hpp"
#include "system/fork_guard.hpp"
#include "system/thread.hpp"

#if defined(__linux__)
#include <linux/magic.h>
#include <sys/random.h>
#include <sys/vfs.h>
#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#endif
#if defined(__APPLE__)
#include <pthread/qos.h>
#include <sys/sysctl.h>
#endif

namespace yukha::system {
namespace {

class PosixClock final : public Clock {
 public:
  // One that goes on while the device sleeps: ages and back-off are about the world's time. On Apple CLOCK_MONOTONIC
  // does.
  std::int64_t monotonic_ms() noexcept override {
#if defined(CLOCK_BOOTTIME)
    return read(CLOCK_BOOTTIME);
#else
    return read(CLOCK_MONOTONIC);
#endif
  }
  std::int64_t unix_ms() noexcept override {
    return read(CLOCK_REALTIME);
  }

 private:
  static std::int64_t read(clockid_t which) noexcept {
    timespec now{};
    clock_gettime(which, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
  }
};

class PosixDice final : public Dice {
 public:
  bool fill(void* into, std::size_t size) noexcept override {
#if defined(__APPLE__)
    arc4random_buf(into, size);
#else
    auto* at = static_cast<char*>(into);
    while (size > 0) {
      const ssize_t got = getrandom(at, size, 0);
      if (got > 0) {
        at += got;
        size -= static_cast<std::size_t>(got);
      } else if (errno != EINTR) {
        return false;  // a sandbox that forbids the call; a kernel without it is older than any we support
      }
    }
#endif
    return true;
  }
};

// Files that are locked. A forked child shares the lock through its copy of the descriptor, and would hold it on when
// this process is gone; so it gives the copy up before fork() returns there.
class PosixFile;
pthread_mutex_t locked_mutex = PTHREAD_MUTEX_INITIALIZER;
PosixFile* first_locked = nullptr;

class PosixFile final : public File {
 public:
  explicit PosixFile(int descriptor) noexcept : descriptor_(descriptor) {}
  ~PosixFile() override {
    if (mapping_ != nullptr) munmap(mapping_, mapped_);
    if (locks_) {
      pthread_mutex_lock(&locked_mutex);
      PosixFile** at = &first_locked;
      while (*at != this) at = &(*at)->next_locked_;
      *at = next_locked_;
      pthread_mutex_unlock(&locked_mutex);
    }
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Error lock(int patience_ms) noexcept override {
    share_with_no_child();
    constexpr int pause_ms = 5;
    while (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK || patience_ms <= 0) return errno;
      const timespec pause{0, pause_ms * 1'000'000};
      nanosleep(&pause, nullptr);
      patience_ms -= pause_ms;
    }
    return 0;
  }

  Error lock_database() noexcept override {
#if defined(F_OFD_SETLK)
    share_with_no_child();
    struct flock bytes {};
    bytes.l_type = F_WRLCK;
    bytes.l_whence = SEEK_SET;
    bytes.l_start = 0x40000000;  // of the file format: PENDING, RESERVED, and the 510 bytes of SHARED
    bytes.l_len = 512;
    return fcntl(descriptor_, F_OFD_SETLK, &bytes) == 0 ? 0 : errno;
#else
    return EOPNOTSUPP;
#endif
  }

  bool is_at(const std::string& path) noexcept override {
    struct stat mine {};
    struct stat there {};
    if (fstat(descriptor_, &mine) != 0) return false;
    // A directory that may not be looked into still has it.
    if (lstat(path.c_str(), &there) != 0) return errno != ENOENT && errno != ENOTDIR;
    return mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
  }

  Error read(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) noexcept override {
    got = 0;
    while (got < size) {
      const ssize_t count =
          pread(descriptor_, static_cast<char*>(into) + got, size - got, static_cast<off_t>(offset + got));
      if (count == 0) break;
      if (count < 0) {
        if (errno == EINTR) continue;
        return errno;
      }
      got += static_cast<std::size_t>(count);
    }
    return 0;
  }

  Error write(std::uint64_t offset, const void* from, std::size_t size) noexcept override {
    // track() comes this way in the app's thread, with each sentence where there is no mapping. Beyond the limit the
    // system raises SIGXFSZ; asking first is a third of what blocking it would cost.
    rlimit limit{};
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset + size > limit.rlim_cur) return EFBIG;
    const auto* at = static_cast<const char*>(from);
    while (size > 0) {
      const ssize_t count = pwrite(descriptor_, at, size, static_cast<off_t>(offset));
      if (count < 0) {
        if (errno == EINTR) continue;
        return errno;
      }
      if (count == 0) return EIO;
      at += count;
      offset += static_cast<std::uint64_t>(count);
      size -= static_cast<std::size_t>(count);
    }
    return 0;
  }

  Error sync() noexcept override {
    if (mapping_ != nullptr && msync(mapping_, mapped_, MS_SYNC) != 0) return errno;
#if defined(__APPLE__)
    if (fcntl(descriptor_, F_FULLFSYNC) == 0) return 0;
#endif
    return fsync(descriptor_) == 0 ? 0 : errno;
  }

  Error size(std::uint64_t& bytes) noexcept override {
    struct stat facts {};
    if (fstat(descriptor_, &facts) != 0) return errno;
    bytes = static_cast<std::uint64_t>(facts.st_size);
    return 0;
  }

  Error resize(std::uint64_t bytes) noexcept override {
    return ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  }

  Error reserve(std::uint64_t bytes) noexcept override {
#if defined(__linux__)
    struct statfs facts {};
    if (fstatfs(descriptor_, &facts) != 0) return errno;
    // Copy-on-write systems (btrfs, overlays on them) and network systems promise blocks they may not have at the
    // store; there a full disk would be a SIGBUS in the app's thread.
    switch (static_cast<unsigned long>(facts.f_type)) {
      case EXT4_SUPER_MAGIC:
      case XFS_SUPER_MAGIC:
      case F2FS_SUPER_MAGIC:
      case TMPFS_MAGIC:
        break;
      default:
        return EOPNOTSUPP;
    }
    return fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
#else
    static_cast<void>(bytes);
    return EOPNOTSUPP;  // APFS copies on write: a reserved block is not the block a store ends in
#endif
  }

  char* map(std::size_t size) noexcept override {
    int flags = MAP_SHARED;
#if defined(MAP_POPULATE)
    flags |= MAP_POPULATE;  // the first pages must not fault in on the app's thread
#endif
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, descriptor_, 0);
    if (memory == MAP_FAILED) return nullptr;
    mapping_ = memory;
    mapped_ = size;
    return static_cast<char*>(memory);
  }

  void warm(std::size_t offset, std::size_t size) noexcept override {
#if defined(MADV_POPULATE_WRITE)
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t first = offset / page * page;
    const std::size_t end = std::min(offset + size, mapped_);
    if (mapping_ == nullptr || first >= end) return;
    static_cast<void>(madvise(static_cast<char*>(mapping_) + first, end - first, MADV_POPULATE_WRITE));
#else
    static_cast<void>(offset);
    static_cast<void>(size);
#endif
  }

 private:
  void share_with_no_child() noexcept {
    static const bool handlers = pthread_atfork([] { pthread_mutex_lock(&locked_mutex); },
                                                [] { pthread_mutex_unlock(&locked_mutex); }, &forget_locks) == 0;
    static_cast<void>(handlers);
    if (!locks_) {
      pthread_mutex_lock(&locked_mutex);
      next_locked_ = first_locked;
      first_locked = this;
      locks_ = true;
      pthread_mutex_unlock(&locked_mutex);
    }
  }
  static void forget_locks() noexcept {
    for (PosixFile* file = first_locked; file != nullptr; file = file->next_locked_) {
      ::close(file->descriptor_);
      file->descriptor_ = -1;
    }
    pthread_mutex_unlock(&locked_mutex);
  }

  int descriptor_;
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  bool locks_ = false;
  PosixFile* next_locked_ = nullptr;
};

class PosixFiles final : public Files {
 public:
  Error open(const std::string& path, OpenMode mode, std::unique_ptr<File>& file) noexcept override {
    // 0600: what a user did is nobody else's business on a shared machine. What is new was nobody's before, and what
    // somebody laid there is not followed.
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    if (mode == OpenMode::replace) static_cast<void>(unlink(path.c_str()));
    int descriptor = -1;
    // Another process may make it, or remove it, between the two.
    for (int attempt = 0; descriptor < 0 && attempt < 8; ++attempt) {
      descriptor = mode == OpenMode::replace ? -1 : ::open(path.c_str(), flags);
      if (descriptor >= 0 || mode == OpenMode::existing || (mode != OpenMode::replace && errno != ENOENT)) break;
      descriptor = ::open(path.c_str(), flags | O_CREAT | O_EXCL, 0600);
      if (descriptor < 0 && errno != EEXIST) break;
    }
    descriptor = keep_above_stdio(descriptor);
    if (descriptor < 0) return errno;
    struct stat facts {};
    if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
      ::close(descriptor);
      return is_no_plain_file;
    }
    file.reset(new (std::nothrow) PosixFile(descriptor));
    if (!file) {
      ::close(descriptor);
      return ENOMEM;
    }
    return 0;
  }

  Error make_directory(const std::string& path) noexcept override try {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (!part.empty() && mkdir(part.c_str(), 0700) != 0 && errno != EEXIST && end == std::string::npos) return errno;
      if (end == std::string::npos) break;
    }
    struct stat facts {};
    if (stat(path.c_str(), &facts) != 0) return errno;
    if (!S_ISDIR(facts.st_mode)) return ENOTDIR;
    if (facts.st_uid != geteuid() && facts.st_uid != 0) return is_somebody_elses;
    // A group with the user's own number is the user's alone.
    const bool own_group = facts.st_gid == getegid() && facts.st_gid == static_cast<gid_t>(geteuid());
    const mode_t others = S_IWOTH | (own_group ? 0 : S_IWGRP);
    return (facts.st_mode & others) == 0 ? 0 : others_can_write;
  } catch (...) {
    return ENOMEM;
  }

  Error make_absolute(std::string& path) noexcept override try {
    using Text = std::unique_ptr<char, decltype(&free)>;
    if (const Text real(realpath(path.c_str(), nullptr), &free); real) path = real.get();
    if (path[0] == '/') return 0;
    const Text here(getcwd(nullptr, 0), &free);
    if (!here) return errno;
    path = std::string(here.get()) + "/" + path;
    return 0;
  } catch (...) {
    return ENOMEM;
  }

  Error make_private(const std::string& path, bool& narrowed) noexcept override {
    narrowed = false;
    struct stat facts {};
    if (lstat(path.c_str(), &facts) != 0) return errno == ENOENT ? 0 : errno;
    // What is no file cannot be opened as one, either.
    if (S_ISDIR(facts.st_mode)) return 0;
    if (!S_ISREG(facts.st_mode) || facts.st_nlink != 1) return is_no_plain_file;
    if (facts.st_uid != geteuid()) return is_somebody_elses;
    if ((facts.st_mode & 077) == 0) return 0;
    // Nobody else can exchange it meanwhile: the directory is the user's.
    narrowed = chmod(path.c_str(), 0600) == 0;
    return narrowed ? 0 : errno;
  }

  Error remove(const std::string& path) noexcept override {
    return unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : errno;
  }

  Error rename(const std::string& from, const std::string& to) noexcept override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  }

  Error sync_directory(const std::string& path) noexcept override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    const Error error = fsync(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    return error;
  }

  Error list(const std::string& path, std::vector<std::string>& names) noexcept override {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return errno;
    Error error = 0;
    try {
      while (const dirent* entry = readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
      }
    } catch (...) {
      error = ENOMEM;
    }
    closedir(directory);
    return error;
  }

  Error size(const std::string& path, std::uint64_t& bytes) noexcept override {
    struct stat facts {};
    if (stat(path.c_str(), &facts) != 0) return errno;
    bytes = static_cast<std::uint64_t>(facts.st_size);
    return 0;
  }

  Error identity(const std::string& path, std::uint64_t& identity) noexcept override {
    struct stat facts {};
    if (stat(path.c_str(), &facts) != 0) return errno;
    // Not the device number: it may change at a reboot, and the queue would be taken for a copy.
    identity = static_cast<std::uint64_t>(facts.st_ino);
    return 0;
  }

  // By its name: the app may have made another one SQLite's default.
  const char* sqlite_vfs() const noexcept override { return "unix"; }
  const char* sqlite_vfs_without_locks() const noexcept override { return "unix-none"; }
};

// The first line of a short file that begins like this, without its beginning.
std::string line_after(const char* path, std::string_view beginning) {
  const int descriptor = keep_above_stdio(::open(path, O_RDONLY | O_CLOEXEC));
  if (descriptor < 0) return {};
  char text[4096];
  const ssize_t size = ::read(descriptor, text, sizeof text);
  ::close(descriptor);
  std::string_view rest(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.substr(0, beginning.size()) == beginning) return std::string(line.substr(beginning.size()));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return {};
}

// Never destroyed: at the end of the process threads of the app's may still be in a call.
template <typename Seam>
Seam& lasting() noexcept {
  alignas(Seam) static unsigned char place[sizeof(Seam)];
  static Seam* const made = new (place) Seam;
  return *made;
}

}  // namespace

Clock& system_clock() noexcept {
  return lasting<PosixClock>();
}

Dice& system_dice() noexcept {
  return lasting<PosixDice>();
}

Files& system_files() noexcept {
  return lasting<PosixFiles>();
}

std::string error_text(Error error) {
  static constexpr struct {
    Error error;
    const char* text;
  } table[] = {
      {EACCES, "EACCES, the app may not use it; change its rights, or choose another queue_dir"},
      {EPERM, "EPERM, the system forbids it; choose another queue_dir"},
      {EROFS, "EROFS, the file system is read-only; choose another queue_dir"},
      {ENOENT, "ENOENT, it or a directory above it is missing; make that, or choose another queue_dir"},
      {ENOTDIR, "ENOTDIR, a part of the path is a file; choose another queue_dir"},
      {EISDIR, "EISDIR, a directory stands in its place; remove it"},
      {EEXIST, "EEXIST, something else stands in its place; remove it"},
      {ELOOP, "ELOOP, a symbolic link stands in its place, or too many in its path; name the directory itself"},
      {ENAMETOOLONG, "ENAMETOOLONG, the path is too long; choose a shorter queue_dir"},
      {EMFILE, "EMFILE, the process has too many files open; close some, or raise its limit"},
      {ENFILE, "ENFILE, the system has too many files open; close some"},
      {ENOSPC, "ENOSPC, no space is left; free some"},
      {EDQUOT, "EDQUOT, the user's share of the disk is used up; free some"},
      {EFBIG, "EFBIG, the process may not write so large a file; raise its limit"},
      {ENOMEM, "ENOMEM, there is no memory left"},
      {ENOLCK, "ENOLCK, the file system gives no lock; choose another queue_dir"},
      {EIO, "EIO, the disk failed; choose another queue_dir"},
      {others_can_write, "others can write in it; take that right from them (chmod go-w), or choose another queue_dir"},
      {is_somebody_elses, "it is another user's; remove it, or choose another queue_dir"},
      {is_no_plain_file, "it is a link or a device, or has another name; remove it"},
  };
  for (const auto& row : table) {
    if (row.error == error) return row.text;
  }
  return "errno " + std::to_string(error);
}

DeviceFacts device_facts() {
  DeviceFacts facts;
  utsname system{};
  if (uname(&system) == 0) {
    facts.os = std::string(system.sysname) + " " + system.release;
    facts.model = system.machine;
  }
#if defined(__APPLE__)
  char model[128] = {};
  std::size_t size = sizeof model - 1;
  if (sysctlbyname("hw.model", model, &size, nullptr, 0) == 0 && model[0] != '\0') facts.model = model;
#elif defined(__linux__)
  std::string name = line_after("/etc/os-release", "PRETTY_NAME=");
  if (name.size() >= 2 && name.front() == '"') name = name.substr(1, name.size() - 2);
  if (!name.empty()) facts.os = name;
#endif
  for (const char* variable : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    facts.locale = value;
    facts.locale = facts.locale.substr(0, facts.locale.find('.'));
    break;
  }
  return facts;
}

void become_worker() noexcept {
#if defined(__linux__)
  static_cast<void>(pthread_setname_np(pthread_self(), "yukha"));
  // Batch threads get their share of time, but are not put in place of a running one when they wake (sched(7)).
  sched_param none{};
  static_cast<void>(pthread_setschedparam(pthread_self(), SCHED_BATCH, &none));
#elif defined(__APPLE__)
  static_cast<void>(pthread_setname_np("yukha"));
  static_cast<void>(pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0));
#endif
}

std::string platform_id() {
#if defined(__APPLE__)
  // What tells Apple's devices apart is for the binding to say; the file's identity tells a copy all the same.
  return "";
#else
  return line_after("/etc/machine-id", "");
#endif
}

ForkGuard::ForkGuard() noexcept : owner_(getpid()) {
#if defined(MADV_WIPEONFORK)
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (madvise(page, size, MADV_WIPEONFORK) != 0) {
    munmap(page, size);
    return;
  }
  page_ = static_cast<unsigned char*>(page);
  *page_ = 1;
#endif
}

ForkGuard::~ForkGuard() {
  if (page_ != nullptr) {
    munmap(const_cast<unsigned char*>(page_), static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  }
}

bool ForkGuard::in_child() const noexcept {
  return page_ != nullptr ? *page_ == 0 : getpid() != owner_;
}

void ForkGuard::own() noexcept {
  owner_ = getpid();
  if (page_ != nullptr) *page_ = 1;
}

void keep_loaded(const void* function) noexcept {
  static const char here = 0;
  Dl_info theirs{};
  Dl_info ours{};
  if (dladdr(function, &theirs) == 0 || dladdr(&here, &ours) == 0 || theirs.dli_fbase == ours.dli_fbase) return;
  // The handle is given up on purpose: nobody is to close it.
  static_cast<void>(dlopen(theirs.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
}

}  // namespace yukha::system
