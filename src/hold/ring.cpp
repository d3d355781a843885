#include "hold/ring.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "system/crc32c.hpp"

namespace yukha::hold {
namespace {

constexpr std::size_t header_bytes = 4096;           // one page, so that the data begins on one
constexpr std::uint64_t magic = 0x31676E6972616B79;  // "ykaring1", little endian
constexpr std::uint64_t format_version = 1;
constexpr std::size_t record_head = 24;
constexpr std::uint64_t alignment = 8;
constexpr std::uint64_t count_max = 1ULL << 62;  // no device gets there; what says more was not written by us

// Offsets in the header; every field is one 64-bit little endian word.
constexpr std::size_t at_magic = 0;
constexpr std::size_t at_version = 8;
constexpr std::size_t at_id = 16;
constexpr std::size_t at_epoch = 24;
constexpr std::size_t at_capacity = 32;
constexpr std::size_t at_checksum = 40;  // over the 40 bytes before it
constexpr std::size_t at_consumed = 64;  // from here on the words change while the ring is in use
constexpr std::size_t at_accepted = 72;
constexpr std::size_t at_refused = 80;
constexpr std::size_t at_session = 112;  // ordinal, and when it was last seen

static_assert(sizeof(std::atomic<std::uint64_t>) == 8, "a word of the ring must be stored in one piece");

std::uint64_t load(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}
void store(char* at, std::uint64_t word) noexcept {
  std::memcpy(at, &word, 8);
}

}  // namespace

std::uint64_t Ring::end_of(std::uint64_t position, std::size_t size) noexcept {
  return position + ((record_head + size + alignment - 1) & ~(alignment - 1));
}

std::uint64_t Ring::load_word(std::uint64_t position) const noexcept {
  return load(memory_ + header_bytes + position % capacity_);
}
void Ring::store_word(std::uint64_t position, std::uint64_t value) noexcept {
  store(memory_ + header_bytes + position % capacity_, value);
}

void Ring::copy_in(std::uint64_t position, std::string_view text) noexcept {
  if (text.empty()) return;
  const std::size_t offset = position % capacity_;
  const std::size_t first = std::min(text.size(), capacity_ - offset);
  std::memcpy(memory_ + header_bytes + offset, text.data(), first);
  std::memcpy(memory_ + header_bytes, text.data() + first, text.size() - first);
}

void Ring::copy_out(std::uint64_t position, std::size_t size, char* out) const noexcept {
  const std::size_t offset = position % capacity_;
  const std::size_t first = std::min(size, capacity_ - offset);
  std::memcpy(out, memory_ + header_bytes + offset, first);
  std::memcpy(out + first, memory_ + header_bytes, size - first);
}

std::uint32_t Ring::checksum(std::uint64_t position, std::uint64_t ordinal, std::uint32_t length_word,
                             std::string_view first, std::string_view second) const noexcept {
  // The ring's id is in it so that a record of an earlier ring in the same file never passes for one of this.
  char head[28];
  store(head, id_);
  store(head + 8, position);
  store(head + 16, ordinal);
  std::memcpy(head + 24, &length_word, 4);
  std::uint32_t crc = system::crc32c(0, head, sizeof head);
  crc = system::crc32c(crc, first.data(), first.size());
  return system::crc32c(crc, second.data(), second.size());
}

void Ring::store_header_word(std::size_t offset, std::uint64_t value) noexcept {
  store(memory_ + offset, value);
  // The counters are for the ledger; a failed write here must not fail the sentence they count.
  if (mode_ == Mode::written) static_cast<void>(file_->write(offset, memory_ + offset, 8));
}

system::Error Ring::write_back(std::uint64_t from, std::uint64_t to) noexcept {
  const std::size_t offset = from % capacity_;
  const auto size = static_cast<std::size_t>(to - from);
  const std::size_t first = std::min(size, capacity_ - offset);
  if (size > first) {
    // The tail of the record that lies at the file's beginning goes first: the head makes it valid.
    if (const system::Error error = file_->write(header_bytes, memory_ + header_bytes, size - first)) return error;
  }
  return file_->write(header_bytes + offset, memory_ + header_bytes + offset, first);
}

bool Ring::reserve(std::size_t size, Slot& slot) const noexcept {
  slot.position = head_.load(std::memory_order_relaxed);
  slot.text_end = slot.position + record_head + size;
  slot.end = end_of(slot.position, size);
  return slot.end - tail_.load(std::memory_order_acquire) <= capacity_;
}

void Ring::fill(const Slot& slot, std::string_view text, Kind kind) noexcept {
  const std::uint64_t ordinal = accepted_.load(std::memory_order_relaxed) + 1;
  const auto length_word = static_cast<std::uint32_t>(text.size() | static_cast<std::size_t>(kind.index()) << 24);
  const std::uint64_t begin = slot.position + record_head;
  if (text.data() != memory_ + header_bytes + begin % capacity_) copy_in(begin, text);
  store_word(slot.position + 8, ordinal);
  const std::uint32_t crc = checksum(slot.position, ordinal, length_word, text, {});
  store_word(slot.position + 16, length_word | static_cast<std::uint64_t>(crc) << 32);
}

system::Error Ring::publish(const Slot& slot) noexcept {
  // The position is stored after everything it vouches for. A killed process stops between instructions, so program
  // order is all that is needed; the fence keeps the compiler to it.
  std::atomic_signal_fence(std::memory_order_release);
  store_word(slot.position, slot.position);
  if (mode_ == Mode::written) {
    if (const system::Error error = write_back(slot.position, slot.text_end)) {
      // Perhaps all of it is in the file all the same. It was refused, so no later open() may find it.
      store_word(slot.position, 0);
      static_cast<void>(write_back(slot.position, slot.position + 8));
      return error;
    }
  }
  const std::uint64_t accepted = accepted_.load(std::memory_order_relaxed) + 1;
  accepted_.store(accepted, std::memory_order_release);
  // In the written mode the record's own ordinal says it, without a second write.
  if (mode_ == Mode::mapped) store(memory_ + at_accepted, accepted);
  head_.store(slot.end, std::memory_order_release);
  return 0;
}

char* Ring::room(std::size_t most) noexcept {
  Slot slot;
  if (memory_ == nullptr || !reserve(most, slot)) return nullptr;
  const std::size_t offset = (slot.position + record_head) % capacity_;
  return offset + most <= capacity_ ? memory_ + header_bytes + offset : nullptr;
}

Ring::Append Ring::append(std::string_view text, Kind kind) noexcept {
  if (memory_ == nullptr) return Append::disk_error;
  Slot slot;
  if (!reserve(text.size(), slot)) return Append::full;
  fill(slot, text, kind);
  return publish(slot) == 0 ? Append::done : Append::disk_error;
}

void Ring::warm(std::size_t bytes) noexcept {
  if (mode_ != Mode::mapped) return;
  bytes = std::min(bytes, capacity_);
  const std::size_t offset = head() % capacity_;
  const std::size_t first = std::min(bytes, capacity_ - offset);
  file_->warm(0, header_bytes);
  file_->warm(header_bytes + offset, first);
  if (bytes > first) file_->warm(header_bytes, bytes - first);
}

system::Error Ring::wipe(std::uint64_t& from) noexcept {
  constexpr std::uint64_t slice_bytes = 64 << 10;
  const std::uint64_t begin = std::max(from, head_.load(std::memory_order_relaxed));
  from = std::min(begin + slice_bytes, free_until());
  if (memory_ == nullptr || from <= begin) return 0;
  const auto size = static_cast<std::size_t>(from - begin);
  const std::size_t offset = begin % capacity_;
  const std::size_t first = std::min(size, capacity_ - offset);
  std::memset(memory_ + header_bytes + offset, 0, first);
  std::memset(memory_ + header_bytes, 0, size - first);
  return mode_ == Mode::written ? write_back(begin, from) : 0;
}

void Ring::refuse(Refusal why) noexcept {
  const int which = static_cast<int>(why);
  const std::uint64_t count = refused_[which].load(std::memory_order_relaxed) + 1;
  refused_[which].store(count, std::memory_order_relaxed);
  if (memory_ != nullptr) store_header_word(at_refused + 8 * static_cast<std::size_t>(which), count);
}

void Ring::pass_over(std::uint64_t sentences) noexcept {
  const std::uint64_t accepted = accepted_.load(std::memory_order_relaxed) + sentences;
  accepted_.store(accepted, std::memory_order_release);
  if (memory_ != nullptr) store_header_word(at_accepted, accepted);
}

void Ring::note_session(const SessionMark& session) noexcept {
  if (memory_ == nullptr) return;
  // The ordinal first: a kill in between then leaves an old session's time behind a new number, which ends it.
  if (session.ordinal != load(memory_ + at_session)) store_header_word(at_session, session.ordinal);
  store_header_word(at_session + 8, static_cast<std::uint64_t>(session.seen_unix_ms));
}

SessionMark Ring::session() const noexcept {
  if (memory_ == nullptr) return {};
  SessionMark session;
  session.ordinal = load(memory_ + at_session);
  session.seen_unix_ms = static_cast<std::int64_t>(load(memory_ + at_session + 8));
  // No checksum covers them.
  const bool sound = session.ordinal <= count_max && session.seen_unix_ms >= 0 &&
                     session.seen_unix_ms <= static_cast<std::int64_t>(count_max);
  return sound ? session : SessionMark();
}

void Ring::read(std::uint64_t position, std::uint64_t head, std::size_t bytes_max, std::string& scratch,
                std::vector<RingLine>& lines) {
  scratch.clear();
  lines.clear();
  std::vector<std::size_t> starts;
  while (position < head) {
    RingLine line;
    std::size_t size = 0;
    // What an earlier process left may have holes after a power loss; each record vouches for itself.
    if (!valid_at(position % capacity_, line, size) || line.position != position) {
      position += alignment;
      continue;
    }
    if (!lines.empty() && scratch.size() + size > bytes_max) break;
    starts.push_back(scratch.size());
    scratch.resize(scratch.size() + size);
    copy_out(position + record_head, size, scratch.data() + starts.back());
    lines.push_back(line);
    position = end_of(position, size);
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : scratch.size();
    lines[i].text = std::string_view(scratch).substr(starts[i], end - starts[i]);
  }
}

void Ring::release(std::uint64_t position) noexcept {
  tail_.store(position, std::memory_order_release);
  store_header_word(at_consumed, position);
}

bool Ring::read_header(std::uint64_t epoch) noexcept {
  const std::uint64_t crc = system::crc32c(0, memory_, at_checksum);
  if (load(memory_ + at_magic) != magic || load(memory_ + at_version) != format_version ||
      load(memory_ + at_checksum) != crc || load(memory_ + at_capacity) != capacity_ ||
      load(memory_ + at_epoch) != epoch) {
    return false;
  }
  id_ = load(memory_ + at_id);
  return true;
}

void Ring::begin_anew(std::uint64_t epoch, std::uint64_t ring_id, const RingMark& mark) {
  id_ = ring_id;
  std::memset(memory_, 0, header_bytes);
  store(memory_ + at_magic, magic);
  store(memory_ + at_version, format_version);
  store(memory_ + at_id, ring_id);
  store(memory_ + at_epoch, epoch);
  store(memory_ + at_capacity, capacity_);
  // The first lap is lap one: a word of zeros is never a position.
  store(memory_ + at_consumed, capacity_);
  store(memory_ + at_accepted, mark.accepted);
  for (int i = 0; i < refusal_count; ++i)
    store(memory_ + at_refused + 8 * static_cast<std::size_t>(i), mark.refused[i]);
  store(memory_ + at_checksum, system::crc32c(0, memory_, at_checksum));
  if (mode_ == Mode::written) static_cast<void>(file_->write(0, memory_, header_bytes));
  accepted_.store(mark.accepted);
  for (int i = 0; i < refusal_count; ++i) refused_[i].store(mark.refused[i]);
  head_.store(capacity_);
  tail_.store(capacity_);
}

bool Ring::valid_at(std::size_t offset, RingLine& line, std::size_t& size) const noexcept {
  const std::uint64_t position = load(memory_ + header_bytes + offset);
  if (position < capacity_ || position % capacity_ != offset || position > count_max) return false;
  const std::uint64_t ordinal = load_word(position + 8);
  if (ordinal > count_max) return false;
  const std::uint64_t last = load_word(position + 16);
  const auto length_word = static_cast<std::uint32_t>(last);
  size = length_word & 0xFFFFFF;
  if (record_head + size > capacity_ || (length_word >> 24) >= static_cast<std::uint32_t>(kind_count)) return false;
  const std::size_t at = (position + record_head) % capacity_;
  const std::size_t first = std::min(size, capacity_ - at);
  const char* data = memory_ + header_bytes;
  if (checksum(position, ordinal, length_word, {data + at, first}, {data, size - first}) != last >> 32) return false;
  line.position = position;
  line.ordinal = ordinal;
  line.kind = Kind::of(static_cast<int>(length_word >> 24));
  return true;
}

void Ring::recover(const RingMark& mark, bool believe_header, RingFound& found) {
  struct Candidate {
    RingLine line;
    std::size_t size;
  };
  std::vector<Candidate> candidates;
  std::uint64_t newest_end = 0;
  for (std::size_t offset = 0; offset < capacity_; offset += alignment) {
    Candidate candidate;
    if (!valid_at(offset, candidate.line, candidate.size)) continue;
    newest_end = std::max(newest_end, end_of(candidate.line.position, candidate.size));
    candidates.push_back(candidate);
  }
  // The database says how far it came; a lap before the newest record nothing can be whole any more.
  const bool committed_here = mark.ring_id == id_ && mark.position % alignment == 0 && mark.position <= count_max;
  const std::uint64_t committed = committed_here ? mark.position : 0;
  std::uint64_t from =
      std::max<std::uint64_t>({committed, capacity_, newest_end < capacity_ ? 0 : newest_end - capacity_});
  // The ring's own note is written after the commit it speaks of. It counts where the database does not know this ring,
  // or was thrown back in time by damage; but only where a record begins or the last one ends, for no checksum covers
  // it.
  const std::uint64_t consumed = believe_header ? load(memory_ + at_consumed) : 0;
  const bool on_a_border = consumed == newest_end ||
                           std::any_of(candidates.begin(), candidates.end(), [consumed](const Candidate& candidate) {
                             return candidate.line.position == consumed;
                           });
  if (on_a_border) from = std::max(from, consumed);
  // Whoever committed the mark told the ring once it was synced, and may have died, or met a failing disk, in between.
  found.mark_unsure = committed > consumed;
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [from, &mark](const Candidate& candidate) {
                                    return candidate.line.position < from || candidate.line.ordinal <= mark.accepted;
                                  }),
                   candidates.end());
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.line.position < b.line.position; });

  std::uint64_t position = from;
  std::uint64_t ordinal = mark.accepted;
  std::vector<std::size_t> starts;
  for (const Candidate& candidate : candidates) {
    if (candidate.line.position < position || candidate.line.ordinal <= ordinal) continue;
    position = end_of(candidate.line.position, candidate.size);
    ordinal = candidate.line.ordinal;
    starts.push_back(found.bytes.size());
    found.bytes.resize(found.bytes.size() + candidate.size);
    copy_out(candidate.line.position + record_head, candidate.size, found.bytes.data() + starts.back());
    found.lines.push_back(candidate.line);
  }
  for (std::size_t i = 0; i < found.lines.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : found.bytes.size();
    found.lines[i].text = std::string_view(found.bytes).substr(starts[i], end - starts[i]);
  }

  found.accepted = std::max(mark.accepted, ordinal);
  // After a power loss the header may know of sentences whose pages did not come back. It is believed as far as the
  // ring could have held them.
  const std::uint64_t told = believe_header ? load(memory_ + at_accepted) : 0;
  if (told > found.accepted && told - mark.accepted <= capacity_ / record_head) found.accepted = told;
  found.lost = found.accepted - mark.accepted - found.lines.size();
  for (int i = 0; i < refusal_count; ++i) {
    const std::uint64_t told_refused =
        believe_header ? load(memory_ + at_refused + 8 * static_cast<std::size_t>(i)) : 0;
    found.refused[i] = std::max(mark.refused[i], told_refused);
    refused_[i].store(found.refused[i]);
  }
  found.next_position = position;
  accepted_.store(found.accepted);
  head_.store(position);
  tail_.store(from);
}

