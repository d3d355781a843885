#include "core/core.hpp"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "send/curl_transport.hpp"
#include "system/base64.hpp"
#include "system/crypto.hpp"
#include "system/device.hpp"
#include "system/signals.hpp"
#include "system/utf8.hpp"

namespace yukha::detail {
namespace {

using system::Lock;

constexpr std::size_t page = 4096;
// SQLite opens no file with a longer path than 512; the longest name of ours has 49 with its slash.
constexpr std::size_t directory_bytes_max = 460;

Status out_of_range(const char* setting, const char* range) {
  return {Code::bad_config, std::string(setting) + " must be " + range};
}

template <typename Value>
bool between(Value value, Value low, Value high) {
  return value >= low && value <= high;
}

// Deadlines of years mean the same as one of a day, and do not overflow.
std::int64_t within_a_day(std::chrono::milliseconds time) {
  return std::clamp<std::int64_t>(time.count(), 0, 86'400'000);
}

bool is_lane_name(const std::string& name) {
  if (name.empty() || name.size() > 32 || name == "directory" || name == "memory") return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!word && (i == 0 || (c != '_' && c != '-'))) return false;
  }
  return true;
}

bool is_text_setting(const std::string& text) {
  return text.size() <= 2048 && std::none_of(text.begin(), text.end(), [](char c) { return c >= 0 && c < 0x20; });
}

Status check_network(const Config& config) {
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  using std::chrono::seconds;
  if (!is_text_setting(config.ca_file)) return out_of_range("ca_file", "a path");
  if (!is_text_setting(config.proxy)) return out_of_range("proxy", "a URL");
  if (!is_text_setting(config.no_proxy)) return out_of_range("no_proxy", "hosts separated by commas");
  if (config.pins.size() > 8) return out_of_range("pins", "8 at most");
  for (const std::string& pin : config.pins) {
    const std::string before = "sha256//";
    std::string digest;
    if (pin.compare(0, before.size(), before) != 0 || !system::from_base64(pin.substr(before.size()), digest) ||
        digest.size() != 32) {
      return out_of_range("pins", "sha256// and the base64 of 32 bytes each");
    }
  }
  if (!between<milliseconds>(config.connect_timeout, seconds(1), minutes(1)))
    return out_of_range("connect_timeout", "1 s to 1 min");
  if (!between<milliseconds>(config.stall_timeout, seconds(1), minutes(5)))
    return out_of_range("stall_timeout", "1 s to 5 min");
  if (!between<milliseconds>(config.total_timeout, seconds(1), minutes(10)))
    return out_of_range("total_timeout", "1 s to 10 min");
  return {};
}

}  // namespace

