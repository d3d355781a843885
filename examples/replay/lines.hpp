// The lines of an input: numbered, valid UTF-8, of a limited length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"

namespace replay {

struct Line {
  std::string_view text;       // with its '\n', if it has one
  std::uint64_t number = 0;    // from 1
  std::uint64_t bytes = 0;     // how long it is, also when it was too long to be kept
  std::uint64_t repaired = 0;  // sequences of bytes that were no text in the input's encoding, and are U+FFFD now
  bool is_too_long = false;    // `text` is empty then
};

class Lines {
 public:
  // A longer row is no row of any data set we know, and holding one would have no limit.
  static constexpr std::size_t record_bytes_max = std::size_t{16} * 1024 * 1024;

  bool open(const std::string& path, const std::string& encoding, Stop stop, std::string& problem) {
    return source_.open(path, encoding, std::move(stop), problem);
  }

  enum class Next { line, end, broken, stopped };
  // What `line` shows is valid until the next call.
  Next next(Line& line, std::string& problem);

  // A line that is to be read again. What is given back comes in the order of its numbers.
  struct Kept {
    Line line;
    std::string text;
  };
  void give_back(std::vector<Kept> lines);

  std::uint64_t count() const { return count_; }  // how many lines were read, those given back included

 private:
  Next read(Line& line, std::string& problem);

  TextSource source_;
  std::string_view piece_;
  std::string joined_;  // a line that lies across pieces
  std::string repaired_;
  std::deque<Kept> again_;
  Kept current_;  // the one of again_ that is shown
  std::uint64_t count_ = 0;
};

}  // namespace replay
