// Core's foreground and background, and what the app knows of network and battery.
#include <algorithm>

#include "compose/text.hpp"
#include "core/core.hpp"
#include "system/signals.hpp"

namespace yukha::detail {

using system::Lock;

void Core::apply_hints() {
  Uploads usually = Uploads::all;
  const auto hold_to = [&usually](bool holds, Uploads uploads) {
    if (holds) usually = std::max(usually, uploads);  // the stricter has the larger number
  };
  hold_to(network_ == Network::metered, on_metered_);
  hold_to(low_battery_, on_low_battery_);
  hold_to(background_, in_background_);
  hold_to(network_ == Network::offline, Uploads::none);
  if (!worker_) return;
  worker_->set_uploads(usually, network_ == Network::offline ? Uploads::none : Uploads::all,
                       network_ == Network::metered);
}

// A hint is no reason to take up what was suspended.
Status Core::hint(system::FunctionRef<void()> change) {
  if (Status status = check_alive(); !status) return status;
  {
    WorkLock work(work_, *transport_);
    const Network before = network_;
    hint_now(change);
    apply_hints();
    if (worker_ && before == Network::offline && network_ != Network::offline) worker_->hurry();
  }
  transport_->wake();
  return intake_.is_closed() ? Status(Code::closed) : Status();
}

Status Core::set_network(Network network) {
  if (network < Network::unknown || network > Network::offline) return {Code::bad_argument, "network"};
  return hint([this, network]() YUKHA_REQUIRES(work_) { network_ = network; });
}

Status Core::set_low_battery(bool low) {
  return hint([this, low]() YUKHA_REQUIRES(work_) { low_battery_ = low; });
}

Status Core::background(std::chrono::milliseconds budget) {
  if (Status status = check_alive(); !status) return status;
  intake_.go_to_background();
  bool offline = false;
  Status status = hint([this, &offline]() YUKHA_REQUIRES(work_) {
    background_ = true;
    offline = network_ == Network::offline;
  });
  if (!status || intake_.is_suspended()) return status;
  // Offline there is nothing to wait for.
  status = flush(offline ? std::chrono::milliseconds(0) : budget);
  if (!suspend_in_background_) return status;
  if (!driver_.uses_thread()) {
    WorkLock work(work_, *transport_);
    suspend();
    return status;
  }
  // The worker does it, because only its thread may speak to the transport.
  const Mailbox::Request request(driver_.mailbox(), Mailbox::Errand::suspend);
  driver_.drive(INT64_MAX, [&request](const Mailbox::Told& told) { return request.is_done(told); });
  return status;
}

Status Core::foreground() {
  if (Status status = check_alive(); !status) return status;
  intake_.come_to_foreground();
  return hint([this]() YUKHA_REQUIRES(work_) { background_ = false; });
}

void Core::suspend() {
  // What lives in memory would be gone.
  if (!worker_ || lane_->in_memory()) return;
  if (intake_.is_closed()) return;
  worker_->cancel();
  pipeline::Orders order;
  order.close = true;
  static_cast<void>(worker_->step(order));
  note_progress();
  const std::uint64_t run_base = intake_.run_base();
  Lock intake(intake_.mutex);
  // An erase that the step met may have left nothing but memory.
  if (intake_.is_closed_now() || lane_->in_memory()) return;
  intake_.keep_scopes();
  // What others tracked meanwhile, or a full disk did not take, is in the ring's file as after a kill; nobody comes
  // soon to bring it to the database.
  if (lane_->ring().used() != 0) static_cast<void>(lane_->ring().sync());
  if (!lane_->queue().end_run(lane_->queue().ledger().accepted - run_base)) {
    log_.write(LogLevel::warning, lane_->queue().status().message());
  }
  let_go();
}

void Core::let_go() {
  requests_before_ += worker_->progress().requests;
  settings_.hurried_ms = worker_->hurried_ms();
  worker_.reset();
  if (!lane_->in_memory()) lane_name_ = lane_->name();
  lane_->close();
  directory_.close();
  intake_.leave_lane();
  driver_.mailbox().worker_left();
}

Status Core::resume() {
  constexpr std::int64_t again_after_ms = 1000;
  const system::SignalShield shield;
  WorkLock work(work_, *transport_);
  if (!intake_.is_suspended()) return {};
  if (intake_.is_closed()) return Code::closed;
  const std::int64_t now = clock_.monotonic_ms();
  if (now < resume_again_ms_) return resume_status_;
  Status status;
  try {
    Lock intake(intake_.mutex);
    const bool has_chance = intake_.has_chance(8);
    const std::string run = intake_.name_run();
    // Its own lane, if nobody took it meanwhile.
    const std::string before = lane_name_;
    status = has_chance ? open_files(before, run) : Status(Code::no_randomness);
    if (status == Code::lane_held && !lane_is_named_) status = open_files("", run);
    if (status) {
      const bool same_lane = !lane_->in_memory() && lane_->name() == before;
      status = begin_life(std::move(status), run, same_lane);
    }
    if (status) {
      make_worker();
      intake_.enter_lane();
      driver_.mailbox().worker_came();
    }
  } catch (...) {
    status = Code::out_of_memory;
  }
  if (!status) {
    worker_.reset();
    lane_->close();
    directory_.close();
    resume_again_ms_ = now + again_after_ms;
    resume_status_ = status;
    return status;
  }
  if (driver_.uses_thread()) transport_->wake();
  return {};
}

}  // namespace yukha::detail