Status check_config(const Config& config, pipeline::WorkerSettings& settings) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  if (!compose::is_app_id(config.app_id)) return out_of_range("app_id", "[a-z0-9][a-z0-9.-]{0,127}");
  if (config.queue_dir.empty() || config.queue_dir.find('\0') != std::string::npos) {
    return out_of_range("queue_dir", "a path");
  }
  if (!config.lane.empty() && !is_lane_name(config.lane)) return out_of_range("lane", "[a-z0-9][a-z0-9_-]{0,31}");
  if (!between<milliseconds>(config.upload_interval, milliseconds(100), hours(1))) {
    return out_of_range("upload_interval", "100 ms to 1 h");
  }
  if (!between<milliseconds>(config.sync_interval, milliseconds(10), minutes(1))) {
    return out_of_range("sync_interval", "10 ms to 1 min");
  }
  for (const milliseconds timeout : {config.session_timeout, config.session_background_timeout}) {
    if (timeout.count() != 0 && !between<milliseconds>(timeout, std::chrono::seconds(1), hours(24))) {
      return out_of_range("session_timeout and session_background_timeout", "0, or 1 s to 24 h");
    }
  }
  if (!between<milliseconds>(config.ring_full_wait, milliseconds(0), minutes(1))) {
    return out_of_range("ring_full_wait", "0 to 1 min");
  }
  if (!between<std::size_t>(config.ring_bytes, 64 << 10, 64 << 20))
    return out_of_range("ring_bytes", "64 KiB to 64 MiB");
  // What an empty lane takes, its log and reserve included, is half of the least.
  if (!between<std::uint64_t>(config.queue_bytes_max, 8ULL << 20, 64ULL << 30)) {
    return out_of_range("queue_bytes_max", "8 MiB to 64 GiB");
  }
  if (!(config.sample_rate > 0 && config.sample_rate <= 1)) return out_of_range("sample_rate", "above 0 and at most 1");
  for (const Uploads uploads : {config.on_metered, config.on_low_battery, config.in_background}) {
    if (!between(uploads, Uploads::all, Uploads::none)) return out_of_range("uploads", "all, critical or none");
  }
  if (!between(config.initial_consent, Consent::granted, Consent::denied))
    return out_of_range("initial_consent", "granted, pending or denied");
  if (config.notices_max > 10'000) return out_of_range("notices_max", "0 to 10,000");
  if (config.queue_bytes_max < 2 * config.ring_bytes + (4 << 20)) {
    return out_of_range("queue_bytes_max", "at least twice ring_bytes and 4 MiB");
  }
  if (!between<hours>(config.age_max, hours(1), hours(30 * 24))) return out_of_range("age_max", "1 h to 30 days");
  if (!between<std::size_t>(config.batch_lines_max, 1, 500)) return out_of_range("batch_lines_max", "1 to 500");
  if (!between<std::size_t>(config.batch_bytes_max, 33 << 10, 1'000'000)) {
    return out_of_range("batch_bytes_max", "33 KiB to 1,000,000");
  }
  if (Status status = send::decode_keys(config.keys, config.sign != nullptr, settings.keys); !status) return status;
  settings.sign = config.sign;
  settings.provide_keys = config.provide_keys;
  if (Status status = check_network(config); !status) return status;
  settings.connect_timeout = config.connect_timeout;
  settings.stall_timeout = config.stall_timeout;
  settings.total_timeout = config.total_timeout;
  settings.sends = !config.endpoint.empty();
  settings.obeys_policy = config.obey_policy;
  if (settings.sends) {
    if (Status status = send::parse_endpoint(config.endpoint, config.allow_plain_http, settings.endpoint); !status)
      return status;
  }
  settings.upload_interval_ms = config.upload_interval.count();
  settings.sync_interval_ms = config.sync_interval.count();
  settings.queue_bytes_max = config.queue_bytes_max;
  settings.age_max_ms = std::chrono::duration_cast<milliseconds>(config.age_max).count();
  // What a full disk must have room for: a batch with what stands beside it, or a full ring and the share of the queue
  // that an eviction takes. 1 MiB by default, 128 KiB with the least of each.
  constexpr std::size_t step_max = 1 << 20;
  constexpr std::size_t beside_a_batch = step_max - 1'000'000;
  const std::uint64_t step = std::max<std::uint64_t>(
      {config.batch_bytes_max + beside_a_batch, 2 * config.ring_bytes, config.queue_bytes_max / 64});
  settings.batches = {config.batch_lines_max, config.batch_bytes_max,
                      static_cast<std::size_t>(std::min<std::uint64_t>(step, step_max))};
  settings.lanes.directory = config.queue_dir;
  settings.lanes.ring_bytes = (config.ring_bytes + page - 1) / page * page;
  settings.lanes.batches = settings.batches;
  return {};
}

Core* Core::open(const Config& config, const Seams& seams) {
  auto core = std::unique_ptr<Core>(new Core(config, seams));
  core->open_lane(config);
  if (!core->lane_) core->leave_open();
  if (core->lane_ && core->tell_lifecycle_) core->tell_of_opening(config.app_version);
  return core.release();
}

Core::Core(const Config& config, const Seams& seams)
    : app_id_(config.app_id),
      log_(config.log, config.notices_max),
      debug_(config.debug),
      ring_full_wait_ms_(config.ring_full_wait.count()),
      tell_identify_(config.tell_identify),
      tell_lifecycle_(config.tell_lifecycle),
      suspend_in_background_(config.suspend_in_background),
      lane_is_named_(!config.lane.empty()),
      on_metered_(config.on_metered),
      on_low_battery_(config.on_low_battery),
      in_background_(config.in_background),
      initial_consent_(config.initial_consent),
      clock_(*seams.clock),
      entropy_(*seams.dice),
      files_(*seams.files),
      transport_(config.transport),
      intake_(directory_, clock_, entropy_,
              {config.session_timeout.count(), config.session_background_timeout.count(), config.sync_interval.count(),
               config.sample_rate}),
      driver_(*this, work_, intake_, clock_, log_, config.use_thread) {}

