#include "sim_disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "virtual_time.hpp"

namespace yukha::simulation {
namespace {

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

void tear(Inode& inode, Chance& chance) {
  // Sizes are metadata: an unsynced change is there or not, as a whole.
  std::vector<char> after = inode.durable;
  if (inode.bytes.size() != inode.durable.size() && !one_in(chance, 3)) after.resize(inode.bytes.size(), '\0');
  const std::size_t pages = (after.size() + sim_page - 1) / sim_page;
  for (std::size_t page = 0; page < pages; ++page) {
    if (!inode.mapped && inode.dirty.count(page) == 0) continue;
    const std::size_t begin = page * sim_page;
    const std::size_t end = std::min({begin + sim_page, after.size(), inode.bytes.size()});
    if (begin >= end) continue;
    switch (throw_up_to(chance, 3)) {
      case 0:
        break;  // lost
      case 1:   // torn: some sectors made it
        for (std::size_t at = begin; at < end; at += sim_sector) {
          if (one_in(chance, 2)) {
            std::memcpy(after.data() + at, inode.bytes.data() + at, std::min(sim_sector, end - at));
          }
        }
        break;
      default:
        std::memcpy(after.data() + begin, inode.bytes.data() + begin, end - begin);
    }
  }
  inode.bytes = after;
  inode.durable = after;
  inode.dirty.clear();
}

// Beside SQLite's own: a database that its process locked by lock_database().
constexpr int lock_of_a_file = SQLITE_LOCK_EXCLUSIVE + 1;

class SimFile final : public system::File {
 public:
  SimFile(Process& process, std::shared_ptr<Inode> inode, bool reserves)
      : process_(process), handle_(process, std::move(inode)), reserves_(reserves) {}

  system::Error read(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) noexcept override {
    process_.operation();
    got = 0;
    if (process_.fails(Fault::read_error)) return EIO;
    const auto& bytes = handle_.inode->bytes;
    if (offset >= bytes.size()) return 0;
    got = std::min(size, bytes.size() - static_cast<std::size_t>(offset));
    std::memcpy(into, bytes.data() + offset, got);
    return 0;
  }
  system::Error write(std::uint64_t offset, const void* from, std::size_t size) noexcept override {
    process_.operation();
    if (process_.fails(Fault::write_error)) return EIO;
    const bool cut = process_.fails(Fault::short_write);
    if (!process_.fits(*handle_.inode, offset + size)) return ENOSPC;
    Process::write_to(*handle_.inode, offset, from, cut ? process_.cut_short(size) : size);
    return cut ? ENOSPC : 0;
  }
  system::Error sync() noexcept override {
    process_.operation();
    if (process_.fails(Fault::sync_error)) return EIO;
    process_.sync(*handle_.inode);
    return 0;
  }
  system::Error size(std::uint64_t& bytes) noexcept override {
    bytes = handle_.inode->bytes.size();
    return 0;
  }
  system::Error resize(std::uint64_t bytes) noexcept override {
    process_.operation();
    handle_.inode->bytes.resize(static_cast<std::size_t>(bytes));
    return 0;
  }
  system::Error reserve(std::uint64_t bytes) noexcept override {
    process_.operation();
    Inode& inode = *handle_.inode;
    if (!reserves_) return EOPNOTSUPP;
    if (!process_.fits(inode, bytes)) return ENOSPC;
    if (inode.bytes.size() < bytes) inode.bytes.resize(static_cast<std::size_t>(bytes));
    return 0;
  }
  system::Error lock(int patience_ms) noexcept override {
    process_.operation();
    const auto is_held = [this] {
      const auto& locks = handle_.inode->locks;
      return std::any_of(locks.begin(), locks.end(), [this](const auto& one) { return one.first != &handle_; });
    };
    constexpr int look_every_ms = 10;
    for (; is_held() && patience_ms > 0 && process_.wait && process_.alive(); patience_ms -= look_every_ms)
      process_.wait(look_every_ms);
    if (is_held()) return EWOULDBLOCK;
    handle_.inode->locks[&handle_] = SQLITE_LOCK_EXCLUSIVE;
    return 0;
  }
  system::Error lock_database() noexcept override {
    const system::Error error = lock(0);
    if (error == 0) handle_.inode->locks[&handle_] = lock_of_a_file;
    return error;
  }
  bool is_at(const std::string& path) noexcept override {
    return !process_.alive() || process_.find(path) == handle_.inode;
  }
  char* map(std::size_t size) noexcept override {
    if (handle_.inode->bytes.size() < size) return nullptr;
    handle_.mapped = true;
    handle_.inode->mapped = true;
    return handle_.inode->bytes.data();
  }

