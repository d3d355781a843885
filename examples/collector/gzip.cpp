#include "gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <climits>
#include <stdexcept>

namespace collector {
namespace {

// 15 bits of window and +16: a gzip wrapper and nothing else (zlib's own wrapper is refused).
constexpr int kGzipWindow = 15 + 16;

struct InflateStream {
  z_stream z{};
  InflateStream() {
    if (inflateInit2(&z, kGzipWindow) != Z_OK) throw std::runtime_error("zlib has no memory to inflate with");
  }
  ~InflateStream() { inflateEnd(&z); }
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;
};

struct DeflateStream {
  z_stream z{};
  explicit DeflateStream(int level) {
    // memLevel 8 and the default strategy are zlib's own defaults; nothing here is short of memory.
    if (deflateInit2(&z, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::runtime_error("zlib has no memory to deflate with");
    }
  }
  ~DeflateStream() { deflateEnd(&z); }
  DeflateStream(const DeflateStream&) = delete;
  DeflateStream& operator=(const DeflateStream&) = delete;
};

Bytef* input_of(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

Inflated inflate_one_member(std::string_view gzip, std::size_t limit_bytes) {
  Inflated result;
  if (gzip.size() > UINT_MAX) return result;
  InflateStream stream;
  stream.z.next_in = input_of(gzip);
  stream.z.avail_in = static_cast<uInt>(gzip.size());
  // Eight times the input is a usual ratio; one byte above the limit is enough to see that it was passed.
  result.bytes.resize(std::min(limit_bytes + 1, std::max<std::size_t>(gzip.size() * 8, 4096)));
  std::size_t used = 0;
  for (;;) {
    stream.z.next_out = reinterpret_cast<Bytef*>(&result.bytes[used]);
    stream.z.avail_out = static_cast<uInt>(result.bytes.size() - used);
    const int code = inflate(&stream.z, Z_NO_FLUSH);
    used = result.bytes.size() - stream.z.avail_out;
    if (used > limit_bytes) {
      result.outcome = Inflated::Outcome::kTooLarge;
      result.bytes.clear();
      return result;
    }
    if (code == Z_STREAM_END) break;
    if (code != Z_OK || (stream.z.avail_in == 0 && stream.z.avail_out != 0)) {
      result.bytes.clear();
      return result;
    }
    if (stream.z.avail_out == 0) result.bytes.resize(std::min(limit_bytes + 1, result.bytes.size() * 2));
  }
  if (stream.z.avail_in != 0) {
    result.bytes.clear();
    return result;
  }
  result.bytes.resize(used);
  result.outcome = Inflated::Outcome::kWhole;
  return result;
}

std::string deflate_one_member(std::string_view bytes, int level) {
  if (bytes.size() > UINT_MAX / 2) throw std::length_error("a lake file cannot hold 2 GiB");
  DeflateStream stream(level);
  std::string gzip(deflateBound(&stream.z, static_cast<uLong>(bytes.size())), '\0');
  stream.z.next_in = input_of(bytes);
  stream.z.avail_in = static_cast<uInt>(bytes.size());
  stream.z.next_out = reinterpret_cast<Bytef*>(gzip.data());
  stream.z.avail_out = static_cast<uInt>(gzip.size());
  if (deflate(&stream.z, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("zlib did not finish a lake file");
  gzip.resize(gzip.size() - stream.z.avail_out);
  return gzip;
}

}  // namespace collector