void Core::open_lane(const Config& config) {
  status_ = check_config(config, settings_);
  if (status_) status_ = rules_.set(config);
  if (status_) status_ = enter_process();
  if (!status_) return;
  {
    Lock intake(intake_.mutex);
    if (!intake_.has_chance(8)) {
      status_ = Code::no_randomness;
      return;
    }
  }
  if (driver_.uses_thread() && !hold::sqlite_has_locks()) {
    status_ =
        Status(Code::bad_config,
               "SQLite has no locks in this process (SQLITE_CONFIG_SINGLETHREAD, or it was compiled so): configure "
               "SQLITE_CONFIG_MULTITHREAD before its first use, or turn use_thread off and use both on one thread");
    return;
  }

  // Facts first: a bad one is the app's mistake, and nothing was touched yet.
  std::string facts;
  {
    system::DeviceFacts found;
    if (config.collect_device_facts) found = system::device_facts();
    const auto add_fact = [&](const std::string& name, const std::string& value) {
      const Member member{name, value};
      const RuledMembers ruled(rules_, Part::device, {&member, 1});
      for (const Member& one : ruled.list()) {
        status_ = compose::append_member(facts, Part::device, one.name, one.value);
      }
    };
    const auto fact = [&](const char* name, const std::string& given, const std::string& otherwise) {
      const std::string& value = given.empty() ? otherwise : given;
      // What the app says itself replaces what was found.
      bool said = false;
      for (const auto& one : config.device) said = said || one.first == name;
      if (status_ && !value.empty() && !said) add_fact(name, value);
    };
    fact("os", config.os, found.os);
    fact("model", config.model, found.model);
    fact("app_version", config.app_version, "");
    fact("locale", config.locale, found.locale);
    for (const auto& [name, value] : config.device) {
      if (status_) status_ = compose::check_member(Part::device, name);
      if (status_) add_fact(name, value);
    }
  }
  if (!status_) return;

  // Where it lies does not change with the host's working directory, nor with a link.
  std::string& path = settings_.lanes.directory;
  static_cast<void>(files_.make_absolute(path));
  if (path.size() <= directory_bytes_max && files_.make_directory(path) == 0)
    static_cast<void>(files_.make_absolute(path));
  if (path.size() > directory_bytes_max) {
    status_ = Status(Code::bad_config, "queue_dir has " + std::to_string(path.size()) + " bytes, of at most " +
                                           std::to_string(directory_bytes_max));
    return;
  }

  Lock work(work_);
  Lock intake(intake_.mutex);
  intake_.set_facts(std::move(facts));
  const std::string run = intake_.name_run();

  lane_ = std::make_unique<hold::Lane>(files_, entropy_, directory_, settings_.lanes);
  intake_.write_to(*lane_);
  status_ = open_files(config.lane, run);
  if (status_) status_ = begin_life(std::move(status_), run, true);
  if (!status_) {
    lane_.reset();
    directory_.close();
    return;
  }
  if (const std::string notice = lane_->take_notice(); !notice.empty()) log_.write(LogLevel::warning, notice);
  if (settings_.sends && settings_.endpoint.scheme == "http" && !settings_.endpoint.loopback) {
    log_.write(LogLevel::warning,
               "sentences go over plain http to " + settings_.endpoint.host + ", as allow_plain_http asks");
  }
  if (!transport_) {
    transport_ = send::make_curl_transport(
        {config.ca_file, config.pins, config.proxy, settings_.endpoint.loopback ? "*" : config.no_proxy});
  }
  if (!transport_) {
    status_ = Status(Code::out_of_memory, "the HTTP transport");
    lane_.reset();
    return;
  }
  make_worker();
  try {
    driver_.start(*transport_);
    running_ = true;
  } catch (const std::system_error&) {
    status_ = Status(Code::out_of_memory, "the system gives no thread");
    log_.write(LogLevel::error, status_.message());
    worker_.reset();
    lane_.reset();
    directory_.close();
  }
}

