#include "hold/queue/batch_list.hpp"

#include <algorithm>

namespace yukha::hold {

const Batch* BatchList::find(std::int64_t id) const noexcept {
  // What is asked for stands near the front, so this seldom looks further.
  const auto found = std::find_if(batches_.begin(), batches_.end(), [id](const Batch& one) { return one.id == id; });
  return found != batches_.end() ? &*found : nullptr;
}

BatchList::Place BatchList::place_of(std::int64_t id) noexcept {
  return std::find_if(batches_.begin(), batches_.end(), [id](const Batch& batch) { return batch.id == id; });
}

BatchList::Place BatchList::first_normal() noexcept {
  return std::find_if(batches_.begin(), batches_.end(),
                      [](const Batch& batch) { return batch.kind.priority == Priority::normal; });
}

void BatchList::add(const Batch& batch) {
  batches_.insert(end_of(batch.kind.priority), batch);
}

void BatchList::add_first(const std::vector<NewBatch>& parts) {
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const bool normal = part->facts.kind.priority == Priority::normal;
    batches_.insert(normal ? first_normal() : batches_.begin(), part->facts);
  }
}

void BatchList::remove(std::int64_t id) noexcept {
  if (const Place found = place_of(id); found != batches_.end()) batches_.erase(found);
}

void BatchList::to_the_back(std::int64_t id) noexcept {
  const Place found = place_of(id);
  if (found == batches_.end()) return;
  batches_.splice(end_of(found->kind.priority), batches_, found);
}

void BatchList::set_bisect(std::int64_t id, Bisect bisect) noexcept {
  if (const Place found = place_of(id); found != batches_.end()) found->bisect = bisect;
}

bool BatchList::is_searched(const Batch& held_back) const noexcept {
  return std::any_of(batches_.begin(), batches_.end(), [&held_back](const Batch& other) {
    return other.bisect == Bisect::suspect && other.key == held_back.key && other.root_size == held_back.root_size;
  });
}

bool BatchList::free_orphans() noexcept {
  bool freed = false;
  for (Batch& batch : batches_) {
    if (batch.bisect != Bisect::held_back || is_searched(batch)) continue;
    batch.bisect = Bisect::none;
    freed = true;
  }
  return freed;
}

}  // namespace yukha::hold
