#include "signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#include "text.hpp"

namespace collector {
namespace {

constexpr std::int64_t kClockToleranceSeconds = 300;  // CONTRACT.md, "The signature"
// Far above what anybody signs. Repeated names are looked for by comparing each with each.
constexpr std::size_t kMembersMax = 16;
constexpr std::size_t kListItemsMax = 32;
constexpr std::size_t kParametersMax = 16;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::string_view kMustCover[] = {"@method",          "@authority",   "@path",           "content-digest",
                                           "content-encoding", "content-type", "idempotency-key", "yukha-clock"};

// Structured fields (RFC 9651): dictionaries of inner lists and items, each with parameters. Ours have strings, numbers
// and byte sequences alone; a proxy's signature beside it may have all of them.
struct BareItem {
  enum class Kind { kString, kToken, kInteger, kDecimal, kBytes, kBoolean, kOther };
  Kind kind = Kind::kBoolean;
  std::string text;  // the string's characters, the bytes decoded, the token or the digits
};
using Parameters = std::vector<std::pair<std::string, BareItem>>;
struct Item {
  BareItem value;
  Parameters parameters;
};
struct Member {
  std::string label;
  bool is_list = false;
  std::vector<Item> list;
  Item item;
  Parameters parameters;  // of the list
  std::string_view raw;   // the member's value as it was sent
};

const BareItem* parameter(const Parameters& parameters, std::string_view name, BareItem::Kind kind) {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value.kind == kind ? &value : nullptr;
  }
  return nullptr;
}

class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : text_(text) {}

  // False when the text is not a dictionary. A label given twice is refused: the RFC would keep the last, and which of
  // two signatures counts must not hang on the reader.
  bool dictionary(std::vector<Member>* members) {
    skip_spaces();
    while (!done()) {
      Member member;
      if (!key(&member.label)) return false;
      if (members->size() == kMembersMax) return false;
      for (const Member& earlier : *members) {
        if (earlier.label == member.label) return false;
      }
      const std::size_t begin = at_ + 1;
      if (take('=')) {
        if (peek() == '(') {
          member.is_list = true;
          if (!inner_list(&member.list) || !parameters(&member.parameters)) return false;
        } else if (!item(&member.item)) {
          return false;
        }
        member.raw = text_.substr(begin, at_ - begin);
      } else if (!parameters(&member.item.parameters)) {
        return false;
      }
      members->push_back(std::move(member));
      skip_spaces();
      if (done()) return true;
      if (!take(',')) return false;
      skip_spaces();
      if (done()) return false;
    }
    return true;
  }

  bool item(Item* found) { return bare_item(&found->value) && parameters(&found->parameters); }

  bool done() const { return at_ == text_.size(); }