// ok, kept_in_memory, or why the lane cannot be had; then the app's sentences are refused.
Status Core::open_files(const std::string& lane, const std::string& run) {
  const std::string& path = settings_.lanes.directory;
  Status status;
  std::string notice;
  if (const system::Error error = files_.make_directory(path)) {
    status = Status(Code::disk_error, "queue directory " + path + " (" + system::error_text(error) + ")");
  }
  if (status) status = hold::Lane::make_private(files_, path, notice);
  if (!notice.empty()) log_.write(LogLevel::warning, notice);
  if (status) status = directory_.open(files_, path, entropy_, system::platform_id(), initial_consent_);
  if (status) status = lane.empty() ? lane_->open_any(run) : lane_->open(lane, run);
  if (status == Code::newer_format || status == Code::lane_held || status == Code::no_randomness) return status;
  if (!status) status = live_in_memory(status, run);
  if (!status) return status;
  if (notice = directory_.take_notice(); !notice.empty()) log_.write(LogLevel::warning, notice);
  const std::optional<send::Policy> policy = send::Policy::kept(directory_.note(send::policy_note));
  intake_.read_directory(settings_.obeys_policy ? policy : std::nullopt);
  if (!lane_->in_memory()) lane_name_ = lane_->name();
  return status;
}

// Whatever is wrong with the disk, the app's sentences can still be delivered for as long as it runs.
Status Core::live_in_memory(const Status& reason, const std::string& run) {
  Status status(Code::kept_in_memory, reason.message());
  log_.write(LogLevel::error, status.message());
  lane_->close();
  // Where nothing but a free lane is missing, what is said of consent, or erased, is for all of them.
  if (reason != Code::no_free_lane || !directory_.is_open())
    directory_.open_in_memory(files_, settings_.lanes.directory, entropy_, initial_consent_);
  Status memory = lane_->open_in_memory(run);
  return memory ? status : memory;
}

// In the lane that was opened as `opened` says; what an earlier life left open in it is told first.
Status Core::begin_life(Status opened, const std::string& run, bool same_lane) {
  intake_.begin_run();
  Status told = tell_of_cut_off(same_lane);
  if (told) return opened;
  opened = live_in_memory(told, run);
  if (opened) intake_.begin_run();
  return opened;
}

void Core::make_worker() {
  worker_ = std::make_unique<pipeline::Worker>(settings_, directory_, *lane_, *transport_, files_, clock_, entropy_,
                                               log_, intake_);
  apply_hints();
  note_progress();
}

pipeline::Progress Core::progress() const {
  pipeline::Progress progress = worker_->progress();
  progress.requests += requests_before_;
  return progress;
}

void Core::note_progress() {
  driver_.mailbox().tell(progress());
}

Core::~Core() {
  try {
    static_cast<void>(close(std::chrono::seconds(2)));
  } catch (...) {
    // Out of memory; what waits is safe.
  }
  driver_.mailbox().close(INT64_MIN);
  driver_.join();
  leave_open();
  leave_process();
}

void Core::tell_of_opening(const std::string& app_version) {
  std::string version_before;
  hold::RunMark previous;
  {
    Lock work(work_);
    // What lives in memory would tell the same again at every start.
    if (!worker_ || lane_->in_memory()) return;
    version_before = directory_.note("app_version");
    previous = lane_->queue().previous_run();
  }
  // A version that nobody gave is a version, too: otherwise every opening were the first.
  const std::string version = app_version.empty() ? "?" : app_version;
  Status told;
  if (version_before.empty()) {
    told = own_event().action("yukha_first_open").track();
  } else if (version_before != version) {
    told = own_event()
               .content("", {{"version", version}, {"previous_version", version_before}})
               .action("yukha_update")
               .track();
  }
  if (told && version_before != version) {
    Lock work(work_);
    static_cast<void>(directory_.set_note("app_version", version));
  }
  if (!previous.run.empty() && !previous.closed) {
    told = own_event().content("", {{"previous_run", previous.run}}).action("yukha_restart").track();
  }
}

