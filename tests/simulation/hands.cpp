// What others do to a device's files: the user, a cleaner, a backup program, the app itself.
#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "life.hpp"

namespace yukha::simulation {
namespace {

constexpr const char* database_path = "/q/directory.db";
constexpr const char* copy_path = "/q/directory.copy";
constexpr std::size_t at_consent = 48;  // in a ring's header

bool has_ending(const std::string& name, const std::string& ending) {
  return name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

// Bit by bit, and not as the library does it.
std::uint32_t crc32c(std::uint32_t crc, const void* bytes, std::size_t size) {
  crc = ~crc;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= static_cast<const unsigned char*>(bytes)[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82F63B78U & (0U - (crc & 1)));
  }
  return ~crc;
}

std::uint64_t word_at(const std::vector<char>& bytes, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

// The number that stands for a consent in all three places.
struct Statement {
  std::uint64_t epoch = 0;
  std::int64_t number = -1;  // none

  std::int64_t times() const { return number >> 16; }
  Consent all() const { return static_cast<Consent>(number & 3); }
  Consent ads() const { return static_cast<Consent>(2 - (number >> 4 & 3)); }
};

// Not empty, and no database.
bool is_something(const Inode& database) {
  const std::string text(database.bytes.begin(), database.bytes.end());
  return !text.empty() && (database.unreadable || text.rfind("SQLite format 3", 0) != 0);
}

// `something`: whatever lies there once its journal was played back, which undoes a making that was cut off, is ours.
bool in_database(const Disk& disk, VirtualTime& time, Statement& statement, bool& something) {
  // In a copy, because looking plays a journal back.
  Disk copy;
  for (const auto& [name, inode] : disk.names) {
    if (name.rfind(database_path, 0) != 0 || inode->unreadable) continue;
    copy.names[name] = std::make_shared<Inode>();
    copy.names[name]->bytes = inode->bytes;
  }
  if (copy.names.count(database_path) == 0) return false;
  Chance chance(1);
  Process process(copy, chance, time);
  sqlite3* database = nullptr;
  sqlite3_stmt* row = nullptr;
  bool found = false;
  if (sqlite3_open_v2(database_path, &database, SQLITE_OPEN_READWRITE, process.sqlite_vfs()) == SQLITE_OK &&
      sqlite3_prepare_v2(database, "SELECT epoch, consent FROM directory", -1, &row, nullptr) == SQLITE_OK &&
      sqlite3_step(row) == SQLITE_ROW) {
    statement.epoch = static_cast<std::uint64_t>(sqlite3_column_int64(row, 0));
    statement.number = sqlite3_column_int64(row, 1);
    found = true;
  }
  sqlite3_finalize(row);
  sqlite3_close(database);
  something = is_something(*copy.names[database_path]);
  return found;
}

bool in_copy(const Inode& inode, Statement& statement) {
  const std::string text(inode.bytes.begin(), inode.bytes.end());
  long long number = 0;
  unsigned long long epoch = 0;
  unsigned check = 0;
  if (std::sscanf(text.c_str(), "yukha directory 1\nconsent %lld\nepoch %llu\ncheck %u\n", &number, &epoch, &check) !=
      3)
    return false;
  statement.epoch = epoch;
  statement.number = number;
  return check == crc32c(0, text.data(), text.find("check"));
}

bool in_ring(const Inode& inode, Statement& statement) {
  const std::vector<char>& bytes = inode.bytes;
  if (bytes.size() < 4096 || std::memcmp(bytes.data(), "ykaring1", 8) != 0) return false;
  if (word_at(bytes, 40) != crc32c(0, bytes.data(), 40)) return false;
  statement.epoch = word_at(bytes, 24);
  const std::uint64_t word = word_at(bytes, at_consent);
  const std::uint64_t number = word & 0xFFFF'FFFF'FFFF;
  const std::uint64_t check = (crc32c(crc32c(0, bytes.data() + 16, 16), &number, 8) & 0xFFFF) | 1;
  if (word >> 48 == check) statement.number = static_cast<std::int64_t>(number);
  return true;
}

// One whose making was cut off is nothing yet.
}  // namespace

// The newest statement counts, by epoch and then by how often consent was said; the strictest of those as new.
Life::Said Life::what_is_said() {
  Said said;
  std::vector<Statement> all;
  for (const auto& [name, inode] : disk_.names) {
    if (name.rfind("/q/", 0) != 0) continue;
    Statement statement;
    const bool is_ring = has_ending(name, ".ring");
    const bool is_copy = name == copy_path;
    said.ours = said.ours || is_ring || is_copy || has_ending(name, ".queue") || has_ending(name, ".damaged") ||
                has_ending(name, ".salvage") || (name == database_path && inode->unreadable);
    if (inode->unreadable) continue;
    if ((is_ring && in_ring(*inode, statement)) || (is_copy && in_copy(*inode, statement))) all.push_back(statement);
  }
  Statement statement;
  bool something = false;
  if (in_database(disk_, time_, statement, something)) all.push_back(statement);
  said.ours = said.ours || something;
  std::int64_t times = -1;
  for (const Statement& one : all) said.epoch = std::max(said.epoch, one.epoch);
  for (const Statement& one : all) {
    if (one.epoch == said.epoch && one.number >= 0) times = std::max(times, one.times());
  }
  said.known = times >= 0;
  if (said.known) said.all = said.ads = Consent::granted;
  for (const Statement& one : all) {
    if (one.epoch != said.epoch || one.number < 0 || one.times() != times) continue;
    said.all = std::max(said.all, one.all());
    said.ads = std::max(said.ads, one.ads());
  }
  if (!said.known && said.ours) said.all = said.ads = Consent::pending;
  return said;
}

// Between two runs.
void Life::forget_what_was_said() {
  for (const auto& app : apps_) end(*app, chance(2) ? "close" : "kill");
  bury_the_dead();
  give_the_files_back();
  const Said before = what_is_said();
  const bool was_denied = consent_known_ && consent_ == Consent::denied && !lost_power_ && !traits_.faults;
  std::map<std::string, std::vector<char>> as_they_are;
  std::string story;
  for (const char* path : {database_path, copy_path}) {
    const auto found = disk_.names.find(path);
    if (found == disk_.names.end()) continue;
    const std::shared_ptr<Inode> inode = found->second;
    as_they_are[path] = inode->bytes;
    const std::uint64_t fate = throw_up_to(chance_, 4);
    static const char* const fates[] = {"stays", "is removed", "is unreadable", "is damaged", "is older"};
    const auto old = old_files_.find(path);
    if (fate == 1) {
      disk_.names.erase(path);
      disk_.durable_names.erase(path);
    } else if (fate == 2) {
      inode->unreadable = true;
    } else if (fate == 3) {
      for (std::size_t i = 0; i < std::min<std::size_t>(inode->bytes.size(), 100); ++i)
        inode->bytes[i] = static_cast<char>(chance_());
      inode->durable = inode->bytes;
    } else if (fate == 4 && old != old_files_.end()) {
      auto other = std::make_shared<Inode>();
      other->bytes = other->durable = old->second;
      other->number = disk_.next_number++;
      disk_.names[path] = disk_.durable_names[path] = other;
      // Whoever brings a database back brings it without another one's journal.
      disk_.names.erase(std::string(path) + "-journal");
      disk_.durable_names.erase(std::string(path) + "-journal");
    }
    story += std::string(path) + " " + fates[fate] + ", ";
  }
  if (old_files_.empty() || chance(2)) old_files_ = as_they_are;
  if (chance(3)) {
    // As a version left it that wrote no consent there.
    for (const auto& [name, inode] : disk_.names) {
      if (!has_ending(name, ".ring") || inode->bytes.size() < 4096) continue;
      for (auto* bytes : {&inode->bytes, &inode->durable}) {
        if (bytes->size() >= 4096) std::memset(bytes->data() + at_consent, 0, 8);
      }
    }
    story += "the rings say nothing, ";
  }
  const Said now = what_is_said();
  tell("what was said is touched: %sepoch %llu was %llu, consent %d was %d", story.c_str(),
       static_cast<unsigned long long>(now.epoch), static_cast<unsigned long long>(before.epoch),
       static_cast<int>(now.all), static_cast<int>(before.all));
  if (was_denied && now.all == Consent::granted) violate("a denial is forgotten altogether");
  for (auto& [name, tracked] : tracked_) {
    // An erase that only these files knew of has not happened.
    if (now.epoch < before.epoch && tracked.erased) {
      tracked.erased = false;
      tracked.may_be_gone = true;
    }
    // An old denial that nothing newer contradicts is obeyed.
    if (now.all == Consent::denied || (now.ads == Consent::denied && tracked.for_ads)) tracked.may_be_gone = true;
  }
  consent_known_ = ads_known_ = false;  // until the next opening
  counters_gone_ = true;
  server_.left_in_peace_until_ms = 0;
  ++outage_excuses_;
  count("times what was said of consent was touched");
  if (!now.known) count("times nothing was left of what was said");
}

void Life::give_the_files_back() {
  bool some = false;
  for (const auto& [name, inode] : disk_.names) some = std::exchange(inode->unreadable, false) || some;
  if (!some) return;
  // Whoever is open did not read it, and hears of it from whoever opens next.
  consent_known_ = ads_known_ = false;
  for (const auto& app : apps_) app->opened_with.reset();
  const Said now = what_is_said();
  denial_at_large_ = denial_at_large_ || now.all == Consent::denied;
  ads_denial_at_large_ = ads_denial_at_large_ || now.ads == Consent::denied;
  for (auto& [name, tracked] : tracked_) tracked.may_be_gone = tracked.may_be_gone || may_be_denied_later(tracked);
}

// The process that opened alone goes by what it found.
void Life::check_consent(App& app, const Said& said) {
  const Purpose advertising = Purpose::advertising;
  const Consent all = app.core->consent();
  const Consent ads = app.core->consent(&advertising);
  if (all != said.all || ads != said.ads) {
    violate(std::to_string(app.run) + " opened with the consent " + std::to_string(static_cast<int>(all)) + ", " +
            std::to_string(static_cast<int>(ads)) + " to advertising, and found " +
            std::to_string(static_cast<int>(said.all)) + ", " + std::to_string(static_cast<int>(said.ads)));
  }
  app.opened_with = said.all;
  consent_ = said.all;
  ads_ = said.ads;
  consent_known_ = ads_known_ = true;
}

// Under the processes that have them open.
void Life::take_files_away(App& app) {
  // What was moved away last time is of no use to anybody any more.
  const auto remove = [this](const auto& which) {
    for (auto* names : {&disk_.names, &disk_.durable_names}) {
      for (auto name = names->begin(); name != names->end();) name = which(name->first) ? names->erase(name) : ++name;
    }
  };
  remove([](const std::string& name) { return name.rfind("/q/", 0) != 0; });
  const std::uint64_t how = throw_up_to(chance_, 3);
  bool open_anew = false;
  if (how < 2) {
    // The directory goes, or another one takes its name.
    if (how == 1) {
      for (auto* names : {&disk_.names, &disk_.durable_names}) {
        for (const auto& [name, inode] : std::map<std::string, std::shared_ptr<Inode>>(*names))
          (*names)["/away" + name] = inode;
      }
    }
    remove([](const std::string& name) { return name.rfind("/q/", 0) == 0; });
    ++home_;
    for (const auto& other : apps_) other->removed = other->process->alive();
    tell("the directory is %s", how == 0 ? "removed" : "moved away");
    if (traits_.at_once && apps_.size() <= 3 && chance(2)) open_anew = true;
  } else {
    std::string lane;
    for (const auto& [name, inode] : disk_.names) {
      const auto has = [&node = inode](const Handle* handle) { return handle->inode == node; };
      const auto& handles = app.process->handles();
      const bool is_its = has_ending(name, ".queue") && std::any_of(handles.begin(), handles.end(), has);
      if (is_its) lane = name.substr(0, name.size() - std::strlen(".queue"));
    }
    if (lane.empty()) return;
    const bool queue = chance(2);
    const bool ring = !queue || chance(2);
    // Of two locks one holds: who takes both lets two processes into a lane.
    const bool lock = chance(2) && !traits_.dropped;
    remove([&](const std::string& name) {
      return (queue && name.rfind(lane + ".queue", 0) == 0) || (ring && name == lane + ".ring") ||
             (lock && name == lane + ".lock");
    });
    app.removed = true;
    if (lock) unlocked_.insert(lane);
    tell("%zu loses files of %s:%s%s%s", app.run, lane.c_str(), queue ? " queue" : "", ring ? " ring" : "",
         lock ? " lock" : "");
  }
  taken_away_ms_ = time_.now_ms;
  for (const auto& one : apps_) {
    if (one->removed) one->notices_by_ms = INT64_MAX;
  }
  for (auto& [name, tracked] : tracked_) {
    // What no process of now has in its hands.
    const bool is_held = std::any_of(apps_.begin(), apps_.end(), [&one = tracked](const auto& other) {
      return other->run == one.run && other->process->alive();
    });
    if (!is_held) tracked.may_be_gone = true;
  }
  counters_gone_ = true;
  ++outage_excuses_;
  count("times files were taken away");
  if (open_anew) open_at_once(2 + throw_up_to(chance_, 2));
}

// As a host does that closes another descriptor of the file: the lanes' databases are open, and unlocked.
void Life::drop_locks() {
  for (const auto& [name, inode] : disk_.names) {
    if (has_ending(name, ".queue")) inode->locks.clear();
  }
  tell("SQLite's locks are dropped");
  count("times locks were dropped");
}

// Nobody shares a ring.
void Life::look_at_owners() {
  for (const auto& [name, inode] : disk_.names) {
    if (!has_ending(name, ".ring")) continue;
    std::size_t owners = 0;
    for (const auto& app : apps_) {
      const auto& handles = app->process->handles();
      const auto has = [&node = inode](const Handle* handle) { return handle->inode == node; };
      owners += app->process->alive() && std::any_of(handles.begin(), handles.end(), has);
    }
    // Where somebody removed the lock file, the next process makes one of its own; the ring's mark tells the first.
    if (unlocked_.count(name.substr(0, name.size() - std::strlen(".ring"))) != 0) continue;
    if (owners > 1) violate(std::to_string(owners) + " processes have " + name);
  }
}

// Whoever lost its files may find that another process has the rest of them: it refuses until its worker looked.
bool Life::is_taken_for_a_while(App& app) {
  if (!app.removed) return false;
  if (app.refuses_since_ms < 0) app.refuses_since_ms = time_.now_ms;
  return time_.now_ms - app.refuses_since_ms <= 5'000;
}

void Life::look_whether_it_is_back(App& app) {
  if (!app.removed) return;
  const auto& handles = app.process->handles();
  bool queue = false;
  bool ring = false;
  bool lock = false;
  for (const Handle* handle : handles) {
    for (const auto& [name, inode] : disk_.names) {
      if (inode != handle->inode || name.rfind("/q/", 0) != 0) continue;
      queue = queue || has_ending(name, ".queue");
      ring = ring || has_ending(name, ".ring");
      lock = lock || has_ending(name, ".lock");
    }
  }
  if (!queue || !ring || !lock) return;
  app.removed = false;
  app.home = home_;
  app.notices_by_ms = INT64_MAX;
  count("times files were made again");
  tell("%zu is back", app.run);
}

}  // namespace yukha::simulation
