// The rows of an input: CSV, TSV and JSON lines, plain or gzip.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
#include "json_text.hpp"

namespace replay {

enum class Format { unknown, csv, tsv, jsonl };

// By the name's end, `.gz` left aside; unknown when it tells nothing.
Format format_of(std::string_view path);
// "csv", "tsv", "jsonl"; unknown for any other word.
Format format_named(std::string_view word);

// One row. What it shows is valid until the next one is read.
struct Record {
  std::uint64_t line = 0;                // where it begins, from 1
  std::vector<std::string_view> fields;  // CSV and TSV, unquoted
  JsonText json;                         // JSON lines: always an object
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;

  // record: `row` holds it. bad: a row was there, and `problem` says why it cannot be read; the next call goes on after
  // it. broken: the input itself cannot be read any further.
  enum class Next { record, bad, end, broken };
  virtual Next next(Record& row, std::string& problem) = 0;

  // The names of the columns; null where every row names its own (JSON lines).
  virtual const std::vector<std::string>* columns() const = 0;
};

struct RecordOptions {
  Format format = Format::unknown;
  char delimiter = '\0';             // '\0': the format's own
  std::vector<std::string> columns;  // not empty: the input has no header line, and these are its columns
};

// Opens the input and reads its header. Null when that fails; `problem` says why.
std::unique_ptr<RecordReader> open_records(const std::string& path, const RecordOptions& options, std::string& problem);

}  // namespace replay
