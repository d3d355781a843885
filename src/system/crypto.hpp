// SHA-256 and HMAC from the system's library: OpenSSL's libcrypto, or CommonCrypto on Apple.
#pragma once

#include <array>
#include <string_view>

namespace yukha::system {

using Sha256 = std::array<unsigned char, 32>;

// Threads: any. Blocks: never.
Sha256 sha256(std::string_view bytes) noexcept;
Sha256 hmac_sha256(std::string_view key, std::string_view bytes) noexcept;

}  // namespace yukha::system
