#include "records.hpp"

#include <cctype>
#include <cstddef>
#include <utility>

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

// Counts lines and takes the byte order mark away.
class NumberedLines {
 public:
  bool open(const std::string& path, std::string& problem) { return lines_.open(path, problem); }

  LineSource::Next next(std::string_view& line, std::string& problem) {
    const LineSource::Next result = lines_.next(line, problem);
    if (result == LineSource::Next::end || result == LineSource::Next::broken) return result;
    if (++number_ > 1 || result == LineSource::Next::too_long) return result;
    if (line.substr(0, 3) == "\xEF\xBB\xBF") line.remove_prefix(3);
    if (line.substr(0, 2) == "\xFF\xFE" || line.substr(0, 2) == "\xFE\xFF") {
      problem = "the input is UTF-16; convert it to UTF-8 first";
      return LineSource::Next::broken;
    }
    return result;
  }

  std::uint64_t number() const { return number_; }

 private:
  LineSource lines_;
  std::uint64_t number_ = 0;
};

constexpr const char* too_long_text = "the row is longer than 16 MiB";

// RFC 4180: a field in quotes may hold the delimiter, line ends and doubled quotes. A quote within a field that does
// not begin with one is an ordinary character, because screen sizes and nicknames have them.
class DelimitedReader : public RecordReader {
 public:
  explicit DelimitedReader(char delimiter) : delimiter_(delimiter) {}

  bool open(const std::string& path, std::vector<std::string> columns, std::string& problem) {
    if (!lines_.open(path, problem)) return false;
    columns_ = std::move(columns);
    if (!columns_.empty()) return true;
    Record header;
    switch (read(header, problem)) {
      case Next::record:
        break;
      case Next::end:
        problem = "the input is empty; a header line with the names of the columns is missing";
        return false;
      case Next::bad:
        problem = "the header line cannot be read: " + problem;
        return false;
      case Next::broken:
        return false;
    }
    columns_.assign(header.fields.begin(), header.fields.end());
    return true;
  }

  Next next(Record& row, std::string& problem) override {
    const Next result = read(row, problem);
    if (result != Next::record || row.fields.size() == columns_.size()) return result;
    problem = "the row has " + std::to_string(row.fields.size()) + " columns where there should be " +
              std::to_string(columns_.size());
    return Next::bad;
  }

  const std::vector<std::string>* columns() const override { return &columns_; }

 private:
  enum class Step { row_ends, line_ends, stray_text };

  Next read(Record& row, std::string& problem) {
    text_.clear();
    ends_.clear();
    in_quotes_ = false;
    row.line = 0;
    for (;;) {
      std::string_view line;
      const LineSource::Next got = lines_.next(line, problem);
      if (got == LineSource::Next::broken) return Next::broken;
      if (row.line == 0) {
        if (got == LineSource::Next::end) return Next::end;
        if (got == LineSource::Next::line && without_line_end(line).empty()) continue;
        row.line = lines_.number();
      }
      if (got == LineSource::Next::end) {
        problem = "a quote is opened here and closed nowhere";
        return Next::bad;
      }
      if (got == LineSource::Next::too_long || text_.size() + line.size() > LineSource::record_bytes_max) {
        problem = too_long_text;
        return Next::bad;
      }
      switch (split(line)) {
        case Step::line_ends:
          continue;
        case Step::stray_text:
          problem = "text stands between the closing quote of column " + std::to_string(ends_.size() + 1) +
                    " and the delimiter";
          return Next::bad;
        case Step::row_ends:
          break;
      }
      row.fields.clear();
      std::size_t begin = 0;
      for (const std::size_t end : ends_) {
        row.fields.push_back(std::string_view(text_).substr(begin, end - begin));
        begin = end;
      }
      return Next::record;
    }
  }

  // Adds what the line holds to text_, field after field.
  Step split(std::string_view line) {
    const std::string_view content = without_line_end(line);
    std::size_t at = 0;
    for (;;) {
      if (!in_quotes_) {
        if (at >= content.size() || content[at] != '"') {
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
      const std::size_t quote = line.find('"', at);
      text_.append(line.substr(at, quote == std::string_view::npos ? quote : quote - at));
      if (quote == std::string_view::npos) return Step::line_ends;
      at = quote + 1;
      if (at < content.size() && content[at] == '"') {
        text_.push_back('"');
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

  char delimiter_;
  NumberedLines lines_;
  std::vector<std::string> columns_;
  std::string text_;
  std::vector<std::size_t> ends_;
  bool in_quotes_ = false;
};

class JsonLinesReader : public RecordReader {
 public:
  bool open(const std::string& path, std::string& problem) { return lines_.open(path, problem); }

  Next next(Record& row, std::string& problem) override {
    for (;;) {
      std::string_view line;
      switch (lines_.next(line, problem)) {
        case LineSource::Next::end:
          return Next::end;
        case LineSource::Next::broken:
          return Next::broken;
        case LineSource::Next::too_long:
          row.line = lines_.number();
          problem = too_long_text;
          return Next::bad;
        case LineSource::Next::line:
          break;
      }
      if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
      row.line = lines_.number();
      std::string why;
      if (!row.json.parse(line, why)) {
        problem = "not JSON: " + why;
        return Next::bad;
      }
      if (row.json.root().kind != JsonText::Kind::object) {
        problem = "not a JSON object";
        return Next::bad;
      }
      return Next::record;
    }
  }

  const std::vector<std::string>* columns() const override { return nullptr; }

 private:
  NumberedLines lines_;
};

}  // namespace

Format format_of(std::string_view path) {
  std::string name(path.substr(path.find_last_of('/') + 1));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (ends_with(name, ".gz")) name.resize(name.size() - 3);
  if (ends_with(name, ".csv")) return Format::csv;
  if (ends_with(name, ".tsv") || ends_with(name, ".tab")) return Format::tsv;
  if (ends_with(name, ".jsonl") || ends_with(name, ".ndjson") || ends_with(name, ".json")) return Format::jsonl;
  return Format::unknown;
}

Format format_named(std::string_view word) {
  if (word == "csv") return Format::csv;
  if (word == "tsv") return Format::tsv;
  if (word == "jsonl") return Format::jsonl;
  return Format::unknown;
}

std::unique_ptr<RecordReader> open_records(const std::string& path, const RecordOptions& options,
                                           std::string& problem) {
  if (options.format == Format::jsonl) {
    auto reader = std::make_unique<JsonLinesReader>();
    if (!reader->open(path, problem)) return nullptr;
    return reader;
  }
  const char own = options.format == Format::tsv ? '\t' : ',';
  auto reader = std::make_unique<DelimitedReader>(options.delimiter != '\0' ? options.delimiter : own);
  if (!reader->open(path, options.columns, problem)) return nullptr;
  return reader;
}

}  // namespace replay
