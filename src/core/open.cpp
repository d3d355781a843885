// How a tracker begins, and the lane that it gets.
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "core/check_config.hpp"
#include "core/core.hpp"
#include "send/curl_transport.hpp"
#include "system/device.hpp"

namespace yukha::detail {
namespace {

using system::Lock;

// SQLite opens no file with a longer path than 512; the longest name of ours has 49 with its slash.
constexpr std::size_t directory_bytes_max = 460;

}  // namespace

Core* Core::open(const Config& config, const Seams& seams) {
  auto core = std::unique_ptr<Core>(new Core(config, seams));
  core->open_lane(config);
  if (!core->lane_) core->leave_open();
  if (core->lane_ && core->options_.track_lifecycle) core->tell_of_opening(config.app_version);
  return core.release();
}

Core::Core(const Config& config, const Seams& seams)
    : options_(config),
      log_(config.log, config.log_lines_max),
      clock_(*seams.clock),
      entropy_(*seams.dice),
      files_(*seams.files),
      transport_(config.transport),
      intake_(directory_, clock_, entropy_,
              {config.session_timeout.count(), config.session_background_timeout.count(), config.sync_interval.count(),
               config.sample_rate}),
      driver_(*this, work_, intake_, clock_, log_, config.use_thread),
      hints_(config) {}

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

void Core::open_lane(const Config& config) {
  status_ = check_config(config, settings_);
  if (status_) status_ = rules_.set(config);
  if (status_) status_ = enter_process();
  if (status_) status_ = check_process();
  // Facts first: a bad one is the app's mistake, and nothing was touched yet.
  std::string facts;
  if (status_) status_ = collect_facts(config, facts);
  if (status_) status_ = find_directory();
  if (!status_) return;

  Lock work(work_);
  {
    Lock intake(intake_.mutex);
    intake_.set_facts(std::move(facts));
    const std::string run = intake_.name_run();
    lane_ = std::make_unique<hold::Lane>(files_, entropy_, directory_, settings_.lanes);
    intake_.write_to(*lane_);
    status_ = open_files(config.lane, run);
    if (status_) status_ = begin_life(std::move(status_), run, Home::same);
  }
  if (status_) begin_to_send(config);
  if (status_) return;
  worker_.reset();
  lane_.reset();
  directory_.close();
}

// What the library needs of the process it is in.
Status Core::check_process() {
  Lock intake(intake_.mutex);
  if (!intake_.has_chance(8)) return Code::no_randomness;
  if (driver_.uses_thread() && !hold::sqlite_has_locks()) {
    return {Code::bad_config,
            "SQLite has no locks in this process (SQLITE_CONFIG_SINGLETHREAD, or it was compiled so): configure "
            "SQLITE_CONFIG_MULTITHREAD before its first use, or turn use_thread off and use both on one thread"};
  }
  return {};
}

Status Core::collect_facts(const Config& config, std::string& facts) {
  Status status;
  system::DeviceFacts found;
  if (config.collect_device_facts) found = system::device_facts();
  const auto add_fact = [&](const std::string& name, const std::string& value) {
    const Member member{name, value};
    const RuledMembers ruled(rules_, Part::device, {&member, 1});
    for (const Member& one : ruled.list()) {
      status = compose::append_member(facts, Part::device, one.name, one.value);
    }
  };
  const auto fact = [&](const char* name, const std::string& given, const std::string& otherwise) {
    const std::string& value = given.empty() ? otherwise : given;
    // What the app says itself replaces what was found.
    bool said = false;
    for (const auto& one : config.device) said = said || one.first == name;
    if (status && !value.empty() && !said) add_fact(name, value);
  };
  fact("os", config.os, found.os);
  fact("model", config.model, found.model);
  fact("app_version", config.app_version, "");
  fact("locale", config.locale, found.locale);
  for (const auto& [name, value] : config.device) {
    if (status) status = compose::check_member(Part::device, name);
    if (status) add_fact(name, value);
  }
  return status;
}

// Where it lies does not change with the host's working directory, nor with a link.
Status Core::find_directory() {
  std::string& path = settings_.lanes.directory;
  static_cast<void>(files_.make_absolute(path));
  if (path.size() <= directory_bytes_max && files_.make_directory(path) == 0)
    static_cast<void>(files_.make_absolute(path));
  if (path.size() <= directory_bytes_max) return {};
  return {Code::bad_config,
          "queue_dir has " + std::to_string(path.size()) + " bytes, of at most " + std::to_string(directory_bytes_max)};
}

void Core::begin_to_send(const Config& config) {
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
    return;
  }
  make_worker();
  try {
    driver_.start(*transport_);
    in_process_.running = true;
  } catch (const std::system_error&) {
    status_ = Status(Code::out_of_memory, "the system gives no thread");
    log_.write(LogLevel::error, status_.message());
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
  if (status) status = directory_.open(files_, path, entropy_, system::platform_id(), options_.initial_consent);
  if (status) status = lane.empty() ? lane_->open_any(run) : lane_->open(lane, run);
  if (status == Code::newer_format || status == Code::lane_held || status == Code::no_randomness) return status;
  if (!status) status = live_in_memory(status, run);
  if (!status) return status;
  if (notice = directory_.take_notice(); !notice.empty()) log_.write(LogLevel::warning, notice);
  const std::optional<send::Policy> policy = send::Policy::kept(directory_.note(send::policy_note));
  intake_.read_directory(settings_.obeys_policy ? policy : std::nullopt);
  if (!lane_->in_memory()) left_lane_.name = lane_->name();
  return status;
}

// Whatever is wrong with the disk, the app's sentences can still be delivered for as long as it runs.
Status Core::live_in_memory(const Status& reason, const std::string& run) {
  Status status(Code::kept_in_memory, reason.message());
  log_.write(LogLevel::error, status.message());
  lane_->close();
  // Where nothing but a free lane is missing, what is said of consent, or erased, is for all of them.
  if (reason != Code::no_free_lane || !directory_.is_open())
    directory_.open_in_memory(files_, settings_.lanes.directory, entropy_, options_.initial_consent);
  Status memory = lane_->open_in_memory(run);
  return memory ? status : memory;
}

// In the lane that was opened as `opened` says; what an earlier life left open in it is told first.
Status Core::begin_life(Status opened, const std::string& run, Home home) {
  intake_.begin_run();
  Status told = tell_of_cut_off(home);
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

}  // namespace yukha::detail
