// The bytes of an input, plain or gzip, a piece at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "encoding.hpp"

namespace replay {

// Whether the input is a file: stdin and pipes can be read only once.
bool can_be_read_again(const std::string& path);

// The first `bytes_max` bytes of a file. Answers false and says why in `problem`.
bool read_beginning(const std::string& path, std::size_t bytes_max, std::string& text, std::string& problem);

// Says whether the run is to end. Asked at every piece, because a small gzip file may hold any number of bytes without
// a line end in them, and while a pipe has nothing to read.
using Stop = std::function<bool()>;

// Reads a file or a pipe, plain or gzip by its first bytes; the members of a gzip file are joined. What a pipe has is
// given on at once, so that rows that come one by one are tracked one by one.
class ByteSource {
 public:
  ByteSource();
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // "-" is stdin. Answers false and says why in `problem`.
  bool open(const std::string& path, Stop stop, std::string& problem);

  enum class Next { piece, end, broken, stopped };
  // The next bytes, at least one and at most 256 KiB, valid until the next call. broken: the file cannot be read on, as
  // at the cut end of a gzip file.
  Next next(std::string_view& bytes, std::string& problem);

 private:
  struct Inflater;

  Next fill(std::string& problem);
  Next inflate_on(std::string_view& bytes, std::string& problem);
  Next broken(const char* why, std::string& problem) const;

  int file_ = -1;
  bool is_stream_ = false;
  std::string path_;
  Stop stop_;
  std::unique_ptr<char[]> buffer_;
  std::string_view read_;  // of buffer_, not yet given on
  bool at_beginning_ = true;
  std::unique_ptr<Inflater> inflater_;  // for gzip
};

// The same as UTF-8, without a byte order mark. What is no text is still in it, as bytes that are not UTF-8.
class TextSource {
 public:
  // `encoding`: empty for UTF-8, or UTF-16 where the input begins with its byte order mark.
  bool open(const std::string& path, const std::string& encoding, Stop stop, std::string& problem);

  using Next = ByteSource::Next;
  // The next piece, not empty and valid until the next call.
  Next next(std::string_view& text, std::string& problem);

 private:
  ByteSource bytes_;
  Decoder decoder_;
  std::string text_;
  std::string beginning_;
  bool decodes_ = false;
  bool finds_out_ = false;  // no encoding was named, and nothing was read yet
  bool at_beginning_ = true;
  bool at_end_ = false;
};

}  // namespace replay
