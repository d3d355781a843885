#include "send/signer.hpp"

#include "system/base64.hpp"

namespace yukha::send {
namespace {

std::string_view bytes_of(const system::Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

Status decode_key(const SigningKey& from, bool app_signs, Key& key) {
  if (from.id.empty() || from.id.size() > 128) return {Code::bad_key, "a key's id must have 1 to 128 characters"};
  for (const char c : from.id) {
    if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') {
      return {Code::bad_key, "a key's id must be printable ASCII without quote and backslash"};
    }
  }
  key.id = from.id;
  system::cleanse(key.secret);
  // At once: what grows leaves copies behind.
  key.secret.reserve(from.secret_base64.size() / 4 * 3);
  if (from.secret_base64.empty() && app_signs) return {};
  if (!system::from_base64(from.secret_base64, key.secret))
    return {Code::bad_key, "the secret of the key " + from.id + " is not base64"};
  if (key.secret.size() < 16 || key.secret.size() > 256) {
    return {Code::bad_key, "the secret of the key " + from.id + " must have 16 to 256 bytes"};
  }
  return {};
}

Status decode_keys(const std::vector<SigningKey>& from, bool app_signs, std::vector<Key>& keys) {
  if (from.size() > 8) return {Code::bad_config, "keys must be 8 at most"};
  std::vector<Key> all(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (Status status = decode_key(from[i], app_signs, all[i]); !status) return status;
  }
  keys = std::move(all);
  return {};
}

std::string signature_base(const std::vector<std::pair<std::string, std::string>>& components,
                           std::string_view parameters) {
  std::string base;
  for (const auto& [name, value] : components) base += "\"" + name + "\": " + value + "\n";
  base += "\"@signature-params\": ";
  base += parameters;
  return base;
}

std::string content_digest(std::string_view body) {
  return "sha-256=:" + system::to_base64(bytes_of(system::sha256(body))) + ":";
}

bool request_headers(const Endpoint& endpoint, const RequestFacts& facts, const Key* key, const SignFunction& sign,
                     std::vector<HttpHeader>& headers) {
  headers.clear();
  std::string clock = std::to_string(facts.unix_ms);
  if (facts.offset_ms) clock += ";offset=" + std::to_string(*facts.offset_ms);
  const std::string digest = content_digest(facts.body);
  const std::string idempotency_key = "\"" + facts.idempotency_key + "\"";
  headers.push_back({"Content-Type", "application/x-ndjson"});
  headers.push_back({"Content-Encoding", "gzip"});
  headers.push_back({"Idempotency-Key", idempotency_key});
  headers.push_back({"Yukha-Clock", clock});
  headers.push_back({"Content-Digest", digest});
  if (key == nullptr) return true;

  const std::vector<std::pair<std::string, std::string>> components = {
      {"@method", "POST"},
      {"@authority", endpoint.authority},
      {"@path", endpoint.path},
      {"content-digest", digest},
      {"content-encoding", "gzip"},
      {"content-type", "application/x-ndjson"},
      {"idempotency-key", idempotency_key},
      {"yukha-clock", clock},
  };
  std::string parameters = "(";
  for (const auto& component : components) {
    if (parameters.size() > 1) parameters += " ";
    parameters += "\"" + component.first + "\"";
  }
  const std::int64_t true_ms = facts.unix_ms + facts.offset_ms.value_or(0);
  const std::string nonce = system::to_base64({reinterpret_cast<const char*>(facts.nonce), sizeof facts.nonce});
  parameters += ");created=" + std::to_string(true_ms / 1000) + ";nonce=\"" + nonce + "\";keyid=\"" + key->id +
                "\";alg=\"hmac-sha256\";tag=\"yukha-v1\"";
  const std::string base = signature_base(components, parameters);
  std::string signature;
  if (!key->secret.empty()) {
    signature = bytes_of(system::hmac_sha256(key->secret, base));
  } else if (!sign || !sign(key->id, base, signature) || signature.size() != std::tuple_size<system::Sha256>::value) {
    return false;
  }
  headers.push_back({"Signature-Input", "yukha=" + parameters});
  headers.push_back({"Signature", "yukha=:" + system::to_base64(signature) + ":"});
  return true;
}

}  // namespace yukha::send
