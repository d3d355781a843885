#if defined(__APPLE__)
#define __STDC_WANT_LIB_EXT1__ 1  // memset_s
#endif
#include "system/crypto.hpp"

#if defined(__APPLE__)

#include <CommonCrypto/CommonDigest.h>
#include <CommonCrypto/CommonHMAC.h>
#include <string.h>

namespace yukha::system {

void set_up_crypto() noexcept {}

Sha256 sha256(std::string_view bytes) noexcept {
  Sha256 digest{};
  CC_SHA256(bytes.data(), static_cast<CC_LONG>(bytes.size()), digest.data());
  return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view bytes) noexcept {
  Sha256 code{};
  CCHmac(kCCHmacAlgSHA256, key.data(), key.size(), bytes.data(), bytes.size(), code.data());
  return code;
}

void cleanse(void* secret, std::size_t size) noexcept {
  static_cast<void>(memset_s(secret, size, 0, size));
}

}  // namespace yukha::system

#endif
