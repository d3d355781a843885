// SHA-256 and HMAC from the system's library: OpenSSL's libcrypto, or CommonCrypto on Apple.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace yukha::system {

using Sha256 = std::array<unsigned char, 32>;

// What the library registers for the process's end is registered when this returns: it runs after what is registered
// later. Threads: any. Blocks: never.
void set_up_crypto() noexcept;

// All zeros once the process has ended, when the library is no more. Threads: any. Blocks: never.
Sha256 sha256(std::string_view bytes) noexcept;
Sha256 hmac_sha256(std::string_view key, std::string_view bytes) noexcept;

// In lower case.
inline std::string hex(const Sha256& digest) {
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// Overwrites a secret, also where the compiler sees that nobody reads it afterwards.
void cleanse(void* secret, std::size_t size) noexcept;
// The whole of what the text has room for: what it once held longer goes, too.
inline void cleanse(std::string& secret) noexcept {
  secret.resize(secret.capacity());
  cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace yukha::system
