#include "json_rows.hpp"

#include <utility>

#include "encoding.hpp"
#include "lines.hpp"

namespace replay {

void JsonRows::begin(const JsonText& json, const std::vector<std::vector<std::string>>& levels, std::uint64_t line,
                     std::uint64_t repaired) {
  json_ = &json;
  rows_.clear();
  at_ = 0;
  line_ = line;
  repaired_ = repaired;
  lone_surrogates_ = json.lone_surrogates();
  collect(json.root(), levels, 0, {}, nullptr);
}

void JsonRows::collect(const JsonText::Node& node, const std::vector<std::vector<std::string>>& levels,
                       std::size_t level, const std::vector<const JsonText::Node*>& enclosing,
                       const JsonText::Node* repeated) {
  if (level == levels.size()) {
    const JsonText::Node* const within = json_->repeated_in(node);
    rows_.push_back({&node, enclosing, within != nullptr ? within : repeated, nullptr});
    return;
  }
  const JsonText::Node* array = &node;
  for (const std::string& name : levels[level]) {
    if (array != nullptr) array = json_->member(*array, name);
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
  } else if (array != nullptr && array->kind != JsonText::Kind::null) {
    rows_.push_back({array, enclosing, nullptr, "\"rows\" leads to something that is no array"});
  }
  // The one that does not count may have had rows.
  if (rows_.size() == rows_before && beside != nullptr) {
    rows_.push_back({&node, enclosing, beside, "stands twice, and the last has no rows"});
  }
}

bool JsonRows::next(Record& row, std::string& problem) {
  if (at_ == rows_.size()) return false;
  Row& found = rows_[at_++];
  row.line = line_;
  // Told once, however many rows are on the line.
  row.repaired = std::exchange(repaired_, 0);
  row.lone_surrogates = std::exchange(lone_surrogates_, 0);
  row.json = json_;
  row.node = found.node;
  row.enclosing = std::move(found.enclosing);
  row.repeated = found.repeated;
  problem.clear();
  if (found.problem != nullptr) {
    if (found.repeated != nullptr) problem = "the member \"" + std::string(found.repeated->name) + "\" ";
    problem += found.problem;
  } else if (found.node->kind != JsonText::Kind::object) {
    problem = "not a JSON object";
  }
  return true;
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
      if (rows_.next(row, problem)) return problem.empty() ? Next::record : Next::bad;
      if (!in_array_) {
        stream_.after_space();
        if (stream_.at_end()) return at_the_end(problem);
        if (!enter(problem)) return broken(problem);
        in_array_ = true;
        is_first_ = true;
      }
      char c = stream_.after_space();
      if (!is_first_ && c == ',') {
        stream_.take();
        c = stream_.after_space();
      } else if (c != ']' && !is_first_) {
        problem = "a comma or ] is missing between the rows";
        return broken(problem);
      }
      if (c == ']') {
        stream_.take();
        in_array_ = false;
        if (!leave(problem)) return broken(problem);
        continue;
      }
      is_first_ = false;
      row.line = stream_.line();
      row.repaired = 0;
      text_.clear();
      std::uint64_t bytes = 0;
      if (!stream_.value(&text_, bytes)) {
        problem = "the document ends in the middle of a row";
        return broken(problem);
      }
      if (bytes > Lines::record_bytes_max) {
        problem = "the row has " + std::to_string(bytes) + " bytes, and one may have 16 MiB";
        return Next::bad;
      }
      if (!is_utf8(text_)) {
        std::string repaired;
        row.repaired = repair_utf8(text_, repaired);
        text_ = std::move(repaired);
      }
      std::string why;
      if (!json_.parse(text_, why)) {
        problem = "not JSON: " + why;
        return Next::bad;
      }
      rows_.begin(json_, inner_, row.line, row.repaired);
      if (rows_.count() == 0) ++counts_.without_rows;
    }
  }

  const std::vector<std::string>* columns() const override { return nullptr; }
  LineCounts counts() const override { return counts_; }

 private:
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

  // From a document's beginning to behind the [ of the first array.
  bool enter(std::string& problem) {
    for (const std::string& name : names_) {
      if (stream_.after_space() != '{') {
        problem = "\"rows\" asks for a member \"" + name + "\", and here is no object";
        return false;
      }
      stream_.take();
      std::string others;
      bool found = false;
      for (bool is_first = true; !found; is_first = false) {
        char c = stream_.after_space();
        if (!is_first && c == ',') {
          stream_.take();
          c = stream_.after_space();
        }
        if (c == '}') {
          problem =
              "\"rows\" asks for a member \"" + name + "\", and the document has " + (others.empty() ? "none" : others);
          return false;
        }
        std::string member;
        if (c != '"' || !name_and_colon(member)) {
          problem = "a member's name in quotes and a colon should stand here";
          return false;
        }
        found = member == name;
        if (others.size() < 200) others += (others.empty() ? "" : ", ") + member;
        std::uint64_t bytes = 0;
        if (!found && !stream_.value(nullptr, bytes)) {
          problem = "the document ends too early";
          return false;
        }
      }
    }
    if (stream_.after_space() != '[') {
      problem = names_.empty()
                    ? "\"rows\" wants an array here, and there is none; an object's are named: \"statuses[]\""
                    : "\"" + names_.back() + "\" is no array";
      return false;
    }
    stream_.take();
    return true;
  }

  // Behind the array's ] to the end of the document.
  bool leave(std::string& problem) {
    for (std::size_t depth = names_.size(); depth > 0;) {
      const char c = stream_.take();
      std::uint64_t bytes = 0;
      if (c == '}') {
        --depth;
      } else if (c == ',') {
        std::string member;
        stream_.after_space();
        if (!name_and_colon(member) || !stream_.value(nullptr, bytes)) {
          problem = "the document ends too early";
          return false;
        }
      } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
        problem = "a comma or } is missing behind the rows";
        return false;
      }
    }
    return true;
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
  LineCounts counts_;
  JsonText name_;
  std::string text_;
  JsonText json_;
  JsonRows rows_;
  bool in_array_ = false;
  bool is_first_ = true;
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
