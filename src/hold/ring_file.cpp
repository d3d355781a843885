// The ring's file: opening it, what an earlier process left in it, reading back what was appended.
#include <algorithm>
#include <cstring>
#include <new>

#include "hold/ring.hpp"
#include "hold/ring_layout.hpp"
#include "system/crc32c.hpp"

namespace yukha::hold {

using namespace ring_layout;

namespace {

// The lines' texts lie in `bytes`, one behind the other; until here only their lengths were true.
void point_into(const std::string& bytes, std::vector<RingLine>& lines) noexcept {
  std::size_t at = 0;
  for (RingLine& line : lines) {
    line.text = std::string_view(bytes).substr(at, line.text.size());
    at += line.text.size();
  }
}

// The capacity that a whole header of ours tells and the file has room for; 0: none.
std::size_t capacity_written(system::File& file, std::uint64_t size) {
  constexpr std::uint64_t capacity_max = 64ULL << 20;
  char header[at_checksum + 8];
  std::size_t got = 0;
  if (size < header_bytes || file.read(0, header, sizeof header, got) != 0 || got != sizeof header ||
      load(header + at_magic) != magic || load(header + at_checksum) != system::crc32c(0, header, at_checksum)) {
    return 0;
  }
  const std::uint64_t written = load(header + at_capacity);
  const bool fits = written <= size - header_bytes && written % alignment == 0 && written >= header_bytes;
  return fits && written <= capacity_max ? static_cast<std::size_t>(written) : 0;
}

// 48 bits for what was said and 16 for a checksum, of which one is set: one word, so that no kill cuts it in two.
std::uint64_t consent_word(const char* header, const Consents& consents) noexcept {
  const auto number = static_cast<std::uint64_t>(consents.packed());
  const std::uint32_t id_crc = system::crc32c(0, header + at_id, 16);
  return number | std::uint64_t{system::crc32c(id_crc, &number, 8) | 1} << 48;
}

std::optional<Consents> consents_in(const char* header) noexcept {
  const std::uint64_t word = load(header + at_consent);
  const auto consents = Consents::unpacked(static_cast<std::int64_t>(word & 0xFFFF'FFFF'FFFF));
  if (word != consent_word(header, consents)) return std::nullopt;
  return consents;
}

}  // namespace

void Ring::note_consents(const Consents& consents) noexcept {
  if (memory_ != nullptr) store_header_word(at_consent, consent_word(memory_, consents));
}

std::optional<Consents> Ring::consents() const noexcept {
  return memory_ != nullptr ? consents_in(memory_) : std::nullopt;
}

bool Ring::look_into(system::Files& files, const std::string& path, std::uint64_t& epoch,
                     std::optional<Consents>& consents) {
  std::unique_ptr<system::File> file;
  char header[at_consumed];
  std::size_t got = 0;
  if (files.open(path, system::OpenMode::existing, file) != 0 || file->read(0, header, sizeof header, got) != 0 ||
      got != sizeof header || load(header) != magic ||
      load(header + at_checksum) != system::crc32c(0, header, at_checksum)) {
    return false;
  }
  epoch = load(header + at_epoch);
  consents = consents_in(header);
  return true;
}

void Ring::copy_out(const RingLine& line, std::string& bytes) const {
  const std::size_t size = line.text.size();
  const std::size_t offset = (line.position + record_head) % capacity_;
  const std::size_t first = std::min(size, capacity_ - offset);
  bytes.append(memory_ + header_bytes + offset, first);
  bytes.append(memory_ + header_bytes, size - first);
}

void Ring::store_header_word(std::size_t offset, std::uint64_t value) noexcept {
  if (!is_mine()) return;
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
  if (memory_ == nullptr || from <= begin || !is_mine()) return 0;
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
  if (memory_ != nullptr) store_header_word(at_refusal(static_cast<int>(which)), count);
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
  while (position < head) {
    RingLine line;
    // What an earlier process left may have holes after a power loss; each record vouches for itself.
    if (!valid_at(position % capacity_, line) || line.position != position) {
      position += alignment;
      continue;
    }
    if (!lines.empty() && scratch.size() + line.text.size() > bytes_max) break;
    copy_out(line, scratch);
    lines.push_back(line);
    position = end_of(position, line.text.size());
  }
  point_into(scratch, lines);
}

void Ring::release(std::uint64_t position) noexcept {
  tail_.store(position, std::memory_order_release);
  store_header_word(at_consumed, position);
}

bool Ring::read_header(std::uint64_t epoch) noexcept {
  const std::uint64_t crc = system::crc32c(0, memory_, at_checksum);
  if (load(memory_ + at_magic) != magic || load(memory_ + at_version) != ring_version ||
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
  store(memory_ + at_version, ring_version);
  store(memory_ + at_id, ring_id);
  store(memory_ + at_epoch, epoch);
  store(memory_ + at_capacity, capacity_);
  // The first lap is lap one: a word of zeros is never a position.
  store(memory_ + at_consumed, capacity_);
  store(memory_ + at_accepted, mark.accepted);
  for (int i = 0; i < refusal_count; ++i) store(memory_ + at_refusal(i), mark.refused[i]);
  store(memory_ + at_checksum, system::crc32c(0, memory_, at_checksum));
  if (mode_ == Mode::written) static_cast<void>(file_->write(0, memory_, header_bytes));
  accepted_.store(mark.accepted);
  for (int i = 0; i < refusal_count; ++i) refused_[i].store(mark.refused[i]);
  head_.store(capacity_);
  tail_.store(capacity_);
}

bool Ring::valid_at(std::size_t offset, RingLine& line) const noexcept {
  const std::uint64_t position = load(memory_ + header_bytes + offset);
  if (position < capacity_ || position % capacity_ != offset || position > count_max) return false;
  const std::uint64_t ordinal = load_word(position + 8);
  if (ordinal > count_max) return false;
  const std::uint64_t last = load_word(position + 16);
  const auto length_word = static_cast<std::uint32_t>(last);
  const std::size_t size = length_word & 0xFFFFFF;
  if (record_head + size > capacity_ || (length_word >> 24) >= static_cast<std::uint32_t>(kind_count)) return false;
  const std::size_t at = (position + record_head) % capacity_;
  const std::size_t first = std::min(size, capacity_ - at);
  const char* data = memory_ + header_bytes;
  if (checksum(position, ordinal, length_word, {data + at, first}, {data, size - first}) != last >> 32) return false;
  line.position = position;
  line.ordinal = ordinal;
  line.kind = Kind::of(static_cast<int>(length_word >> 24));
  line.text = {data + at, size};
  return true;
}

std::vector<RingLine> Ring::records(std::uint64_t& newest_end) const {
  std::vector<RingLine> records;
  newest_end = 0;
  for (std::size_t offset = 0; offset < capacity_; offset += alignment) {
    RingLine record;
    if (!valid_at(offset, record)) continue;
    newest_end = std::max(newest_end, end_of(record.position, record.text.size()));
    records.push_back(record);
  }
  return records;
}

std::uint64_t Ring::first_wanted(const std::vector<RingLine>& records, std::uint64_t newest_end, const RingMark& mark,
                                 std::uint64_t consumed, RingFound& found) const noexcept {
  // The database says how far it came; a lap before the newest record nothing can be whole any more.
  const bool committed_here = mark.ring_id == id_ && mark.position % alignment == 0 && mark.position <= count_max;
  const std::uint64_t committed = committed_here ? mark.position : 0;
  const std::uint64_t a_lap_before = newest_end < capacity_ ? 0 : newest_end - capacity_;
  const std::uint64_t from = std::max<std::uint64_t>({committed, capacity_, a_lap_before});
  // Whoever committed the mark told the ring once it was synced, and may have died, or met a failing disk, in between.
  found.mark_unsure = committed > consumed;
  // The ring's own note is written after the commit it speaks of. It counts where the database does not know this ring,
  // or was thrown back in time by damage; but only where a record begins or the last one ends, for no checksum covers
  // it.
  const bool on_a_border =
      consumed == newest_end || std::any_of(records.begin(), records.end(),
                                            [consumed](const RingLine& record) { return record.position == consumed; });
  return on_a_border ? std::max(from, consumed) : from;
}

void Ring::count_found(const RingMark& mark, Header header, std::uint64_t newest, RingFound& found) noexcept {
  found.accepted = std::max(mark.accepted, newest);
  // After a power loss the header may know of sentences whose pages did not come back. It is believed as far as the
  // ring could have held them.
  const std::uint64_t told = header == Header::whole ? load(memory_ + at_accepted) : 0;
  if (told > found.accepted && told - mark.accepted <= capacity_ / record_head) found.accepted = told;
  found.lost = found.accepted - mark.accepted - found.lines.size();
  for (int i = 0; i < refusal_count; ++i) {
    const std::uint64_t told_refused = header == Header::whole ? load(memory_ + at_refusal(i)) : 0;
    found.refused[i] = std::max(mark.refused[i], told_refused);
    refused_[i].store(found.refused[i]);
  }
  accepted_.store(found.accepted);
}

void Ring::recover(const RingMark& mark, Header header, RingFound& found) {
  std::uint64_t newest_end = 0;
  std::vector<RingLine> candidates = records(newest_end);
  const std::uint64_t consumed = header == Header::whole ? load(memory_ + at_consumed) : 0;
  const std::uint64_t from = first_wanted(candidates, newest_end, mark, consumed, found);
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [from, &mark](const RingLine& candidate) {
                                    return candidate.position < from || candidate.ordinal <= mark.accepted;
                                  }),
                   candidates.end());

