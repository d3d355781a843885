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

// Reads a file, or what comes through stdin, through zlib, which tells gzip from plain bytes by itself and joins the
// members of a gzip file.
class ByteSource {
 public:
  // "-" is stdin. Answers false and says why in `problem`.
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

// Says whether the run is to end. Asked at every piece, because a small gzip file may hold any number of bytes without
// a line end in them.
using Stop = std::function<bool()>;

// The same as UTF-8, without a byte order mark. What is no text is still in it, as bytes that are not UTF-8.
class TextSource {
 public:
  // `encoding`: empty for UTF-8, or UTF-16 where the input begins with its byte order mark.
  bool open(const std::string& path, const std::string& encoding, Stop stop, std::string& problem);

  enum class Next { piece, end, broken, stopped };
  // The next piece, not empty and valid until the next call.
  Next next(std::string_view& text, std::string& problem);

 private:
  ByteSource bytes_;
  Decoder decoder_;
  Stop stop_;
  std::string text_;
  bool decodes_ = false;
  bool finds_out_ = false;  // no encoding was named, and nothing was read yet
  bool at_beginning_ = true;
  bool at_end_ = false;
};

}  // namespace replay
