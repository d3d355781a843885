// What the queue holds, as values: chunks that wait, batches, lines that go to quarantine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hold/ring.hpp"

namespace yukha::hold {

struct BatchLimits {
  std::size_t lines_max = 500;
  std::size_t bytes_max = 1'000'000;  // of lines and their line ends, before compression
  // What one transaction may write on a full disk: the reserve has as much, and the log twice that.
  std::size_t step_bytes = 1 << 20;
};

// What a batch has to do with a search for the sentence that makes the endpoint refuse it. The number stands in the
// database.
enum class Bisect : std::uint8_t {
  none = 0,       // sent in its turn
  suspect = 1,    // the part the search looks at; sent in its turn
  held_back = 2,  // until the search of its family ends
};

// A sealed batch without its body. Its bytes never change; its key never returns with other bytes.
struct Batch {
  std::int64_t id = 0;
  std::string key;   // uuid
  std::string path;  // "" or one letter a level: the part's place in the split batch
  Kind kind;
  std::size_t lines = 0;
  std::size_t own_lines = 0;  // ledger sentences among them, in neither accepted nor delivered
  std::size_t bytes = 0;      // before compression
  std::size_t body_bytes = 0;
  std::int64_t opening = 0;  // when it was held: the opening, and how long after its start
  std::int64_t held_ms = 0;
  Bisect bisect = Bisect::none;
  std::size_t root_size = 0;  // of the path's letters, those of the batch in which the search began
};

// A batch with its body.
struct NewBatch {
  Batch facts;
  std::string body;  // gzip
};

// Lines as one drain brought them, which wait for their batch; without the lines themselves.
struct Chunk {
  std::int64_t id = 0;
  Kind kind;
  std::size_t lines = 0;
  std::size_t own_lines = 0;
  std::size_t bytes = 0;
  std::int64_t opening = 0;
  std::int64_t held_ms = 0;
};

// Chunks that will become one batch: their lines, each with its line end.
struct Unsealed {
  Kind kind;
  std::vector<std::int64_t> chunks;
  std::string lines_text;
  std::size_t lines = 0;
  std::size_t own_lines = 0;
  std::int64_t opening = 0;
  std::int64_t held_ms = 0;
};

// A line that goes to quarantine.
struct Rejected {
  std::string sentence_id;
  std::string reason;
  std::string line;
  bool own = false;
};

}  // namespace yukha::hold