  std::uint64_t position = from;
  std::uint64_t ordinal = mark.accepted;
  // They are of one lap's length: those of the newest lap, then those of the lap before it, whose positions are lower.
  const auto lowest = std::min_element(candidates.begin(), candidates.end(),
                                       [](const RingLine& a, const RingLine& b) { return a.position < b.position; });
  const auto skipped = static_cast<std::size_t>(lowest - candidates.begin());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const RingLine& candidate = candidates[(skipped + i) % candidates.size()];
    if (candidate.position < position || candidate.ordinal <= ordinal) continue;
    position = end_of(candidate.position, candidate.text.size());
    ordinal = candidate.ordinal;
    copy_out(candidate, found.bytes);
    found.lines.push_back(candidate);
  }
  point_into(found.bytes, found.lines);
  count_found(mark, header, ordinal, found);
  found.next_position = position;
  head_.store(position);
  tail_.store(from);
}

system::Error Ring::open_file(system::Files& files, const std::string& path, std::uint64_t& size) {
  system::Error error = files.open(path, system::OpenMode::create_if_missing, file_);
  if (error == 0) error = file_->size(size);
  if (error != 0) return error;
  // A ring of another size still holds its lines: it is read as it was, and begun anew by the next open().
  if (const std::size_t written = capacity_written(*file_, size)) capacity_ = written;
  const std::size_t bytes = header_bytes + capacity_;
  mode_ = Mode::written;
  if (file_->reserve(bytes) == 0) {
    memory_ = file_->map(bytes);
    if (memory_ != nullptr) mode_ = Mode::mapped;
  }
  if (mode_ == Mode::mapped) return 0;
  image_.reset(new (std::nothrow) char[bytes]());
  if (!image_) return ENOMEM;
  memory_ = image_.get();
  // Zeros written once are blocks the file owns: a full disk shows here and not at a sentence.
  if (size < bytes) error = file_->write(size, memory_ + size, bytes - static_cast<std::size_t>(size));
  std::size_t got = 0;
  // Where it cannot be read it may be readable the next time: it is left as it is.
  return error != 0 ? error : file_->read(0, memory_, bytes, got);
}

