// The bytes of a file, plain or gzip, a piece at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace replay {

// Reads a file through zlib, which tells gzip from plain bytes by itself and joins the members of a gzip file.
class ByteSource {
 public:
  // Answers false and says why in `problem`.
  bool open(const std::string& path, std::string& problem);
  // The next bytes, at most 256 KiB, valid until the next call; empty at the end. Answers false when the file cannot be
  // read on, as at the cut end of a gzip file.
  bool next(std::string_view& bytes, std::string& problem);

 private:
  struct Closer {
    void operator()(void* file) const noexcept;
  };
  std::unique_ptr<void, Closer> file_;
  std::unique_ptr<char[]> buffer_;
  std::string path_;
};

// Lines and characters out of a ByteSource, without a copy where a line lies within one piece.
class LineSource {
 public:
  // A longer row is no row of any data set we know, and holding one would have no limit.
  static constexpr std::size_t record_bytes_max = std::size_t{16} * 1024 * 1024;

  bool open(const std::string& path, std::string& problem) { return bytes_.open(path, problem); }

  enum class Next { line, too_long, end, broken };
  // The next line with its '\n', if it has one; valid until the next call. What is too long was passed over.
  Next next(std::string_view& line, std::string& problem);

 private:
  bool more(std::string& problem);

  ByteSource bytes_;
  std::string_view piece_;
  std::string joined_;  // a line that lies across pieces
  bool at_end_ = false;
};

}  // namespace replay
