#include "compose/text.hpp"

#include <array>
#include <cstring>

#include "system/utf8.hpp"

namespace yukha::compose {
namespace {

using system::next_piece;
using system::Piece;

constexpr std::string_view replacement = "\xEF\xBF\xBD";
constexpr char hex_digits[] = "0123456789abcdef";

constexpr std::array<char, 512> hex_pairs = [] {
  std::array<char, 512> pairs{};
  for (std::size_t i = 0; i < 512; ++i) pairs[i] = hex_digits[i % 2 == 0 ? i / 2 >> 4 : i / 2 & 15];
  return pairs;
}();

// Writes or only counts, so that one function says both how long a text is and what it is.
class Sink {
 public:
  explicit Sink(char* out) noexcept : out_(out) {}
  void put(char c) noexcept {
    if (out_ != nullptr) out_[size_] = c;
    ++size_;
  }
  void put(const char* text, std::size_t size) noexcept {
    if (out_ != nullptr) copy_text(out_ + size_, {text, size});
    size_ += size;
  }
  void put(std::string_view text) noexcept { put(text.data(), text.size()); }
  void put_percent(unsigned char byte) noexcept {
    constexpr char upper[] = "0123456789ABCDEF";
    const char text[3] = {'%', upper[byte >> 4], upper[byte & 15]};
    put(text, sizeof text);
  }
  std::size_t size() const noexcept { return size_; }

 private:
  char* out_;
  std::size_t size_ = 0;
};

// True when none of eight bytes needs a second look inside a JSON string: no control, quote, backslash or byte above
// ASCII. Borrows between bytes can only report too much, never too little.
bool plain_word(std::uint64_t word) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101ULL;
  constexpr std::uint64_t tops = 0x8080808080808080ULL;
  const std::uint64_t quote = word ^ (ones * '"');
  const std::uint64_t backslash = word ^ (ones * '\\');
  const std::uint64_t special = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | word;
  return (special & tops) == 0;
}

std::uint64_t word_at(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

// True when every byte of the text goes into a JSON string as it is.
bool is_plain(std::string_view text) noexcept {
  const char* const at = text.data();
  const std::size_t size = text.size();
  if (size >= 8) {
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      if (!plain_word(word_at(at + i))) return false;
    }
    return plain_word(word_at(at + size - 8));
  }
  // Bytes may be looked at twice; the rest of the word is spaces. The order of the bytes does not matter.
  std::uint64_t word = 0x2020202020202020ULL;
  if (size >= 4) {
    std::uint32_t halves[2];
    std::memcpy(&halves[0], at, 4);
    std::memcpy(&halves[1], at + size - 4, 4);
    std::memcpy(&word, halves, 8);
  } else if (size > 0) {
    const unsigned char bytes[4] = {static_cast<unsigned char>(at[0]), static_cast<unsigned char>(at[size / 2]),
                                    static_cast<unsigned char>(at[size - 1]), ' '};
    std::memcpy(&word, bytes, 4);
  }
  return plain_word(word);
}

constexpr bool is_alphanumeric(unsigned char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
constexpr bool is_hex(unsigned char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr std::array<bool, 256> unreserved = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    table[c] = is_alphanumeric(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' || c == '~';
  }
  return table;
}();
constexpr std::array<bool, 256> of_names = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  return table;
}();
constexpr bool is_unreserved(unsigned char c) noexcept {
  return unreserved[c];
}

// What java.net.URI reads unescaped in each piece of a URL (its L_PATH, L_URIC and L_REG_NAME).
enum class UrlPiece { authority, path, query, fragment };
constexpr bool java_reads(UrlPiece piece, unsigned char c) noexcept {
  if (is_alphanumeric(c)) return true;
  switch (c) {
    case '_':
    case '-':
    case '!':
    case '.':
    case '~':
    case '\'':
    case '(':
    case ')':
    case '*':
    case ',':
    case ';':
    case ':':
    case '$':
    case '&':
    case '+':
    case '=':
    case '@':
      return true;
    case '/':
      return piece != UrlPiece::authority;
    case '?':
      return piece == UrlPiece::query || piece == UrlPiece::fragment;
    case '[':
    case ']':
      return piece == UrlPiece::query || piece == UrlPiece::fragment;
    default:
      return false;
  }
}

// Of the characters above ASCII java.net.URI refuses Unicode's spaces and the C1 controls.
bool java_refuses_above_ascii(const unsigned char* at, std::size_t size) noexcept {
  if (size == 2) return at[0] == 0xC2 && at[1] <= 0xA0;  // U+0080 to U+00A0
  if (size != 3) return false;
  const unsigned code = (static_cast<unsigned>(at[0] & 0x0F) << 12) | (static_cast<unsigned>(at[1] & 0x3F) << 6) |
                        static_cast<unsigned>(at[2] & 0x3F);
  return code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

// The end of scheme://, or 0.
std::size_t scheme_end(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size() && (is_alphanumeric(static_cast<unsigned char>(text[i])) ||
                             (i > 0 && (text[i] == '+' || text[i] == '.' || text[i] == '-')))) {
    ++i;
  }
  if (i == 0 || (text[0] >= '0' && text[0] <= '9')) return 0;
  return text.substr(i, 3) == "://" ? i + 3 : 0;
}

// [hex and colons] with an optional port: the only brackets java.net.URI reads in an authority.
[[gnu::cold]] bool is_bracketed_address(std::string_view authority) noexcept {
  const std::size_t at_sign = authority.rfind('@');
  if (at_sign != std::string_view::npos) authority.remove_prefix(at_sign + 1);
  if (authority.empty() || authority.front() != '[') return false;
  int colons = 0;
  std::size_t i = 1;
  for (; i < authority.size() && authority[i] != ']'; ++i) {
    const auto c = static_cast<unsigned char>(authority[i]);
    if (c == ':') {
      ++colons;
    } else if (!is_hex(c)) {
      return false;
    }
  }
  if (i >= authority.size() || colons < 2) return false;
  // "::" alone stands for zeros; more than one, or eight groups not reached without it, java refuses. Only the plain
  // shapes are let through; anything odder is percent-encoded and read as a name.
  const std::string_view address = authority.substr(1, i - 1);
  const std::size_t zeros = address.find("::");
  if (zeros == std::string_view::npos ? colons != 7
                                      : (address.find("::", zeros + 1) != std::string_view::npos || colons > 7)) {
    return false;
  }
  int digits = 0;
  for (const char c : address) {
    digits = c == ':' ? 0 : digits + 1;
    if (digits > 4) return false;
  }
  if (zeros == std::string_view::npos && (address.front() == ':' || address.back() == ':')) return false;
  if (address.front() == ':' && address.substr(0, 2) != "::") return false;
  if (address.back() == ':' && address.substr(address.size() - 2) != "::") return false;
  const std::string_view port = authority.substr(i + 1);
  if (port.empty()) return true;
  if (port.front() != ':' || port.size() > 6) return false;
  for (const char c : port.substr(1)) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

void put_url_piece(Sink& sink, UrlPiece piece, std::string_view text, bool brackets_are_an_address) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char c = bytes[i];
    if (c < 0x80) {
      const bool escape = c == '%' && i + 2 < text.size() && is_hex(bytes[i + 1]) && is_hex(bytes[i + 2]);
      const bool bracket = brackets_are_an_address && (c == '[' || c == ']');
      if (escape || bracket || java_reads(piece, c)) {
        sink.put(static_cast<char>(c));
      } else {
        sink.put_percent(c);
      }
      ++i;
      continue;
    }
    const Piece point = next_piece(bytes + i, text.size() - i);
    if (!point.valid) {
      sink.put(replacement);
    } else if (java_refuses_above_ascii(bytes + i, point.size)) {
      for (std::size_t k = 0; k < point.size; ++k) sink.put_percent(bytes[i + k]);
    } else {
      sink.put(text.data() + i, point.size);
    }
    i += point.size;
  }
}

}  // namespace