 private:
  Process& process_;
  Handle handle_;
  bool reserves_;
};

// --- SQLite's way to the same disk -----------------------------------------------------------------------------------

struct VfsFile {
  sqlite3_file base;
  Handle* handle;
  int lock;
  char* path_to_delete;
  const char* name;  // SQLite keeps it for as long as the file is open

  Process& process() const { return handle->process; }
  Inode& inode() const { return *handle->inode; }
};

VfsFile& of(sqlite3_file* file) {
  return *reinterpret_cast<VfsFile*>(file);
}
Process& process_of(sqlite3_vfs* vfs) {
  return *static_cast<Process*>(vfs->pAppData);
}

int vfs_close(sqlite3_file* file) {
  VfsFile& self = of(file);
  if (self.path_to_delete != nullptr) {
    self.process().remove(self.path_to_delete);
    sqlite3_free(self.path_to_delete);
  }
  delete self.handle;
  return SQLITE_OK;
}

int vfs_read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  VfsFile& self = of(file);
  self.process().operation();
  if (self.process().fails(Fault::read_error)) return SQLITE_IOERR_READ;
  const auto& bytes = self.inode().bytes;
  const auto begin = static_cast<std::size_t>(offset);
  const std::size_t got = begin >= bytes.size() ? 0 : std::min(static_cast<std::size_t>(size), bytes.size() - begin);
  if (got > 0) std::memcpy(into, bytes.data() + begin, got);
  if (got == static_cast<std::size_t>(size)) return SQLITE_OK;
  std::memset(static_cast<char*>(into) + got, 0, static_cast<std::size_t>(size) - got);
  return SQLITE_IOERR_SHORT_READ;
}

int vfs_write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  VfsFile& self = of(file);
  self.process().operation();
  if (self.process().fails(Fault::write_error)) return SQLITE_IOERR_WRITE;
  const auto begin = static_cast<std::uint64_t>(offset);
  const auto count = static_cast<std::size_t>(size);
  const bool cut = self.process().fails(Fault::short_write);
  if (!self.process().fits(self.inode(), begin + count)) return SQLITE_FULL;
  Process::write_to(self.inode(), begin, from, cut ? self.process().cut_short(count) : count);
  return cut ? SQLITE_FULL : SQLITE_OK;
}

int vfs_truncate(sqlite3_file* file, sqlite3_int64 size) {
  VfsFile& self = of(file);
  self.process().operation();
  if (self.process().fails(Fault::write_error)) return SQLITE_IOERR_TRUNCATE;
  self.inode().bytes.resize(static_cast<std::size_t>(size));
  return SQLITE_OK;
}

int vfs_sync(sqlite3_file* file, int) {
  VfsFile& self = of(file);
  self.process().operation();
  if (self.process().fails(Fault::sync_error)) return SQLITE_IOERR_FSYNC;
  self.process().sync(self.inode());
  return SQLITE_OK;
}

int vfs_file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(of(file).inode().bytes.size());
  return SQLITE_OK;
}

// Whether the database was opened by the VFS without locks, because its process has locked it by this handle.
bool is_without_locks(const VfsFile& self, const Handle* owner, int held) {
  return held == lock_of_a_file && &owner->process == &self.process();
}

int vfs_lock(sqlite3_file* file, int level) {
  VfsFile& self = of(file);
  auto& locks = self.inode().locks;
  for (const auto& [owner, held] : locks) {
    if (owner == self.handle || is_without_locks(self, owner, held)) continue;
    if (level == SQLITE_LOCK_SHARED && held >= SQLITE_LOCK_PENDING) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_RESERVED && held >= SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
    if (level >= SQLITE_LOCK_PENDING && held >= SQLITE_LOCK_SHARED) return SQLITE_BUSY;
  }
  if (level > self.lock) {
    self.lock = level;
    locks[self.handle] = level;
  }
  return SQLITE_OK;
}

int vfs_unlock(sqlite3_file* file, int level) {
  VfsFile& self = of(file);
  self.lock = level;
  auto& locks = self.inode().locks;
  if (level == SQLITE_LOCK_NONE) {
    locks.erase(self.handle);
  } else {
    locks[self.handle] = level;
  }
  return SQLITE_OK;
}

int vfs_check_reserved(sqlite3_file* file, int* reserved) {
  *reserved = 0;
  VfsFile& self = of(file);
  for (const auto& [owner, held] : self.inode().locks) {
    if (held >= SQLITE_LOCK_RESERVED && !is_without_locks(self, owner, held)) *reserved = 1;
  }
  return SQLITE_OK;
}

