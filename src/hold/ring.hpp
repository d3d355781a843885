// The intake ring: where track() writes. A file whose pages outlive the process, so that a killed process loses
// nothing. Its bytes are described in FORMAT.md.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hold/consents.hpp"
#include "system/files.hpp"

namespace yukha::hold {

enum class Priority : std::uint8_t { normal = 0, critical = 1 };
constexpr int priority_count = 2;
constexpr int kind_count = purpose_count * priority_count;

// Whose turn a sentence has and whose consent it needs. What goes together has one kind.
struct Kind {
  Priority priority;
  Purpose purpose;

  constexpr Kind(Priority its_priority = Priority::normal,  // NOLINT(google-explicit-constructor)
                 Purpose its_purpose = Purpose::analytics) noexcept
      : priority(its_priority), purpose(its_purpose) {}
  static constexpr Kind of(int index) noexcept {
    return {static_cast<Priority>(index % priority_count), static_cast<Purpose>(index / priority_count)};
  }
  constexpr int index() const noexcept {
    return static_cast<int>(purpose) * priority_count + static_cast<int>(priority);
  }
};

// Why track() answered no; the counters live in the ring's header.
enum class Refusal : std::uint8_t { ring_full = 0, consent = 1, invalid = 2, sampled = 3, policy = 4 };
constexpr int refusal_count = 5;

// How far SQLite has taken a ring over: what the database committed last.
struct RingMark {
  std::uint64_t ring_id = 0;
  std::uint64_t position = 0;
  std::uint64_t accepted = 0;  // ordinal of the last sentence it has, or counted as lost
  std::uint64_t refused[refusal_count] = {};
};

struct RingLine {
  std::uint64_t position = 0;
  std::uint64_t ordinal = 0;
  Kind kind;
  std::string_view text;  // borrowed until the next call on the ring, or its copy in `scratch`
};

// The session that the lane's sentences belong to; outlives the process so that a restart need not end it.
struct SessionMark {
  std::uint64_t ordinal = 0;      // 0: there was none
  std::int64_t seen_unix_ms = 0;  // when a sentence last belonged to it, to the second
};

// What open() found in the file of an earlier process.
struct RingFound {
  std::vector<RingLine> lines;  // in order; their text lies in `bytes`
  std::string bytes;
  std::uint64_t accepted = 0;  // cumulative, as far as can be known
  std::uint64_t refused[refusal_count] = {};
  std::uint64_t lost = 0;  // accepted, and neither in the database nor here
  std::uint64_t next_position = 0;
  bool damaged = false;      // the header could not be read
  bool mark_unsure = false;  // the mark came further than this ring was told: its commit may not be synced
  bool begin_anew = false;   // once the lines are safe, remove the file and open() again
};

// Appends lines for one thread and reads them back for another, over the same bytes.
// Owns the file, its mapping and the position of both ends. No lock of its own. Threads: append(), refuse(), wipe() and
// the session by one at a time (the intake lock), everything else by one other (the worker).
class Ring {
 public:
  enum class Mode { mapped, written, memory };
  enum class Append { done, full, disk_error };

  // Opens the file, or begins a new one when there is none, it is damaged, of another size or older than `epoch`.
  // `mark` says what the database has; what is found beyond it is put into `found`, and the ring stays as it is until
  // release(). Mode::memory needs no file. Returns 0 or the system's error: then nothing was found but what `mark`
  // says, and the ring works in memory, unless there is none for the file's image. Blocks: for the disk.
  system::Error open(system::Files& files, const std::string& path, std::size_t capacity, std::uint64_t epoch,
                     std::uint64_t new_ring_id, const RingMark& mark, RingFound& found);
  void open_in_memory(std::size_t capacity, std::uint64_t ring_id, const RingMark& mark);
  // Gives file and mapping back. Only open() may follow.
  void close() noexcept;

  // Appends one line in three steps; a process killed between any two has either all of it or nothing.
  // Blocks: never (mapped), for one write without sync (written).
  Append append(std::string_view text, Kind kind) noexcept;
  // Where the next line may be written, so that append() need not copy it: `most` bytes in one piece, or nullptr.
  char* room(std::size_t most) noexcept;
  void refuse(Refusal why) noexcept;
  // Overwrites what was released, from the position `from` on, with zeros, which sync() brings to the disk; so much at
  // a time that an append hardly waits for it. `from` is moved on, until it is free_until(). Blocks: as warm() for
  // that.
  system::Error wipe(std::uint64_t& from) noexcept;
  // So many sentences were accepted that never lay here.
  void pass_over(std::uint64_t sentences) noexcept;
  void note_session(const SessionMark& session) noexcept;
  // As it was last noted, also by an earlier process; a ring that is begun anew has none.
  SessionMark session() const noexcept;