std::size_t write_json_text(std::string_view text, char* out) noexcept {
  if (is_plain(text)) {
    if (out != nullptr) copy_text(out, text);
    return text.size();
  }
  Sink sink(out);
  const char* const data = text.data();
  const auto* const bytes = reinterpret_cast<const unsigned char*>(data);
  const std::size_t size = text.size();
  std::size_t i = 0;
  while (i < size) {
    const std::size_t start = i;
    while (i + 8 <= size && plain_word(word_at(data + i))) i += 8;
    while (i < size && bytes[i] >= 0x20 && bytes[i] < 0x80 && bytes[i] != '"' && bytes[i] != '\\') ++i;
    sink.put(data + start, i - start);
    if (i == size) break;
    const unsigned char c = bytes[i];
    if (c >= 0x80) {
      const Piece point = next_piece(bytes + i, size - i);
      if (!point.valid) sink.put(replacement);
      for (std::size_t k = 0; point.valid && k < point.size; ++k) sink.put(data[i + k]);
      i += point.size;
      continue;
    }
    sink.put('\\');
    switch (c) {
      case '"':
      case '\\':
        sink.put(static_cast<char>(c));
        break;
      case '\b':
        sink.put('b');
        break;
      case '\f':
        sink.put('f');
        break;
      case '\n':
        sink.put('n');
        break;
      case '\r':
        sink.put('r');
        break;
      case '\t':
        sink.put('t');
        break;
      default:
        sink.put("u00");
        sink.put(hex_digits[c >> 4]);
        sink.put(hex_digits[c & 15]);
    }
    ++i;
  }
  return sink.size();
}

std::size_t write_percent_encoded(std::string_view text, bool keep_slash, char* out) noexcept {
  Sink sink(out);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    while (i < text.size() && (is_unreserved(bytes[i]) || (keep_slash && bytes[i] == '/'))) ++i;
    sink.put(text.data() + start, i - start);
    if (i == text.size()) break;
    const Piece point = next_piece(bytes + i, text.size() - i);
    const auto* from = point.valid ? bytes + i : reinterpret_cast<const unsigned char*>(replacement.data());
    const std::size_t count = point.valid ? point.size : replacement.size();
    for (std::size_t k = 0; k < count; ++k) sink.put_percent(from[k]);
    i += point.size;
  }
  return sink.size();
}