Status Core::check_alive() const {
  if (fork_guard_.in_child()) return Code::forked_child;
  return lane_ ? Status() : status_;
}

Status Core::check_open() {
  Status status = check_alive();
  return status && intake_.is_suspended() ? resume() : status;
}

// --- the app's threads -----------------------------------------------------------------------------------------------

Status Core::change(system::FunctionRef<Status(compose::Standing&)> change) {
  if (Status status = check_open(); !status) return status;
  return intake_.change(change);
}

Event Core::own_event() noexcept {
  Event own(this);
  own.ruled_ = true;
  return own;
}

Status Core::identify(std::string_view user_id, Members members) {
  std::optional<RuledMembers> ruled;
  std::string hashed;
  if (!rules_.empty()) {
    members = ruled.emplace(rules_, Part::user, members).list();
    if (!user_id.empty() && rules_.of(Part::user, "id") == MemberRules::Fate::hash) {
      hashed = rules_.hash(user_id);
      user_id = hashed;
    }
  }
  std::string before;
  Status status = change([&](compose::Standing& next) {
    if (next.user_id.empty() && !user_id.empty()) before = next.install_id;
    return next.identify(user_id, members);
  });
  if (!status || before.empty() || !tell_identify_) return status;
  static_cast<void>(own_event().user({{"anonymous_id", before}}).action("yukha_identify").track());
  return status;
}

Status Core::reset() {
  return change([](compose::Standing& next) {
    next.reset();
    return Status();
  });
}

Status Core::set(Part part, Members members) {
  std::optional<RuledMembers> ruled;
  if (!rules_.empty()) members = ruled.emplace(rules_, part, members).list();
  return change([&](compose::Standing& next) { return next.set(part, members); });
}

Status Core::unset(Part part, std::string_view name) {
  return change([&](compose::Standing& next) { return next.unset(part, name); });
}

bool Core::wait_for_room(std::int64_t until_ms) {
  if (driver_.uses_thread()) {
    intake_.wait_for_room(until_ms);
    return true;
  }
  const system::SignalShield shield;
  driver_.step();
  return intake_.has_room();
}

Consent Core::consent(const Purpose* purpose) {
  if (!check_alive() || (purpose != nullptr && compose::purpose_name(*purpose) == nullptr)) return Consent::pending;
  return intake_.consent(purpose);
}

Status Core::set_ad_id(std::string_view id) {
  const Member whole{"ad_id", id};
  std::string left(id);
  if (!rules_.empty()) {
    const RuledMembers ruled(rules_, Part::device, {&whole, 1});
    left.clear();
    for (const Member& one : ruled.list()) left = one.value;
  }
  return change([&left](compose::Standing& next) { return next.set_ad_id(left); });
}

// Between two of the worker's steps; what was suspended meanwhile is taken up again.
Status Core::at_work(system::FunctionRef<Status(pipeline::Worker&)> call) {
  while (true) {
    if (Status status = check_open(); !status) return status;
    WorkLock work(work_, *transport_);
    if (worker_) return at_work_now(call);
    if (!intake_.is_suspended()) return Code::closed;
  }
}

Status Core::set_consent(Consent consent, const Purpose* purpose) {
  if (Status status = check_open(); !status) return status;
  if (consent != Consent::granted && consent != Consent::pending && consent != Consent::denied) {
    return {Code::bad_argument, "consent"};
  }
  if (purpose != nullptr && compose::purpose_name(*purpose) == nullptr) return {Code::bad_argument, "purpose"};
  Status status = at_work([this, consent, purpose](pipeline::Worker& worker) YUKHA_REQUIRES(work_) {
    Status written;
    if (!directory_.set_consent(purpose, consent)) written = directory_.status_of_fault("writing");
    if (written && !directory_.is_open()) written = Code::kept_in_memory;
    intake_.obey(directory_.state().consents);
    worker.deny();
    note_progress();
    return written;
  });
  if (status && consent == Consent::denied) {
    if (purpose == nullptr) return erase();
    if (Status done = finish_denial(); !done) return done;
  } else if (driver_.uses_thread()) {
    transport_->wake();
  }
  return status;
}

