// Rows within JSON: the elements of an array in a document, or of arrays within those.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "json_text.hpp"
#include "records.hpp"

namespace replay {

// The rows of one JSON text, which is read as a whole.
class JsonRows {
 public:
  // `levels` lead from the root to the rows; without any the root is the only row. `json` stays where it is until the
  // last row was taken.
  void begin(const JsonText& json, const std::vector<std::vector<std::string>>& levels, std::uint64_t line,
             std::uint64_t repaired);
  // record, bad or without, as in RecordReader; end when there is none left.
  RecordReader::Next next(Record& row, std::string& problem);
  // In how many of the texts so far there was no row.
  std::uint64_t without_rows() const { return without_rows_; }

 private:
  struct Row {
    const JsonText::Node* node;
    std::vector<const JsonText::Node*> enclosing;
    const JsonText::Node* repeated = nullptr;
    std::string problem = {};  // why it is none; empty when it may be one
    bool is_without = false;
  };
  void collect(const JsonText::Node& node, const std::vector<std::vector<std::string>>& levels, std::size_t level,
               const std::vector<const JsonText::Node*>& enclosing, const JsonText::Node* repeated);

  std::string names_in(const JsonText::Node& node) const;

  const JsonText* json_ = nullptr;
  std::vector<Row> rows_;
  std::size_t at_ = 0;
  std::uint64_t without_rows_ = 0;
  std::uint64_t line_ = 0;
  std::uint64_t repaired_ = 0;
  std::uint64_t lone_surrogates_ = 0;
};

// Reads a document an element of its first array at a time, so that it may be larger than the memory. What stands in it
// outside of that array is passed over; documents may follow each other.
std::unique_ptr<RecordReader> open_document(const std::string& path, const RecordOptions& options,
                                            std::string& problem);

// The first character that is no white space; '\0' when there is none.
bool first_character(const std::string& path, const RecordOptions& options, char& first, std::string& problem);

}  // namespace replay
