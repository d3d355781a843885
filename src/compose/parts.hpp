// The parts of a sentence as a builder collects them, in the order of the calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <yukha/event.hpp>
#include <yukha/status.hpp>

namespace yukha::compose {

constexpr std::size_t part_count = 6;
const char* part_name(Part part) noexcept;
// Null for what is no purpose.
const char* purpose_name(Purpose purpose) noexcept;
// The code with `part.name` as what it is about; the code alone when there is no memory for that.
Status about_member(Code code, Part part, std::string_view name) noexcept;

// A store is a row of entries: part, size of the name, size of the text, the text. The text of a member is
// "name":"value" ready for the line; location and referral have no name and only their value.
struct Entry {
  Part part;
  std::string_view name;
  std::string_view text;
};

constexpr std::size_t entry_head_bytes = 4;
// Room for 32 KiB of text and the heads of the members that fit in it.
constexpr std::size_t store_bytes_max = 40 * 1024;

class Entries {
 public:
  Entries(const char* store, std::size_t size) noexcept : at_(store), end_(store + size) {}
  bool next(Entry& entry) noexcept {
    if (at_ == end_) return false;
    std::uint16_t text_size;
    std::memcpy(&text_size, at_ + 2, 2);
    const auto name_size = static_cast<unsigned char>(at_[1]);
    entry.part = static_cast<Part>(at_[0]);
    entry.text = std::string_view(at_ + entry_head_bytes, text_size);
    entry.name = name_size == 0 ? std::string_view() : entry.text.substr(1, name_size);
    at_ += entry_head_bytes + text_size;
    return true;
  }

 private:
  const char* at_;
  const char* end_;
};

// One of 256 bits, by part and name: a store whose bits are known is searched only where a name may be there.
inline unsigned name_bit(Part part, std::string_view name) noexcept {
  std::uint64_t mixed = static_cast<std::uint64_t>(part) + 8 * name.size();
  if (!name.empty()) {
    const auto at = [name](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(name[i])); };
    mixed += at(0) << 16 | at(name.size() / 2) << 24 | at(name.size() - 1) << 32;
  }
  return static_cast<unsigned>(mixed * 0x9E3779B97F4A7C15ULL >> 56);
}

// True when the part has an entry of that name already.
bool has_entry(const char* store, std::size_t size, Part part, std::string_view name) noexcept;

// Whether an app may write this member. `device_seq` and its like belong to the library.
bool may_write(Part part, std::string_view name) noexcept;
// The same in words: ok, bad_member_name or reserved_member with the member named.
Status check_member(Part part, std::string_view name) noexcept;

// An entry that is not written yet. Most are so short that there is room for any: only where there is not, it is worth
// while to look how long it becomes.
class NewEntry {
 public:
  static NewEntry member(Part part, std::string_view name, std::string_view value) noexcept;
  static NewEntry referral(std::string_view from) noexcept;
  static NewEntry location(std::string_view app_id, std::string_view screen, Members parameters) noexcept;

  Part part() const noexcept { return part_; }
  std::string_view name() const noexcept { return part_ == Part::location ? std::string_view() : name_; }
  // The most bytes it can take, and the bytes it takes.
  std::size_t bound() const noexcept;
  std::size_t size() const noexcept { return write(nullptr); }
  // Needs size() bytes at `out` and returns as many.
  std::size_t write(char* out) const noexcept;

 private:
  NewEntry(Part part, std::string_view name, std::string_view value, Members parameters) noexcept
      : part_(part), name_(name), value_(value), parameters_(parameters) {}

  Part part_;
  std::string_view name_;   // of a location: the app's id
  std::string_view value_;  // of a location: the screen
  Members parameters_;
};

// Members kept between sentences (who, and with what device), as a store of their own. Four kilobytes beside a sentence
// of 32 are a fact about a user or a device, not a document.
constexpr std::size_t members_bytes_max = 4096;
void append_entry(std::string& store, Part part, std::string_view name, std::string_view value);
// The same where an app may have written the name already, or too much.
Status append_member(std::string& store, Part part, std::string_view name, std::string_view value);

}  // namespace yukha::compose
