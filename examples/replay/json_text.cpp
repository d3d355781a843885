#include "json_text.hpp"

#include <array>
#include <map>
#include <memory>

namespace replay {

namespace {

constexpr int depth_max = 256;
// A node has 48 bytes, and a value may have one: 16 MiB of "0," would take half a gigabyte.
constexpr std::size_t values_max = 1'000'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void append_utf8(std::uint32_t point, std::string& out) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

void append_quoted(std::string_view text, std::string& out) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out.push_back("0123456789abcdef"[byte >> 4]);
      out.push_back("0123456789abcdef"[byte & 15]);
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

}  // namespace

bool JsonText::parse(std::string_view text, std::string& problem) {
  text_ = text;
  at_ = 0;
  problem_ = &problem;
  nodes_.clear();
  lone_surrogates_ = 0;
  has_repeated_ = false;
  unescaped_.clear();
  unescaped_.reserve(text.size());
  skip_space();
  std::uint32_t root = 0;
  if (!value(root, {}, 0)) return false;
  skip_space();
  if (at_ != text_.size()) return fail("something stands after the end");
  return true;
}

bool JsonText::fail(const char* what) {
  *problem_ = std::string(what) + " at byte " + std::to_string(at_ + 1);
  return false;
}

void JsonText::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    ++at_;
  }
}

bool JsonText::value(std::uint32_t& made, std::string_view name, int depth) {
  if (depth > depth_max) return fail("nested too deeply");
  if (at_ >= text_.size()) return fail("ends where a value should stand");
  if (nodes_.size() >= values_max) return fail("more than 1,000,000 values");
  made = static_cast<std::uint32_t>(nodes_.size());
  nodes_.emplace_back();
  nodes_[made].name = name;
  const std::size_t begin = at_;
  Kind kind = Kind::null;
  bool read = false;
  switch (text_[at_]) {
    case '{':
    case '[':
      kind = text_[at_] == '{' ? Kind::object : Kind::array;
      read = children(made, kind == Kind::object, depth);
      break;
    case '"': {
      std::string_view content;
      if (!string(content)) return false;
      nodes_[made].kind = Kind::string;
      nodes_[made].text = content;
      return true;
    }
    case 't':
      kind = Kind::boolean;
      read = word("true");
      break;
    case 'f':
      kind = Kind::boolean;
      read = word("false");
      break;
    case 'n':
      read = word("null");
      break;
    default:
      kind = Kind::number;
      read = number();
  }
  if (!read) return false;
  nodes_[made].kind = kind;
  nodes_[made].text = text_.substr(begin, at_ - begin);
  return true;
}

// The names of one object so far. Few are compared with each other, and most of those told apart by a bit; many are
// looked up, as comparing them would take the square of their number.
struct JsonText::Names {
  static constexpr std::size_t few = 64;
  std::array<std::uint64_t, 4> bits{};
  std::size_t count = 0;
  std::unique_ptr<std::map<std::string_view, std::uint32_t>> many;
};

// The member of `self` with the name that `child` has, 0 when there was none before.
std::uint32_t JsonText::same_name(std::uint32_t self, std::uint32_t child, Names& names) const {
  const std::string_view name = nodes_[child].name;
  if (names.many == nullptr && ++names.count > Names::few) {
    names.many = std::make_unique<std::map<std::string_view, std::uint32_t>>();
    for (std::uint32_t one = nodes_[self].first; one != 0; one = nodes_[one].next)
      names.many->emplace(nodes_[one].name, one);
  }
  if (names.many != nullptr) {
    const auto [found, is_new] = names.many->emplace(name, child);
    return is_new ? 0 : found->second;
  }
  const auto from_end = [name](std::size_t i) {
    return i == 0 || name.size() < i ? 0 : static_cast<std::size_t>(static_cast<unsigned char>(name[name.size() - i]));
  };
  const std::size_t mixed = name.size() * 5 + from_end(1) + from_end(2) * 17 + from_end(name.size()) * 29;
  std::uint64_t& bits = names.bits[mixed / 64 % names.bits.size()];
  const std::uint64_t bit = std::uint64_t{1} << (mixed % 64);
  if ((bits & bit) != 0) {
    for (std::uint32_t one = nodes_[self].first; one != 0; one = nodes_[one].next) {
      if (nodes_[one].name == name) return one;
    }
  }
  bits |= bit;
  return 0;
}

bool JsonText::children(std::uint32_t self, bool is_object, int depth) {
  const char closing = is_object ? '}' : ']';
  ++at_;
  skip_space();
  if (at_ < text_.size() && text_[at_] == closing) {
    ++at_;
    return true;
  }
  std::uint32_t previous = 0;
  Names names;
  for (;;) {
    std::string_view name;
    if (is_object) {
      if (at_ >= text_.size() || text_[at_] != '"') return fail("a member's name in quotes is missing");
      if (!string(name)) return false;
      skip_space();
      if (at_ >= text_.size() || text_[at_] != ':') return fail("a colon is missing");
      ++at_;
      skip_space();
    }
    std::uint32_t child = 0;
    if (!value(child, name, depth + 1)) return false;
    if (const std::uint32_t before = is_object ? same_name(self, child, names) : 0; before != 0) {
      nodes_[before].kind = nodes_[child].kind;
      nodes_[before].text = nodes_[child].text;
      nodes_[before].first = nodes_[child].first;
      nodes_[before].is_repeated = true;
      has_repeated_ = true;
    } else {
      (previous == 0 ? nodes_[self].first : nodes_[previous].next) = child;
      previous = child;
    }
    skip_space();
    if (at_ >= text_.size()) return fail("ends too early");
    const char c = text_[at_];
    if (c != ',' && c != closing) return fail("a comma or the closing bracket is missing");
    ++at_;
    if (c == closing) return true;
    skip_space();
  }
}