int vfs_file_control(sqlite3_file* file, int what, void* answer) {
  VfsFile& self = of(file);
  if (what == SQLITE_FCNTL_SIZE_HINT && self.process().gives_blocks_ahead()) {
    const auto size = static_cast<std::uint64_t>(*static_cast<sqlite3_int64*>(answer));
    if (!self.process().fits(self.inode(), size)) return SQLITE_IOERR_WRITE;
    if (self.inode().bytes.size() < size) self.inode().bytes.resize(static_cast<std::size_t>(size));
    return SQLITE_OK;
  }
  if (what != SQLITE_FCNTL_HAS_MOVED) return SQLITE_NOTFOUND;
  const bool is_there =
      self.name == nullptr || !self.process().alive() || self.process().find(self.name) == self.handle->inode;
  *static_cast<int*>(answer) = is_there ? 0 : 1;
  return SQLITE_OK;
}
int vfs_sector_size(sqlite3_file*) {
  return static_cast<int>(sim_sector);
}
int vfs_characteristics(sqlite3_file*) {
  return 0;
}

constexpr sqlite3_io_methods make_methods() {
  sqlite3_io_methods methods{};
  methods.iVersion = 1;  // no shared memory: the log works under an exclusive lock only, as ours does
  methods.xClose = vfs_close;
  methods.xRead = vfs_read;
  methods.xWrite = vfs_write;
  methods.xTruncate = vfs_truncate;
  methods.xSync = vfs_sync;
  methods.xFileSize = vfs_file_size;
  methods.xLock = vfs_lock;
  methods.xUnlock = vfs_unlock;
  methods.xCheckReservedLock = vfs_check_reserved;
  methods.xFileControl = vfs_file_control;
  methods.xSectorSize = vfs_sector_size;
  methods.xDeviceCharacteristics = vfs_characteristics;
  return methods;
}
const sqlite3_io_methods methods = make_methods();

int vfs_open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
  Process& process = process_of(vfs);
  process.operation();
  VfsFile& self = of(file);
  self.base.pMethods = nullptr;
  self.lock = 0;
  self.path_to_delete = nullptr;
  self.name = name;
  const std::string path = name != nullptr ? name : "/tmp/" + std::to_string(process.chance()());
  if (process.fails(Fault::open_error)) return SQLITE_CANTOPEN;
  std::shared_ptr<Inode> inode = process.find(path);
  if (inode && inode->unreadable) return SQLITE_CANTOPEN;
  if (!inode) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    inode = process.create(path);
  }
  self.handle = new Handle(process, inode);
  if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0) self.path_to_delete = sqlite3_mprintf("%s", path.c_str());
  self.base.pMethods = &methods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  Process& process = process_of(vfs);
  if (!process.find(name)) return SQLITE_IOERR_DELETE_NOENT;
  process.remove(name);
  if (sync_directory != 0) process.sync_directory(directory_of(name));
  return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int, int* answer) {
  *answer = process_of(vfs).find(name) != nullptr ? 1 : 0;
  return SQLITE_OK;
}

int vfs_full_pathname(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs* vfs, int size, char* out) {
  for (int i = 0; i < size; ++i) out[i] = static_cast<char>(process_of(vfs).chance()());
  return size;
}

int vfs_sleep(sqlite3_vfs* vfs, int microseconds) {
  Process& process = process_of(vfs);
  const std::int64_t wait_ms = microseconds / 1000 + 1;
  if (process.wait && process.alive()) {
    process.wait(wait_ms);
  } else {
    process.time().now_ms += wait_ms;
  }
  return microseconds;
}

int vfs_current_time(sqlite3_vfs* vfs, sqlite3_int64* time) {
  *time = process_of(vfs).time().unix_ms() + 210'866'760'000'000;  // Julian day in milliseconds
  return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

}  // namespace

const char* fault_name(Fault fault) {
  static const char* const names[] = {"full", "write", "short_write", "read", "sync", "open"};
  return names[static_cast<int>(fault)];
}

std::uint64_t Disk::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, inode] : names) bytes += inode->bytes.size();
  return bytes;
}

bool Disk::is_unreadable(const std::string& path) const {
  const auto found = names.find(path);
  return found != names.end() && found->second->unreadable;
}

