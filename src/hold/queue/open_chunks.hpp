// The chunks that wait for their batch, as the queue knows them without looking into the database.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hold/queue/batch.hpp"
#include "hold/queue/drained.hpp"

namespace yukha::hold {

// Lines that go into the database together: a chunk, or with the chunks they complete a batch.
struct Piece {
  Unsealed lines;
  bool joins_newest = false;  // its lines belong to the newest batch that chunks wait for
  bool full = false;          // with it that batch is full
  NewBatch batch;             // has a body where it is sealed
  Chunk chunk;                // where it is not
};

// Which chunks make the next batch, and where lines that come are cut so that whole chunks make batches. A chunk that
// came with a copy of the directory shares no batch with others: all copies then seal the same lines.
// Owns the list, for each kind in the order of the rows' ids; no SQL. No lock: the queue's thread.
class OpenChunks {
 public:
  // The chunks that make the oldest batch, and whether nothing can be added to it any more.
  struct First {
    std::size_t chunks = 0;
    bool full = false;
  };

  OpenChunks() noexcept = default;
  // Chunks of openings up to `copied_until` came with a copy; 0: none did.
  OpenChunks(const BatchLimits& limits, std::int64_t copied_until) noexcept
      : limits_(limits), copied_until_(copied_until) {}

  bool empty(Kind kind) const noexcept { return of(kind).empty(); }
  const std::vector<Chunk>& of(Kind kind) const noexcept { return those(kind).chunks; }
  First first(Kind kind) const noexcept;
  // What the lines of this kind become; remembers nothing.
  std::vector<Piece> cut(const Drained& drained, Kind kind, std::int64_t opening) const;
  // Nothing waits of its kind but the chunks that the piece completes to a batch.
  bool are_completed_by(const Piece& piece) const noexcept;

  // A chunk that the database has by now.
  void add(const Chunk& chunk);
  // The oldest `count` became a batch.
  void remove_first(Kind kind, std::size_t count);
  // All that wait, whose openings are not above this one, came with a copy.
  void mark_copied(std::int64_t copied_until) noexcept;

 private:
  struct Fill {  // of the newest batch that chunks wait for
    std::size_t lines = 0;
    std::size_t bytes = 0;
  };
  struct OfKind {
    std::vector<Chunk> chunks;
    Fill fill;
  };
  OfKind& those(Kind kind) noexcept { return kinds_[static_cast<std::size_t>(kind.index())]; }
  const OfKind& those(Kind kind) const noexcept { return kinds_[static_cast<std::size_t>(kind.index())]; }
  bool is_copied(const Chunk& chunk) const noexcept { return copied_until_ != 0 && chunk.opening <= copied_until_; }
  bool fits(const Fill& fill, std::size_t lines, std::size_t bytes) const noexcept {
    return fill.lines + lines <= limits_.lines_max && fill.bytes + bytes <= limits_.bytes_max;
  }
  void count_in(Fill& fill, const Chunk& chunk) const noexcept;
  void recount(OfKind& kind) const noexcept;

  BatchLimits limits_;
  std::int64_t copied_until_ = 0;
  std::array<OfKind, kind_count> kinds_;
};

}  // namespace yukha::hold