  // --- the other thread ---
  // What the lane knows of consent, for the day the directory does not; nothing where it was never noted.
  void note_consents(const Consents& consents) noexcept;
  std::optional<Consents> consents() const noexcept;
  // The same of a ring's file, which somebody else may have open. False when it is no ring.
  static bool look_into(system::Files& files, const std::string& path, std::uint64_t& epoch,
                        std::optional<Consents>& consents);
  // The lines from `position` on up to `head`, which was read before, at most `bytes_max` of text; their text is copied
  // into `scratch`. Holes are passed over.
  void read(std::uint64_t position, std::uint64_t head, std::size_t bytes_max, std::string& scratch,
            std::vector<RingLine>& lines);
  // Everything before `position` is safe elsewhere, its room may be used again.
  void release(std::uint64_t position) noexcept;
  // Readies the pages that the next `bytes` go to: the first store into a page that is new, or was written to the disk
  // since, otherwise waits for the file system. Blocks: as such a store does.
  void warm(std::size_t bytes) noexcept;
  // Nobody else has opened the file since. Blocks: for one read of it where it is not mapped.
  bool is_mine() const noexcept;
  bool is_at(const std::string& path) noexcept { return !file_ || file_->is_at(path); }
  // What it holds is on the disk when this is 0. Blocks: for one sync.
  system::Error sync() noexcept { return file_ ? file_->sync() : 0; }

  std::uint64_t head() const noexcept { return head_.load(std::memory_order_acquire); }
  std::uint64_t tail() const noexcept { return tail_.load(std::memory_order_relaxed); }
  std::uint64_t free_until() const noexcept { return tail() + capacity_; }
  std::uint64_t used() const noexcept { return head() - tail(); }
  std::size_t capacity() const noexcept { return capacity_; }
  std::uint64_t id() const noexcept { return id_; }
  Mode mode() const noexcept { return mode_; }
  std::uint64_t accepted() const noexcept { return accepted_.load(std::memory_order_acquire); }
  std::uint64_t refused(Refusal why) const noexcept {
    return refused_[static_cast<int>(why)].load(std::memory_order_relaxed);
  }

  // Where a line of `size` bytes ends if it begins at `position`.
  static std::uint64_t end_of(std::uint64_t position, std::size_t size) noexcept;

 private:
  struct Slot {
    std::uint64_t position;
    std::uint64_t text_end;
    std::uint64_t end;  // with what rounds it up
  };
  bool reserve(std::size_t size, Slot& slot) const noexcept;
  void fill(const Slot& slot, std::string_view text, Kind kind) noexcept;
  system::Error publish(const Slot& slot) noexcept;

  // Maps or reads the file; `size` is what it had before. Where that fails it may be left half open.
  system::Error open_file(system::Files& files, const std::string& path, std::uint64_t& size);
  enum class Header { whole, damaged };
  // What lies in the ring beyond the mark. Of a damaged header nothing is believed.
  void recover(const RingMark& mark, Header header, RingFound& found);
  // All that vouch for themselves, in the order of their place in the data.
  std::vector<RingLine> records(std::uint64_t& newest_end) const;
  // The position behind what the database has, or behind what the ring was told it has.
  std::uint64_t first_wanted(const std::vector<RingLine>& records, std::uint64_t newest_end, const RingMark& mark,
                             std::uint64_t consumed, RingFound& found) const noexcept;
  void count_found(const RingMark& mark, Header header, std::uint64_t newest, RingFound& found) noexcept;
  // As the one who has it from now on.
  void sign(std::uint64_t owner) noexcept;
  void begin_anew(std::uint64_t epoch, std::uint64_t ring_id, const RingMark& mark);
  bool read_header(std::uint64_t epoch) noexcept;
  // Of `line.text` only the length is true: where it lies in the ring it may be in two pieces.
  bool valid_at(std::size_t offset, RingLine& line) const noexcept;
  std::uint32_t checksum(std::uint64_t position, std::uint64_t ordinal, std::uint32_t length_word,
                         std::string_view first, std::string_view second) const noexcept;
  std::uint64_t load_word(std::uint64_t position) const noexcept;
  void store_word(std::uint64_t position, std::uint64_t value) noexcept;
  void copy_in(std::uint64_t position, std::string_view text) noexcept;
  void copy_out(const RingLine& line, std::string& bytes) const;
  void store_header_word(std::size_t offset, std::uint64_t value) noexcept;
  system::Error write_back(std::uint64_t from, std::uint64_t to) noexcept;

  std::unique_ptr<system::File> file_;
  std::unique_ptr<char[]> image_;  // written and memory modes: the ring's bytes, header included
  char* memory_ = nullptr;         // header and data: the mapping, or image_
  std::size_t capacity_ = 0;
  std::uint64_t id_ = 0;
  std::uint64_t owner_ = 0;  // of this opening; 0: the file could not be told
  Mode mode_ = Mode::memory;
  std::atomic<std::uint64_t> head_{0};
  std::atomic<std::uint64_t> tail_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_[refusal_count] = {};
};

}  // namespace yukha::hold
