#include "json_rows.hpp"

#include <algorithm>
#include <utility>

#include "encoding.hpp"
#include "lines.hpp"

namespace replay {

namespace {

constexpr const char* no_array = "\"rows\" leads to something that is no array";
constexpr const char* no_object = "here is no object";

// Why a text, a document or an element has no rows. Where "rows" is wrong, the names that are there say how.
std::string without(const std::string& name, const std::string& what) {
  return "\"rows\" asks for a member \"" + name + "\", and " + what;
}

void add_name(std::string_view name, std::string& names) {
  constexpr std::size_t bytes_max = 200;
  if (names.size() < bytes_max) names.append(names.empty() ? "" : ", ").append(name);
}

std::string here_are(const std::string& names) {
  if (names.empty()) return "here is none";
  return (names.find(',') == std::string::npos ? "here is " : "here are ") + names;
}

}  // namespace

void JsonRows::begin(const JsonText& json, const std::vector<std::vector<std::string>>& levels, std::uint64_t line,
                     std::uint64_t repaired) {
  json_ = &json;
  rows_.clear();
  at_ = 0;
  line_ = line;
  repaired_ = repaired;
  lone_surrogates_ = json.lone_surrogates();
  collect(json.root(), levels, 0, {}, nullptr);
  const bool has_none = std::all_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.is_without; });
  without_rows_ += has_none ? 1 : 0;
}

void JsonRows::collect(const JsonText::Node& node, const std::vector<std::vector<std::string>>& levels,
                       std::size_t level, const std::vector<const JsonText::Node*>& enclosing,
                       const JsonText::Node* repeated) {
  if (level == levels.size()) {
    const JsonText::Node* const within = json_->repeated_in(node);
    rows_.push_back({&node, enclosing, within != nullptr ? within : repeated});
    return;
  }
  const JsonText::Node* array = &node;
  std::string missing;
  for (const std::string& name : levels[level]) {
    const JsonText::Node* const object = array;
    array = json_->member(*object, name);
    if (array != nullptr && array->kind != JsonText::Kind::null) continue;
    missing = array != nullptr ? without(name, "it is null") : without(name, names_in(*object));
    break;
  }
  // The other rows are not around a row.
  const JsonText::Node* const beside = array == &node ? nullptr : json_->repeated_in(node, array);
  const std::size_t rows_before = rows_.size();
  if (array != nullptr && array->kind == JsonText::Kind::array) {
    std::vector<const JsonText::Node*> around{&node};
    around.insert(around.end(), enclosing.begin(), enclosing.end());
    for (const JsonText::Node* one = json_->first(*array); one != nullptr; one = json_->next(*one)) {
      collect(*one, levels, level + 1, around, beside != nullptr ? beside : repeated);
    }
  } else if (missing.empty()) {
    rows_.push_back({array, enclosing, nullptr, no_array});
    return;
  }
  if (rows_.size() > rows_before) return;
  if (beside != nullptr) {
    // The one that does not count may have had rows.
    rows_.push_back({&node, enclosing, nullptr,
                     "the member \"" + std::string(beside->name) + "\" stands twice, and the last has no rows"});
  } else if (!missing.empty()) {
    rows_.push_back({&node, enclosing, nullptr, std::move(missing), true});
  }
}

std::string JsonRows::names_in(const JsonText::Node& node) const {
  if (node.kind != JsonText::Kind::object) return no_object;
  std::string names;
  for (const JsonText::Node* one = json_->first(node); one != nullptr; one = json_->next(*one))
    add_name(one->name, names);
  return here_are(names);
}

RecordReader::Next JsonRows::next(Record& row, std::string& problem) {
  using Next = RecordReader::Next;
  if (at_ == rows_.size()) return Next::end;
  Row& found = rows_[at_++];
  row.line = line_;
  // Told once, however many rows are on the line.
  row.repaired = std::exchange(repaired_, 0);
  row.lone_surrogates = std::exchange(lone_surrogates_, 0);
  row.json = json_;
  row.node = found.node;
  row.enclosing = std::move(found.enclosing);
  row.repeated = found.repeated;
  problem = std::move(found.problem);
  if (found.is_without) return Next::without;
  if (problem.empty() && found.node->kind != JsonText::Kind::object) problem = "not a JSON object";
  return problem.empty() ? Next::record : Next::bad;
}

namespace {

// JSON in one pass, without keeping it. Only what is copied is known to be JSON afterwards; of all else just strings
// and brackets are looked at.
class JsonStream {
 public:
  bool open(const std::string& path, const RecordOptions& options, std::string& problem) {
    return source_.open(path, options.encoding, options.stop, problem);
  }

