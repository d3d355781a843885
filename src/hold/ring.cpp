// A line's way into the ring, which an app's thread goes with each sentence; see the list of quick sources in
// CMakeLists.txt. All else of the ring stands in ring_file.cpp.
#include "hold/ring.hpp"

#include <algorithm>
#include <cstring>

#include "hold/ring_layout.hpp"
#include "system/crc32c.hpp"

namespace yukha::hold {

using namespace ring_layout;

static_assert(sizeof(std::atomic<std::uint64_t>) == 8, "a word of the ring must be stored in one piece");

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

inline bool Ring::reserve(std::size_t size, Slot& slot) const noexcept {
  slot.position = head_.load(std::memory_order_relaxed);
  slot.text_end = slot.position + record_head + size;
  slot.end = end_of(slot.position, size);
  return slot.end - tail_.load(std::memory_order_acquire) <= capacity_;
}

inline void Ring::fill(const Slot& slot, std::string_view text, Kind kind) noexcept {
  const std::uint64_t ordinal = accepted_.load(std::memory_order_relaxed) + 1;
  const auto length_word = static_cast<std::uint32_t>(text.size() | static_cast<std::size_t>(kind.index()) << 24);
  const std::uint64_t begin = slot.position + record_head;
  if (text.data() != memory_ + header_bytes + begin % capacity_) copy_in(begin, text);
  store_word(slot.position + 8, ordinal);
  const std::uint32_t crc = checksum(slot.position, ordinal, length_word, text, {});
  store_word(slot.position + 16, length_word | static_cast<std::uint64_t>(crc) << 32);
}

inline system::Error Ring::publish(const Slot& slot) noexcept {
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
  // Another process that has opened the file since has its lines here.
  if (memory_ == nullptr || (mode_ == Mode::mapped && load(memory_ + at_owner) != owner_) || !reserve(most, slot))
    return nullptr;
  const std::size_t offset = (slot.position + record_head) % capacity_;
  return offset + most <= capacity_ ? memory_ + header_bytes + offset : nullptr;
}

Ring::Append Ring::append(std::string_view text, Kind kind) noexcept {
  // Somebody else has opened the file since: what is written now nobody would bring to a database.
  const bool is_ours = mode_ == Mode::mapped ? load(memory_ + at_owner) == owner_ : is_mine();
  if (memory_ == nullptr || !is_ours) return Append::disk_error;
  Slot slot;
  if (!reserve(text.size(), slot)) return Append::full;
  fill(slot, text, kind);
  return publish(slot) == 0 ? Append::done : Append::disk_error;
}

}  // namespace yukha::hold