bool is_url(std::string_view text) noexcept {
  const std::size_t end = scheme_end(text);
  return end != 0 && end < text.size();
}

std::size_t write_repaired_url(std::string_view url, char* out) noexcept {
  Sink sink(out);
  const std::size_t begin = scheme_end(url);
  sink.put(url.substr(0, begin));
  std::string_view rest = url.substr(begin);
  const std::size_t hash = rest.find('#');
  const std::string_view fragment = hash == std::string_view::npos ? std::string_view() : rest.substr(hash + 1);
  rest = rest.substr(0, hash);
  const std::size_t mark = rest.find('?');
  const std::string_view query = mark == std::string_view::npos ? std::string_view() : rest.substr(mark + 1);
  rest = rest.substr(0, mark);
  const std::size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  const std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  const bool has_bracket = authority.find('[') != std::string_view::npos;
  put_url_piece(sink, UrlPiece::authority, authority, has_bracket && is_bracketed_address(authority));
  put_url_piece(sink, UrlPiece::path, path, false);
  if (mark != std::string_view::npos) {
    sink.put('?');
    put_url_piece(sink, UrlPiece::query, query, false);
  }
  if (hash != std::string_view::npos) {
    sink.put('#');
    put_url_piece(sink, UrlPiece::fragment, fragment, false);
  }
  return sink.size();
}

std::size_t write_repaired_fragment(std::string_view fragment, char* out) noexcept {
  Sink sink(out);
  put_url_piece(sink, UrlPiece::fragment, fragment, false);
  return sink.size();
}

bool is_member_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 64 || name[0] < 'a' || name[0] > 'z') return false;
  bool good = true;
  for (const char c : name) good &= of_names[static_cast<unsigned char>(c)];
  return good;
}

[[gnu::cold]] bool is_app_id(std::string_view id) noexcept {
  if (id.empty() || id.size() > 128 || id[0] == '.' || id[0] == '-') return false;
  for (const char c : id) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-')) return false;
  }
  return true;
}

namespace {
void write_digits(std::uint64_t value, int digits, char* out) noexcept {
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}
}  // namespace

// Once a second; see LineEncoder::encode().
[[gnu::cold]] void write_time(std::int64_t unix_ms, char* out) noexcept {
  if (unix_ms < time_unix_ms_min) unix_ms = time_unix_ms_min;
  if (unix_ms > time_unix_ms_max) unix_ms = time_unix_ms_max;
  constexpr std::int64_t day_ms = 86'400'000;
  std::int64_t days = unix_ms / day_ms;
  std::int64_t in_day = unix_ms % day_ms;
  if (in_day < 0) {
    in_day += day_ms;
    --days;
  }
  // Civil date from days, after Howard Hinnant, "chrono-compatible low-level date algorithms".
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  std::memcpy(out, "0000-00-00T00:00:00.000Z", time_text_size);
  write_digits(static_cast<std::uint64_t>(year), 4, out);
  write_digits(static_cast<std::uint64_t>(month), 2, out + 5);
  write_digits(static_cast<std::uint64_t>(day), 2, out + 8);
  write_digits(static_cast<std::uint64_t>(in_day / 3'600'000), 2, out + 11);
  write_digits(static_cast<std::uint64_t>(in_day / 60'000 % 60), 2, out + 14);
  write_digits(static_cast<std::uint64_t>(in_day / 1000 % 60), 2, out + 17);
  write_digits(static_cast<std::uint64_t>(in_day % 1000), 3, out + 20);
}

void write_uuid7(std::int64_t unix_ms, std::uint64_t chance_high, std::uint64_t chance_low, char* out) noexcept {
  const std::uint64_t ms = unix_ms < 0 ? 0 : static_cast<std::uint64_t>(unix_ms) & 0xFFFF'FFFF'FFFFULL;
  char digits[32];
  write_hex64(ms << 16 | 0x7000 | (chance_high & 0x0FFF), digits);
  write_hex64((chance_low & 0x3FFF'FFFF'FFFF'FFFFULL) | 0x8000'0000'0000'0000ULL, digits + 16);
  std::memcpy(out, digits, 8);
  std::memcpy(out + 9, digits + 8, 4);
  std::memcpy(out + 14, digits + 12, 4);
  std::memcpy(out + 19, digits + 16, 4);
  std::memcpy(out + 24, digits + 20, 12);
  out[8] = out[13] = out[18] = out[23] = '-';
}

void write_hex64(std::uint64_t value, char* out) noexcept {
  for (int i = 7; i >= 0; --i) {
    std::memcpy(out + 2 * i, &hex_pairs[2 * (value & 0xFF)], 2);
    value >>= 8;
  }
}

}  // namespace yukha::compose