  // The next character, '\0' at the end or when the input cannot be read on.
  char peek() {
    while (piece_.empty()) {
      if (ended_ != TextSource::Next::piece) return '\0';
      ended_ = source_.next(piece_, problem_);
    }
    return piece_.front();
  }
  char take() {
    const char c = peek();
    if (piece_.empty()) return c;
    piece_.remove_prefix(1);
    line_ += c == '\n' ? 1 : 0;
    return c;
  }
  char after_space() {
    for (;;) {
      const char c = peek();
      if (piece_.empty() || (c != ' ' && c != '\t' && c != '\n' && c != '\r')) return c;
      take();
    }
  }
  bool at_end() { return piece_.empty() && peek() == '\0' && piece_.empty(); }

  // Passes over one value; `copy` gets it, but not more than 16 MiB of it. `bytes` is how long it is. Answers false
  // when the input ends before it does.
  bool value(std::string* copy, std::uint64_t& bytes) {
    bytes = 0;
    const auto keep = [&](std::string_view text) {
      bytes += text.size();
      if (copy != nullptr && bytes <= Lines::record_bytes_max) copy->append(text);
    };
    const auto keep_one = [&] {
      const char c = take();
      keep({&c, 1});
      return c;
    };
    std::size_t depth = 0;
    do {
      const char c = depth == 0 ? after_space() : peek();
      if (piece_.empty()) return false;
      if (c == '"') {
        keep_one();
        for (bool escaped = false;;) {
          const char inside = keep_one();
          if (inside == '\0' && piece_.empty() && at_end()) return false;
          if (escaped) {
            escaped = false;
          } else if (inside == '\\') {
            escaped = true;
          } else if (inside == '"') {
            break;
          }
        }
      } else if (c == '{' || c == '[') {
        keep_one();
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return false;
        keep_one();
        --depth;
      } else if (depth > 0) {
        keep_one();
      } else {
        // A number or a word.
        for (char d = c; !piece_.empty() && d != ',' && d != ']' && d != '}' && d != ' ' && d != '\n' && d != '\r' &&
                         d != '\t' && d != ':';
             d = peek()) {
          keep_one();
        }
        if (bytes == 0) return false;
      }
    } while (depth > 0);
    return true;
  }

  std::uint64_t line() const { return line_; }
  TextSource::Next ended() const { return ended_; }
  const std::string& problem() const { return problem_; }

 private:
  TextSource source_;
  std::string_view piece_;
  TextSource::Next ended_ = TextSource::Next::piece;
  std::string problem_;
  std::uint64_t line_ = 1;
};

class DocumentReader : public RecordReader {
 public:
  bool open(const std::string& path, const RecordOptions& options, std::string& problem) {
    names_ = options.rows.levels.front();
    inner_.assign(options.rows.levels.begin() + 1, options.rows.levels.end());
    return stream_.open(path, options, problem);
  }

  Next next(Record& row, std::string& problem) override {
    for (;;) {
      if (const Next next = rows_.next(row, problem); next != Next::end) return next;
      row.line = stream_.line();
      row.repaired = 0;
      problem.clear();
      bool goes_on = true;
      if (place_ == Place::in_array) {
        goes_on = element(row, problem);
      } else if (place_ == Place::in_object) {
        goes_on = member(row, problem);
      } else {
        stream_.after_space();
        if (stream_.at_end()) return at_the_end(problem);
        row.line = stream_.line();
        goes_on = document(problem);
      }
      if (!goes_on) return broken(problem);
      if (!problem.empty()) return is_row_ ? Next::bad : Next::without;
    }
  }

  const std::vector<std::string>* columns() const override { return nullptr; }
  LineCounts counts() const override {
    LineCounts counts;
    counts.without_rows = without_rows_ + rows_.without_rows();
    return counts;
  }

 private:
  enum class Place { between_documents, in_object, in_array };

  Next at_the_end(std::string& problem) const {
    if (stream_.ended() == TextSource::Next::stopped) return Next::stopped;
    if (stream_.ended() != TextSource::Next::broken) return Next::end;
    problem = stream_.problem();
    return Next::broken;
  }

  Next broken(std::string& problem) {
    if (stream_.ended() == TextSource::Next::stopped) return Next::stopped;
    if (stream_.ended() == TextSource::Next::broken) {
      problem = stream_.problem();
    } else {
      problem = "line " + std::to_string(stream_.line()) + ": " + problem;
    }
    return Next::broken;
  }

  // The following answer false where the document cannot be read any further. Otherwise `problem` says what is to be
  // told, if anything is, and is_row_ whether it stands for a row.

  bool document(std::string& problem) {
    has_rows_ = false;
    missing_.clear();
    depth_ = 0;
    return enter(problem);
  }

  // A value on the way to the array of the rows, or that array.
  bool enter(std::string& problem) {
    const char c = stream_.after_space();
    const bool is_last = depth_ == names_.size();
    if (c == (is_last ? '[' : '{')) {
      stream_.take();
      is_first_ = true;
      place_ = is_last ? Place::in_array : Place::in_object;
      if (!is_last) found_.resize(++depth_);
      if (!is_last) found_.back() = false;
      others_.clear();
      return true;
    }
    if (is_last && (c != 'n' || depth_ == 0)) {
      tell(no_array, true, problem);
      has_rows_ = true;
    } else if (c == 'n' && depth_ > 0) {
      missing_ = without(names_[depth_ - 1], "it is null");
    } else {
      missing_ = without(names_[depth_], no_object);
    }
    return pass_over(problem) && (depth_ > 0 || leave(problem));
  }

