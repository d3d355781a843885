#include "records.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "json_rows.hpp"
#include "lines.hpp"
#include "template.hpp"

namespace replay {

namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string_view without_line_end(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string too_long_text(std::uint64_t bytes) {
  return "the line has " + std::to_string(bytes) + " bytes, and a row may have 16 MiB";
}

char delimiter_of(const RecordOptions& options) {
  if (options.delimiter != '\0') return options.delimiter;
  return options.format == Format::tsv ? '\t' : ',';
}

char quote_of(const RecordOptions& options) {
  return options.quote.value_or(options.format == Format::tsv ? '\0' : '"');
}

// RFC 4180: a field in quotes may hold the delimiter, line ends and doubled quotes. A quote within a field that does
// not begin with one is an ordinary character, because screen sizes and nicknames have them.
//
// A quote that somebody forgot to close would take all rows behind it along. So a row that cannot be read is its first
// line alone, and the lines behind that are read again.
class DelimitedReader : public RecordReader {
 public:
  bool open(const std::string& path, const RecordOptions& options, std::string& problem) {
    whole_lines_ = options.format == Format::lines;
    delimiter_ = delimiter_of(options);
    quote_ = quote_of(options);
    row_lines_max_ = options.row_lines_max;
    refuses_inner_rows_ = options.refuses_inner_rows;
    if (!lines_.open(path, options.encoding, options.stop, problem)) return false;
    columns_ = options.columns;
    if (whole_lines_) columns_ = {"line"};
    if (!columns_.empty()) return true;
    Record header;
    switch (read(header, problem)) {
      case Next::record:
        break;
      case Next::end:
        problem = "the input is empty; a header line with the names of the columns is missing";
        return false;
      case Next::bad:
      case Next::without:
        problem = "the header line cannot be read: " + problem;
        return false;
      case Next::broken:
        return false;
      case Next::stopped:
        problem = "the run ended before the header line was read";
        return false;
    }
    counts_.header = 1 + counts_.further;
    counts_.further = 0;
    columns_.assign(header.fields.begin(), header.fields.end());
    return true;
  }

  Next next(Record& row, std::string& problem) override {
    const Next result = read(row, problem);
    if (result != Next::record) return result;
    if (row.fields.size() == columns_.size()) {
      row.inner_rows = inner_rows();
      if (row.inner_rows == 0 || !refuses_inner_rows_) return result;
      problem = "lines within its quotes look like rows themselves";
      return give_up(problem);
    }
    problem = "the row has " + std::to_string(row.fields.size()) + " columns where there should be " +
              std::to_string(columns_.size());
    return give_up(problem);
  }

  const std::vector<std::string>* columns() const override { return &columns_; }

  LineCounts counts() const override {
    LineCounts counts = counts_;
    counts.lines = lines_.count();
    return counts;
  }

 private:
  enum class Step { row_ends, line_ends, stray_text };

  Next read(Record& row, std::string& problem) {
    text_.clear();
    ends_.clear();
    further_.clear();
    in_quotes_ = false;
    counted_further_ = 0;
    row.line = 0;
    for (;;) {
      Line line;
      const Lines::Next got = lines_.next(line, problem);
      if (got == Lines::Next::broken) return Next::broken;
      if (got == Lines::Next::stopped) return Next::stopped;
      if (row.line == 0) {
        if (got == Lines::Next::end) return Next::end;
        if (!line.is_too_long && without_line_end(line.text).empty()) {
          ++counts_.blank;
          continue;
        }
        row.line = line.number;
        row.repaired = 0;
        if (line.is_too_long) {
          problem = too_long_text(line.bytes);
          return Next::bad;
        }
      } else if (got == Lines::Next::line) {
        further_.push_back({line, std::string(line.text)});
      }
      if (got == Lines::Next::end) return not_closed("to the end of the input", problem);
      if (further_.size() >= row_lines_max_) {
        return not_closed("within " + std::to_string(row_lines_max_) + " lines", problem);
      }
      if (line.is_too_long || text_.size() + line.text.size() > Lines::record_bytes_max) {
        return not_closed("within 16 MiB", problem);
      }
      row.repaired += line.repaired;
      switch (split(line.text)) {
        case Step::line_ends:
          continue;
        case Step::stray_text:
          problem = "text stands between the closing quote of column " + std::to_string(ends_.size() + 1) +
                    " and the delimiter";
          return give_up(problem);
        case Step::row_ends:
          break;
      }
      row.fields.clear();
      std::size_t begin = 0;
      for (const std::size_t end : ends_) {
        row.fields.push_back(std::string_view(text_).substr(begin, end - begin));
        begin = end;
      }
      counts_.further += further_.size();
      counted_further_ = further_.size();
      return Next::record;
    }
  }

  // Two stray quotes may make one row of many, and nothing is wrong with it but that: the lines between its first and
  // its last have as many columns as a row has.
  std::uint64_t inner_rows() const {
    // Two words with a comma between them are no row yet.
    constexpr std::size_t columns_min = 3;
    if (further_.size() < 2 || columns_.size() < columns_min) return 0;
    for (std::size_t i = 0; i + 1 < further_.size(); ++i) {
      const std::string& text = further_[i].text;
      const auto delimiters = static_cast<std::size_t>(std::count(text.begin(), text.end(), delimiter_));
      if (delimiters + 1 != columns_.size()) return 0;
    }
    return further_.size() - 1;
  }

  Next not_closed(const std::string& where, std::string& problem) {
    problem = "a quote is opened in column " + std::to_string(ends_.size() + 1) + " and not closed " + where;
    return give_up(problem);
  }

  // Only the first line of the row is given up.
  Next give_up(std::string& problem) {
    if (!further_.empty()) {
      problem +=
          "; the row took " + std::to_string(further_.size() + 1) + " lines, and those behind this one are read again";
    }
    counts_.further -= std::exchange(counted_further_, 0);
    lines_.give_back(std::move(further_));
    further_.clear();
    return Next::bad;
  }

  // Adds what the line holds to text_, field after field.
  Step split(std::string_view line) {
    const std::string_view content = without_line_end(line);
    if (whole_lines_) {
      text_.append(content);
      ends_.push_back(text_.size());
      return Step::row_ends;
    }
    std::size_t at = 0;
    for (;;) {
      if (!in_quotes_) {
        if (quote_ == '\0' || at >= content.size() || content[at] != quote_) {
          const std::size_t end = content.find(delimiter_, at);
          text_.append(content.substr(at, end == std::string_view::npos ? end : end - at));
          ends_.push_back(text_.size());
          if (end == std::string_view::npos) return Step::row_ends;
          at = end + 1;
          continue;
        }
        in_quotes_ = true;
        ++at;
      }
      const std::size_t quote = line.find(quote_, at);
      text_.append(line.substr(at, quote == std::string_view::npos ? quote : quote - at));
      if (quote == std::string_view::npos) return Step::line_ends;
      at = quote + 1;
      if (at < content.size() && content[at] == quote_) {
        text_.push_back(quote_);
        ++at;
        continue;
      }
      in_quotes_ = false;
      if (at < content.size() && content[at] != delimiter_) return Step::stray_text;
      ends_.push_back(text_.size());
      if (at >= content.size()) return Step::row_ends;
      ++at;
    }
  }

  bool whole_lines_ = false;
  char delimiter_ = ',';
  char quote_ = '"';
  std::size_t row_lines_max_ = 0;
  bool refuses_inner_rows_ = false;
  Lines lines_;
  LineCounts counts_;
  std::vector<std::string> columns_;
  std::string text_;
  std::vector<std::size_t> ends_;
  std::vector<Lines::Kept> further_;  // the row's lines behind its first
  std::uint64_t counted_further_ = 0;
  bool in_quotes_ = false;
};

class JsonLinesReader : public RecordReader {
 public:
  // Refuses a document where lines were meant: it would be thousands of lines that are no rows.
  bool open(const std::string& path, const RecordOptions& options, std::string& problem) {
    path_ = options.rows;
    if (!lines_.open(path, options.encoding, options.stop, problem)) return false;
    std::vector<Lines::Kept> seen;
    for (std::size_t with_text = 0; with_text < 2;) {
      Line line;
      const Lines::Next got = lines_.next(line, problem);
      if (got == Lines::Next::broken) return false;
      if (got != Lines::Next::line) break;
      with_text += is_blank(line.text) ? 0 : 1;
      seen.push_back({line, std::string(line.text)});
    }
    const bool is_document = begins_a_document(seen);
    lines_.give_back(std::move(seen));
    if (!is_document) return true;
    problem =
        "this is one JSON document and not a row on each line; say where its rows are, as with "
        "\"format\": \"json\", \"rows\": \"statuses[]\" (\"[]\" when it is an array itself)";
    return false;
  }

  Next next(Record& row, std::string& problem) override {
    for (;;) {
      if (const Next next = rows_.next(row, problem); next != Next::end) return next;
      Line line;
      switch (lines_.next(line, problem)) {
        case Lines::Next::end:
          return Next::end;
        case Lines::Next::broken:
          return Next::broken;
        case Lines::Next::stopped:
          return Next::stopped;
        case Lines::Next::line:
          break;
      }
      row.line = line.number;
      row.repaired = line.repaired;
      if (line.is_too_long) {
        problem = too_long_text(line.bytes);
        return Next::bad;
      }
      if (is_blank(line.text)) {
        ++counts_.blank;
        continue;
      }
      text_.assign(line.text);
      std::string why;
      if (!json_.parse(text_, why)) {
        problem = "not JSON: " + why;
        return Next::bad;
      }
      rows_.begin(json_, path_.levels, row.line, row.repaired);
    }
  }

  const std::vector<std::string>* columns() const override { return nullptr; }

  LineCounts counts() const override {
    LineCounts counts = counts_;
    counts.lines = path_.levels.empty() ? lines_.count() : 0;
    counts.without_rows = rows_.without_rows();
    return counts;
  }

 private:
  static bool begins_a_document(const std::vector<Lines::Kept>& seen) {
    std::vector<std::string_view> texts;
    for (const Lines::Kept& one : seen) {
      const std::size_t begin = one.text.find_first_not_of(" \t\r\n");
      if (begin != std::string::npos) texts.push_back(std::string_view(one.text).substr(begin));
    }
    if (texts.empty() || (texts[0][0] != '{' && texts[0][0] != '[')) return false;
    if (texts[0][0] == '[') return true;
    JsonText json;
    std::string why;
    return !json.parse(texts[0], why) && json.failed_at_end() && texts.size() > 1 && texts[1][0] != '{';
  }

  Lines lines_;
  RowPath path_;
  LineCounts counts_;
  std::string text_;
  JsonText json_;
  JsonRows rows_;
};

}  // namespace

Format format_of(std::string_view path) {
  std::string name(path.substr(path.find_last_of('/') + 1));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (ends_with(name, ".gz")) name.resize(name.size() - 3);
  if (ends_with(name, ".csv")) return Format::csv;
  if (ends_with(name, ".tsv") || ends_with(name, ".tab")) return Format::tsv;
  if (ends_with(name, ".jsonl") || ends_with(name, ".ndjson")) return Format::jsonl;
  if (ends_with(name, ".json")) return Format::json;
  if (ends_with(name, ".log") || ends_with(name, ".txt")) return Format::lines;
  return Format::unknown;
}

Format format_named(std::string_view word) {
  if (word == "csv") return Format::csv;
  if (word == "tsv") return Format::tsv;
  if (word == "jsonl") return Format::jsonl;
  if (word == "json") return Format::json;
  if (word == "lines") return Format::lines;
  return Format::unknown;
}

bool read_row_path(std::string_view text, RowPath& path, std::string& problem) {
  path.levels.clear();
  if (!ends_with(text, "[]")) {
    problem = "must end with [], which says that each element of that array is a row: \"statuses[]\"";
    return false;
  }
  while (!text.empty()) {
    const std::size_t end = text.find("[]");
    std::string_view names = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    if (!path.levels.empty() && names.substr(0, 1) == ".") names.remove_prefix(1);
    std::vector<std::string>& level = path.levels.emplace_back();
    if (names.empty()) continue;
    Columns columns;
    Reference reference;
    if (!read_reference(names, columns, reference, problem)) return false;
    if (columns.all().empty()) {
      problem = "must be names and []";
      return false;
    }
    level.push_back(columns.all()[0].name);
    for (const Step& step : reference.path) {
      if (step.is_index) {
        problem = "cannot take one element by its number";
        return false;
      }
      level.push_back(step.name);
    }
  }
  return true;
}

bool fit_together(const RecordOptions& options, std::string& problem) {
  const bool is_known = options.format != Format::unknown;
  if (options.format == Format::json || options.format == Format::jsonl) return true;
  if (is_known && !options.rows.levels.empty()) {
    problem = "\"rows\" is for JSON, and this input is none";
    return false;
  }
  if (options.format == Format::lines || (!is_known && options.delimiter == '\0')) return true;
  if (quote_of(options) != delimiter_of(options)) return true;
  problem = "the quote is the delimiter as well; \"quote\": \"\" switches quoting off";
  return false;
}

std::unique_ptr<RecordReader> open_records(const std::string& path, const RecordOptions& options,
                                           std::string& problem) {
  RecordOptions meant = options;
  if (options.format == Format::json && options.rows.levels.empty()) {
    // A file named .json may have a row on each line, or be an array of them; its first character tells.
    char first = '[';
    if (can_be_read_again(path) && !first_character(path, options, first, problem)) return nullptr;
    if (first == '[') {
      meant.rows.levels = {{}};
    } else {
      meant.format = Format::jsonl;
    }
  }
  if (meant.format == Format::json) return open_document(path, meant, problem);
  if (meant.format == Format::jsonl) {
    auto reader = std::make_unique<JsonLinesReader>();
    if (!reader->open(path, meant, problem)) return nullptr;
    return reader;
  }
  auto reader = std::make_unique<DelimitedReader>();
  if (!reader->open(path, meant, problem)) return nullptr;
  return reader;
}

}  // namespace replay
