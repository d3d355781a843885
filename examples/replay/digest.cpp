#include "digest.hpp"

#ifdef __APPLE__
#include <CommonCrypto/CommonDigest.h>
#else
#include <openssl/evp.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace replay {

namespace {

#ifdef __APPLE__
class Sha256 {
 public:
  Sha256() { CC_SHA256_Init(&context_); }
  void add(const void* bytes, std::size_t size) { CC_SHA256_Update(&context_, bytes, static_cast<CC_LONG>(size)); }
  void finish(unsigned char* digest) { CC_SHA256_Final(digest, &context_); }

 private:
  CC_SHA256_CTX context_;
};
#else
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(const void* bytes, std::size_t size) { EVP_DigestUpdate(context_.get(), bytes, size); }
  void finish(unsigned char* digest) { EVP_DigestFinal_ex(context_.get(), digest, nullptr); }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};
#endif

std::string hex_of(Sha256& hash) {
  unsigned char digest[32];
  hash.finish(digest);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex.push_back("0123456789abcdef"[byte >> 4]);
    hex.push_back("0123456789abcdef"[byte & 15]);
  }
  return hex;
}

}  // namespace

std::string sha256_of_text(std::string_view text) {
  Sha256 hash;
  hash.add(text.data(), text.size());
  return hex_of(hash);
}

bool sha256_of_files(const std::vector<std::string>& paths, const std::function<bool()>& stop, std::string& hex,
                     std::string& problem) {
  problem.clear();
  hex.clear();
  std::vector<char> buffer(256 * 1024);
  for (const std::string& path : paths) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) {
      problem = path + " cannot be opened: " + std::strerror(errno);
      return false;
    }
    Sha256 hash;
    std::size_t count = 0;
    while ((count = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
      hash.add(buffer.data(), count);
      if (stop && stop()) return false;
    }
    if (std::ferror(file.get()) != 0) {
      problem = path + " cannot be read: " + std::strerror(errno);
      return false;
    }
    hex += hex_of(hash);
  }
  if (paths.size() > 1) hex = sha256_of_text(hex);
  return true;
}

}  // namespace replay
