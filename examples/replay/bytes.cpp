#include "bytes.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace replay {

namespace {
constexpr unsigned piece_bytes = 256 * 1024;
constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";

gzFile as_gz(void* file) {
  return static_cast<gzFile>(file);
}
}  // namespace

bool can_be_read_again(const std::string& path) {
  struct stat status {};
  // What is not there is told when it is opened.
  return path != "-" && (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode));
}

void ByteSource::Closer::operator()(void* file) const noexcept {
  gzclose(as_gz(file));
}

bool ByteSource::open(const std::string& path, std::string& problem) {
  path_ = path == "-" ? "stdin" : path;
  errno = 0;
  if (path == "-") {
    const int input = ::dup(STDIN_FILENO);
    file_.reset(input < 0 ? nullptr : gzdopen(input, "rb"));
    if (!file_ && input >= 0) ::close(input);
  } else {
    file_.reset(gzopen(path.c_str(), "rb"));
  }
  if (!file_) {
    problem = path_ + " cannot be opened: " + (errno != 0 ? std::strerror(errno) : "out of memory");
    return false;
  }
  gzbuffer(as_gz(file_.get()), piece_bytes);
  buffer_ = std::make_unique<char[]>(piece_bytes);
  return true;
}

bool ByteSource::next(std::string_view& bytes, std::string& problem) {
  const int count = gzread(as_gz(file_.get()), buffer_.get(), piece_bytes);
  int error = Z_OK;
  const char* text = gzerror(as_gz(file_.get()), &error);
  // A cut gzip file reads as a short piece first, and only the error says that it is not the end.
  if (count < 0 || (count == 0 && error != Z_OK && error != Z_STREAM_END)) {
    problem = path_ + " cannot be read on: " + (error == Z_ERRNO ? std::strerror(errno) : text);
    return false;
  }
  bytes = std::string_view(buffer_.get(), static_cast<std::size_t>(count));
  return true;
}

bool TextSource::open(const std::string& path, const std::string& encoding, Stop stop, std::string& problem) {
  stop_ = std::move(stop);
  decodes_ = !encoding.empty() && encoding != "utf-8" && encoding != "utf8" && encoding != "UTF-8";
  finds_out_ = encoding.empty();
  if (decodes_ && !decoder_.open(encoding, problem)) return false;
  return bytes_.open(path, problem);
}

TextSource::Next TextSource::next(std::string_view& text, std::string& problem) {
  while (!at_end_) {
    if (stop_ && stop_()) return Next::stopped;
    if (!bytes_.next(text, problem)) return Next::broken;
    at_end_ = text.empty();
    if (finds_out_ && (text.substr(0, 2) == "\xFF\xFE" || text.substr(0, 2) == "\xFE\xFF")) {
      if (!decoder_.open("utf-16", problem)) return Next::broken;
      decodes_ = true;
    }
    finds_out_ = false;
    if (decodes_) {
      text_.clear();
      decoder_.decode(text, at_end_, text_);
      text = text_;
    }
    if (at_beginning_ && !text.empty()) {
      at_beginning_ = false;
      if (text.substr(0, utf8_mark.size()) == utf8_mark) text.remove_prefix(utf8_mark.size());
    }
    if (!text.empty()) return Next::piece;
  }
  return Next::end;
}

}  // namespace replay
