// One gzip member out, one gzip member in.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace yukha::send {

// RFC 1952, one member, no name and no time in its head: the same bytes in give the same bytes out.
// An empty result means that there was no memory.
std::string gzip(std::string_view bytes);

// False when it is not one whole member or holds more than `bytes_max`.
bool gunzip(std::string_view member, std::size_t bytes_max, std::string& bytes);

}  // namespace yukha::send
