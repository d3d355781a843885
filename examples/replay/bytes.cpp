#include "bytes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace replay {

namespace {
constexpr unsigned piece_bytes = 256 * 1024;
constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";
constexpr std::string_view gzip_mark = "\x1F\x8B";
}  // namespace

bool can_be_read_again(const std::string& path) {
  struct stat status {};
  // What is not there is told when it is opened.
  return path != "-" && (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode));
}

bool read_beginning(const std::string& path, std::size_t bytes_max, std::string& text, std::string& problem) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) {
    problem = path + " cannot be opened: " + std::strerror(errno);
    return false;
  }
  text.resize(bytes_max);
  text.resize(std::fread(text.data(), 1, bytes_max, file.get()));
  if (std::ferror(file.get()) == 0) return true;
  problem = path + " cannot be read: " + std::strerror(errno);
  return false;
}

struct ByteSource::Inflater {
  Inflater() : is_usable(inflateInit2(&stream, 15 + 16) == Z_OK), out(std::make_unique<char[]>(piece_bytes)) {}
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
  bool is_usable;
  bool in_member = true;
  std::unique_ptr<char[]> out;
};

ByteSource::ByteSource() = default;

ByteSource::~ByteSource() {
  if (file_ >= 0) ::close(file_);
}

bool ByteSource::open(const std::string& path, Stop stop, std::string& problem) {
  path_ = path == "-" ? "stdin" : path;
  stop_ = std::move(stop);
  is_stream_ = !can_be_read_again(path);
  // Without O_NONBLOCK a named pipe is waited for until somebody writes to it, deadline or not.
  file_ = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                      : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (is_stream_ ? O_NONBLOCK : 0));
  if (file_ < 0) {
    problem = path_ + " cannot be opened: " + std::strerror(errno);
    return false;
  }
  buffer_ = std::make_unique<char[]>(piece_bytes);
  return true;
}

ByteSource::Next ByteSource::broken(const char* why, std::string& problem) const {
  problem = path_ + " cannot be read on: " + why;
  return Next::broken;
}

// More bytes behind those of read_, which are fewer than the buffer holds.
ByteSource::Next ByteSource::fill(std::string& problem) {
  constexpr int patience_ms = 50;
  if (!read_.empty()) std::memmove(buffer_.get(), read_.data(), read_.size());
  const std::size_t kept = read_.size();
  for (;;) {
    if (stop_ && stop_()) return Next::stopped;
    pollfd waiting{file_, POLLIN, 0};
    if (is_stream_ && ::poll(&waiting, 1, patience_ms) <= 0) continue;
    const ssize_t count = ::read(file_, buffer_.get() + kept, piece_bytes - kept);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) return broken(std::strerror(errno), problem);
    read_ = std::string_view(buffer_.get(), kept + static_cast<std::size_t>(count));
    return count == 0 ? Next::end : Next::piece;
  }
}

ByteSource::Next ByteSource::next(std::string_view& bytes, std::string& problem) {
  while (at_beginning_ && read_.size() < gzip_mark.size()) {
    const Next filled = fill(problem);
    if (filled == Next::end) break;
    if (filled != Next::piece) return filled;
  }
  if (std::exchange(at_beginning_, false) && read_.substr(0, gzip_mark.size()) == gzip_mark) {
    inflater_ = std::make_unique<Inflater>();
    if (!inflater_->is_usable) return broken("out of memory", problem);
  }
  if (inflater_) return inflate_on(bytes, problem);
  if (read_.empty()) {
    const Next filled = fill(problem);
    if (filled != Next::piece) return filled;
  }
  bytes = std::exchange(read_, std::string_view());
  return Next::piece;
}

ByteSource::Next ByteSource::inflate_on(std::string_view& bytes, std::string& problem) {
  z_stream& stream = inflater_->stream;
  for (;;) {
    if (stop_ && stop_()) return Next::stopped;
    if (read_.size() < (inflater_->in_member ? 1 : gzip_mark.size())) {
      const Next filled = fill(problem);
      if (filled == Next::end && inflater_->in_member) return broken("unexpected end of file", problem);
      if (filled == Next::end && read_.empty()) return Next::end;
      if (filled != Next::piece && filled != Next::end) return filled;
    }
    if (!inflater_->in_member) {
      // Archives pad with zeros. Whatever else is no gzip here was meant to be rows.
      if (read_.front() == '\0') {
        read_.remove_prefix(1);
        continue;
      }
      if (read_.substr(0, gzip_mark.size()) != gzip_mark) return broken("what follows is no gzip", problem);
      inflateReset(&stream);
      inflater_->in_member = true;
    }
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(read_.data()));  // zlib reads it only
    stream.avail_in = static_cast<uInt>(read_.size());
    stream.next_out = reinterpret_cast<Bytef*>(inflater_->out.get());
    stream.avail_out = piece_bytes;
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    read_.remove_prefix(read_.size() - stream.avail_in);
    if (result == Z_STREAM_END) {
      inflater_->in_member = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return broken(stream.msg != nullptr ? stream.msg : "its compressed data is damaged", problem);
    }
    bytes = std::string_view(inflater_->out.get(), piece_bytes - stream.avail_out);
    if (!bytes.empty()) return Next::piece;
  }
}

bool TextSource::open(const std::string& path, const std::string& encoding, Stop stop, std::string& problem) {
  decodes_ = !encoding.empty() && encoding != "utf-8" && encoding != "utf8" && encoding != "UTF-8";
  finds_out_ = encoding.empty();
  if (decodes_ && !decoder_.open(encoding, problem)) return false;
  return bytes_.open(path, std::move(stop), problem);
}

TextSource::Next TextSource::next(std::string_view& text, std::string& problem) {
  while (!at_end_) {
    const Next got = bytes_.next(text, problem);
    if (got == Next::broken || got == Next::stopped) return got;
    at_end_ = got == Next::end;
    if (at_end_) text = {};
    if (at_beginning_) {
      // A pipe may bring half of a byte order mark first.
      beginning_ += text;
      if (beginning_.size() < utf8_mark.size() && !at_end_) continue;
      text = beginning_;
    }
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
    if (std::exchange(at_beginning_, false)) {
      if (text.substr(0, utf8_mark.size()) == utf8_mark) text.remove_prefix(utf8_mark.size());
    }
    if (!text.empty()) return Next::piece;
  }
  return Next::end;
}

}  // namespace replay