// What waits of the purpose is gone when this is ok.
Status Core::finish_denial() {
  constexpr std::int64_t patience_ms = 60'000;
  const std::int64_t until = clock_.monotonic_ms() + patience_ms;
  const auto done = [](const Mailbox::Told& told) { return !told.progress.denies || told.progress.denies_badly; };
  while (driver_.drive(until, done) != Mailbox::Outcome::done && clock_.monotonic_ms() < until) {
    // Suspended meanwhile: the next worker does it.
    if (Status status = check_open(); !status) return status;
    if (intake_.is_closed()) return Code::closed;
  }
  const pipeline::Progress progress = driver_.mailbox().told().progress;
  return progress.denies ? Status(Code::disk_error, progress.trouble) : Status();
}

Status Core::erase() {
  if (Status status = check_open(); !status) return status;
  if (!driver_.uses_thread()) {
    return at_work([this](pipeline::Worker& worker) YUKHA_REQUIRES(work_) {
      Status status = worker.erase();
      note_progress();
      return status;
    });
  }
  if (intake_.is_closed()) return Code::closed;
  // The worker does it, because only its thread may speak to the transport.
  const Mailbox::Request request(driver_.mailbox(), Mailbox::Errand::erase);
  const auto done = [&request](const Mailbox::Told& told) { return request.is_done(told); };
  while (true) {
    switch (driver_.drive(INT64_MAX, done)) {
      case Mailbox::Outcome::done:
        return driver_.mailbox().told().erased;
      case Mailbox::Outcome::ended:
        return Code::closed;
      case Mailbox::Outcome::late:
      case Mailbox::Outcome::suspended:
        // The next worker does it.
        if (Status status = resume(); !status) return status;
    }
  }
}

Status Core::flush(std::chrono::milliseconds deadline) {
  if (Status status = check_open(); !status) return status;
  if (intake_.is_closed()) return Code::closed;
  // Without an endpoint waiting changes nothing.
  if (!settings_.sends) return stats().waiting == 0 ? Status() : Status(Code::still_waiting, "there is no endpoint");
  const std::int64_t until = clock_.monotonic_ms() + within_a_day(deadline);
  const Mailbox::Request request(driver_.mailbox(), Mailbox::Errand::flush);
  const auto done = [&request](const Mailbox::Told& told) { return request.is_done(told); };
  const bool flushed = driver_.drive(until, done) == Mailbox::Outcome::done;
  return flushed ? Status() : Status(Code::still_waiting, stats().last_trouble);
}

Stats Core::stats() {
  Stats stats;
  if (!check_alive()) return stats;
  // The worker's numbers first: what the ring accepted since then counts as waiting.
  const pipeline::Progress progress = driver_.mailbox().told().progress;
  const std::int64_t now = clock_.monotonic_ms();
  stats.delivered = progress.ledger.delivered;
  stats.quarantined = progress.ledger.quarantined;
  stats.evicted = progress.ledger.evicted;
  stats.erased = progress.ledger.erased;
  stats.lost = progress.ledger.lost;
  stats.requests = progress.requests;
  stats.failures = static_cast<std::uint64_t>(progress.failures);
  stats.next_attempt_ms = std::max<std::int64_t>(progress.not_before_ms - now, 0);
  stats.policy_ms = std::max<std::int64_t>(progress.policy_until_ms - now, 0);
  stats.last_trouble = progress.trouble;
  system::make_readable(stats.last_trouble);
  const hold::Ring& ring = lane_->ring();
  stats.accepted = ring.accepted();
  const std::uint64_t settled = stats.delivered + stats.quarantined + stats.evicted + stats.erased + stats.lost;
  stats.waiting = stats.accepted > settled ? stats.accepted - settled : 0;
  stats.refused_ring_full = ring.refused(hold::Refusal::ring_full);
  stats.refused_consent = ring.refused(hold::Refusal::consent);
  stats.refused_invalid = ring.refused(hold::Refusal::invalid);
  stats.refused_sampled = ring.refused(hold::Refusal::sampled);
  stats.refused_closed = intake_.refused_closed();
  stats.refused_policy = ring.refused(hold::Refusal::policy);
  stats.refused = stats.refused_ring_full + stats.refused_consent + stats.refused_invalid + stats.refused_sampled +
                  stats.refused_policy + stats.refused_closed;
  return stats;
}

