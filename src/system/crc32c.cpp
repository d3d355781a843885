#include "system/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <nmmintrin.h>
#include <wmmintrin.h>
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
// The compiler's own question brings three kilobytes of knowledge about every processor.
bool processor_has(unsigned feature) noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned features = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &features, &d) != 0 && (features & feature) != 0;
}

#if defined(__x86_64__)
std::uint64_t word_at(const unsigned char* bytes) noexcept {
  std::uint64_t word;
  std::memcpy(&word, bytes, 8);
  return word;
}

// x to that power modulo the polynomial, bits reversed.
constexpr std::uint32_t power_of_x(int exponent) {
  std::uint32_t value = 0x80000000;
  for (; exponent > 0; --exponent) value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
  return value;
}

// The instruction waits three cycles for its own result: three stretches side by side take the time of one. A checksum
// moves over the stretches behind it by a multiplication without carry; the instruction then reduces the product, and
// multiplies it by x^33 itself.
__attribute__((target("sse4.2,pclmul"))) std::uint32_t by_three(std::uint32_t crc, const unsigned char*& bytes,
                                                                std::size_t& size) noexcept {
  constexpr std::size_t stretch = 64;
  constexpr std::uint32_t over_one = power_of_x(8 * stretch - 33);
  constexpr std::uint32_t over_two = power_of_x(8 * 2 * stretch - 33);
  const __m128i over = _mm_set_epi64x(over_one, over_two);
  std::uint64_t a = crc;
  for (; size >= 3 * stretch; size -= 3 * stretch, bytes += 3 * stretch) {
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < stretch; i += 8) {
      a = _mm_crc32_u64(a, word_at(bytes + i));
      b = _mm_crc32_u64(b, word_at(bytes + stretch + i));
      c = _mm_crc32_u64(c, word_at(bytes + 2 * stretch + i));
    }
    const __m128i ab = _mm_set_epi64x(static_cast<long long>(b), static_cast<long long>(a));
    const auto moved_a = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_clmulepi64_si128(ab, over, 0x00)));
    const auto moved_b = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_clmulepi64_si128(ab, over, 0x11)));
    a = _mm_crc32_u64(0, moved_a ^ moved_b) ^ c;
  }
  return static_cast<std::uint32_t>(a);
}
#endif

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc, const unsigned char* bytes,
                                                               std::size_t size) noexcept {
#if defined(__x86_64__)
  static const bool can_multiply = processor_has(bit_PCLMUL);
  if (can_multiply && size >= 192) crc = by_three(crc, bytes, size);
  std::uint64_t wide = crc;
  for (; size >= 8; size -= 8, bytes += 8) wide = _mm_crc32_u64(wide, word_at(bytes));
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
  static const bool has_instruction = processor_has(bit_SSE4_2);
  return ~(has_instruction ? by_instruction(~crc, data, size) : by_table(~crc, data, size));
#elif defined(YUKHA_CRC32C_ARM)
  return ~by_instruction(~crc, data, size);
#else
  return ~by_table(~crc, data, size);
#endif
}

}  // namespace yukha::system
