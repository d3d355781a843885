#include "send/gzip.hpp"

#include <zlib.h>

namespace yukha::send {
namespace {

constexpr int level = 6;         // 12 % of Deskdrop's JSON where level 1 leaves 15 %; a batch costs a millisecond
constexpr int window_bits = 15;  // 32 KiB, zlib's widest: sentences repeat far apart
constexpr int gzip_head = 16;    // added to the window bits it makes zlib write and read gzip's head and tail
constexpr int memory_level = 8;  // zlib's default: 268 KB while a batch is compressed, nothing in between

}  // namespace

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, window_bits + gzip_head, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string member(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(member.data());
  stream.avail_out = static_cast<uInt>(member.size());
  const int result = deflate(&stream, Z_FINISH);
  member.resize(result == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return member;
}

bool gunzip(std::string_view member, std::size_t bytes_max, std::string& bytes) {
  bytes.clear();
  z_stream stream{};
  if (inflateInit2(&stream, window_bits + gzip_head) != Z_OK) return false;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(member.data()));
  stream.avail_in = static_cast<uInt>(member.size());
  int result = Z_OK;
  while (result == Z_OK && bytes.size() <= bytes_max) {
    const std::size_t had = bytes.size();
    bytes.resize(had + 64 * 1024);
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + had);
    stream.avail_out = 64 * 1024;
    result = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(had + 64 * 1024 - stream.avail_out);
  }
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0 && bytes.size() <= bytes_max;
  inflateEnd(&stream);
  return whole;
}

}  // namespace yukha::send
