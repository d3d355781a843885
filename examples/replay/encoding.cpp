#include "encoding.hpp"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace replay {

namespace {

constexpr char no_character = '\xFF';

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return result;
}

// How many bytes the character at the beginning has, 0 when it is none; `skip` is how many to pass over then: all that
// could have begun one, so that a cut character counts once.
std::size_t character_bytes(std::string_view text, std::size_t& skip) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  skip = 1;
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t count = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  // Overlong forms, surrogates and what is above U+10FFFF are told by the second byte.
  const unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  for (; skip < count; ++skip) {
    if (skip >= text.size()) return 0;
    const unsigned char next = byte(skip);
    if (next < (skip == 1 ? least : 0x80) || next > (skip == 1 ? most : 0xBF)) return 0;
  }
  return count;
}

std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    if ((eight & 0x8080808080808080ULL) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

bool Decoder::open(const std::string& encoding, std::string& problem) {
  std::string name = lower(encoding);
  // Files that are said to be in the narrower set are written by programs that mean the wider one.
  if (name == "euc-kr" || name == "euckr") name = "cp949";
  if (name == "shift_jis" || name == "shift-jis" || name == "sjis") name = "cp932";
  if (name == "latin-1") name = "latin1";
  const bool is_name = !name.empty() && name.size() <= 40 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':';
  });
  // NOLINTNEXTLINE(performance-no-int-to-ptr): iconv answers -1 as a pointer.
  const iconv_t failed = reinterpret_cast<iconv_t>(-1);
  const iconv_t converter = is_name ? ::iconv_open("UTF-8", name.c_str()) : failed;
  if (converter == failed) {
    problem = "the encoding \"" + encoding.substr(0, 40) +
              "\" is not known to the system's iconv; iconv --list shows those that are";
    return false;
  }
  converter_ = std::shared_ptr<void>(converter, [](void* open) { ::iconv_close(open); });
  unit_bytes_ = name.find("32") != std::string::npos || name.find("ucs-4") != std::string::npos   ? 4
                : name.find("16") != std::string::npos || name.find("ucs-2") != std::string::npos ? 2
                                                                                                  : 1;
  rest_.clear();
  return true;
}

void Decoder::decode(std::string_view bytes, bool is_last, std::string& text) {
  std::string joined;
  if (!rest_.empty()) {
    joined = rest_;
    joined += bytes;
    bytes = joined;
    rest_.clear();
  }
  std::array<char, 4096> buffer;
  char* from = const_cast<char*>(bytes.data());  // iconv's argument is not const, and it writes nothing there
  std::size_t left = bytes.size();
  while (left > 0) {
    char* to = buffer.data();
    std::size_t room = buffer.size();
    const std::size_t done = ::iconv(converter_.get(), &from, &left, &to, &room);
    text.append(buffer.data(), buffer.size() - room);
    if (done != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
    if (errno == EINVAL && !is_last && left < 16) {
      rest_.assign(from, left);
      return;
    }
    // Only the first byte, or unit, goes: what follows may be a line end.
    text.push_back(no_character);
    const std::size_t skipped = std::min(unit_bytes_, left);
    from += skipped;
    left -= skipped;
  }
}

bool is_utf8(std::string_view text) {
  for (;;) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) return true;
    std::size_t skip = 0;
    const std::size_t count = character_bytes(text, skip);
    if (count == 0) return false;
    text.remove_prefix(count);
  }
}

std::size_t repair_utf8(std::string_view text, std::string& repaired) {
  std::size_t wrong = 0;
  while (!text.empty()) {
    std::size_t skip = 0;
    const std::size_t count = character_bytes(text, skip);
    if (count == 0) {
      ++wrong;
      repaired += "\xEF\xBF\xBD";
    } else {
      repaired.append(text.substr(0, count));
    }
    text.remove_prefix(count == 0 ? skip : count);
  }
  return wrong;
}

}  // namespace replay
