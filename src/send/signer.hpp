// Signs a request: RFC 9421 with hmac-sha256 over an RFC 9530 digest. What is covered stands in CONTRACT.md, "The
// signature".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yukha/config.hpp>
#include <yukha/http_transport.hpp>
#include <yukha/status.hpp>

#include "send/endpoint.hpp"
#include "system/crypto.hpp"

namespace yukha::send {

// Its secret leaves no trace in memory that is given back.
struct Key {
  Key() = default;
  Key(const Key&) = default;
  Key(Key&&) noexcept = default;
  Key& operator=(Key other) noexcept {
    id.swap(other.id);
    secret.swap(other.secret);
    return *this;
  }
  ~Key() { system::cleanse(secret); }

  std::string id;
  std::string secret;  // decoded; empty: the app signs
};

// bad_key with what is wrong with it; never with the secret. An empty secret is one when `app_signs`.
Status decode_key(const SigningKey& from, bool app_signs, Key& key);
// All of them, or none: bad_config when they are too many.
Status decode_keys(const std::vector<SigningKey>& from, bool app_signs, std::vector<Key>& keys);

// The signature base of RFC 9421 section 2.5: one line a component, then the parameters. Names in lower case.
std::string signature_base(const std::vector<std::pair<std::string, std::string>>& components,
                           std::string_view parameters);

// sha-256=:…: (RFC 9530)
std::string content_digest(std::string_view body);

struct RequestFacts {
  std::string idempotency_key;
  std::string_view body;                  // gzip
  std::int64_t unix_ms = 0;               // the device's own clock
  std::optional<std::int64_t> offset_ms;  // to true time, when known
  std::uint64_t nonce[2] = {0, 0};
};

// The headers of a request; without a key they are unsigned. False when the app could not sign.
bool request_headers(const Endpoint& endpoint, const RequestFacts& facts, const Key* key, const SignFunction& sign,
                     std::vector<HttpHeader>& headers);

}  // namespace yukha::send
