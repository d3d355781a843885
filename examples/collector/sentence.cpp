#include "sentence.hpp"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "sentence_schema.hpp"
#include "text.hpp"

namespace collector {
namespace {

constexpr std::string_view kKeys[] = {"id", "time", "user", "device", "location", "content", "referral", "action"};
constexpr std::string_view kLedgerType = "yukha_ledger";
constexpr std::size_t kIdShownBytesMax = 64;  // what is no id at all is not worth more room in an answer

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

int digits_at(std::string_view text, std::size_t at, std::size_t count) {
  int number = 0;
  for (std::size_t i = at; i < at + count; ++i) number = number * 10 + (text[i] - '0');
  return number;
}

bool is_uuid7(std::string_view text, SentenceId* id) {
  if (text.size() != 36) return false;
  std::size_t nibbles = 0;
  for (std::size_t i = 0; i < 36; ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return false;
      continue;
    }
    if (!is_lower_hex(c)) return false;
    const auto value = static_cast<unsigned char>(is_digit(c) ? c - '0' : c - 'a' + 10);
    unsigned char& byte = (*id)[nibbles / 2];
    byte = static_cast<unsigned char>(nibbles % 2 == 0 ? value << 4 : byte | value);
    ++nibbles;
  }
  const char variant = text[19];
  return text[14] == '7' && (variant == '8' || variant == '9' || variant == 'a' || variant == 'b');
}

bool is_time(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000Z";
  if (text.size() != kShape.size()) return false;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == '0' ? !is_digit(text[i]) : text[i] != kShape[i]) return false;
  }
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const int year = digits_at(text, 0, 4);
  const int month = digits_at(text, 5, 2);
  const int day = digits_at(text, 8, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const bool is_leap_day = month == 2 && day == 29 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
  if (day > kDays[month - 1] && !is_leap_day) return false;
  return digits_at(text, 11, 2) < 24 && digits_at(text, 14, 2) < 60 && digits_at(text, 17, 2) < 60;
}

bool is_offset(std::string_view text) {
  if (text == "0") return true;
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  return !text.empty() && text.size() <= 16 && text[0] != '0' && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_member_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '_'; });
}

class UsualReader {
 public:
  explicit UsualReader(std::string_view line)
      : at_(reinterpret_cast<const unsigned char*>(line.data())), end_(at_ + line.size()) {}

  bool read(SentenceFacts* facts) {
    std::string_view text;
    return literal("{\"id\":") && plain_string(&text) && is_uuid7(text, &facts->id) && literal(",\"time\":") &&
           plain_string(&text) && is_time(text) && literal(",\"user\":") && user() && literal(",\"device\":") &&
           device(facts) && literal(",\"location\":") && any_string() && literal(",\"content\":") && content() &&
           literal(",\"referral\":") && any_string() && literal(",\"action\":") && action(facts) && literal("}") &&
           at_ == end_;
  }

 private:
  struct Member {
    std::string_view name;
    std::string_view raw;  // between the quotes, as written
    bool escaped = false;
  };

  bool literal(std::string_view expected) {
    if (static_cast<std::size_t>(end_ - at_) < expected.size() ||
        std::string_view(reinterpret_cast<const char*>(at_), expected.size()) != expected) {
      return false;
    }
    at_ += expected.size();
    return true;
  }

  // A string with any escapes; `raw` is what stands between the quotes.
  bool string(std::string_view* raw, bool* escaped) {
    if (at_ == end_ || *at_ != '"') return false;
    const unsigned char* begin = ++at_;
    *escaped = false;
    while (at_ != end_) {
      const unsigned char c = *at_;
      if (c == '"') {
        *raw = std::string_view(reinterpret_cast<const char*>(begin), static_cast<std::size_t>(at_ - begin));
        ++at_;
        return true;
      }
      if (c < 0x20) return false;
      if (c == '\\') {
        *escaped = true;
        if (!escape()) return false;
      } else if (c < 0x80) {
        ++at_;
      } else {
        const std::size_t length = utf8_length_at(at_, end_);
        if (length == 0) return false;
        at_ += length;
      }
    }
    return false;
  }

  bool escape() {
    if (end_ - at_ < 2) return false;
    const unsigned char c = at_[1];
    if (c != 'u') {
      at_ += 2;
      return c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' || c == 't';
    }
    unsigned unit = 0;
    if (!hex_unit(&unit) || (unit >= 0xdc00 && unit <= 0xdfff)) return false;
    if (unit >= 0xd800 && unit <= 0xdbff) {
      return hex_unit(&unit) && unit >= 0xdc00 && unit <= 0xdfff;
    }
    return true;
  }