 private:
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }

  static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

  bool key(std::string* name) {
    if (!is_lower(peek()) && peek() != '*') return false;
    while (is_lower(peek()) || is_digit(peek()) || (peek() != '\0' && std::string_view("_-.*").find(peek()) != npos)) {
      name->push_back(text_[at_++]);
    }
    return name->size() <= kNameBytesMax;
  }

  bool inner_list(std::vector<Item>* items) {
    if (!take('(')) return false;
    for (;;) {
      while (take(' ')) {
      }
      if (take(')')) return true;
      Item next;
      if (items->size() == kListItemsMax || !item(&next)) return false;
      items->push_back(std::move(next));
      if (peek() != ' ' && peek() != ')') return false;
    }
  }

  bool parameters(Parameters* found) {
    while (take(';')) {
      while (take(' ')) {
      }
      std::string name;
      if (found->size() == kParametersMax || !key(&name)) return false;
      for (const auto& earlier : *found) {
        if (earlier.first == name) return false;
      }
      BareItem value;
      if (!take('=')) {
        value.text = "1";  // a bare name is the boolean true
      } else if (!bare_item(&value)) {
        return false;
      }
      found->emplace_back(std::move(name), std::move(value));
    }
    return true;
  }

  bool bare_item(BareItem* found) {
    const char c = peek();
    if (c == '"') return quoted(found);
    if (c == ':') return bytes(found);
    if (c == '?') return boolean(found);
    if (c == '-' || is_digit(c)) return number(found);
    if (is_alpha(c) || c == '*') return token(found);
    return other(found);
  }

  // A date, @1659578233, or a display string, %"f%c3%bc": nobody here asks what they say.
  bool other(BareItem* found) {
    const bool good = take('@') ? number(found) && found->kind == BareItem::Kind::kInteger
                                : take('%') && peek() == '"' && quoted(found);
    found->kind = BareItem::Kind::kOther;
    return good;
  }

  bool quoted(BareItem* found) {
    found->kind = BareItem::Kind::kString;
    take('"');
    while (!done()) {
      char c = text_[at_++];
      if (c == '"') return true;
      if (c == '\\') {
        if (peek() != '"' && peek() != '\\') return false;
        c = text_[at_++];
      } else if (c < 0x20 || c > 0x7e) {
        return false;
      }
      found->text.push_back(c);
    }
    return false;
  }

  bool bytes(BareItem* found) {
    found->kind = BareItem::Kind::kBytes;
    take(':');
    const std::size_t close = text_.find(':', at_);
    if (close == npos) return false;
    const auto decoded = base64_decoded(text_.substr(at_, close - at_));
    if (!decoded) return false;
    found->text = *decoded;
    at_ = close + 1;
    return true;
  }

  bool boolean(BareItem* found) {
    found->kind = BareItem::Kind::kBoolean;
    take('?');
    if (peek() != '0' && peek() != '1') return false;
    found->text.assign(1, text_[at_++]);
    return true;
  }

  // The RFC's limits: 15 digits, which also fit 64 bits; of a decimal 12 and 3.
  bool number(BareItem* found) {
    found->kind = BareItem::Kind::kInteger;
    if (take('-')) found->text.push_back('-');
    const std::size_t whole = digits(found);
    if (!take('.')) return whole >= 1 && whole <= 15;
    // A proxy's signature may have one. None of ours does.
    found->kind = BareItem::Kind::kDecimal;
    found->text.push_back('.');
    const std::size_t fraction = digits(found);
    return whole >= 1 && whole <= 12 && fraction >= 1 && fraction <= 3;
  }

  std::size_t digits(BareItem* found) {
    const std::size_t begin = at_;
    while (is_digit(peek())) found->text.push_back(text_[at_++]);
    return at_ - begin;
  }

  bool token(BareItem* found) {
    found->kind = BareItem::Kind::kToken;
    while (is_alpha(peek()) || is_digit(peek()) ||
           (peek() != '\0' && std::string_view(":/!#$%&'*+-.^_`|~").find(peek()) != npos)) {
      found->text.push_back(text_[at_++]);
    }
    return true;
  }

  static constexpr std::size_t npos = std::string_view::npos;
  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<std::string> component_value(const std::string& name, const HttpRequest& request, const PublicUrl& url) {
  if (!name.empty() && name[0] == '@') {
    if (name == "@method") return request.method;
    if (name == "@authority") return url.authority;
    if (name == "@path") return url.path;
    if (name == "@scheme") return url.scheme;
    if (name == "@target-uri") return url.scheme + "://" + url.authority + url.path;
    if (name == "@request-target") return url.path;
    if (name == "@query") return std::string("?");
    return std::nullopt;
  }
  if (lower_ascii(name) != name) return std::nullopt;
  bool found = false;
  std::string value = request.field(name, &found);
  if (!found) return std::nullopt;
  return value;
}

std::optional<std::string> signature_base(const Member& input, const HttpRequest& request, const PublicUrl& url) {
  std::string base;
  for (const Item& component : input.list) {
    const auto value = component_value(component.value.text, request, url);
    if (!value) return std::nullopt;
    base += '"' + component.value.text + "\": " + *value + '\n';
  }
  base += "\"@signature-params\": ";
  base += input.raw;
  return base;
}

