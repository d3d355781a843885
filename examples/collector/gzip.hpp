// The only place that knows zlib: one member in, one member out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace collector {

struct Inflated {
  enum class Outcome {
    kWhole,      // exactly one gzip member, its checksum right, nothing behind it
    kTooLarge,   // more than the limit came out; inflating stopped there
    kNotOneGzip  // not gzip, cut short, damaged, or followed by more bytes
  };
  Outcome outcome = Outcome::kNotOneGzip;
  std::string bytes;
};

// Never holds more than `limit_bytes` of output, whatever the input promises.
Inflated inflate_one_member(std::string_view gzip, std::size_t limit_bytes);

// One gzip member without name and time, so the same bytes give the same file. Several members in one file are read
// wrongly, silently, by several readers.
std::string deflate_one_member(std::string_view bytes, int level);

}  // namespace collector