  bool hex_unit(unsigned* unit) {
    if (end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u') return false;
    *unit = 0;
    for (int i = 2; i < 6; ++i) {
      const unsigned char c = at_[i];
      unsigned digit = 0;
      if (c >= '0' && c <= '9') {
        digit = c - '0';
      } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10u;
      } else if (c >= 'A' && c <= 'F') {
        digit = c - 'A' + 10u;
      } else {
        return false;
      }
      *unit = *unit * 16 + digit;
    }
    at_ += 6;
    return true;
  }

  bool any_string() {
    std::string_view raw;
    bool escaped = false;
    return string(&raw, &escaped);
  }

  bool plain_string(std::string_view* text) {
    bool escaped = false;
    return string(text, &escaped) && !escaped;
  }

  // Members with good names, none twice.
  bool part() {
    members_.clear();
    if (!literal("{")) return false;
    if (literal("}")) return true;
    do {
      Member member;
      if (!plain_string(&member.name) || !is_member_name(member.name) || !literal(":") ||
          !string(&member.raw, &member.escaped)) {
        return false;
      }
      members_.push_back(member);
    } while (literal(","));
    return literal("}") && all_names_differ();
  }

  // By sorting, because comparing each with each would let a long line cost a second.
  bool all_names_differ() {
    names_.clear();
    for (const Member& member : members_) names_.push_back(member.name);
    std::sort(names_.begin(), names_.end());
    return std::adjacent_find(names_.begin(), names_.end()) == names_.end();
  }

  const Member* find(std::string_view name) const {
    for (const Member& member : members_) {
      if (member.name == name) return &member;
    }
    return nullptr;
  }

  // A value the contract pins is compared as written, so an escape in it is left to the schema.
  const Member* pinned(std::string_view name) const {
    const Member* member = find(name);
    return member == nullptr || member->escaped ? nullptr : member;
  }

  bool has_text(std::string_view name) const {
    const Member* member = find(name);
    return member != nullptr && !member->raw.empty();
  }

  bool user() { return part() && has_text("id"); }
  bool content() { return part(); }

  bool device(SentenceFacts* facts) {
    if (!part() || !has_text("id") || !has_text("sdk")) return false;
    const Member* run = pinned("run");
    const Member* seq = pinned("seq");
    const Member* contract = pinned("contract");
    if (run == nullptr || run->raw.size() != 16 || !std::all_of(run->raw.begin(), run->raw.end(), is_lower_hex) ||
        seq == nullptr || seq->raw.size() != 10 || !std::all_of(seq->raw.begin(), seq->raw.end(), is_digit) ||
        contract == nullptr || contract->raw != "1") {
      return false;
    }
    if (find("clock_offset_ms") != nullptr) {
      const Member* offset = pinned("clock_offset_ms");
      if (offset == nullptr || !is_offset(offset->raw)) return false;
      facts->clock_offset_ms = std::string(offset->raw);
    }
    return true;
  }

  bool action(SentenceFacts* facts) {
    if (!part()) return false;
    const Member* type = pinned("type");
    if (type == nullptr || type->raw.empty()) return false;
    facts->is_ledger = type->raw == kLedgerType;
    return true;
  }

  const unsigned char* at_;
  const unsigned char* end_;
  std::vector<Member> members_;
  std::vector<std::string_view> names_;
};

// Reads the line once for what a parsed document no longer shows: repeated names, and the order of the outermost ones.
class ShapeReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::string repeated;
  std::string error;
  std::vector<std::string> outer_keys;
  bool only_surrogates_wrong = false;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    names_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    // Athena's JSON readers fold case, so "Id" beside "id" is the same name twice.
    if (!names_.back().insert(lower_ascii(name)).second && repeated.empty()) {
      repeated = std::string(cut_to(name, kIdShownBytesMax));
    }
    if (names_.size() == 1 && outer_keys.size() <= std::size(kKeys)) outer_keys.push_back(name);
    return true;
  }
  bool end_object() override {
    names_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override {
    names_.emplace_back();  // so that an object inside an array is not taken for the outermost
    return true;
  }
  bool end_array() override {
    names_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& fault) override {
    const std::string_view what = fault.what();
    only_surrogates_wrong = what.find("surrogate") != std::string_view::npos;
    error = "not JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  std::vector<std::set<std::string>> names_;  // a set, or a line of thousands of names would cost their square
};

std::string_view without_space_after(std::string_view line) {
  const std::size_t last = line.find_last_not_of(" \t\r");
  return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

// valijson counts the characters of a string up to its first NUL, which JSON can write as an escape. Another control
// character in its place counts as one, and no pattern of the schema tells them apart.
nlohmann::json with_counted_nuls(std::string_view line) {
  const auto replace = [](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event != nlohmann::json::parse_event_t::value || !value.is_string()) return true;
    auto& text = value.get_ref<std::string&>();
    std::replace(text.begin(), text.end(), '\0', '\x01');
    return true;
  };
  return nlohmann::json::parse(line.begin(), line.end(), replace);
}

std::string readable_id(const nlohmann::json& document) {
  if (!document.is_object()) return "";
  const auto id = document.find("id");
  if (id == document.end() || !id->is_string()) return "";
  const auto& text = id->get_ref<const std::string&>();
  return text.size() <= kIdShownBytesMax ? text : "";
}

}  // namespace

