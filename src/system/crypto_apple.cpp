#include "system/crypto.hpp"

#if defined(__APPLE__)

#include <CommonCrypto/CommonDigest.h>
#include <CommonCrypto/CommonHMAC.h>

namespace yukha::system {

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

}  // namespace yukha::system

#endif