bool hmac_matches(const std::string& secret, const std::string& base, const std::string& signature) {
  unsigned char expected[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(base.data()), base.size(), expected, &length) == nullptr) {
    throw std::runtime_error("OpenSSL could not compute an HMAC");
  }
  return signature.size() == length && CRYPTO_memcmp(expected, signature.data(), length) == 0;
}

bool covers_what_it_must(const Member& input) {
  for (std::size_t i = 0; i < input.list.size(); ++i) {
    const Item& component = input.list[i];
    if (component.value.kind != BareItem::Kind::kString) return false;
    // Components with parameters (;sf, ;bs, ;req) are signed over something else than the plain value.
    if (!component.parameters.empty()) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (input.list[j].value.text == component.value.text) return false;
    }
  }
  return std::all_of(std::begin(kMustCover), std::end(kMustCover), [&](std::string_view name) {
    return std::any_of(input.list.begin(), input.list.end(),
                       [&](const Item& component) { return component.value.text == name; });
  });
}

bool digest_matches(const HttpRequest& request, const Sha256& body_digest) {
  std::vector<Member> digests;
  if (!FieldReader(request.field("content-digest")).dictionary(&digests)) return false;
  for (const Member& digest : digests) {
    if (digest.label != "sha-256" || digest.is_list || digest.item.value.kind != BareItem::Kind::kBytes) continue;
    const std::string& bytes = digest.item.value.text;
    return bytes.size() == body_digest.size() &&
           CRYPTO_memcmp(bytes.data(), body_digest.data(), body_digest.size()) == 0;
  }
  return false;
}

// False for an `expires` that is no time. The contract's clients write none; whoever does asks us to heed it.
bool read_expiry(const Member& input, std::int64_t* expires_seconds) {
  *expires_seconds = INT64_MAX;
  const bool is_given = std::any_of(input.parameters.begin(), input.parameters.end(),
                                    [](const auto& one) { return one.first == "expires"; });
  if (!is_given) return true;
  const BareItem* expires = parameter(input.parameters, "expires", BareItem::Kind::kInteger);
  if (expires == nullptr) return false;
  *expires_seconds = whole_number(expires->text).value_or(0);
  return true;
}

// The one signature with our tag, whatever its label: a proxy may have added another beside it.
const Member* ours_among(const std::vector<Member>& inputs) {
  const Member* ours = nullptr;
  for (const Member& input : inputs) {
    if (!input.is_list) continue;
    const BareItem* tag = parameter(input.parameters, "tag", BareItem::Kind::kString);
    if (tag == nullptr || tag->text != "yukha-v1") continue;
    if (ours != nullptr) return nullptr;
    ours = &input;
  }
  return ours;
}

}  // namespace

std::string HttpRequest::field(std::string_view name, bool* found) const {
  std::string joined;
  bool any = false;
  for (const auto& [key, value] : fields) {
    if (key != name) continue;
    if (any) joined += ", ";
    joined += value;
    any = true;
  }
  if (found != nullptr) *found = any;
  return joined;
}

std::optional<PublicUrl> PublicUrl::parsed(std::string_view url) {
  PublicUrl parts;
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  parts.scheme = lower_ascii(url.substr(0, scheme_end));
  if (parts.scheme != "http" && parts.scheme != "https") return std::nullopt;
  url.remove_prefix(scheme_end + 3);
  const std::size_t authority_end = url.find_first_of("/?#");
  parts.authority = lower_ascii(url.substr(0, authority_end));
  // A query or a fragment would never be signed; a user name has no place in an endpoint.
  if (url.find_first_of("?# ") != std::string_view::npos) return std::nullopt;
  if (parts.authority.empty() || parts.authority.find('@') != std::string::npos) return std::nullopt;
  const std::string default_port = parts.scheme == "https" ? ":443" : ":80";
  if (parts.authority.size() > default_port.size() &&
      parts.authority.compare(parts.authority.size() - default_port.size(), default_port.size(), default_port) == 0) {
    parts.authority.resize(parts.authority.size() - default_port.size());
  }
  parts.path = authority_end == std::string_view::npos ? "/v1/events" : std::string(url.substr(authority_end));
  return parts;
}