std::string text_of(const SentenceId& id) {
  std::string text;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += "0123456789abcdef"[id[i] >> 4];
    text += "0123456789abcdef"[id[i] & 15];
  }
  return text;
}

std::optional<SentenceFacts> read_usual_sentence(std::string_view line) {
  if (line.size() > kSentenceBytesMax) return std::nullopt;
  SentenceFacts facts;
  if (!UsualReader(line).read(&facts)) return std::nullopt;
  return facts;
}

struct SchemaJudge::Schema {
  valijson::Schema schema;
  valijson::Validator validator;  // keeps compiled patterns, and is not made for two threads
  std::mutex mutex;
};

SchemaJudge::SchemaJudge() : schema_(std::make_unique<Schema>()) {
  const nlohmann::json document = nlohmann::json::parse(kSentenceSchema);
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema_->schema);
}

SchemaJudge::~SchemaJudge() = default;

std::optional<Refusal> SchemaJudge::refusal_of(std::string_view line, SentenceFacts* facts) const {
  if (line.size() > kSentenceBytesMax) {
    return Refusal{"size", std::to_string(line.size()) + " bytes, at most 32768 are a sentence", ""};
  }
  if (!is_utf8(line)) return Refusal{"utf8", "not UTF-8", ""};
  // nlohmann::json would skip a byte order mark; the lake's readers would not.
  if (line.substr(0, 3) == "\xef\xbb\xbf") return Refusal{"json", "begins with a byte order mark", ""};

  const std::size_t control = control_character_in(line);
  if (control != std::string_view::npos) {
    return Refusal{"json", "not JSON at byte " + std::to_string(control + 1), ""};
  }

  ShapeReader shape;
  if (!nlohmann::json::sax_parse(line.begin(), line.end(), &shape)) {
    if (shape.only_surrogates_wrong) return Refusal{"utf8", "half a surrogate pair", ""};
    return Refusal{"json", shape.error, ""};
  }
  const nlohmann::json document = nlohmann::json::parse(line.begin(), line.end());
  const std::string id = readable_id(document);
  if (!shape.repeated.empty()) return Refusal{"duplicate", "\"" + shape.repeated + "\" stands twice", id};

  {
    const bool has_nul = line.find("\\u0000") != std::string_view::npos;
    const nlohmann::json counted = has_nul ? with_counted_nuls(line) : nlohmann::json();
    const std::lock_guard<std::mutex> lock(schema_->mutex);
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter adapter(has_nul ? counted : document);
    if (!schema_->validator.validate(schema_->schema, adapter, &results)) {
      std::string detail = "not a sentence";
      valijson::ValidationResults::Error fault;
      if (results.popError(fault)) {
        std::string where;
        for (const std::string& step : fault.context) where += step == "<root>" ? "" : step;
        detail = (where.empty() ? "" : where + " ") + fault.description;
      }
      constexpr std::size_t kDetailBytesMax = 200;
      return Refusal{"schema", std::string(cut_to(detail, kDetailBytesMax)), id};
    }
  }
  if (!std::equal(shape.outer_keys.begin(), shape.outer_keys.end(), std::begin(kKeys), std::end(kKeys))) {
    return Refusal{"order", "the eight keys are not in their order", id};
  }

  *facts = SentenceFacts();
  is_uuid7(id, &facts->id);
  facts->is_ledger = document["action"]["type"] == kLedgerType;
  const auto& device = document["device"];
  const auto offset = device.find("clock_offset_ms");
  if (offset != device.end()) facts->clock_offset_ms = offset->get<std::string>();
  return std::nullopt;
}

std::optional<Refusal> SentenceJudge::refusal_of(std::string_view line, SentenceFacts* facts) const {
  if (auto usual = read_usual_sentence(line)) {
    *facts = std::move(*usual);
    return std::nullopt;
  }
  return schema_judge_.refusal_of(line, facts);
}

void append_lake_line(std::string_view line, std::string_view clock_offset_ms, std::string_view received_at,
                      std::string* out) {
  line = without_space_after(line);
  line.remove_suffix(1);  // the closing brace of the sentence
  const auto begin = static_cast<std::ptrdiff_t>(out->size());
  out->append(line).append(",\"received_at\":\"").append(received_at);
  // In JSON a carriage return is white space and nothing else; to who reads a file as text it is the end of a line.
  std::replace(out->begin() + begin, out->end(), '\r', ' ');
  out->append("\",\"clock_offset_ms\":\"").append(clock_offset_ms).append("\"}\n");
}

}  // namespace collector