Disk Disk::copy() const {
  Disk other;
  other.next_number = next_number;
  other.reserves = reserves;
  other.gives_blocks_ahead = gives_blocks_ahead;
  other.faults = faults;
  for (const auto& [name, inode] : names) {
    auto one = std::make_shared<Inode>();
    one->bytes = one->durable = inode->bytes;
    one->number = other.next_number++;
    one->unreadable = inode->unreadable;
    other.names[name] = other.durable_names[name] = one;
  }
  return other;
}

void Disk::write_back() {
  for (auto& [name, inode] : names) {
    inode->durable = inode->bytes;
    inode->dirty.clear();
  }
  durable_names = names;
}

void Disk::lose_power(Chance& chance) {
  // A name that was made, moved or removed without a sync of its directory may be back as it was.
  std::map<std::string, std::shared_ptr<Inode>> after = durable_names;
  for (const auto& [name, inode] : names) {
    const auto known = durable_names.find(name);
    if (known != durable_names.end() && known->second == inode) continue;
    if (one_in(chance, 2)) after[name] = inode;
  }
  for (const auto& [name, inode] : durable_names) {
    if (names.count(name) == 0 && one_in(chance, 2)) after.erase(name);
  }
  std::set<Inode*> torn;
  for (auto& [name, inode] : after) {
    if (torn.insert(inode.get()).second) tear(*inode, chance);
    inode->mapped = false;
  }
  names = after;
  durable_names = after;
}

Process::Process(Disk& disk, Chance& chance, VirtualTime& time) : disk_(disk), chance_(chance), time_(time) {
  static std::uint64_t count = 0;
  vfs_name_ = "simulation-" + std::to_string(++count);
  vfs_ = std::make_unique<sqlite3_vfs>();
  std::memset(vfs_.get(), 0, sizeof *vfs_);
  vfs_->iVersion = 2;
  vfs_->szOsFile = sizeof(VfsFile);
  vfs_->mxPathname = 512;
  vfs_->zName = vfs_name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = vfs_open;
  vfs_->xDelete = vfs_delete;
  vfs_->xAccess = vfs_access;
  vfs_->xFullPathname = vfs_full_pathname;
  vfs_->xRandomness = vfs_randomness;
  vfs_->xSleep = vfs_sleep;
  vfs_->xCurrentTimeInt64 = vfs_current_time;
  vfs_->xGetLastError = vfs_last_error;
  sqlite3_vfs_register(vfs_.get(), 0);
}

Process::~Process() {
  sqlite3_vfs_unregister(vfs_.get());
}

void Process::kill() {
  if (!alive_) return;
  alive_ = false;
  died_ms_ = time_.now_ms;
  // What the dead go on doing reaches nobody. A mapping cannot be moved: there the world gets the copy, elsewhere the
  // dead do. Who only read a file that another has mapped must not take it from him.
  std::set<const Inode*> mapped;
  for (const Handle* handle : handles_) {
    if (handle->mapped) mapped.insert(handle->inode.get());
  }
  std::map<const Inode*, std::shared_ptr<Inode>> copies;
  for (Handle* handle : handles_) {
    const std::shared_ptr<Inode> old = handle->inode;
    std::shared_ptr<Inode>& copy = copies[old.get()];
    if (!copy) {
      copy = std::make_shared<Inode>(*old);
      copy->locks.clear();
    }
    const auto lock = old->locks.find(handle);
    const int level = lock == old->locks.end() ? 0 : lock->second;
    if (mapped.count(old.get()) != 0) {
      for (auto* names : {&disk_.names, &disk_.durable_names}) {
        for (auto& [name, inode] : *names) {
          if (inode == old) inode = copy;
        }
      }
      copy->mapped = true;
      continue;
    }
    old->locks.erase(handle);
    handle->inode = copy;
    if (level != 0) copy->locks[handle] = level;
  }
}

void Process::operation() {
  if (kill_in_ != 0 && --kill_in_ == 0) kill();
  if (!alive_ || inside_ || !meanwhile) return;
  inside_ = true;
  meanwhile();
  inside_ = false;
}

bool Process::fails(Fault fault) {
  if (!alive_ || disk_.fault_one_in == 0 || disk_.fault != fault || !one_in(chance_, disk_.fault_one_in)) return false;
  if (disk_.faults != nullptr) ++disk_.faults[static_cast<int>(fault)];
  return true;
}

std::size_t Process::cut_short(std::size_t size) {
  // All of them, now and then: a write may be done and be answered with an error.
  return static_cast<std::size_t>(throw_up_to(chance_, size));
}

std::shared_ptr<Inode> Process::find(const std::string& path) const {
  if (!alive_) return nullptr;
  const auto found = disk_.names.find(path);
  return found == disk_.names.end() ? nullptr : found->second;
}

