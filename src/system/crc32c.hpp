// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's own instruction where it has one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace yukha::system {

// Goes on from `crc`; begin with 0. crc32c(crc32c(0, a), b) is crc32c(0, a followed by b).
std::uint32_t crc32c(std::uint32_t crc, const void* bytes, std::size_t size) noexcept;

}  // namespace yukha::system