// Between two of the worker's steps, and wakes it: there may be something to send now.
Status Core::with_worker(system::FunctionRef<Status(pipeline::Worker&)> call) {
  Status status = at_work([this, &call](pipeline::Worker& worker) YUKHA_REQUIRES(work_) {
    Status answer = call(worker);
    note_progress();
    return answer;
  });
  if (check_alive()) transport_->wake();
  return status;
}

std::vector<Notice> Core::notices() {
  if (fork_guard_.in_child()) return {};
  return log_.take_lines();
}

std::vector<Quarantined> Core::quarantined(std::uint64_t after, std::size_t most) {
  std::vector<Quarantined> all;
  static_cast<void>(at_work([&](pipeline::Worker& worker) {
    all = worker.quarantined(after, most);
    return Status();
  }));
  return all;
}

Status Core::resend_quarantined(std::uint64_t number) {
  return with_worker([number](pipeline::Worker& worker) { return worker.resend_quarantined(number); });
}

Status Core::erase_quarantined(std::uint64_t number) {
  return with_worker([number](pipeline::Worker& worker) { return worker.erase_quarantined(number); });
}

Status Core::set_keys(const std::vector<SigningKey>& from) {
  std::vector<send::Key> keys;
  if (Status status = send::decode_keys(from, settings_.sign != nullptr, keys); !status) return status;
  return with_worker([&keys](pipeline::Worker& worker) {
    worker.set_keys(std::move(keys));
    return Status();
  });
}

std::chrono::milliseconds Core::work(std::chrono::milliseconds budget) {
  using std::chrono::milliseconds;
  if (!check_alive() || driver_.uses_thread()) return milliseconds(-1);
  return milliseconds(driver_.work(within_a_day(budget)));
}

Status Core::close(std::chrono::milliseconds deadline) {
  if (Status status = check_alive(); !status) return status;
  Lock closing(closing_);
  if (close_done_) return close_status_;
  const std::int64_t until = clock_.monotonic_ms() + within_a_day(deadline);
  intake_.begin_to_close();
  cut_off_scopes();
  intake_.close();
  transport_->wake();
  driver_.mailbox().close(until);
  if (driver_.uses_thread()) {
    driver_.join();
  } else {
    driver_.drive(until, [](const Mailbox::Told& told) { return told.progress.drained && !told.progress.in_flight; });
  }

  Lock work(work_);
  close_done_ = true;
  if (!worker_) {
    leave_open();
    return close_status_;  // everything was closed when it was suspended
  }
  close_status_ = worker_->progress().in_flight ? Status(Code::cut_short) : Status();
  worker_->cancel();
  if (!lane_->queue().end_run(lane_->queue().ledger().accepted - intake_.run_base())) {
    Status status = lane_->queue().status();
    log_.write(LogLevel::warning, status.message());
  }
  worker_.reset();
  lane_->close();
  directory_.close();
  leave_open();
  return close_status_;
}

// --- what the driver drives ------------------------------------------------------------------------------------------

Core::Step Core::step(Mailbox::Letters& letters) {
  // What is asked for while it is suspended waits for the next worker.
  if (!worker_) return {};
  Mailbox& mailbox = driver_.mailbox();
  letters = mailbox.take();
  if (letters.erase != 0) {
    Status erased;
    try {
      erased = worker_->erase();
    } catch (...) {
      erased = Code::out_of_memory;
    }
    mailbox.tell_erased(letters, std::move(erased));
  }
  Step step;
  step.wait_ms = worker_->step(letters.orders);
  mailbox.tell_step(letters, progress());
  if (letters.suspend != 0) suspend();
  step.lane_lost = worker_ && !lane_->queue().is_open();
  if (step.lane_lost) {
    // What is tracked now must not meet whoever has it next; what its ring has, they find there.
    Lock intake(intake_.mutex);
    let_go();
  }
  return step;
}

void Core::take(HttpAnswer&& answer) {
  if (worker_) worker_->take(std::move(answer));
}

}  // namespace yukha::detail