std::shared_ptr<Inode> Process::create(const std::string& path) {
  auto inode = std::make_shared<Inode>();
  inode->number = disk_.next_number++;
  if (alive_) disk_.names[path] = inode;
  return inode;
}

bool Process::fits(const Inode& inode, std::uint64_t end) {
  if (!alive_ || end <= inode.bytes.size() || disk_.bytes_max == UINT64_MAX) return true;
  if (disk_.used() + (end - inode.bytes.size()) <= disk_.bytes_max) return true;
  if (disk_.faults != nullptr) ++disk_.faults[static_cast<int>(Fault::full)];
  return false;
}

void Process::write_to(Inode& inode, std::uint64_t offset, const void* from, std::size_t size) {
  const auto begin = static_cast<std::size_t>(offset);
  if (size == 0) return;
  if (inode.bytes.size() < begin + size) inode.bytes.resize(begin + size);
  std::memcpy(inode.bytes.data() + begin, from, size);
  for (std::size_t page = begin / sim_page; page <= (begin + size - 1) / sim_page; ++page) inode.dirty.insert(page);
}

void Process::sync(Inode& inode) {
  if (!alive_) return;
  if (inode.mapped || inode.durable.size() != inode.bytes.size()) {
    inode.durable = inode.bytes;
  } else {
    for (const std::size_t page : inode.dirty) {
      const std::size_t begin = page * sim_page;
      if (begin >= inode.bytes.size()) continue;
      std::memcpy(inode.durable.data() + begin, inode.bytes.data() + begin,
                  std::min(sim_page, inode.bytes.size() - begin));
    }
  }
  inode.dirty.clear();
  // As ext4, xfs and APFS do it: syncing a new file brings its name with it.
  for (const auto& [name, other] : disk_.names) {
    if (other.get() == &inode) disk_.durable_names[name] = other;
  }
}

system::Error Process::open(const std::string& path, system::OpenMode mode,
                            std::unique_ptr<system::File>& file) noexcept {
  operation();
  if (fails(Fault::open_error)) return EMFILE;
  std::shared_ptr<Inode> inode = find(path);
  if (inode && inode->unreadable) return EACCES;
  if (!inode) {
    if (mode == system::OpenMode::existing) return ENOENT;
    inode = create(path);
  } else if (mode == system::OpenMode::replace) {
    inode->bytes.clear();
  }
  file = std::make_unique<SimFile>(*this, inode, disk_.reserves);
  return 0;
}

system::Error Process::make_directory(const std::string&) noexcept {
  return 0;
}

system::Error Process::remove(const std::string& path) noexcept {
  operation();
  if (alive_) disk_.names.erase(path);
  return 0;
}

system::Error Process::rename(const std::string& from, const std::string& to) noexcept {
  operation();
  if (!alive_) return 0;
  const auto found = disk_.names.find(from);
  if (found == disk_.names.end()) return ENOENT;
  const auto inode = found->second;
  disk_.names.erase(found);
  disk_.names[to] = inode;
  // The directory's own file is another matter: its content stands beside it as well.
  disk_.directories_set_aside += to.find("directory.db.damaged") != std::string::npos;
  disk_.set_aside += to.find(".damaged") != std::string::npos && to.find("lane") != std::string::npos;
  return 0;
}

system::Error Process::sync_directory(const std::string& path) noexcept {
  operation();
  if (!alive_) return 0;
  for (auto name = disk_.durable_names.begin(); name != disk_.durable_names.end();) {
    const bool gone = directory_of(name->first) == path && disk_.names.count(name->first) == 0;
    name = gone ? disk_.durable_names.erase(name) : std::next(name);
  }
  for (const auto& [name, inode] : disk_.names) {
    if (directory_of(name) == path) disk_.durable_names[name] = inode;
  }
  return 0;
}

system::Error Process::list(const std::string& path, std::vector<std::string>& names) noexcept {
  if (!alive_) return 0;
  for (const auto& [name, inode] : disk_.names) {
    if (directory_of(name) == path) names.push_back(name.substr(path.size() + 1));
  }
  return 0;
}

system::Error Process::size(const std::string& path, std::uint64_t& bytes) noexcept {
  const auto inode = find(path);
  if (!inode) return ENOENT;
  bytes = inode->bytes.size();
  return 0;
}

system::Error Process::identity(const std::string& path, std::uint64_t& identity) noexcept {
  const auto inode = find(path);
  if (!inode) return ENOENT;
  identity = inode->number;
  return 0;
}

}  // namespace yukha::simulation
