#include "system/crypto.hpp"

#if !defined(__APPLE__)

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "system/process_end.hpp"

namespace yukha::system {

void set_up_crypto() noexcept {
  OPENSSL_init_crypto(0, nullptr);
}

Sha256 sha256(std::string_view bytes) noexcept {
  Sha256 digest{};
  const LibraryCall call;
  if (call.allowed()) EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view bytes) noexcept {
  Sha256 code{};
  const LibraryCall call;
  if (!call.allowed()) return code;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
       bytes.size(), code.data(), nullptr);
  return code;
}

void cleanse(void* secret, std::size_t size) noexcept {
  OPENSSL_cleanse(secret, size);
}

}  // namespace yukha::system

#endif