bool JsonText::string(std::string_view& out) {
  const std::size_t begin = ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      out = text_.substr(begin, at_ - begin);
      ++at_;
      return true;
    }
    if (c == '\\') return escaped(out, begin);
    if (static_cast<unsigned char>(c) < 0x20) return fail("a control character stands unescaped in a string");
    ++at_;
  }
  return fail("a string does not end");
}

bool JsonText::escaped(std::string_view& out, std::size_t begin) {
  const std::size_t start = unescaped_.size();
  unescaped_.append(text_.substr(begin, at_ - begin));
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '"') {
      out = std::string_view(unescaped_).substr(start);
      return true;
    }
    if (c != '\\') {
      if (static_cast<unsigned char>(c) < 0x20) {
        --at_;
        return fail("a control character stands unescaped in a string");
      }
      unescaped_.push_back(c);
      continue;
    }
    if (at_ >= text_.size()) break;
    switch (text_[at_++]) {
      case '"':
        unescaped_.push_back('"');
        break;
      case '\\':
        unescaped_.push_back('\\');
        break;
      case '/':
        unescaped_.push_back('/');
        break;
      case 'b':
        unescaped_.push_back('\b');
        break;
      case 'f':
        unescaped_.push_back('\f');
        break;
      case 'n':
        unescaped_.push_back('\n');
        break;
      case 'r':
        unescaped_.push_back('\r');
        break;
      case 't':
        unescaped_.push_back('\t');
        break;
      case 'u': {
        std::uint32_t unit = 0;
        if (!hex4(unit)) return false;
        if (unit >= 0xD800 && unit < 0xDC00 && text_.substr(at_, 2) == "\\u") {
          const std::size_t back = at_;
          std::uint32_t low = 0;
          at_ += 2;
          if (!hex4(low)) return false;
          if (low >= 0xDC00 && low < 0xE000) {
            append_utf8(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), unescaped_);
            break;
          }
          at_ = back;  // the second escape is a character of its own
        }
        const bool is_lone = unit >= 0xD800 && unit < 0xE000;
        lone_surrogates_ += is_lone ? 1 : 0;
        append_utf8(is_lone ? 0xFFFD : unit, unescaped_);
        break;
      }
      default:
        --at_;
        return fail("an unknown escape");
    }
  }
  return fail("a string does not end");
}

bool JsonText::hex4(std::uint32_t& unit) {
  unit = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    if (at_ >= text_.size()) return fail("a string does not end");
    const char c = text_[at_];
    const char low = static_cast<char>(c | 0x20);
    if (is_digit(c)) {
      unit = unit * 16 + static_cast<std::uint32_t>(c - '0');
    } else if (low >= 'a' && low <= 'f') {
      unit = unit * 16 + static_cast<std::uint32_t>(low - 'a' + 10);
    } else {
      return fail("four hex digits are missing after \\u");
    }
  }
  return true;
}

bool JsonText::number() {
  const auto digits = [this] {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > begin;
  };
  const auto is = [this](char c) { return at_ < text_.size() && text_[at_] == c; };
  const std::size_t begin = at_;
  if (is('-')) ++at_;
  if (is('0')) {
    ++at_;
  } else if (!digits()) {
    at_ = begin;
    return fail("not a value");
  }
  if (is('.')) {
    ++at_;
    if (!digits()) return fail("digits are missing in a number");
  }
  if (is('e') || is('E')) {
    ++at_;
    if (is('+') || is('-')) ++at_;
    if (!digits()) return fail("digits are missing in a number");
  }
  return true;
}

bool JsonText::word(std::string_view expected) {
  if (text_.substr(at_, expected.size()) != expected) return fail("not a value");
  at_ += expected.size();
  return true;
}

const JsonText::Node* JsonText::member(const Node& object, std::string_view name) const {
  if (object.kind != Kind::object) return nullptr;
  const Node* node = first(object);
  while (node != nullptr && node->name != name) node = next(*node);
  return node;
}

const JsonText::Node* JsonText::repeated_in(const Node& node, const Node* apart) const {
  if (!has_repeated_) return nullptr;
  for (const Node* child = first(node); child != nullptr; child = next(*child)) {
    if (child->is_repeated) return child;
    const Node* const inner = child == apart ? nullptr : repeated_in(*child, apart);
    if (inner != nullptr) return inner;
  }
  return nullptr;
}

const JsonText::Node* JsonText::element(const Node& array, std::size_t index) const {
  if (array.kind != Kind::array) return nullptr;
  const Node* node = first(array);
  while (node != nullptr && index-- > 0) node = next(*node);
  return node;
}

void JsonText::append_compact(const Node& node, std::string& out) const {
  // Where nothing was left out or replaced, the text says what the nodes say.
  const bool is_as_written = !has_repeated_ && lone_surrogates_ == 0;
  if (node.kind == Kind::string) return append_quoted(node.text, out);
  if (is_as_written || (node.kind != Kind::array && node.kind != Kind::object)) {
    return replay::append_compact(node.text, out);
  }
  const bool is_object = node.kind == Kind::object;
  out.push_back(is_object ? '{' : '[');
  for (const Node* child = first(node); child != nullptr; child = next(*child)) {
    if (child != first(node)) out.push_back(',');
    if (is_object) {
      append_quoted(child->name, out);
      out.push_back(':');
    }
    append_compact(*child, out);
  }
  out.push_back(is_object ? '}' : ']');
}

void append_compact(std::string_view json, std::string& out) {
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out.push_back(c);
      if (c == '\\') {
        out.push_back(json[++i]);
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
      out.push_back(c);
      in_string = c == '"';
    }
  }
}

}  // namespace replay
