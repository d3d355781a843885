// How a lane is left while the app is in the background, and taken up again.
#include "core/core.hpp"
#include "system/signals.hpp"

namespace yukha::detail {

using system::Lock;

Status Core::background(std::chrono::milliseconds budget) {
  if (Status status = check_alive(); !status) return status;
  intake_.go_to_background();
  bool offline = false;
  Status status = hint([&offline](UploadHints& hints) {
    hints.background = true;
    offline = hints.is_offline();
  });
  if (!status || intake_.is_suspended()) return status;
  // Offline there is nothing to wait for.
  status = flush(offline ? std::chrono::milliseconds(0) : budget);
  if (!options_.suspend_in_background) return status;
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
  return hint([](UploadHints& hints) { hints.background = false; });
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
  left_lane_.requests += worker_->progress().requests;
  settings_.hurried_ms = worker_->hurried_ms();
  worker_.reset();
  if (!lane_->in_memory()) left_lane_.name = lane_->name();
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
  if (now < left_lane_.again_ms) return left_lane_.status;
  Status status;
  try {
    Lock intake(intake_.mutex);
    const bool has_chance = intake_.has_chance(8);
    const std::string run = intake_.name_run();
    // Its own lane, if nobody took it meanwhile.
    const std::string before = left_lane_.name;
    status = has_chance ? open_files(before, run) : Status(Code::no_randomness);
    if (status == Code::lane_held && !options_.lane_is_named) status = open_files("", run);
    if (status) {
      const bool same = !lane_->in_memory() && lane_->name() == before;
      status = begin_life(std::move(status), run, same ? Home::same : Home::another);
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
    left_lane_.again_ms = now + again_after_ms;
    left_lane_.status = status;
    return status;
  }
  if (driver_.uses_thread()) transport_->wake();
  return {};
}

}  // namespace yukha::detail
