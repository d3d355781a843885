#include "life.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "turns.hpp"

namespace yukha::simulation {
namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::int64_t year_ms = 365 * 24 * hour_ms;
constexpr std::size_t apps_max = 3;
constexpr std::size_t at_once_max = 6;

std::string time_text(std::int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char all[48];
  std::snprintf(all, sizeof all, "%s.%03dZ", date, static_cast<int>(unix_ms % 1000));
  return all;
}

// The value behind `before` in a line whose values hold no quotes.
std::string value_in(const std::string& line, const std::string& before) {
  const std::size_t at = line.find(before);
  if (at == std::string::npos) return "";
  return line.substr(at + before.size(), line.find('"', at + before.size()) - at - before.size());
}

std::size_t count_of(const std::string& what, const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
  return count;
}

bool is_queue(const std::string& name) {
  const std::string ending = ".queue";
  return name.size() > ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

}  // namespace

Life::Life(std::uint64_t seed, bool story, Totals& totals)
    : seed_(seed), story_(story), totals_(totals), chance_(seed), dice_(chance_), server_(time_, chance_) {
  disk_.faults = totals_.faults;
  server_.violate = [this](const std::string& what) { violate(what); };
  server_.check = [this](const std::string& content, const std::string& line) { return check_line(content, line); };
  server_.may_come_twice = [this](const std::string& content) {
    const auto found = tracked_.find(content);
    return found != tracked_.end() && found->second.may_come_twice;
  };
  server_.may_have_two_ids = [this](const std::string& content) {
    const auto found = tracked_.find(content);
    return found != tracked_.end() && found->second.may_have_two_ids;
  };
}

void Life::tell(const char* form, ...) {
  if (!story_) return;
  std::printf("%12.3f  ", static_cast<double>(time_.now_ms) / 1000);
  va_list arguments;
  va_start(arguments, form);
  std::vprintf(form, arguments);
  va_end(arguments);
  std::printf("\n");
}

void Life::violate(const std::string& what) {
  // The first few tell the story; a broken promise often breaks a thousand sentences.
  if (++violations_ <= 5) {
    std::printf("seed %llu at %.3f s: %s\n", static_cast<unsigned long long>(seed_),
                static_cast<double>(time_.now_ms) / 1000, what.c_str());
  }
}

// Whether the lane's ledger can be foretold to the number.
bool Life::precise() const {
  return !traits_.several && !traits_.faults && !traits_.erases && !traits_.consents && !traits_.purposes &&
         !traits_.backups && !traits_.quarantine && !traits_.moved && !lost_power_;
}

// --- processes -------------------------------------------------------------------------------------------------------

Config Life::config_for(App& app) {
  Config config;
  config.app_id = "shop";
  config.queue_dir = "/q";
  config.endpoint = "https://events.example.com";
  config.keys = {{"k1", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  if (traits_.rotation) config.keys.push_back({"k2", "YW5vdGhlciBzaXh0ZWVuIGJ5dGVzIG9yIG1vcmU="});
  config.collect_device_facts = false;
  config.sync_interval = std::chrono::milliseconds(sync_ms);
  config.ring_bytes = 64 << 10;
  config.use_thread = false;
  config.transport = app.transport;
  config.suspend_in_background = traits_.scopes;
  config.obey_policy = server_.asks_policy;
  // A suspended tracker hears of it from its files and by the wall clock, which may have gone.
  app.transport->obeys_policy = config.obey_policy && !traits_.scopes && !traits_.moved;
  if (traits_.short_age) config.age_max = std::chrono::hours(1);
  if (traits_.fat || traits_.small) config.queue_bytes_max = 8 << 20;
  if (traits_.small) config.batch_bytes_max = 33 << 10;
  if (story_) {
    config.log = [this, run = app.run](LogLevel, std::string_view text) {
      tell("%zu log: %.*s", run, static_cast<int>(text.size()), text.data());
    };
  }
  return config;
}

// What is wrong with a request that is about to leave.
std::string Life::object_to(App& app, const HttpRequest& request, const std::string& key, const std::string& lines) {
  // Between a request and its answer is where a promise is most easily broken.
  if (!finishing_ && chance(40)) {
    app.process->kill_after(1 + throw_up_to(chance_, 40));
    power_goes_ = power_goes_ || chance(2);
  }
  const std::string who = std::to_string(app.run);
  if (request.url.rfind("https://events.example.com/", 0) != 0) return who + " sends to " + request.url;
  // It takes its time, and a bug does so often; what comes out of quarantine is rare, and looked for each time.
  const bool looks = server_.requests % 16 == 0 || server_.requests < resent_until_request_;
  if (looks && !is_synced(app, key)) return who + " sends a batch that a power loss would take";
  if (app.opened_with && *app.opened_with != Consent::granted) return who + " sends what it never got consent to";
  // Where the disk fails or the directory is in memory, nobody can know what another process was told.
  const bool unsure = traits_.faults || app.in_memory;
  if (consent_ != Consent::granted && consent_known_ && !unsure) return who + " sends without consent";
  const std::size_t for_ads = count_of("\"purpose\":\"advertising\"", lines);
  if (for_ads == 0) return "";
  if (for_ads != count_of("\n", lines)) return who + " sends a batch for two purposes";
  const bool may = ads_ == Consent::granted || !ads_known_ || unsure;
  return may ? "" : who + " sends for advertising without consent";
}

// Key and path stand side by side at the beginning of a batch's row, which no page boundary divides.
bool Life::is_synced(const App& app, std::string key) const {
  const auto& handles = app.process->handles();
  const bool on_disk = std::any_of(handles.begin(), handles.end(), [this](const Handle* handle) {
    return std::any_of(disk_.names.begin(), disk_.names.end(),
                       [handle](const auto& named) { return is_queue(named.first) && named.second == handle->inode; });
  });
  if (!on_disk) return true;
  for (const char extra : {'"', '.'}) key.erase(std::remove(key.begin(), key.end(), extra), key.end());
  return std::any_of(disk_.durable_names.begin(), disk_.durable_names.end(), [&key](const auto& named) {
    const auto& bytes = named.second->durable;
    return named.first.find(".queue") != std::string::npos && !bytes.empty() &&
           memmem(bytes.data(), bytes.size(), key.data(), key.size()) != nullptr;
  });
}

std::unique_ptr<Life::App> Life::make_process(bool safe) {
  auto app = std::make_unique<App>();
  app->process = std::make_unique<Process>(disk_, chance_, time_);
  app->seen_by_transport = app->process.get();
  app->transport = std::make_shared<SimTransport>(server_, time_, app->seen_by_transport);
  app->transport->objection = [this, one = app.get()](const auto&... of_request) {
    return object_to(*one, of_request...);
  };
  if (traits_.several) app->process->meanwhile = [this, one = app.get()] { meanwhile(*one); };
  app->run = runs_++;
  app->home = home_;
  app->epoch_seen = epoch_;
  app->next_work_ms = time_.now_ms;
  if (!safe && chance(8)) app->process->kill_after(1 + throw_up_to(chance_, 150));
  return app;
}

void Life::open_core(App& app) {
  detail::Seams seams;
  seams.clock = &time_;
  seams.dice = &dice_;
  seams.files = app.process.get();
  app.busy = true;
  app.core.reset(detail::Core::open(config_for(app), seams));
  app.busy = false;
}

void Life::look_at_opening(App& app) {
  count("openings");
  if (!app.process->alive()) return;
  const Status& status = app.core->status();
  app.in_memory = status == Code::kept_in_memory;
  if (app.in_memory) count("openings in memory");
  const bool may_be_in_memory = traits_.faults || disk_.is_unreadable("/q/directory.db");
  if (!status && !(may_be_in_memory && app.in_memory)) violate("open answered: " + status.message());
  check_stats(app);
}

bool Life::foretells_consent() const {
  const bool is_alone =
      std::none_of(apps_.begin(), apps_.end(), [](const auto& other) { return other->process->alive(); });
  return is_alone && !traits_.faults;
}

std::unique_ptr<Life::App> Life::open(bool safe) {
  auto app = make_process(safe);
  const bool foretells = foretells_consent();
  const Said said = foretells ? what_is_said() : Said();
  open_core(*app);
  if (foretells && app->process->alive()) check_consent(*app, said);
  look_at_opening(*app);
  return app;
}

// Each goes on within the others' operations, and waits for their locks as long as it would.
void Life::open_at_once(std::size_t number) {
  const bool foretells = foretells_consent();
  const Said said = foretells ? what_is_said() : Said();
  const std::uint64_t set_aside = disk_.directories_set_aside;
  Turns turns(chance_, time_);
  std::vector<std::unique_ptr<App>> all;
  std::vector<std::function<void()>> calls;
  for (std::size_t i = 0; i < number; ++i) {
    all.push_back(make_process(false));
    App& app = *all.back();
    app.process->meanwhile = [&turns] { turns.operation(); };
    app.process->wait = [&turns](std::int64_t wait_ms) { turns.wait(wait_ms); };
    calls.push_back([this, &app] { open_core(app); });
  }
  tell("%zu open at once", number);
  turns.run(calls);
  for (auto& app : all) {
    app->process->wait = nullptr;
    app->process->meanwhile = [this, one = app.get()] { meanwhile(*one); };
    if (foretells && app->process->alive()) check_consent(*app, said);
    look_at_opening(*app);
    apps_.push_back(std::move(app));
  }
  look_at_owners();
  // Nor is what one of them makes taken for damaged by another.
  if (disk_.directories_set_aside != set_aside && !traits_.faults && !traits_.amnesia && !lost_power_)
    violate("nothing was damaged, and the directory was set aside for it");
  count("openings at once", number);
}

// A kill takes no number away; what was not answered when it came may be in or not.
void Life::check_stats(App& app) {
  const Stats stats = app.core->stats();
  std::string lane = "memory";
  for (const auto& [name, inode] : disk_.names) {
    const auto has = [&node = inode](const Handle* handle) { return handle->inode == node; };
    const auto& handles = app.process->handles();
    if (is_queue(name) && std::any_of(handles.begin(), handles.end(), has)) lane = name;
  }
  tell("%zu opened %s: accepted %llu delivered %llu waiting %llu quarantined %llu evicted %llu lost %llu", app.run,
       lane.c_str(), static_cast<unsigned long long>(stats.accepted), static_cast<unsigned long long>(stats.delivered),
       static_cast<unsigned long long>(stats.waiting), static_cast<unsigned long long>(stats.quarantined),
       static_cast<unsigned long long>(stats.evicted), static_cast<unsigned long long>(stats.lost));
  if (!precise()) return;
  std::uint64_t kept = 0;
  std::uint64_t unknown = 0;
  std::uint64_t refused = 0;
  for (const auto& [name, tracked] : tracked_) {
    kept += tracked.answer == Answer::kept;
    unknown += tracked.answer == Answer::unknown;
    refused += tracked.answer == Answer::refused;
  }
  if (stats.accepted < kept || stats.accepted > kept + unknown) {
    violate("accepted is " + std::to_string(stats.accepted) + " with " + std::to_string(kept) + " kept and " +
            std::to_string(unknown) + " unknown");
  }
  // Counting a refusal in a ring without a mapping is a write of its own.
  if (stats.refused > refused + unknown || (disk_.reserves && stats.refused < refused)) {
    violate("refused is " + std::to_string(stats.refused) + " and not " + std::to_string(refused));
  }
  if (stats.lost != 0) violate("sentences were counted lost without a power loss");
  const std::uint64_t settled = stats.delivered + stats.quarantined + stats.evicted;
  if (settled < sum_.delivered + sum_.quarantined + sum_.evicted) violate("the ledger went back");
  if (stats.delivered > server_.stored.size()) violate("more were told delivered than arrived");
}

void Life::work(App& app) {
  app.looked_ms = time_.now_ms;
  app.busy = true;
  const std::int64_t since_ms = time_.now_ms;
  const std::int64_t wait = app.core->work(std::chrono::milliseconds(1)).count();
  app.busy = false;
  if (!app.process->alive()) return;
  look_whether_it_is_back(app);
  // Whoever waited a second for the directory, or could not read it, does not know.
  const bool reads = disk_is_well() || disk_.fault == Fault::full;
  if (time_.now_ms - since_ms < 1'000 && reads) app.epoch_seen = epoch_;
  app.next_work_ms = wait < 0 ? INT64_MAX : time_.now_ms + wait;
  // An answer that came while the worker looked elsewhere is due at once.
  if (app.transport->running())
    app.next_work_ms = std::min(app.next_work_ms, std::max(app.transport->answer_ms(), time_.now_ms + 1));
  if (precise()) sum_ = app.core->stats();
}

// Time passes, and whoever has something to do does it when it is due; one that waits inside of a call does not.
void Life::pass(std::int64_t until_ms) {
  std::uint64_t at_once = 0;
  std::int64_t before_ms = time_.now_ms;
  while (true) {
    if (std::none_of(apps_.begin(), apps_.end(), [](const auto& app) { return app->busy; })) bury_the_dead();
    App* next = nullptr;
    for (const auto& app : apps_) {
      if (app->busy || !app->process->alive()) continue;
      if (next == nullptr || app->next_work_ms < next->next_work_ms) next = app.get();
    }
    if (next == nullptr || next->next_work_ms > until_ms) break;
    reach(std::max(time_.now_ms, next->next_work_ms));
    at_once = time_.now_ms == before_ms ? at_once + 1 : 0;
    before_ms = time_.now_ms;
    if (at_once > 5'000) {
      violate("the worker is always busy and gets nowhere");
      next->next_work_ms = time_.now_ms + 1'000;
      continue;
    }
    work(*next);
  }
  reach(std::max(time_.now_ms, until_ms));
}

// It is that time: what the system does by itself is done before anybody else does anything.
void Life::reach(std::int64_t now_ms) {
  time_.now_ms = now_ms;
  if (now_ms < write_back_at_ms_) return;
  disk_.write_back();
  write_back_at_ms_ = INT64_MAX;
}

// Another process goes on in the middle of this one's operation.
void Life::meanwhile(App& inside) {
  // At the end each lane must get an owner before anybody adopts it.
  if (finishing_ || !chance(2'000)) return;
  for (const auto& app : apps_) {
    if (app.get() == &inside || app->busy || !app->process->alive()) continue;
    count("steps inside of another process's operation");
    const std::int64_t since_ms = time_.now_ms;
    // What the one was asked for just now it has not written down yet.
    if (server_.peace_asked_ms == since_ms) server_.left_in_peace_until_ms = 0;
    work(*app);
    if (time_.now_ms == since_ms) return;
    // What the one was asked for meanwhile it could not write down, and the other does not know.
    if (server_.peace_asked_ms >= since_ms - 1'000) server_.left_in_peace_until_ms = 0;
    for (App* one : {&inside, app.get()}) {
      // What it stood still for in between is part of it.
      auto& all = one->stood_still_ms;
      while (!all.empty() && all.back().first >= since_ms) all.pop_back();
      all.push_back({since_ms, time_.now_ms});
    }
    return;
  }
}

void Life::track(App& app) {
  const std::string name = "s" + std::to_string(tracked_.size());
  const bool poison = chance(150);
  const std::size_t padding = throw_up_to(chance_, traits_.fat ? 12'000 : chance(50) ? 9'000 : 200);
  std::string text(padding, 'x');
  // Nothing that a compressor takes away.
  if (traits_.fat) {
    for (char& c : text) c = static_cast<char>('a' + throw_up_to(chance_, 25));
  }
  Event event = app.core->event();
  event.location("FEED", {{"y", "3"}}).content(name, {{"padding", text}}).referral("CLICK");
  event.action("READ", std::chrono::milliseconds(1000), {{"poison", poison ? "true" : "false"}});
  if (chance(20)) event.critical();
  const bool for_ads = is_for_ads(event);

  std::map<std::string, std::vector<char>> before;
  if (chance(400)) {
    for (const auto& [file, inode] : disk_.names) {
      for (const Handle* handle : app.process->handles()) {
        if (handle->inode == inode && inode->mapped) before[file] = inode->bytes;
      }
    }
  }
  app.busy = true;
  const Status status = event.track();
  app.busy = false;
  Tracked& tracked = tracked_[name];
  tracked.at_ms = time_.now_ms;
  tracked.run = app.run;
  tracked.time = time_text(time_.unix_ms());
  tracked.user = app.user;
  tracked.for_ads = for_ads;
  note_what_is_owed();
  // An erase that this process has not heard of yet takes it, too; its step may have found the directory busy.
  tracked.may_be_gone = app.epoch_seen != epoch_ || (traits_.several && time_.now_ms - erased_ms_ <= 5'000) ||
                        may_be_denied(app, tracked) || may_be_denied_later(tracked);
  tell("%zu track %s: %s%s", app.run, name.c_str(), code_name(status.code()),
       app.process->alive() ? "" : " (a ghost's answer)");
  const bool is_stopped = status == Code::stopped_by_policy && server_.asks_policy;
  if (app.process->alive() && !before.empty() && status && !is_stopped) die_in_append(app, before);
  if (!app.process->alive()) return;
  if (is_stopped) {
    tracked.answer = Answer::refused;
    count("stopped by policy");
  } else if (status || status == Code::kept_in_memory) {
    app.in_memory = status == Code::kept_in_memory;
    app.refuses_since_ms = -1;
    tracked.answer = app.in_memory ? Answer::in_memory : Answer::kept;
    tracked.seq = app.next_seq++;
    if (app.removed && !app.in_memory) {
      if (time_.now_ms > app.notices_by_ms) violate("it goes on with files that nobody sees");
      const std::int64_t slack_ms = traits_.several ? 5'000 : 50;
      app.notices_by_ms = std::min(app.notices_by_ms, time_.now_ms + sync_ms + slack_ms);
    }
    if (for_ads && ads_known_ && ads_ == Consent::denied && !traits_.several && !traits_.faults && !app.in_memory)
      violate("kept for advertising without consent");
    if (consent_known_ && consent_ == Consent::denied && !traits_.several && !traits_.faults && !app.in_memory)
      violate("kept without consent");
  } else {
    tracked.answer = Answer::refused;
    const bool ads_denied =
        for_ads && (!ads_known_ || ads_ == Consent::denied || traits_.several || traits_.faults || finishing_);
    const bool expected = status == Code::ring_full ||
                          (status == Code::consent_denied && (traits_.consents || ads_denied)) ||
                          (status == Code::disk_error && (traits_.faults || is_taken_for_a_while(app)));
    if (!expected) violate("track answered: " + status.message());
    count(status == Code::ring_full ? "refused, ring full" : "refused otherwise");
  }
  // The first line after sleep wakes the worker.
  app.next_work_ms = std::min(app.next_work_ms, time_.now_ms);
}

// --- what takes time -------------------------------------------------------------------------------------------------

void Life::begin_scope(App& app) {
  const std::string name = "s" + std::to_string(tracked_.size());
  Event event = app.core->event();
  event.location("FEED", {{"y", "3"}}).content(name, {{"padding", "scope"}}).action("READ", {{"poison", "false"}});
  const bool for_ads = is_for_ads(event);
  app.busy = true;
  auto scope = std::make_unique<TimedEvent>(event.start());
  app.busy = false;
  tell("%zu begin %s: %s", app.run, name.c_str(), scope->status().message().c_str());
  if (!app.process->alive() || !scope->status()) {
    scope->cancel();
    return;
  }
  Tracked& tracked = tracked_[name];
  tracked.at_ms = time_.now_ms;
  tracked.run = app.run;
  tracked.user = app.user;
  tracked.is_scope = tracked.is_open = true;
  tracked.for_ads = for_ads;
  app.scopes.emplace_back(name, std::move(scope));
  app.next_work_ms = std::min(app.next_work_ms, time_.now_ms);
  count("scopes");
}

void Life::end_scope(App& app) {
  if (app.scopes.empty()) return;
  const std::size_t which = throw_up_to(chance_, app.scopes.size() - 1);
  const auto [name, scope] = std::move(app.scopes[which]);
  app.scopes.erase(app.scopes.begin() + static_cast<std::ptrdiff_t>(which));
  Tracked& tracked = tracked_[name];
  app.busy = true;
  const Status status = scope->end();
  app.busy = false;
  tell("%zu end %s: %s%s", app.run, name.c_str(), code_name(status.code()),
       app.process->alive() ? "" : " (a ghost's answer)");
  tracked.is_open = false;
  // When it was cut off meanwhile: by another process that took the lane of this one, which was suspended.
  if (!app.process->alive() || status == Code::already_tracked) return;
  tracked.at_ms = time_.now_ms;
  tracked.time = time_text(time_.unix_ms());
  tracked.user = app.user;
  note_what_is_owed();
  tracked.may_be_gone = tracked.may_be_gone || app.epoch_seen != epoch_ ||
                        (traits_.several && time_.now_ms - erased_ms_ <= 5'000) || may_be_denied(app, tracked) ||
                        may_be_denied_later(tracked);
  if (status == Code::ok || status == Code::kept_in_memory) {
    app.in_memory = status == Code::kept_in_memory;
    tracked.answer = app.in_memory ? Answer::in_memory : Answer::kept;
  } else {
    // The disk has it as open until the worker's next look: a kill before that has it cut off.
    tracked.answer = Answer::unknown;
  }
  count("scopes that ended");
  app.next_work_ms = std::min(app.next_work_ms, time_.now_ms);
}

// Its process is gone, or closed: what was open is cut off by then or by the next opening.
void Life::leave_scopes(App& app) {
  for (const auto& [name, scope] : app.scopes) {
    Tracked& tracked = tracked_[name];
    tracked.is_open = false;
    // It has been on the disk for long, and only what takes everything takes it.
    if (!traits_.faults && !app.in_memory && !app.closed && app.process->died_ms() - tracked.at_ms > 3 * sync_ms) {
      // An erase cancels what is open; of another process's it hears a little later.
      const bool cancelled = tracked.may_be_gone || (traits_.several && tracked.at_ms - erased_ms_ <= 5'000);
      tracked.answer = cancelled ? Answer::unknown : Answer::kept;
      tracked.may_be_gone = cancelled || traits_.several || traits_.erases || traits_.consents;
    }
    scope->cancel();
  }
  app.scopes.clear();
}

// The next call may end a back-off, and time passes while it waits.
void Life::send_while_the_world_goes_on(App& app) {
  server_.left_in_peace_until_ms = 0;
  ++outage_excuses_;
  app.transport->wait_until = [this, &app](std::int64_t until_ms) {
    excuse_the_dead(app);
    pass(until_ms);
  };
}

void Life::go_to_background(App& app) {
  send_while_the_world_goes_on(app);
  app.busy = true;
  const Status status = app.core->background(std::chrono::milliseconds(throw_up_to(chance_, 2'000)));
  app.transport->wait_until = nullptr;
  tell("%zu background: %s", app.run, status.message().c_str());
  // What it held then lies in files that nobody has open; where it goes on may be in memory.
  for (auto& [name, tracked] : tracked_) {
    if (tracked.run != app.run || tracked.at_risk_until_ms != 0 || !disk_refused(tracked, time_.now_ms)) continue;
    tracked.at_risk_until_ms = time_.now_ms + write_back_ms;
    write_back_soon();
  }
  if (app.process->alive() && chance(2)) static_cast<void>(app.core->foreground());
  app.busy = false;
  app.next_work_ms = time_.now_ms;
  count("times in the background");
}

// A process that is killed between two stores of an append leaves some of them behind: any of the record's words, its
// position only after all of them, the header's counter last.
void Life::die_in_append(App& app, const std::map<std::string, std::vector<char>>& before) {
  std::map<std::string, std::vector<char>> after;
  for (const auto& [file, bytes] : before) after[file] = disk_.names[file]->bytes;
  app.process->kill();
  const std::uint64_t how_far = throw_up_to(chance_, 2);
  for (const auto& [file, old] : before) {
    const std::vector<char>& now = after[file];
    const auto left = disk_.names.find(file);
    if (left == disk_.names.end() || now == old || now.size() != old.size()) continue;
    std::vector<std::size_t> words;
    std::size_t position_word = SIZE_MAX;
    const std::uint64_t lap = now.size() - 4096;
    for (std::size_t at = 4096; at + 8 <= now.size(); at += 8) {
      if (std::memcmp(old.data() + at, now.data() + at, 8) == 0) continue;
      std::uint64_t value = 0;
      std::memcpy(&value, now.data() + at, 8);
      // A position is at least a lap and far below 2^40; a word of length and checksum that looks like one is not.
      if (value >= lap && value < (1ULL << 40) && value % lap == at - 4096) {
        position_word = at;
      } else {
        words.push_back(at);
      }
    }
    std::vector<char>& bytes = left->second->bytes;
    bytes = old;
    for (const std::size_t at : words) {
      if (how_far > 0 || chance(2)) std::memcpy(bytes.data() + at, now.data() + at, 8);
    }
    if (how_far > 0 && position_word != SIZE_MAX)
      std::memcpy(bytes.data() + position_word, now.data() + position_word, 8);
    if (how_far > 1) std::memcpy(bytes.data(), now.data(), 4096);
  }
  count("kills inside an append");
  tell("%zu killed inside an append, %llu", app.run, static_cast<unsigned long long>(how_far));
}

void Life::end(App& app, const char* how) {
  tell("%zu %s", app.run, how);
  if (std::strcmp(how, "close") == 0) {
    if (chance(3)) app.transport->wait_until = [this](std::int64_t until_ms) { pass(until_ms); };
    app.busy = true;
    const Status status = app.core->close(std::chrono::milliseconds(app.transport->wait_until ? 1'000 : 0));
    app.busy = false;
    app.closed = app.process->alive();
    if (app.closed) count("closes");
    if (!status && status != Code::cut_short && disk_is_well()) violate("close answered: " + status.message());
  }
  app.process->kill();
}

// What is left of a killed process runs on as a ghost; it must not wait for anything.
void Life::bury_the_dead() {
  bool died = false;
  for (const auto& app : apps_) died = died || !app->process->alive();
  if (!died) return;
  if (power_goes_) {
    lose_power();
    return;
  }
  for (std::size_t i = 0; i < apps_.size();) {
    App& app = *apps_[i];
    if (app.process->alive()) {
      ++i;
      continue;
    }
    if (!app.closed) count("kills");
    const std::int64_t died_ms = app.process->died_ms();
    for (auto& [name, tracked] : tracked_) {
      if (tracked.run != app.run || tracked.at_risk_until_ms != 0) continue;
      // The window: until the worker first saw the line, a sync interval, and the look that follows it. A disk that
      // fails keeps it open.
      std::int64_t age_ms = died_ms - tracked.at_ms;
      for (const auto& [from_ms, to_ms] : app.stood_still_ms)
        age_ms -= std::max<std::int64_t>(std::min(to_ms, died_ms) - std::max(from_ms, tracked.at_ms), 0);
      const bool in_window = age_ms <= sync_ms + 50;
      if (!in_window && !disk_refused(tracked, died_ms)) continue;
      tracked.at_risk_until_ms = time_.now_ms + write_back_ms;
      if (in_window) tracked.unsynced_ms = age_ms;
    }
    write_back_soon();
    ++outage_excuses_;
    excuse_the_dead(app);
    app.transport->wait_until = nullptr;
    leave_scopes(app);
    if (app.removed) {
      // What it had went with the files that only it saw.
      for (auto& [name, tracked] : tracked_) tracked.may_be_gone = tracked.may_be_gone || tracked.run == app.run;
    }
    static_cast<void>(app.core->close(std::chrono::milliseconds(0)));
    app.core.reset();
    apps_.erase(apps_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// It may not have taken this over, nor synced it, until then.
bool Life::disk_refused(const Tracked& tracked, std::int64_t at_ms) const {
  return disk_failing_since_ms_ >= 0 && tracked.at_ms >= disk_failing_since_ms_ - sync_ms - 50 &&
         (!disk_is_well() || at_ms - disk_well_since_ms_ <= recovery_ms);
}

void Life::write_back_soon() {
  if (write_back_at_ms_ == INT64_MAX) write_back_at_ms_ = time_.now_ms + write_back_ms;
}

// Dead before it could write down what it was asked for: the others do not know.
void Life::excuse_the_dead(const App& app) {
  if (!app.process->alive() && app.process->died_ms() <= server_.peace_asked_ms) server_.left_in_peace_until_ms = 0;
}

void Life::lose_power() {
  power_goes_ = false;
  count("power losses");
  // A ring without its database says itself how far that came, and nobody syncs it for that; nor is what was made again
  // in its place known to be on the disk at once.
  const bool some_removed = time_.now_ms - taken_away_ms_ <= write_back_ms ||
                            std::any_of(apps_.begin(), apps_.end(), [](const auto& app) { return app->removed; });
  for (auto& [name, tracked] : tracked_) {
    tracked.may_come_twice = tracked.may_come_twice || some_removed;
    // The copy has its end; here the power may take that, and leave it open.
    tracked.may_have_two_ids =
        tracked.may_have_two_ids || (tracked.is_scope && backup_ && time_.now_ms - tracked.at_ms <= write_back_ms);
  }
  for (const auto& app : apps_) app->process->kill();
  bury_the_dead();
  for (const auto& [name, inode] : disk_.names) {
    const auto known = disk_.durable_names.find(name);
    const bool same = known != disk_.durable_names.end() && known->second == inode;
    tell("  %s: %zu bytes, %zu synced, %zu pages dirty%s", name.c_str(), inode->bytes.size(), inode->durable.size(),
         inode->dirty.size(), same ? "" : ", name not synced");
  }
  disk_.lose_power(chance_);
  lost_power_ = true;
  server_.left_in_peace_until_ms = 0;
  for (auto& [name, tracked] : tracked_) {
    // What is open is written for the case of a crash, not of a power loss.
    tracked.power_lost = tracked.power_lost || tracked.is_scope || time_.now_ms <= tracked.at_risk_until_ms;
  }
  tell("power lost");
}

// --- what happens ----------------------------------------------------------------------------------------------------

void Life::change_weather() {
  if (outage_since_ms_ >= 0) {
    // Full jitter: half of the back-off's 300 s on average once it is at its most. Five times that is a broken one.
    const std::uint64_t seconds = static_cast<std::uint64_t>(time_.now_ms - outage_since_ms_) / 1000;
    const std::uint64_t most = (14 + seconds / 30) * (1 + outage_excuses_);
    const std::uint64_t asked = server_.requests - outage_requests_;
    if (asked > most && server_.expects_peace) {
      violate(std::to_string(asked) + " requests in " + std::to_string(seconds) + " s without a network, with " +
              std::to_string(outage_excuses_) + " restarts and flushes");
    }
    outage_since_ms_ = -1;
  }
  server_.weather = static_cast<Weather>(chance(2) ? 0 : throw_up_to(chance_, weather_count - 1));
  server_.body_bytes_max = 2'000 + throw_up_to(chance_, 60'000);
  count((std::string("weather ") + weather_name(server_.weather)).c_str());
  if (server_.weather != Weather::fine) count("outages");
  if (server_.weather == Weather::down) {
    outage_since_ms_ = time_.now_ms;
    outage_requests_ = server_.requests;
    outage_excuses_ = 0;
  }
  if (traits_.rotation) {
    server_.keyids = chance(3)   ? std::set<std::string>{"k1", "k2"}
                     : chance(2) ? std::set<std::string>{"k1"}
                                 : std::set<std::string>{"k2"};
  }
  tell("the weather is %s", weather_name(server_.weather));
}

void Life::change_disk() {
  const bool was_well = disk_is_well();
  disk_.fault_one_in = 0;
  disk_.bytes_max = UINT64_MAX;
  if (chance(2)) {
    disk_.fault = static_cast<Fault>(throw_up_to(chance_, fault_count - 1));
    if (disk_.fault == Fault::full) {
      disk_.bytes_max = disk_.used() + throw_up_to(chance_, 20'000);
    } else {
      disk_.fault_one_in = 1 + throw_up_to(chance_, chance(2) ? 2 : 30);
    }
    if (was_well && (disk_failing_since_ms_ < 0 || time_.now_ms - disk_well_since_ms_ > recovery_ms))
      disk_failing_since_ms_ = time_.now_ms;
    count("disk troubles");
    tell("the disk fails: %s, one in %llu", fault_name(disk_.fault),
         static_cast<unsigned long long>(disk_.fault_one_in));
  } else if (!was_well) {
    disk_well_since_ms_ = time_.now_ms;
    tell("the disk is well");
  }
}

void Life::change_clock() {
  static constexpr std::int64_t most_ms[] = {5'000, 2 * hour_ms, 48 * hour_ms, 5 * year_ms};
  const std::int64_t most = most_ms[throw_up_to(chance_, 3)];
  time_.device_off_ms =
      chance(3) ? 0 : static_cast<std::int64_t>(throw_up_to(chance_, static_cast<std::uint64_t>(2 * most))) - most;
  // A rest is kept by the wall clock, the only one that survives a restart.
  server_.left_in_peace_until_ms = 0;
  ++outage_excuses_;
  count("clock changes");
  tell("the clock is %lld s off", static_cast<long long>(time_.device_off_ms / 1000));
}

// An erase that a full disk refused happens later, to what others track until then as well.
void Life::note_what_is_owed() {
  const bool recovered = disk_is_well() && time_.now_ms - disk_well_since_ms_ > recovery_ms;
  for (const auto& app : apps_) {
    if (app->owes_erase) {
      // By now it happened, or goes on being refused. Who reads nothing meanwhile does not hear of it.
      ++epoch_;
      erased_ms_ = time_.now_ms;
    }
    if (recovered) app->owes_erase = false;
  }
}

void Life::note_who_is_removed() {
  removed_before_.clear();
  for (const auto& one : apps_) {
    if (one->removed) removed_before_.insert(one->run);
  }
}

void Life::erased_by(App& app, const Status& status) {
  app.owes_erase = !status && traits_.faults;
  const std::set<std::string> on_its_way = server_.on_its_way();
  const bool certain = status && app.process->alive() && !traits_.faults && !app.in_memory && !app.removed;
  // Files that were removed under a process have what earlier processes left in them, too. Nor is one reached that
  // makes them again while another one erases.
  const auto is_removed = [this](const auto& one) { return one->removed || removed_before_.count(one->run) != 0; };
  const bool some_removed = std::any_of(apps_.begin(), apps_.end(), is_removed);
  const auto is_of_one_removed = [this, some_removed, is_removed](const Tracked& tracked) {
    return some_removed && std::none_of(apps_.begin(), apps_.end(), [&tracked, is_removed](const auto& one) {
             return !is_removed(one) && one->run == tracked.run;
           });
  };
  for (auto& [name, tracked] : tracked_) {
    // What has come to lie where its files were is somebody else's; it may have been asked for all the same.
    if (app.home != home_ && tracked.run != app.run) {
      tracked.may_be_gone = true;
      continue;
    }
    if (server_.stored.count(name) != 0) {
      // Perhaps nobody on the device knows that it arrived.
      tracked.may_be_gone = true;
      continue;
    }
    // A dead process's scope is accepted once the next opening of its lane tells of it, and until then counts nowhere.
    const bool untold = tracked.is_scope && tracked.time.empty();
    if (untold && tracked.answer == Answer::kept) tracked.answer = Answer::unknown;
    if (!certain || is_of_one_removed(tracked) || on_its_way.count(name) != 0 || tracked.answer == Answer::in_memory ||
        tracked.is_open) {
      tracked.may_be_gone = true;
    } else {
      tracked.erased = true;
    }
  }
  for (const auto& [name, inode] : disk_.names) {
    // Nobody tracked since: a ring is new, and holds nothing.
    if (!certain || traits_.several || name.rfind("/q/", 0) != 0 || name.find(".ring") == std::string::npos) continue;
    const std::string bytes(inode->bytes.begin(), inode->bytes.end());
    if (bytes.find("\"content\":{") != std::string::npos) violate("an erase left sentences in " + name);
  }
  ++epoch_;
  erased_ms_ = time_.now_ms;
  app.epoch_seen = epoch_;
  server_.left_in_peace_until_ms = 0;
  ++outage_excuses_;
  count(certain ? "erases" : "erases cut off");
}

void Life::erase(App& app) {
  if (chance(3)) app.process->kill_after(1 + throw_up_to(chance_, 60));
  note_who_is_removed();
  app.busy = true;
  const Status status = app.core->erase();
  app.busy = false;
  tell("%zu erase: %s", app.run, status.message().c_str());
  if (!status && app.process->alive() && !traits_.faults && !app.removed && !app.in_memory)
    violate("erase answered: " + status.message());
  erased_by(app, status);
}

void Life::change_consent(App& app) {
  static constexpr Consent all[] = {Consent::granted, Consent::granted, Consent::pending, Consent::denied};
  const Consent consent = all[throw_up_to(chance_, 3)];
  consent_known_ = false;
  note_who_is_removed();
  app.busy = true;
  const Status status = app.core->set_consent(consent);
  app.busy = false;
  tell("%zu consent %d: %s", app.run, static_cast<int>(consent), status.message().c_str());
  count("consents changed");
  const bool done = status && app.process->alive() && !app.in_memory;
  for (const auto& one : apps_) one->opened_with.reset();
  if (done) consent_ = consent;
  consent_known_ = done;
  if (done || (consent == Consent::denied && !status && traits_.faults)) denial_at_large_ = !done;
  if (consent == Consent::denied) erased_by(app, status);
}

// A denial that could not be written to directory.db stands in a ring, and is obeyed by whoever opens next.
bool Life::may_be_denied_later(const Tracked& tracked) const {
  return denial_at_large_ || (tracked.for_ads && ads_denial_at_large_);
}

// By another process, which this one has not heard of yet.
bool Life::may_be_denied(const App& app, const Tracked& tracked) const {
  return tracked.for_ads && traits_.several && std::min(app.looked_ms, time_.now_ms) - ads_denied_ms_ <= 5'000;
}

bool Life::is_for_ads(Event& event) {
  if (!traits_.purposes || !chance(3)) return false;
  event.purpose(Purpose::advertising);
  return true;
}

void Life::change_ads_consent(App& app) {
  static constexpr Consent all[] = {Consent::granted, Consent::granted, Consent::pending, Consent::denied};
  const Consent consent = all[throw_up_to(chance_, 3)];
  const Purpose purpose = Purpose::advertising;
  ads_known_ = false;
  if (chance(4)) app.process->kill_after(1 + throw_up_to(chance_, 60));
  app.busy = true;
  const Status status = app.core->set_consent(consent, &purpose);
  app.busy = false;
  tell("%zu consent to advertising %d: %s", app.run, static_cast<int>(consent), status.message().c_str());
  count("consents to a purpose changed");
  const bool done = status && app.process->alive() && !app.in_memory;
  if (!status && app.process->alive() && !traits_.faults) violate("consent answered: " + status.message());
  if (done) ads_ = consent;
  ads_known_ = done;
  app.next_work_ms = time_.now_ms;
  if (done || (consent == Consent::denied && !status && traits_.faults)) ads_denial_at_large_ = !done;
  if (consent != Consent::denied) return;
  ads_denied_ms_ = time_.now_ms;
  const std::set<std::string> on_its_way = server_.on_its_way();
  // What lies in other lanes goes when they are next looked at, unless the consent is back by then.
  const bool certain = done && !traits_.faults && !traits_.scopes;
  bool erased = false;
  for (auto& [name, tracked] : tracked_) {
    if (!tracked.for_ads) continue;
    const bool here = tracked.run == app.run && tracked.answer != Answer::in_memory && !tracked.is_open;
    if (certain && here && server_.stored.count(name) == 0 && on_its_way.count(name) == 0) {
      tracked.erased = true;
      erased = erased || tracked.answer == Answer::kept;
    } else {
      tracked.may_be_gone = true;
    }
  }
  // Nor do its bytes stay, nor those that lay beside it. Only in the database's pages there may be pieces: SQLite
  // overwrites what is deleted, but not what it moves.
  for (const auto& [name, inode] : disk_.names) {
    if (!erased || traits_.several || is_queue(name)) continue;
    const std::string bytes(inode->bytes.begin(), inode->bytes.end());
    if (bytes.find("\"purpose\":\"advertising\"") != std::string::npos) violate("a denial left sentences in " + name);
  }
  // A request may have been given up.
  server_.left_in_peace_until_ms = 0;
  ++outage_excuses_;
}

void Life::flush(App& app) {
  send_while_the_world_goes_on(app);
  app.busy = true;
  const Status status = app.core->flush(std::chrono::milliseconds(throw_up_to(chance_, 3'000)));
  app.busy = false;
  app.transport->wait_until = nullptr;
  const bool all = status == Code::ok && app.process->alive();
  count(all ? "flushes that brought all" : "flushes that did not");
  // What else may have become of a sentence, and is told nobody, is left out.
  const bool certain = all && !app.in_memory && !traits_.scopes && !traits_.fat && !traits_.short_age &&
                       !traits_.backups && !traits_.quarantine;
  if (certain) {
    std::set<std::string> refused;
    for (const std::string& id : server_.rejected) refused.insert(server_.content_of[id]);
    for (const auto& [sentence, tracked] : tracked_) {
      if (tracked.run != app.run || tracked.answer != Answer::kept || tracked.may_be_gone) continue;
      if (tracked.erased || (tracked.for_ads && (!ads_known_ || ads_ != Consent::granted))) continue;
      if (server_.stored.count(sentence) == 0 && refused.count(sentence) == 0)
        violate("a flush brought all, and " + sentence + " waits");
    }
  }
  tell("%zu flush: %s", app.run, status.message().c_str());
  app.next_work_ms = time_.now_ms;
}

void Life::look_into_quarantine(App& app) {
  app.busy = true;
  const std::vector<Quarantined> all = app.core->quarantined(0, 100);
  const std::set<std::string> on_its_way = server_.on_its_way();
  for (const Quarantined& one : all) {
    if (one.sentence.empty() || one.reason.empty()) violate("a sentence in quarantine without its line or reason");
    if (!chance(2)) continue;
    const bool again = chance(2);
    // Its repeat was refused, and it comes under a new key now; the first request may still arrive and be taken.
    const std::string content = value_in(one.sentence, "\"content\":{\"id\":\"");
    if (again && on_its_way.count(content) != 0) tracked_[content].may_come_twice = true;
    if (!again) tracked_[content].may_be_gone = true;
    const Status status = again ? app.core->resend_quarantined(one.number) : app.core->erase_quarantined(one.number);
    if (!status && app.process->alive() && !traits_.faults) violate("the quarantine answered: " + status.message());
    if (again) resent_until_request_ = server_.requests + 8;
    count(again ? "sent again from quarantine" : "erased from quarantine");
  }
  app.busy = false;
  app.next_work_ms = time_.now_ms;
}

// A copy of the directory comes back, or another device gets it. The device is off meanwhile.
void Life::back_up_or_restore() {
  for (const auto& app : apps_) end(*app, chance(2) ? "close" : "kill");
  bury_the_dead();
  if (backup_ && chance(2)) {
    disk_.names = backup_->copy().names;
    for (auto& [name, inode] : disk_.names) inode->number = disk_.next_number++;
    disk_.durable_names = disk_.names;
    restored_ = true;
    server_.backup_is_back = true;
    consent_known_ = ads_known_ = false;
    server_.left_in_peace_until_ms = 0;
    for (auto& [name, tracked] : tracked_) {
      // What was open when the copy was made was told since, if at all; the copy does not tell of it.
      const bool was_open = tracked.is_scope && tracked.time.empty();
      tracked.may_be_gone = tracked.may_be_gone || !tracked.may_come_twice || tracked.erased || was_open;
      tracked.erased = false;
    }
    count("restored backups");
    tell("a backup is back");
    return;
  }
  backup_ = disk_.copy();
  for (auto& [name, tracked] : tracked_) {
    // What was not known as delivered then is sent once more by the copy, under a key of its own if it was not sealed.
    tracked.may_come_twice = true;
  }
  count("backups");
  tell("a backup is made");
}

void Life::something_happens(App& app) {
  if (chance(80)) change_weather();
  if (chance(120)) {
    app.process->kill_after(1 + throw_up_to(chance_, 300));
    if (chance(3)) power_goes_ = true;
  }
  if (chance(400)) end(app, chance(3) ? "kill" : "close");
  if (!app.process->alive()) return;
  if (chance(100)) {
    app.user = chance(3) ? "" : "u" + std::to_string(throw_up_to(chance_, 99));
    static_cast<void>(app.core->identify(app.user, {}));
    count("user changes");
  }
  if (chance(150)) flush(app);
  if (traits_.scopes && app.process->alive()) {
    if (app.scopes.size() < 5 && chance(15)) begin_scope(app);
    if (chance(20) && app.process->alive()) end_scope(app);
    if (chance(150) && app.process->alive()) go_to_background(app);
    if (!app.process->alive()) return;
  }
  if (traits_.clocks && chance(100)) change_clock();
  if (traits_.faults && chance(40)) change_disk();
  if (traits_.quarantine && chance(100) && app.process->alive()) look_into_quarantine(app);
  if (traits_.consents && (chance(150) || (consent_ != Consent::granted && chance(20))) && app.process->alive())
    change_consent(app);
  if (traits_.purposes && chance(60) && app.process->alive()) change_ads_consent(app);
  if (traits_.erases && chance(300) && app.process->alive()) erase(app);
  if (traits_.backups && chance(200)) back_up_or_restore();
  if (traits_.amnesia && chance(15)) give_the_files_back();
  if (traits_.amnesia && chance(100)) forget_what_was_said();
  if (traits_.dropped && chance(60)) drop_locks();
  if (traits_.moved && app.process->alive() && chance(60)) take_files_away(app);
}

void Life::look_at_limits() {
  look_at_owners();
  std::size_t lanes = 0;
  for (const auto& [name, inode] : disk_.names) lanes += is_queue(name);
  if (disk_.names.size() > 8 + 10 * lanes) violate(std::to_string(disk_.names.size()) + " files");
  // What an empty lane takes is nobody's sentence.
  const std::uint64_t most = (traits_.fat ? 8ULL << 20 : 64ULL << 20) + (lanes + 1) * (8ULL << 20);
  if (disk_.used() > most) violate(std::to_string(disk_.used()) + " bytes on the disk");
}

std::uint64_t Life::live() {
  disk_.reserves = !chance(4);
  if (chance(2)) {
    traits_.several = chance(3);
    traits_.clocks = chance(3);
    traits_.faults = chance(3);
    traits_.erases = chance(4);
    traits_.consents = chance(5);
    traits_.backups = chance(4);
    traits_.short_age = chance(6);
    traits_.quarantine = chance(4);
    traits_.rotation = chance(4);
    traits_.fat = chance(12);
    traits_.scopes = chance(3);
    traits_.purposes = chance(4);
  } else {
    traits_.several = chance(4);
    traits_.faults = chance(4);
  }
  // By dice of their own: a life without them goes on as it did before they were known.
  Chance hands(seed_);
  traits_.amnesia = one_in(hands, 6);
  if (traits_.amnesia) {
    traits_.consents = true;
    traits_.backups = false;  // an older file may be newer than what came back
  }
  traits_.moved = !traits_.amnesia && one_in(hands, 6);
  traits_.dropped = one_in(hands, 6);
  traits_.at_once = one_in(hands, 4);
  traits_.several = traits_.several || traits_.dropped || traits_.at_once;
  if (traits_.moved) {
    traits_.several = traits_.several || one_in(hands, 2);
    traits_.erases = traits_.erases || one_in(hands, 2);
    // Each of them has what the model would not know of files that only one process sees.
    traits_.faults = traits_.consents = traits_.purposes = traits_.backups = traits_.scopes = false;
  }
  traits_.small = disk_.gives_blocks_ahead = one_in(hands, 8);
  server_.keys_are_learned = one_in(hands, 6);
  server_.asks_policy = one_in(hands, 6);
  server_.asks_policy = one_in(hands, 6);
  server_.expects_peace = !traits_.faults && !traits_.moved &&
                          !traits_.amnesia;  // where nobody can write down what an endpoint asked, others do not know
  tell(
      "several %d, clocks %d, faults %d, erases %d, consents %d, backups %d, short age %d, fat %d, quarantine %d, "
      "rotation %d, scopes %d, purposes %d, amnesia %d, moved %d, dropped %d, at once %d, small %d",
      traits_.several, traits_.clocks, traits_.faults, traits_.erases, traits_.consents, traits_.backups,
      traits_.short_age, traits_.fat, traits_.quarantine, traits_.rotation, traits_.scopes, traits_.purposes,
      traits_.amnesia, traits_.moved, traits_.dropped, traits_.at_once, traits_.small);
  if (chance(5)) time_.device_off_ms = static_cast<std::int64_t>(throw_up_to(chance_, 2 * hour_ms)) - hour_ms;
  const std::uint64_t turns = 200 + throw_up_to(chance_, 1200);
  std::int64_t pace_ms = 200;
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    bury_the_dead();
    if (apps_.empty() && traits_.at_once) {
      open_at_once(2 + throw_up_to(chance_, at_once_max - 2));
      continue;
    }
    if (apps_.empty() || (traits_.several && apps_.size() < apps_max && chance(50))) {
      apps_.push_back(open(false));
      if (!apps_.back()->process->alive()) continue;
    }
    if (chance(60)) {
      static constexpr std::int64_t paces[] = {0, 1, 20, 200, 3'000, 60'000};
      pace_ms = paces[throw_up_to(chance_, 5)];
    }
    something_happens(*apps_[throw_up_to(chance_, apps_.size() - 1)]);
    const auto most = static_cast<std::uint64_t>(pace_ms) * 2;
    pass(time_.now_ms + static_cast<std::int64_t>(pace_ms == 0 ? 0 : throw_up_to(chance_, most)));
    if (traits_.dropped) look_at_owners();
    if (apps_.empty()) continue;
    App& app = *apps_[throw_up_to(chance_, apps_.size() - 1)];
    const std::uint64_t burst = chance(30) ? throw_up_to(chance_, 120) : 1;
    for (std::uint64_t i = 0; i < burst && app.process->alive(); ++i) track(app);
    if (chance(100)) look_at_limits();
  }
  finish();
  ++totals_.lives;
  totals_.sentences += tracked_.size();
  totals_.requests += server_.requests;
  for (const auto& [row, times] : server_.rows) totals_.rows[row] += times;
  totals_.violations += violations_;
  for (const auto& app : apps_) app->process->kill();
  bury_the_dead();
  if (sqlite3_memory_used() != 0) violate("SQLite still has memory");
  return violations_;
}

// --- the end ---------------------------------------------------------------------------------------------------------

// The sky clears, and everything that was kept must arrive.
void Life::finish() {
  if (outage_since_ms_ >= 0) change_weather();
  tell("the sky clears for good");
  server_.weather = Weather::fine;
  server_.wrong_dates = false;
  server_.keyids = {"k1", "k2"};
  disk_.fault_one_in = 0;
  disk_.bytes_max = UINT64_MAX;
  give_the_files_back();
  power_goes_ = false;
  finishing_ = true;
  for (const auto& app : apps_) app->process->kill_after(0);
  drain(false);
  judge();
  if (!backup_) return;
  for (auto& [name, tracked] : tracked_) tracked.erased = false;  // here, not in the backup
  // Two more devices get the same backup. What they send must have the same keys, or a third copy would be a third
  // line.
  for (int i = 0; i < 2; ++i) {
    for (const auto& app : apps_) end(*app, "close");
    bury_the_dead();
    disk_ = backup_->copy();
    disk_.next_number = 1'000'000 + static_cast<std::uint64_t>(i) * 1'000;
    for (auto& [name, inode] : disk_.names) inode->number = disk_.next_number++;
    server_.clones = true;
    server_.backup_is_back = true;
    drain(true);
    count("clones");
  }
}

// Every lane gets a process, which sends what is in it.
void Life::drain(bool clone) {
  for (const auto& app : apps_) end(*app, "close");
  bury_the_dead();
  for (auto name = disk_.names.begin(); name != disk_.names.end();) {
    const bool is_ours = name->first.rfind("/q/", 0) == 0;
    name = is_ours ? std::next(name) : disk_.names.erase(name);
  }
  std::size_t lanes = 0;
  for (const auto& [name, inode] : disk_.names) lanes += is_queue(name);
  // An erase that was cut off may have left a lane without files, whose counters wait for whoever begins it anew.
  if (traits_.erases || traits_.consents) lanes += traits_.at_once ? at_once_max : apps_max;
  lanes = std::min<std::size_t>(std::max<std::size_t>(lanes, 1), hold::lanes_max);
  const auto open_lanes = [this, lanes] {
    while (apps_.size() < lanes) apps_.push_back(open(true));
  };
  open_lanes();
  // Also a restored copy has to be asked again.
  apps_[0]->busy = true;
  if (Status status = apps_[0]->core->set_consent(Consent::granted); !status) violate(status.message());
  const Purpose advertising = Purpose::advertising;
  if (Status status = apps_[0]->core->set_consent(Consent::granted, &advertising); !status) violate(status.message());
  apps_[0]->busy = false;
  for (const auto& app : apps_) app->opened_with.reset();
  consent_ = ads_ = Consent::granted;
  consent_known_ = ads_known_ = true;
  // What a copy tracks itself must not get among what it was copied with, nor must a life that ends before it did more.
  const std::uint64_t own = clone ? throw_up_to(chance_, 20) : 0;
  for (std::uint64_t i = 0; i < own; ++i) track(*apps_[throw_up_to(chance_, apps_.size() - 1)]);
  if (clone && chance(2)) {
    for (const auto& app : apps_) end(*app, "kill");
    bury_the_dead();
    open_lanes();
  }
  const std::int64_t until = time_.now_ms + 6 * hour_ms;
  std::uint64_t waiting = 0;
  while (true) {
    waiting = 0;
    std::int64_t next_ms = INT64_MAX;
    for (const auto& app : apps_) {
      waiting += app->core->stats().waiting;
      next_ms = std::min(next_ms, app->next_work_ms);
    }
    if (waiting == 0 || next_ms > until) break;
    pass(std::max(next_ms, time_.now_ms));
  }
  sum_ = Stats();
  std::string trouble;
  for (const auto& app : apps_) {
    const Stats stats = app->core->stats();
    sum_.accepted += stats.accepted;
    sum_.delivered += stats.delivered;
    sum_.quarantined += stats.quarantined;
    sum_.evicted += stats.evicted;
    sum_.erased += stats.erased;
    sum_.lost += stats.lost;
    if (stats.waiting > 0) trouble = stats.last_trouble;
    if (stats.accepted !=
        stats.delivered + stats.quarantined + stats.evicted + stats.erased + stats.lost + stats.waiting)
      violate("the ledger does not balance");
  }
  if (waiting != 0)
    violate(std::to_string(waiting) + " still wait on " + (clone ? "a clone" : "the device") +
            " under a clear sky: " + trouble);
}

void Life::judge() {
  std::set<std::string> refused;  // by the endpoint, by name or alone
  for (const std::string& id : server_.rejected) refused.insert(server_.content_of[id]);
  if (disk_.set_aside != 0) violate("nothing was damaged, and files were set aside for it");
  std::uint64_t kept = 0;
  std::uint64_t unknown = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t given_up = 0;
  std::uint64_t erased = 0;
  std::uint64_t perhaps_erased = 0;
  for (const auto& [name, tracked] : tracked_) {
    unknown += tracked.answer == Answer::unknown;
    perhaps_erased += tracked.erased || tracked.may_be_gone;
    if (tracked.answer != Answer::kept) continue;
    ++kept;
    if (server_.stored.count(name) != 0) continue;
    if (refused.count(name) != 0) {
      ++quarantined;
    } else if (tracked.erased || tracked.may_be_gone) {
      count("sentences erased");
      erased += tracked.erased;
    } else if (tracked.power_lost) {
      ++totals_.lost_to_power;
      totals_.oldest_lost_ms = std::max(totals_.oldest_lost_ms, tracked.unsynced_ms);
    } else if (traits_.fat || (traits_.short_age && time_.now_ms - tracked.at_ms >= hour_ms)) {
      ++given_up;
    } else {
      violate(name + " was kept and is gone");
    }
  }
  totals_.kept += kept;
  totals_.delivered += sum_.delivered;
  count("sentences evicted", given_up);
  count("sentences quarantined", quarantined);
  if (restored_ || counters_gone_) return;  // the counters went back with the files
  const auto differ = [this](const char* what, std::uint64_t told, std::uint64_t least, std::uint64_t most) {
    if (told < least || told > most) {
      violate(std::string(what) + " is " + std::to_string(told) + " and not " + std::to_string(least) +
              (least == most ? "" : " to " + std::to_string(most)));
    }
  };
  if (!lost_power_) {
    differ("accepted", sum_.accepted, kept, kept + unknown);
    differ("lost", sum_.lost, 0, 0);
  }
  // What arrived and was given up before anybody heard of it is not told delivered.
  const std::uint64_t stored = server_.stored.size();
  const std::uint64_t unheard = sum_.erased + sum_.evicted + (lost_power_ ? sum_.lost : 0);
  std::uint64_t stored_on_disk = 0;
  for (const auto& [name, one] : server_.stored) {
    // A request that came late may have stored what its repeat was refused: then it is told quarantined.
    stored_on_disk += tracked_[name].answer != Answer::in_memory && refused.count(name) == 0;
  }
  differ("delivered", sum_.delivered, stored_on_disk > unheard ? stored_on_disk - unheard : 0, stored);
  if (!lost_power_ && !traits_.erases && !traits_.consents && !traits_.purposes && !traits_.quarantine &&
      !traits_.fat && !traits_.short_age)
    differ("quarantined", sum_.quarantined, quarantined, quarantined + unknown + stored - stored_on_disk);
  // Of these some may have been given up, or lost with the power, before.
  const bool may_be_gone_before = lost_power_ || traits_.fat || traits_.short_age;
  differ("erased", sum_.erased, may_be_gone_before ? 0 : erased, perhaps_erased);
  if (!lost_power_) differ("evicted", sum_.evicted, given_up, traits_.fat || traits_.short_age ? UINT64_MAX : 0);
}

// What is wrong with a line that the endpoint is about to store.
std::string Life::check_line(const std::string& content, const std::string& line) {
  const auto found = tracked_.find(content);
  if (found == tracked_.end()) return "was never tracked";
  const Tracked& tracked = found->second;
  if (tracked.answer == Answer::refused) return "was refused and arrived all the same";
  if (tracked.erased) return "was erased and arrived all the same";
  if ((line.find("\"purpose\":\"advertising\"") != std::string::npos) != tracked.for_ads) return "has another purpose";
  if (tracked.is_scope && line.find("\"cut_off\":\"true\"") != std::string::npos) {
    // By whoever opened the lane next, with the time and the user of then.
    return tracked.answer == Answer::kept && !tracked.time.empty() && !tracked.power_lost ? "was cut off, and had ended"
                                                                                          : "";
  }
  if (value_in(line, "\"time\":\"") != tracked.time) return "has another time than " + tracked.time + ": " + line;
  if (!tracked.user.empty() && value_in(line, "\"user\":{\"id\":\"") != tracked.user)
    return "has another user than " + tracked.user + ": " + line;
  if (traits_.erases || traits_.consents) return "";  // each begins a new run, for other processes at a time of theirs
  const std::string run = value_in(line, "\"run\":\"");
  const auto [place, is_new] = run_of_text_.insert({run, tracked.run});
  if (place->second != tracked.run) return "has the run of another process: " + line;
  const std::string seq = value_in(line, "\"seq\":\"");
  if (traits_.scopes) return "";  // what was cut off before has numbers of its own, and each suspension ends a run
  if (tracked.seq != 0 && std::strtoull(seq.c_str(), nullptr, 10) != tracked.seq)
    return "is not the sentence " + std::to_string(tracked.seq) + " of its run: " + line;
  return "";
}

}  // namespace yukha::simulation
