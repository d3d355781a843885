#include "system/json.hpp"

#include <charconv>
#include <utility>

#include "system/utf8.hpp"

namespace yukha::system {
namespace {

constexpr int levels_max = 8;
constexpr int values_max = 10'000;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

void append_utf8(std::string& text, unsigned code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  int shift = code < 0x800 ? 6 : code < 0x10000 ? 12 : 18;
  text += static_cast<char>((shift == 6 ? 0xC0 : shift == 12 ? 0xE0 : 0xF0) | code >> shift);
  while ((shift -= 6) >= 0) text += static_cast<char>(0x80 | (code >> shift & 0x3F));
}

// Each function takes what it is named after, with the white space before it; false ends the reading.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {
    if (text.substr(0, 3) == "\xEF\xBB\xBF") at_ += 3;  // a byte order mark
  }

  Json document() {
    Json root;
    if (value(root, 0)) {
      skip_space();
      if (at_ == end_) return root;
      fail("there is more behind its end");
    }
    Json none;
    none.at = offset();
    none.text = fault_;
    return none;
  }

 private:
  std::uint32_t offset() const noexcept { return static_cast<std::uint32_t>(at_ - begin_); }
  // 0 behind the end, where no character stands that is looked for.
  char here() const noexcept { return at_ == end_ ? '\0' : *at_; }
  bool fail(const char* what) noexcept {
    fault_ = what;
    return false;
  }
  void skip_space() noexcept {
    while (here() == ' ' || here() == '\n' || here() == '\r' || here() == '\t') ++at_;
  }
  bool take(char c) noexcept {
    if (here() != c) return false;
    ++at_;
    return true;
  }

  bool value(Json& into, int level) {
    skip_space();
    into.at = offset();
    if (++values_ > values_max) return fail("it has more than 10,000 values");
    switch (here()) {
      case '{':
      case '[':
        return level == levels_max ? fail("it has more than 8 levels") : list(into, level);
      case '"':
        into.kind = Json::Kind::string;
        return string(into.text);
      case 't':
        return word(into, Json::Kind::boolean, "true");
      case 'f':
        return word(into, Json::Kind::boolean, "false");
      case 'n':
        return word(into, Json::Kind::null, "null");
      default:
        return number(into);
    }
  }

  // An object or an array.
  bool list(Json& into, int level) {
    const bool named = *at_++ == '{';
    const char close = named ? '}' : ']';
    into.kind = named ? Json::Kind::object : Json::Kind::array;
    skip_space();
    if (take(close)) return true;
    do {
      Json& one = into.inside.emplace_back();
      if (named) {
        skip_space();
        if (here() != '"') return fail("a name in quotes is missing");
        if (!string(one.name)) return false;
        skip_space();
        if (!take(':')) return fail("a colon is missing");
      }
      if (!value(one, level + 1)) return false;
      skip_space();
    } while (take(','));
    return take(close) || fail(named ? "a comma or } is missing" : "a comma or ] is missing");
  }

  bool word(Json& into, Json::Kind kind, std::string_view whole) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, whole.size()) != whole)
      return fail("a value is missing");
    into.kind = kind;
    into.text = whole;
    at_ += whole.size();
    return true;
  }

  bool digits() noexcept {
    if (!is_digit(here())) return false;
    while (is_digit(here())) ++at_;
    return true;
  }

  bool number(Json& into) {
    const char* const from = at_;
    const bool sign = take('-');
    if (!take('0') && !digits()) return fail(sign ? "a digit is missing" : "a value is missing");
    if (take('.') && !digits()) return fail("a digit is missing");
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return fail("a digit is missing");
    }
    into.kind = Json::Kind::number;
    into.text.assign(from, at_);
    return true;
  }

  bool hex4(unsigned& code) noexcept {
    code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = here();
      const char letter = static_cast<char>(c | 0x20);
      if (!is_digit(c) && (letter < 'a' || letter > 'f')) return fail("a hexadecimal digit is missing");
      code = code << 4 | static_cast<unsigned>(is_digit(c) ? c - '0' : letter - 'a' + 10);
    }
    return true;
  }

  bool string(std::string& into) {
    ++at_;
    while (true) {
      const char* const from = at_;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\') {
        const Piece piece =
            next_piece(reinterpret_cast<const unsigned char*>(at_), static_cast<std::size_t>(end_ - at_));
        if (!piece.valid) return fail("this is not UTF-8");
        if (piece.size == 1 && *at_ < 0x20) return fail("a control character needs an escape");
        at_ += piece.size;
      }
      into.append(from, at_);
      if (at_ == end_) return fail("a quote is missing");
      if (*at_++ == '"') return true;
      if (!escape(into)) return false;
    }
  }

  // What stands behind a backslash.
  bool escape(std::string& into) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    const std::size_t which = letters.find(here());
    if (which != std::string_view::npos && at_ != end_) {
      into += meant[which];
      ++at_;
      return true;
    }
    if (!take('u')) return fail("there is no such escape");
    unsigned code = 0;
    if (!hex4(code)) return false;
    if (code >= 0xD800 && code < 0xE000) {
      unsigned low = 0;
      if (code >= 0xDC00 || !take('\\') || !take('u')) return fail("half of a surrogate pair is missing");
      if (!hex4(low)) return false;
      if (low < 0xDC00 || low >= 0xE000) return fail("half of a surrogate pair is missing");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(into, code);
    return true;
  }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  const char* fault_ = "";
  int values_ = 0;
};

}  // namespace

const Json& Json::operator[](std::string_view member) const noexcept {
  static const Json none;
  if (kind == Kind::object) {
    for (const Json& one : inside) {
      if (one.name == member) return one;
    }
  }
  return none;
}

std::optional<std::uint64_t> Json::whole() const noexcept {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  if (kind != Kind::number) return std::nullopt;
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

Json read_json(std::string_view text) {
  return Reader(text).document();
}

}  // namespace yukha::system
