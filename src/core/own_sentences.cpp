// What the library tells by itself: that it was opened, and what a process before left open.
#include <algorithm>
#include <list>
#include <utility>

#include "compose/sentence_json.hpp"
#include "core/core.hpp"

namespace yukha::detail {
namespace {

using system::Lock;

// Those of `all` that are not among `others`.
std::vector<hold::KeptScope> without(const std::vector<hold::KeptScope>& all,
                                     const std::vector<hold::KeptScope>& others) {
  std::vector<hold::KeptScope> left;
  for (const hold::KeptScope& one : all) {
    const auto same = [&one](const hold::KeptScope& other) { return other.tail == one.tail; };
    if (std::none_of(others.begin(), others.end(), same)) left.push_back(one);
  }
  return left;
}

}  // namespace

Event Core::own_event() noexcept {
  Event own(this);
  own.ruled_ = true;
  return own;
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

// Of what an earlier process left open in the lane. Below 0 it must be opened anew before anything is tracked.
Status Core::tell_of_cut_off(Home home) {
  hold::Ring& ring = lane_->ring();
  hold::Queue& queue = lane_->queue();
  const std::int64_t now = clock_.monotonic_ms();
  const std::vector<hold::KeptScope> on_disk =
      lane_->in_memory() ? std::vector<hold::KeptScope>() : queue.kept_scopes();
  std::vector<hold::KeptScope> kept = intake_.scopes().reconcile(on_disk, home == Home::same);
  intake_.scopes().forget_untold();
  if (kept.empty()) return {};
  if (ring.used() != 0) {
    // The disk is full. What ended is told by the lines that wait in the ring, the others by the next opening.
    std::string text;
    std::vector<hold::RingLine> lines;
    ring.read(ring.tail(), ring.head(), SIZE_MAX, text, lines);
    intake_.scopes().leave(hold::without_ended(std::move(kept), lines), now);
    return {};
  }
  const std::vector<hold::KeptScope> mine = without(on_disk, kept);
  std::list<std::string> texts;
  hold::Drained drained;
  drained.scopes = &mine;
  drained.mark = queue.ring_mark();
  if (Status status = add_cut_off(kept, texts, drained); !status) return status;
  if (queue.take_over(drained, texts.size(), 0)) {
    ring.pass_over(texts.size());
    return {};
  }
  // They stay for the next opening. On a full disk nothing of it was written; after any other fault the commit may turn
  // up after a kill, and what the ring gave the same ordinals by then would not count.
  Status status = queue.status();
  intake_.scopes().leave(std::move(kept), now);
  if (status.code() != Code::disk_full) return status;
  log_.write(LogLevel::warning, status.message());
  return {};
}

// The lines of what is cut off, behind those that were drained before.
Status Core::add_cut_off(const std::vector<hold::KeptScope>& kept, std::list<std::string>& texts,
                         hold::Drained& drained) {
  for (const hold::KeptScope& scope : kept) {
    Event event(this);
    event.ruled_ = true;
    // What lies on a disk is checked like any other sentence.
    if (!fill_from_json(scope.sentence, event) || !event.status() || !event.has_action_) continue;
    event.purpose_ = scope.purpose;
    compose::Sentence sentence = sentence_of(event);
    sentence.own_time = false;  // the library said when
    if (!intake_.takes(sentence)) continue;
    if (!intake_.has_chance(system::DiceCup::id_bytes)) return Code::no_randomness;
    std::string line = intake_.line_of(sentence, drained.mark.accepted + 1);
    if (line.empty()) continue;
    texts.push_back(std::move(line));
    hold::RingLine one;
    one.ordinal = ++drained.mark.accepted;
    one.kind = kind_of(event);
    one.text = texts.back();
    drained.lines.push_back(one);
  }
  return {};
}

}  // namespace yukha::detail