system::Error Ring::open(system::Files& files, const std::string& path, std::size_t capacity, std::uint64_t epoch,
                         std::uint64_t new_ring_id, const RingMark& mark, RingFound& found) {
  close();
  capacity_ = capacity;
  system::Error error = files.open(path, system::OpenMode::create_if_missing, file_);
  std::uint64_t size = 0;
  if (error == 0) error = file_->size(size);
  if (error != 0) {
    open_in_memory(capacity, new_ring_id, mark);
    found.accepted = mark.accepted;
    std::copy(mark.refused, mark.refused + refusal_count, found.refused);
    return error;
  }

  // A ring of another size still holds its lines: it is read as it was, and begun anew by the next open().
  char header[at_checksum + 8];
  std::size_t got = 0;
  if (size >= header_bytes && file_->read(0, header, sizeof header, got) == 0 && got == sizeof header &&
      load(header + at_magic) == magic && load(header + at_checksum) == system::crc32c(0, header, at_checksum)) {
    const std::uint64_t written = load(header + at_capacity);
    if (written <= size - header_bytes && written % alignment == 0 && written >= header_bytes &&
        written <= (64ULL << 20)) {
      capacity_ = static_cast<std::size_t>(written);
    }
  }

  const std::size_t bytes = header_bytes + capacity_;
  mode_ = Mode::written;
  if (file_->reserve(bytes) == 0) {
    memory_ = file_->map(bytes);
    if (memory_ != nullptr) mode_ = Mode::mapped;
  }
  if (mode_ == Mode::written) {
    image_.reset(new (std::nothrow) char[bytes]());
    if (!image_) return ENOMEM;
    memory_ = image_.get();
    if (size < bytes) {
      // Zeros written once are blocks the file owns: a full disk shows here and not at a sentence.
      if ((error = file_->write(size, memory_ + size, bytes - static_cast<std::size_t>(size))) != 0) {
        file_.reset();
        capacity_ = capacity;
        open_in_memory(capacity, new_ring_id, mark);
        found.accepted = mark.accepted;
        std::copy(mark.refused, mark.refused + refusal_count, found.refused);
        return error;
      }
    }
    if ((error = file_->read(0, memory_, bytes, got)) != 0) {
      // It may be readable the next time: it is left as it is.
      file_.reset();
      capacity_ = capacity;
      open_in_memory(capacity, new_ring_id, mark);
      found.accepted = mark.accepted;
      std::copy(mark.refused, mark.refused + refusal_count, found.refused);
      return error;
    }
  }

  if (read_header(epoch)) {
    recover(mark, true, found);
    found.begin_anew = capacity_ != capacity;
    return 0;
  }
  const bool header_whole = load(memory_ + at_checksum) == system::crc32c(0, memory_, at_checksum);
  if (size > header_bytes && !header_whole && mark.ring_id != 0) {
    // The header is damaged, but the database knows the ring's id, and each record vouches for itself. An erased ring
    // had another id, so nothing erased comes back this way.
    id_ = mark.ring_id;
    recover(mark, false, found);
    found.begin_anew = true;
    found.damaged = true;
    return 0;
  }
  begin_anew(epoch, new_ring_id, mark);
  found.accepted = mark.accepted;
  std::copy(mark.refused, mark.refused + refusal_count, found.refused);
  found.next_position = capacity_;
  return 0;
}

void Ring::close() noexcept {
  // Empty for whoever asks before the next open().
  mode_ = Mode::memory;
  tail_.store(head_.load());
  memory_ = nullptr;
  image_.reset();
  file_.reset();
}

void Ring::open_in_memory(std::size_t capacity, std::uint64_t ring_id, const RingMark& mark) {
  mode_ = Mode::memory;
  capacity_ = capacity;
  image_ = std::make_unique<char[]>(header_bytes + capacity);
  memory_ = image_.get();
  begin_anew(0, ring_id, mark);
}

}  // namespace yukha::hold
