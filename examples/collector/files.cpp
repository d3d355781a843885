#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace collector {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

}  // namespace

Folder::Folder(const std::string& path) : path_(path), descriptor_(::open(path.c_str(), kFolderFlags)) {
  if (descriptor_ < 0) fail("open", "");
}

Folder::~Folder() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Folder::Folder(Folder&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

void Folder::fail(const char* doing, const std::string& name) const {
  throw std::system_error(errno, std::generic_category(),
                          std::string(doing) + " " + path_ + (name.empty() ? "" : "/" + name));
}

void Folder::sync() const {
  if (::fsync(descriptor_) != 0) fail("fsync", "");
}

void Folder::keep_to_owner() const {
  struct stat about {};
  if (::fstat(descriptor_, &about) != 0) fail("look at", "");
  errno = EPERM;
  if (about.st_uid != ::geteuid()) fail("another user owns", "");
  if (::fchmod(descriptor_, 0700) != 0) fail("chmod", "");
}

void Folder::refuse_strangers() const {
  struct stat about {};
  if (::fstat(descriptor_, &about) != 0) fail("look at", "");
  errno = EPERM;
  if (about.st_uid != ::geteuid()) fail("another user owns", "");
  if ((about.st_mode & S_IWOTH) != 0) fail("everybody can write into", "");
  if ((about.st_mode & S_IWGRP) != 0) fail("its group can write into", "");
}

Folder Folder::made(const std::string& name) const {
  if (::mkdirat(descriptor_, name.c_str(), 0700) == 0) {
    sync();
  } else if (errno != EEXIST) {
    fail("mkdir", name);
  }
  const int descriptor = ::openat(descriptor_, name.c_str(), kFolderFlags | O_NOFOLLOW);
  if (descriptor < 0) fail("open", name);
  Folder folder(path_ + "/" + name, descriptor);
  folder.keep_to_owner();
  return folder;
}

std::optional<Folder> Folder::found(const std::string& name) const {
  const int descriptor = ::openat(descriptor_, name.c_str(), kFolderFlags | O_NOFOLLOW);
  if (descriptor >= 0) return Folder(path_ + "/" + name, descriptor);
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return std::nullopt;
  fail("open", name);
}

void Folder::write(const std::string& name, const std::string& unfinished, std::string_view bytes) const {
  remove(unfinished);
  const Descriptor out(
      ::openat(descriptor_, unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.is_open()) fail("open", unfinished);
  try {
    while (!bytes.empty()) {
      const ssize_t written = ::write(out.number(), bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) fail("write", unfinished);
      if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(out.number()) != 0) fail("fsync", unfinished);
    if (::renameat(descriptor_, unfinished.c_str(), descriptor_, name.c_str()) != 0) fail("rename to", name);
  } catch (const std::system_error&) {
    ::unlinkat(descriptor_, unfinished.c_str(), 0);
    throw;
  }
  sync();
}

std::optional<std::string> Folder::read(const std::string& name, std::size_t bytes_max) const {
  // Not blocking, because a pipe of that name would wait for its writer.
  const Descriptor in(::openat(descriptor_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat about {};
  if (!in.is_open() || ::fstat(in.number(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
  if (static_cast<std::size_t>(about.st_size) > bytes_max) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(in.number(), &bytes[have], bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

void Folder::remove(const std::string& name) const {
  if (::unlinkat(descriptor_, name.c_str(), 0) != 0 && errno != ENOENT) fail("remove", name);
}

void Folder::remove_empty(const std::string& name) const {
  if (::unlinkat(descriptor_, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT && errno != ENOTEMPTY &&
      errno != EEXIST && errno != ENOTDIR) {
    fail("remove", name);
  }
}

}  // namespace collector
