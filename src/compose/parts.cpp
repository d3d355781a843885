#include "compose/parts.hpp"

#include <algorithm>
#include <utility>

#include "compose/text.hpp"

namespace yukha::compose {
namespace {

void write_head(Part part, std::size_t name_size, std::size_t text_size, char* out) noexcept {
  out[0] = static_cast<char>(part);
  out[1] = static_cast<char>(name_size);
  const auto size = static_cast<std::uint16_t>(text_size);
  std::memcpy(out + 2, &size, 2);
}

std::size_t put(char* out, std::size_t at, std::string_view text) noexcept {
  if (out != nullptr) copy_text(out + at, text);
  return at + text.size();
}

char* after(char* out, std::size_t at) noexcept {
  return out == nullptr ? nullptr : out + at;
}

std::size_t write_location(std::string_view app_id, std::string_view screen, Members parameters, char* out) noexcept {
  std::size_t at = 0;
  if (screen.empty() && parameters.begin() == parameters.end()) return 0;
  std::string_view fragment;
  bool has_query = false;
  if (is_url(screen)) {
    // Parameters join the query, which stands before the fragment.
    const std::size_t hash = parameters.begin() == parameters.end() ? std::string_view::npos : screen.find('#');
    if (hash != std::string_view::npos) {
      fragment = screen.substr(hash);
      screen = screen.substr(0, hash);
    }
    has_query = screen.find('?') != std::string_view::npos;
    at += write_repaired_url(screen, out);
  } else {
    at = put(out, at, "app://");
    at = put(out, at, app_id);
    at = put(out, at, "/");
    at += write_percent_encoded(screen, true, after(out, at));
  }
  for (const Member& parameter : parameters) {
    at = put(out, at, has_query ? "&" : "?");
    has_query = true;
    at += write_percent_encoded(parameter.name, false, after(out, at));
    at = put(out, at, "=");
    at += write_percent_encoded(parameter.value, false, after(out, at));
  }
  if (!fragment.empty()) {
    at = put(out, at, "#");
    at += write_repaired_fragment(fragment.substr(1), after(out, at));
  }
  return at;
}

}  // namespace

[[gnu::cold]] Status about_member(Code code, Part part, std::string_view name) noexcept {
  try {
    std::string path = part_name(part);
    // A hostile name must not fill the message with itself, nor bring NUL or invalid UTF-8 into it.
    if (part != Part::location && part != Part::referral) {
      char shown[80 * 6];
      path += '.';
      path.append(shown, write_json_text(name.substr(0, 80), shown));
    }
    return {code, std::move(path)};
  } catch (...) {
    return code;
  }
}

const char* part_name(Part part) noexcept {
  switch (part) {
    case Part::user:
      return "user";
    case Part::device:
      return "device";
    case Part::location:
      return "location";
    case Part::content:
      return "content";
    case Part::referral:
      return "referral";
    case Part::action:
      return "action";
  }
  return "";
}

const char* purpose_name(Purpose purpose) noexcept {
  switch (purpose) {
    case Purpose::analytics:
      return "analytics";
    case Purpose::advertising:
      return "advertising";
    case Purpose::personalization:
      return "personalization";
  }
  return nullptr;
}

bool has_entry(const char* store, std::size_t size, Part part, std::string_view name) noexcept {
  Entries entries(store, size);
  for (Entry entry; entries.next(entry);) {
    if (entry.part == part && entry.name == name) return true;
  }
  return false;
}

bool may_write(Part part, std::string_view name) noexcept {
  if (!is_member_name(name)) return false;
  switch (part) {
    case Part::device:
      return !(name == "id" || name == "run" || name == "seq" || name == "sdk" || name == "contract" ||
               name == "clock_offset_ms" || name == "ad_id");
    case Part::content:
      return name != "id";
    case Part::action:
      return name != "type" && name != "duration_ms";
    case Part::user:
      return name != "purpose";
    case Part::location:
    case Part::referral:
      break;
  }
  return true;
}

[[gnu::cold]] Status check_member(Part part, std::string_view name) noexcept {
  if (may_write(part, name)) return {};
  return about_member(is_member_name(name) ? Code::reserved_member : Code::bad_member_name, part, name);
}

NewEntry NewEntry::member(Part part, std::string_view name, std::string_view value) noexcept {
  return {part, name, value, {}};
}

NewEntry NewEntry::referral(std::string_view from) noexcept {
  return {Part::referral, {}, from, {}};
}

NewEntry NewEntry::location(std::string_view app_id, std::string_view screen, Members parameters) noexcept {
  return {Part::location, app_id, screen, parameters};
}

std::size_t NewEntry::bound() const noexcept {
  constexpr std::size_t marks = 16;  // quotes, colon, scheme and slashes
  const std::size_t fixed = entry_head_bytes + marks + name_.size();
  // What is longer than a store fits nowhere, and must not overflow a product here.
  const auto counted = [](std::string_view text) { return std::min(text.size(), store_bytes_max); };
  if (part_ != Part::location) return fixed + counted(value_) * json_growth_max;
  std::size_t growing = counted(value_);
  for (const Member& one : parameters_) {
    growing += counted(one.name) + counted(one.value) + 1;
    if (growing > store_bytes_max) break;
  }
  return fixed + growing * percent_growth_max;
}

std::size_t NewEntry::write(char* out) const noexcept {
  char* const text = after(out, entry_head_bytes);
  std::size_t at = 0;
  if (part_ == Part::location) {
    at = write_location(name_, value_, parameters_, text);
  } else if (name_.empty()) {
    at = write_json_text(value_, text);
  } else {
    at = put(text, at, "\"");
    at = put(text, at, name_);
    at = put(text, at, "\":\"");
    at += write_json_text(value_, after(text, at));
    at = put(text, at, "\"");
  }
  if (out != nullptr) write_head(part_, name().size(), at, out);
  return entry_head_bytes + at;
}

[[gnu::cold]] void append_entry(std::string& store, Part part, std::string_view name, std::string_view value) {
  const NewEntry entry = NewEntry::member(part, name, value);
  const std::size_t at = store.size();
  store.resize(at + entry.size());
  entry.write(store.data() + at);
}

[[gnu::cold]] Status append_member(std::string& store, Part part, std::string_view name, std::string_view value) {
  if (has_entry(store.data(), store.size(), part, name)) return about_member(Code::repeated_member, part, name);
  if (name.size() + value.size() + store.size() > members_bytes_max)
    return about_member(Code::too_many_members, part, name);
  append_entry(store, part, name, value);
  return {};
}

}  // namespace yukha::compose
