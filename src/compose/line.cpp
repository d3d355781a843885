// What each sentence passes; see the list of quick sources in CMakeLists.txt. What only changes with the circumstances
// stands in line_circumstances.cpp.
#include "compose/line.hpp"

#include <cstring>
#include <utility>

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "system/uuid.hpp"

namespace yukha::compose {
namespace {

class Out {
 public:
  explicit Out(char* at) noexcept : begin_(at), at_(at) {}
  void put(std::string_view text) noexcept { at_ = copy_text(at_, text); }
  void put(char c) noexcept { *at_++ = c; }
  // The same for a text of the circumstances, most of which are too long for copy_text()'s short cuts.
  void put_long(const std::string& text) noexcept {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  char* room(std::size_t size) noexcept {
    char* room = at_;
    at_ += size;
    return room;
  }
  bool ends_with(char c) const noexcept { return at_[-1] == c; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

// The member that the contract names first in its part; the order of calls must not move it.
std::string_view leader(Part part) noexcept {
  return part == Part::action ? "type" : "id";
}

void put_member(Out& out, std::string_view text) noexcept {
  if (!out.ends_with('{')) out.put(',');
  out.put(text);
}

// Where the entries of each part begin and end in a store. Between them there may be others.
struct Places {
  Places(const char* store, std::size_t size) noexcept {
    const char* begin = store;
    for (Entries all(store, size); all.next(entry);) {
      const auto part = static_cast<std::size_t>(entry.part);
      if (begins[part] == nullptr) begins[part] = begin;
      begin = ends[part] = entry.text.data() + entry.text.size();
    }
  }
  bool has(Part part) const noexcept { return begins[static_cast<std::size_t>(part)] != nullptr; }
  Entries entries(Part part) const noexcept {
    const auto at = static_cast<std::size_t>(part);
    return {begins[at], static_cast<std::size_t>(ends[at] - begins[at])};
  }
  bool has(Part part, std::string_view name) const noexcept {
    const auto at = static_cast<std::size_t>(part);
    return has_entry(begins[at], static_cast<std::size_t>(ends[at] - begins[at]), part, name);
  }
  // The part's only text.
  std::string_view text(Part part) const noexcept {
    Entry first{};
    if (has(part)) entries(part).next(first);
    return first.text;
  }

  Entry entry{};
  const char* begins[part_count] = {};
  const char* ends[part_count] = {};
};

// The members of a part: its leader, then those of `base` that the sentence does not replace, then the sentence's own.
void put_members(Out& out, Part part, std::string_view base, const Places& places) noexcept {
  const std::string_view first = leader(part);
  std::string_view led;
  Entry entry;
  for (Entries own = places.entries(part); led.empty() && own.next(entry);) {
    if (entry.part == part && entry.name == first) {
      led = entry.text;
      put_member(out, led);
    }
  }
  for (Entries given(base.data(), base.size()); given.next(entry);) {
    if (!places.has(part, entry.name)) put_member(out, entry.text);
  }
  for (Entries own = places.entries(part); own.next(entry);) {
    if (entry.part == part && entry.text.data() != led.data()) put_member(out, entry.text);
  }
}

// From the location's text to the end of the action. Its two callers share it: inside of them it would be twice as long
// as all else of theirs.
[[gnu::noinline]] void put_from_location(Out& out, const Circumstances& circumstances, const Places& places) noexcept {
  out.put(places.text(Part::location));
  out.put("\",\"content\":{");
  put_members(out, Part::content, circumstances.content, places);
  out.put("},\"referral\":\"");
  out.put(places.text(Part::referral));
  out.put("\",\"action\":{");
  put_members(out, Part::action, circumstances.action, places);
  out.put('}');
}

}  // namespace

std::size_t LineEncoder::bound(std::size_t parts_size) const noexcept {
  // 400 bytes are more than the keys, the id, the time, the sequence number, a clock offset and a purpose take
  // together.
  return parts_size + ad_id_.size() + user_to_seq_.size() + from_seq_.size() + to_location_.size() +
         circumstances_.content.size() + circumstances_.action.size() + 400;
}

std::size_t LineEncoder::encode(const Sentence& sentence, char* into) noexcept {
  Out out(into);
  out.put("{\"id\":\"");
  write_uuid7(sentence.id_unix_ms, sentence.chance[0], sentence.chance[1], out.room(system::uuid_text_size));
  out.put("\",\"time\":\"");
  // Sentences come many a second: the date is worked out once a second, the milliseconds each time.
  const std::int64_t second = sentence.unix_ms >= 0 ? sentence.unix_ms / 1000 : INT64_MIN + 1;
  char* const time = out.room(time_text_size);
  if (second != cached_second_ || sentence.unix_ms > time_unix_ms_max || sentence.unix_ms < 0) {
    write_time(sentence.unix_ms, cached_time_);
    cached_second_ = second;
    std::memcpy(time, cached_time_, time_text_size);
  } else {
    std::memcpy(time, cached_time_, time_text_size);
    const auto ms = static_cast<unsigned>(sentence.unix_ms % 1000);
    time[20] = static_cast<char>('0' + ms / 100);
    time[21] = static_cast<char>('0' + ms / 10 % 10);
    time[22] = static_cast<char>('0' + ms % 10);
  }
  out.put("\",\"user\":{");
  const Places places(sentence.parts, sentence.parts_size);
  // What few sentences have of their own is joined beforehand with what stands around it.
  const bool has_purpose = sentence.purpose != Purpose::analytics;
  if (places.has(Part::user) || has_purpose) {
    put_members(out, Part::user, circumstances_.user, places);
    if (has_purpose) {
      out.put(",\"purpose\":\"");
      out.put(purpose_name(sentence.purpose));
      out.put('"');
    }
    out.put_long(to_seq_);
  } else {
    out.put_long(user_to_seq_);
  }
  std::uint64_t seq = sentence.seq;
  char* const digits = out.room(10);
  for (int i = 9; i >= 0; --i, seq /= 10) digits[i] = static_cast<char>('0' + seq % 10);
  if (!sentence.own_time && !places.has(Part::device) && !has_purpose && !from_seq_to_location_.empty()) {
    out.put_long(from_seq_to_location_);
  } else {
    out.put_long(from_seq_);
    // What the app says itself is true by definition; see send/CONTRACT.md, "A line in the lake".
    out.put(sentence.own_time ? std::string_view(",\"clock_offset_ms\":\"0\"") : std::string_view(clock_offset_));
    if (sentence.purpose == Purpose::advertising) out.put_long(ad_id_);
    if (places.has(Part::device)) {
      put_members(out, Part::device, circumstances_.device, places);
      out.put("},\"location\":\"");
    } else {
      out.put_long(to_location_);
    }
  }
  put_from_location(out, circumstances_, places);
  out.put('}');
  return out.size();
}

[[gnu::cold]] std::string LineEncoder::parts_as_json(const std::string& parts) const {
  std::string json(bound(parts.size()), '\0');
  Out out(json.data());
  const Places places(parts.data(), parts.size());
  out.put("{\"user\":{");
  put_members(out, Part::user, circumstances_.user, places);
  out.put("},\"device\":{");
  put_members(out, Part::device, circumstances_.device, places);
  out.put("},\"location\":\"");
  put_from_location(out, circumstances_, places);
  json.resize(out.size());
  return json;
}

}  // namespace yukha::compose
