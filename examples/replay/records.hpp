// The rows of an input: CSV, TSV, JSON lines, a JSON document, or plain lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
#include "json_text.hpp"

namespace replay {

enum class Format { unknown, csv, tsv, jsonl, json, lines };

// By the name's end, `.gz` left aside; unknown when it tells nothing.
Format format_of(std::string_view path);
// "csv", "tsv", "jsonl", "json", "lines"; unknown for any other word.
Format format_named(std::string_view word);

// One row. What it shows is valid until the next one is read.
struct Record {
  std::uint64_t line = 0;                // where it begins, from 1
  std::uint64_t repaired = 0;            // sequences of bytes that were no text, and are U+FFFD now
  std::uint64_t lone_surrogates = 0;     // in JSON, escapes that are half of a character, and are U+FFFD now
  std::uint64_t inner_rows = 0;          // lines within its quotes that look like rows themselves
  std::vector<std::string_view> fields;  // CSV, TSV and plain lines
  const JsonText* json = nullptr;        // JSON; `node` is an object in it
  const JsonText::Node* node = nullptr;
  std::vector<const JsonText::Node*> enclosing;  // the elements around `node`, the nearest first
  const JsonText::Node* repeated = nullptr;      // a member of it or of those around it that stands more than once
};

// How the lines of the input became rows: lines = header + blank + further + rows + without_rows. Not for a document.
struct LineCounts {
  std::uint64_t lines = 0;
  std::uint64_t header = 0;
  std::uint64_t blank = 0;
  std::uint64_t further = 0;       // of rows that have more than one line, those behind the first
  std::uint64_t without_rows = 0;  // where "rows" says where they are, lines and elements that have none there
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;

  // record: `row` holds it. bad: a row was there, and `problem` says why it cannot be read; the next call goes on after
  // its first line. without: where "rows" leads to should be an array, and `problem` says what is there instead; this
  // is no row. broken: the input itself cannot be read any further. stopped: the run is to end.
  enum class Next { record, bad, without, end, broken, stopped };
  virtual Next next(Record& row, std::string& problem) = 0;

  // The names of the columns; null where every row names its own (JSON).
  virtual const std::vector<std::string>* columns() const = 0;
  virtual LineCounts counts() const = 0;
};

// Where in JSON the rows are: "statuses[]", "data.items[].reviews[]", "[]".
struct RowPath {
  std::vector<std::vector<std::string>> levels;  // for each array, the names that lead to it
};
bool read_row_path(std::string_view text, RowPath& path, std::string& problem);

struct RecordOptions {
  Format format = Format::unknown;
  char delimiter = '\0';             // '\0': the format's own
  std::optional<char> quote;         // missing: `"` for CSV, none for TSV; '\0': none
  std::size_t row_lines_max = 200;   // a row in quotes that has more is one whose quote is not closed
  bool refuses_inner_rows = false;   // such a row is bad, and its lines are read again
  std::vector<std::string> columns;  // not empty: the input has no header line, and these are its columns
  std::string encoding;              // empty: UTF-8, or UTF-16 by its byte order mark
  RowPath rows;
  Stop stop;
};

// Whether the options can be meant together. Where the format is not known yet only what holds for each is looked at.
bool fit_together(const RecordOptions& options, std::string& problem);

// Opens the input ("-": stdin) and reads its header. Null when that fails; `problem` says why.
std::unique_ptr<RecordReader> open_records(const std::string& path, const RecordOptions& options, std::string& problem);

}  // namespace replay