system::Error Ring::open(system::Files& files, const std::string& path, std::size_t capacity, std::uint64_t epoch,
                         std::uint64_t new_ring_id, const RingMark& mark, RingFound& found) {
  close();
  capacity_ = capacity;
  const auto found_nothing = [&mark, &found] {
    found.accepted = mark.accepted;
    std::copy(mark.refused, mark.refused + refusal_count, found.refused);
  };
  std::uint64_t size = 0;
  if (const system::Error error = open_file(files, path, size)) {
    // Without memory for the file's image there is none for a ring in memory.
    const bool has_memory = mode_ != Mode::written || image_ != nullptr;
    close();
    found_nothing();
    if (has_memory) open_in_memory(capacity, new_ring_id, mark);
    return error;
  }
  if (read_header(epoch)) {
    recover(mark, Header::whole, found);
    sign(new_ring_id);
    found.begin_anew = capacity_ != capacity;
    return 0;
  }
  const bool header_whole = load(memory_ + at_checksum) == system::crc32c(0, memory_, at_checksum);
  if (size > header_bytes && !header_whole && mark.ring_id != 0) {
    // The header is damaged, but the database knows the ring's id, and each record vouches for itself. An erased ring
    // had another id, so nothing erased comes back this way.
    id_ = mark.ring_id;
    recover(mark, Header::damaged, found);
    sign(new_ring_id);
    found.begin_anew = true;
    found.damaged = true;
    return 0;
  }
  if (size != 0) {
    // A ring from before an erase, which did not find its database.
    std::memset(memory_, 0, header_bytes + capacity_);
    if (mode_ == Mode::written) static_cast<void>(file_->write(0, memory_, header_bytes + capacity_));
  }
  begin_anew(epoch, new_ring_id, mark);
  sign(new_ring_id);
  found_nothing();
  found.next_position = capacity_;
  return 0;
}

// A mark that a failing disk does not take, or takes in part, tells of no stranger.
void Ring::sign(std::uint64_t owner) noexcept {
  owner_ = owner;
  store(memory_ + at_owner, owner);
  if (mode_ == Mode::written && file_->write(at_owner, memory_ + at_owner, 8) != 0) owner_ = 0;
}

bool Ring::is_mine() const noexcept {
  if (mode_ == Mode::memory || owner_ == 0) return true;
  char word[8];
  std::size_t got = 0;
  if (mode_ == Mode::written && (file_->read(at_owner, word, sizeof word, got) != 0 || got != sizeof word)) return true;
  return load(mode_ == Mode::written ? word : memory_ + at_owner) == owner_;
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
