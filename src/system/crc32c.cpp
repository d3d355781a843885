#include "system/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__) || defined(__i386__)
#include <nmmintrin.h>
#define YUKHA_CRC32C_X86 1
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define YUKHA_CRC32C_ARM 1
#endif

namespace yukha::system {
namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // Castagnoli, bits reversed

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    table[byte] = crc;
  }
  return table;
}

[[maybe_unused]] std::uint32_t by_table(std::uint32_t crc, const unsigned char* bytes, std::size_t size) noexcept {
  static constexpr std::array<std::uint32_t, 256> table = make_table();
  for (; size > 0; --size, ++bytes) crc = table[(crc ^ *bytes) & 0xFF] ^ (crc >> 8);
  return crc;
}

#if defined(YUKHA_CRC32C_X86)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc, const unsigned char* bytes,
                                                               std::size_t size) noexcept {
#if defined(__x86_64__)
  std::uint64_t wide = crc;
  for (; size >= 8; size -= 8, bytes += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
#endif
  for (; size > 0; --size, ++bytes) crc = _mm_crc32_u8(crc, *bytes);
  return crc;
}
#elif defined(YUKHA_CRC32C_ARM)
std::uint32_t by_instruction(std::uint32_t crc, const unsigned char* bytes, std::size_t size) noexcept {
  for (; size >= 8; size -= 8, bytes += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes, 8);
    crc = __crc32cd(crc, word);
  }
  for (; size > 0; --size, ++bytes) crc = __crc32cb(crc, *bytes);
  return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, const void* bytes, std::size_t size) noexcept {
  const auto* data = static_cast<const unsigned char*>(bytes);
#if defined(YUKHA_CRC32C_X86)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  return ~(has_instruction ? by_instruction(~crc, data, size) : by_table(~crc, data, size));
#elif defined(YUKHA_CRC32C_ARM)
  return ~by_instruction(~crc, data, size);
#else
  return ~by_table(~crc, data, size);
#endif
}

}  // namespace yukha::system
