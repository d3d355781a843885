// The batches that wait, as the queue knows them without looking into the database.
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "hold/queue/batch.hpp"

namespace yukha::hold {

// Batches in the order of their next turn: critical ones stand before all normal ones.
// Owns the list; no SQL. No lock: the queue's thread. Pointers and iterators stay valid until their batch is removed.
class BatchList {
 public:
  const std::list<Batch>& all() const noexcept { return batches_; }
  bool empty() const noexcept { return batches_.empty(); }
  // Null: it is not there.
  const Batch* find(std::int64_t id) const noexcept;

  // In place of all that were there, in their order.
  void set(std::list<Batch>&& batches) noexcept { batches_.swap(batches); }
  // Behind all others of its priority.
  void add(const Batch& batch);
  // Before all others of their priority: the parts of a batch do not outlive its split long.
  void add_first(const std::vector<NewBatch>& parts);
  void remove(std::int64_t id) noexcept;
  // Behind all others of its priority.
  void to_the_back(std::int64_t id) noexcept;
  void set_bisect(std::int64_t id, Bisect bisect) noexcept;
  // Parts that are held back for a search without a suspect are sent as any others. True when there were such.
  bool free_orphans() noexcept;

 private:
  using Place = std::list<Batch>::iterator;
  Place place_of(std::int64_t id) noexcept;
  Place first_normal() noexcept;
  Place end_of(Priority priority) noexcept { return priority == Priority::critical ? first_normal() : batches_.end(); }
  bool is_searched(const Batch& held_back) const noexcept;

  std::list<Batch> batches_;
};

}  // namespace yukha::hold