Sha256 sha256_of(std::string_view bytes) {
  Sha256 digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL could not compute a SHA-256");
  }
  return digest;
}

std::uint64_t fingerprint_of(std::string_view line) {
  const Sha256 digest = sha256_of(line);
  std::uint64_t print = 0;
  for (std::size_t i = 0; i < sizeof print; ++i) print = print << 8 | digest[i];
  return print;
}

SignatureVerifier::SignatureVerifier(std::map<std::string, std::string> secrets_by_keyid,
                                     std::vector<PublicUrl> public_urls)
    : secrets_by_keyid_(std::move(secrets_by_keyid)), public_urls_(std::move(public_urls)) {}

SignatureVerdict SignatureVerifier::judge(const HttpRequest& request, const Sha256& body_digest,
                                          std::int64_t now_unix_ms) const {
  const std::string input_field = request.field("signature-input");
  const std::string signature_field = request.field("signature");
  std::vector<Member> inputs;
  std::vector<Member> signatures;
  if (!FieldReader(input_field).dictionary(&inputs) || !FieldReader(signature_field).dictionary(&signatures)) {
    return SignatureVerdict::kSignature;
  }
  const Member* input = ours_among(inputs);
  if (input == nullptr) return SignatureVerdict::kSignature;

  const Member* signature = nullptr;
  for (const Member& candidate : signatures) {
    if (candidate.label == input->label && !candidate.is_list && candidate.item.value.kind == BareItem::Kind::kBytes) {
      signature = &candidate;
    }
  }
  const BareItem* algorithm = parameter(input->parameters, "alg", BareItem::Kind::kString);
  const BareItem* created = parameter(input->parameters, "created", BareItem::Kind::kInteger);
  const BareItem* keyid = parameter(input->parameters, "keyid", BareItem::Kind::kString);
  std::int64_t expires_seconds = 0;
  if (signature == nullptr || !read_expiry(*input, &expires_seconds) || algorithm == nullptr ||
      algorithm->text != "hmac-sha256" || created == nullptr || keyid == nullptr || !covers_what_it_must(*input)) {
    return SignatureVerdict::kSignature;
  }

  const auto secret = secrets_by_keyid_.find(keyid->text);
  if (secret == secrets_by_keyid_.end()) return SignatureVerdict::kKey;

  const bool signed_by_key = std::any_of(public_urls_.begin(), public_urls_.end(), [&](const PublicUrl& url) {
    const auto base = signature_base(*input, request, url);
    return base && hmac_matches(secret->second, *base, signature->item.value.text);
  });
  if (!signed_by_key || !digest_matches(request, body_digest)) return SignatureVerdict::kSignature;

  const std::int64_t now_seconds = now_unix_ms / 1000;
  const std::int64_t created_seconds = whole_number(created->text).value_or(0);
  if (std::llabs(now_seconds - created_seconds) > kClockToleranceSeconds) return SignatureVerdict::kClock;
  if (now_seconds > expires_seconds) return SignatureVerdict::kClock;
  return SignatureVerdict::kGood;
}

std::optional<std::string> structured_string(std::string_view field) {
  FieldReader reader(field);
  Item item;
  if (!reader.item(&item) || !reader.done()) return std::nullopt;
  if (item.value.kind != BareItem::Kind::kString || !item.parameters.empty()) return std::nullopt;
  return item.value.text;
}

std::string clock_offset_in(std::string_view field) {
  FieldReader reader(field);
  Item item;
  if (!reader.item(&item) || !reader.done() || item.value.kind != BareItem::Kind::kInteger) return "";
  const BareItem* offset = parameter(item.parameters, "offset", BareItem::Kind::kInteger);
  if (offset == nullptr) return "";
  // Written again as a plain number, so that "-007" and "-0" do not reach the lake.
  return std::to_string(whole_number(offset->text).value_or(0));
}

}  // namespace collector
