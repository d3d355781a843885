#include <yukha/tracker.hpp>

#include <exception>
#include <new>
#include <utility>

#include "compose/sentence_json.hpp"
#include "core/core.hpp"
#include "system/function_ref.hpp"
#include "system/signals.hpp"

namespace yukha {
namespace {

void destroy(detail::Core* core) {
  if (core == nullptr) return;
  // The memory included.
  if (core->is_lost()) return;
  const system::SignalShield shield;
  delete core;
}

// Runs `call` on the core; whatever is thrown inside ends here as a status.
Status answered(detail::Core* core, system::FunctionRef<Status(detail::Core&)> call) noexcept {
  if (core == nullptr) return Code::not_open;
  try {
    return call(*core);
  } catch (const std::bad_alloc&) {
    return Code::out_of_memory;
  } catch (...) {
    return Code::disk_error;
  }
}

// The same for what may reach the disk or the network: four system calls more.
Status guarded(detail::Core* core, system::FunctionRef<Status(detail::Core&)> call) noexcept {
  const system::SignalShield shield;
  return answered(core, call);
}

Consent consent_of(detail::Core* core, const Purpose* purpose) noexcept {
  Consent consent = Consent::pending;
  static_cast<void>(guarded(core, [&](detail::Core& open) {
    consent = open.consent(purpose);
    return Status();
  }));
  return consent;
}

}  // namespace

Tracker Tracker::open(const Config& config) noexcept {
  Tracker tracker;
  const system::SignalShield shield;
  try {
    tracker.core_.reset(detail::Core::open(config, detail::Seams()));
  } catch (...) {
    // No memory for as much as a core; the tracker answers not_open.
  }
  return tracker;
}

Tracker::Tracker() noexcept : core_(nullptr, &destroy) {}
Tracker::Tracker(Tracker&& other) noexcept = default;
Tracker& Tracker::operator=(Tracker&& other) noexcept = default;
Tracker::~Tracker() = default;

Status Tracker::status() const noexcept {
  return guarded(core_.get(), [](detail::Core& core) { return core.status(); });
}

Status Tracker::identify(std::string_view user_id, Members members) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.identify(user_id, members); });
}

Status Tracker::reset() noexcept {
  return guarded(core_.get(), [](detail::Core& core) { return core.reset(); });
}

Status Tracker::set(Part part, Members members) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.set(part, members); });
}

Status Tracker::unset(Part part, std::string_view name) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.unset(part, name); });
}

Status Tracker::set_experiment(std::string_view name, std::string_view variant) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) {
    const std::string member = "experiment_" + std::string(name);
    return core.set(Part::user, {{member, variant}});
  });
}

Event Tracker::event() noexcept {
  return Event(core_.get());
}

Status Tracker::track_json(std::string_view json) noexcept {
  return answered(core_.get(), [&](detail::Core&) {
    Event sentence = event();
    if (Status filled = fill_from_json(json, sentence); !filled) sentence.problem_ = std::move(filled);
    return sentence.track();
  });
}

Status Tracker::set_consent(Consent consent) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.set_consent(consent); });
}

Status Tracker::set_consent(Purpose purpose, Consent consent) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.set_consent(consent, &purpose); });
}

Status Tracker::set_advertising_id(std::string_view id) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.set_ad_id(id); });
}

Consent Tracker::consent() const noexcept {
  return consent_of(core_.get(), nullptr);
}

Consent Tracker::consent(Purpose purpose) const noexcept {
  return consent_of(core_.get(), &purpose);
}

Status Tracker::erase() noexcept {
  return guarded(core_.get(), [](detail::Core& core) { return core.erase(); });
}

Status Tracker::flush(std::chrono::milliseconds deadline) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.flush(deadline); });
}

Status Tracker::enter_background(std::chrono::milliseconds budget) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.background(budget); });
}

Status Tracker::enter_foreground() noexcept {
  return guarded(core_.get(), [](detail::Core& core) { return core.foreground(); });
}

Status Tracker::set_network(Network now) noexcept {
  return guarded(core_.get(), [now](detail::Core& core) { return core.set_network(now); });
}

Status Tracker::set_low_battery(bool low) noexcept {
  return guarded(core_.get(), [low](detail::Core& core) { return core.set_low_battery(low); });
}

Stats Tracker::stats() const noexcept {
  Stats stats;
  static_cast<void>(guarded(core_.get(), [&](detail::Core& core) {
    stats = core.stats();
    return Status();
  }));
  return stats;
}

std::vector<LogLine> Tracker::take_log_lines() noexcept {
  std::vector<LogLine> all;
  static_cast<void>(guarded(core_.get(), [&](detail::Core& core) {
    all = core.notices();
    return Status();
  }));
  return all;
}

std::vector<Quarantined> Tracker::quarantined(std::uint64_t after, std::size_t most) const noexcept {
  std::vector<Quarantined> all;
  static_cast<void>(guarded(core_.get(), [&](detail::Core& core) {
    all = core.quarantined(after, most);
    return Status();
  }));
  return all;
}

Status Tracker::resend_quarantined(std::uint64_t number) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.resend_quarantined(number); });
}

Status Tracker::erase_quarantined(std::uint64_t number) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.erase_quarantined(number); });
}

Status Tracker::set_signing_keys(const std::vector<SigningKey>& keys) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.set_keys(keys); });
}

std::chrono::milliseconds Tracker::work(std::chrono::milliseconds budget) noexcept {
  std::chrono::milliseconds wait(-1);
  static_cast<void>(guarded(core_.get(), [&](detail::Core& core) {
    wait = core.work(budget);
    return Status();
  }));
  return wait;
}

Status Tracker::close(std::chrono::milliseconds deadline) noexcept {
  return guarded(core_.get(), [&](detail::Core& core) { return core.close(deadline); });
}

}  // namespace yukha