  // A member of an object on the way, or the object's end.
  bool member(Record& row, std::string& problem) {
    char c = stream_.after_space();
    row.line = stream_.line();
    if (c == '}') {
      stream_.take();
      if (!found_.back()) missing_ = without(names_[depth_ - 1], here_are(others_));
      found_.resize(--depth_);
      return depth_ > 0 || leave(problem);
    }
    if (!std::exchange(is_first_, false)) {
      if (c != ',') {
        problem = stream_.at_end() ? "the document ends too early" : "a comma or } is missing";
        return false;
      }
      stream_.take();
      c = stream_.after_space();
      row.line = stream_.line();
    }
    std::string name;
    if (c != '"' || !name_and_colon(name)) {
      problem = "a member's name in quotes and a colon should stand here";
      return false;
    }
    if (name != names_[depth_ - 1]) {
      add_name(name, others_);
      return pass_over(problem);
    }
    if (found_.back()) {
      tell("the member \"" + name + "\" stands twice in one document, and only the rows of the first are read", true,
           problem);
      return pass_over(problem);
    }
    found_.back() = true;
    return enter(problem);
  }

  // An element of the array, or its end.
  bool element(Record& row, std::string& problem) {
    char c = stream_.after_space();
    if (!is_first_ && c == ',') {
      stream_.take();
      c = stream_.after_space();
    } else if (c != ']' && !is_first_) {
      problem = "a comma or ] is missing between the rows";
      return false;
    }
    if (c == ']') {
      stream_.take();
      is_first_ = false;
      place_ = Place::in_object;
      return depth_ > 0 || leave(problem);
    }
    is_first_ = false;
    has_rows_ = true;
    row.line = stream_.line();
    text_.clear();
    std::uint64_t bytes = 0;
    if (!stream_.value(&text_, bytes)) {
      problem = "the document ends in the middle of a row";
      return false;
    }
    if (bytes > Lines::record_bytes_max) {
      tell("the row has " + std::to_string(bytes) + " bytes, and one may have 16 MiB", true, problem);
      return true;
    }
    if (!is_utf8(text_)) {
      std::string repaired;
      row.repaired = repair_utf8(text_, repaired);
      text_ = std::move(repaired);
    }
    std::string why;
    if (!json_.parse(text_, why)) {
      tell("not JSON: " + why, true, problem);
      return true;
    }
    rows_.begin(json_, inner_, row.line, row.repaired);
    return true;
  }

  // The end of a document. What was to be told of it before is a row.
  bool leave(std::string& problem) {
    place_ = Place::between_documents;
    if (has_rows_) return true;
    ++without_rows_;
    if (!missing_.empty()) tell(missing_, false, problem);
    return true;
  }

  void tell(const std::string& what, bool is_row, std::string& problem) {
    problem = what;
    is_row_ = is_row;
  }

  bool pass_over(std::string& problem) {
    std::uint64_t bytes = 0;
    if (stream_.value(nullptr, bytes)) return true;
    problem = "the document ends too early";
    return false;
  }

  bool name_and_colon(std::string& name) {
    std::string text;
    std::uint64_t bytes = 0;
    std::string why;
    if (stream_.peek() != '"' || !stream_.value(&text, bytes) || !name_.parse(text, why)) return false;
    name = name_.root().text;
    return stream_.after_space() == ':' && stream_.take() == ':';
  }

  JsonStream stream_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> inner_;
  Place place_ = Place::between_documents;
  std::size_t depth_ = 0;    // how many objects on the way are open
  std::vector<bool> found_;  // for each of them, whether it had the member that leads on
  std::string others_;       // names of the innermost one's other members
  std::string missing_;      // why the document has no rows
  bool has_rows_ = false;    // the document, or something was told instead of them
  bool is_first_ = true;     // of the members or elements
  bool is_row_ = false;      // what is told
  std::uint64_t without_rows_ = 0;
  JsonText name_;
  std::string text_;
  JsonText json_;
  JsonRows rows_;
};

}  // namespace

std::unique_ptr<RecordReader> open_document(const std::string& path, const RecordOptions& options,
                                            std::string& problem) {
  auto reader = std::make_unique<DocumentReader>();
  if (!reader->open(path, options, problem)) return nullptr;
  return reader;
}

bool first_character(const std::string& path, const RecordOptions& options, char& first, std::string& problem) {
  JsonStream stream;
  if (!stream.open(path, options, problem)) return false;
  first = stream.after_space();
  return true;
}

}  // namespace replay
