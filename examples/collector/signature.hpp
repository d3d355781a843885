// Verifies a request's RFC 9421 signature and its RFC 9530 digest: CONTRACT.md, "The signature".
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http_message.hpp"

namespace collector {

// Where clients think the endpoint is; a signature is verified against this, not against what a proxy made of the
// request.
struct PublicUrl {
  std::string scheme;     // http or https
  std::string authority;  // lower case, without the scheme's default port
  std::string path;       // as written; /v1/events when the URL has none

  static std::optional<PublicUrl> parsed(std::string_view url);
};

using Sha256 = std::array<unsigned char, 32>;
Sha256 sha256_of(std::string_view bytes);
// Tells lines apart: the first eight bytes of their SHA-256. A part of a done batch stores no line that the batch had,
// so nobody may be able to make a line that looks like another one.
std::uint64_t fingerprint_of(std::string_view line);

enum class SignatureVerdict {
  kGood,
  kSignature,  // wrong or missing, or it does not cover what it must, or the digest is not the body's
  kKey,        // a keyid nobody configured
  kClock       // right, but made more than 300 s away from our clock, or no longer valid by its own `expires`
};

class SignatureVerifier {
 public:
  SignatureVerifier(std::map<std::string, std::string> secrets_by_keyid, std::vector<PublicUrl> public_urls);

  // Pure: the answer depends on the arguments and on what the verifier was made with.
  // `body_digest` is the SHA-256 of the bytes the digest was made over, the gzip as the client sealed it.
  // Threads: any. Blocks: never.
  SignatureVerdict judge(const HttpRequest& request, const Sha256& body_digest, std::int64_t now_unix_ms) const;

 private:
  std::map<std::string, std::string> secrets_by_keyid_;
  std::vector<PublicUrl> public_urls_;
};

// The value of `Idempotency-Key`: one structured-field string. Nothing when it is anything else.
std::optional<std::string> structured_string(std::string_view field);

// The offset in `Yukha-Clock: <ms>;offset=<ms>`; empty when the client does not know one, or wrote something else.
std::string clock_offset_in(std::string_view field);

}  // namespace collector
