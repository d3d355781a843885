#include "bytes.hpp"

#include <zlib.h>

#include <cerrno>
#include <cstring>

namespace replay {

namespace {
constexpr unsigned piece_bytes = 256 * 1024;

gzFile as_gz(void* file) {
  return static_cast<gzFile>(file);
}
}  // namespace

void ByteSource::Closer::operator()(void* file) const noexcept {
  gzclose(as_gz(file));
}

bool ByteSource::open(const std::string& path, std::string& problem) {
  path_ = path;
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rb"));
  if (!file_) {
    problem = path + " cannot be opened: " + (errno != 0 ? std::strerror(errno) : "out of memory");
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

bool LineSource::more(std::string& problem) {
  if (at_end_) return true;
  if (!bytes_.next(piece_, problem)) return false;
  at_end_ = piece_.empty();
  return true;
}

LineSource::Next LineSource::next(std::string_view& line, std::string& problem) {
  joined_.clear();
  bool too_long = false;
  for (;;) {
    if (piece_.empty()) {
      if (!more(problem)) return Next::broken;
      if (at_end_) break;
    }
    const std::size_t end = piece_.find('\n');
    const std::size_t count = end == std::string_view::npos ? piece_.size() : end + 1;
    const std::string_view part = piece_.substr(0, count);
    piece_.remove_prefix(count);
    if (end != std::string_view::npos && joined_.empty() && !too_long) {
      line = part;
      return Next::line;
    }
    if (too_long || joined_.size() + part.size() > record_bytes_max) {
      too_long = true;
      joined_.clear();
    } else {
      joined_.append(part);
    }
    if (end != std::string_view::npos) break;
  }
  if (too_long) return Next::too_long;
  if (joined_.empty()) return Next::end;
  line = joined_;
  return Next::line;
}

}  // namespace replay
