#include "gate.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "text.hpp"

namespace collector {
namespace {

// The characters of a method and of a field's name (RFC 9110, 5.6.2).
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string_view trimmed(std::string_view value) {
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return value;
}

bool read_request_line(std::string_view line, HttpRequest* head) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end) return false;
  const std::string_view method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  // No absolute target: there would be two hosts to choose from.
  if (!is_token(method) || target.empty() || target[0] != '/') return false;
  if (std::any_of(target.begin(), target.end(), [](char c) { return c <= ' ' || c > '~'; })) return false;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  head->method = std::string(method);
  head->target = std::string(target);
  return true;
}

// A length said in two ways is how one request is smuggled inside another.
bool has_one_length(const HttpRequest& head) {
  bool has_length = false;
  bool is_chunked = false;
  const std::string length = head.field("content-length", &has_length);
  const std::string transfer = lower_ascii(head.field("transfer-encoding", &is_chunked));
  if (is_chunked && (transfer != "chunked" || has_length)) return false;
  constexpr std::size_t kLengthDigitsMax = 15;
  return !has_length || (!length.empty() && length.size() <= kLengthDigitsMax &&
                         length.find_first_not_of("0123456789") == std::string::npos);
}

HttpAnswer refusal(int status, const char* error) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::string("{\"error\":\"") + error + "\"}";
  return answer;
}

}  // namespace

bool has_forbidden_byte(std::string_view text, char before) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((before == '\r') != (c == '\n')) return true;
    if ((byte < 0x20 && c != '\t' && c != '\r' && c != '\n') || byte == 0x7f) return true;
    before = c;
  }
  return false;
}

bool read_head(std::string_view text, HttpRequest* head) {
  if (text.size() > kHeadBytesMax || has_forbidden_byte(text) || (!text.empty() && text.back() == '\r')) return false;
  std::size_t end = text.find("\r\n");
  const std::string_view request_line = text.substr(0, end);
  if (!read_request_line(request_line, head)) return false;
  while (end != std::string_view::npos) {
    text.remove_prefix(end + 2);
    end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    const std::size_t colon = line.find(':');
    // A space before the colon, or at the beginning (a folded line), is read differently by different readers.
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
    if (head->fields.size() == kHeadFieldsMax) return false;
    head->fields.emplace_back(lower_ascii(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1))));
  }
  const auto hosts =
      std::count_if(head->fields.begin(), head->fields.end(), [](const auto& field) { return field.first == "host"; });
  return hosts == 1 && has_one_length(*head);
}

Gate::Gate(const std::vector<PublicUrl>& own_urls, std::string token) : token_(std::move(token)) {
  for (const PublicUrl& url : own_urls) {
    hosts_.insert(url.authority);
    // Browsers and clients leave the scheme's own port out; some write it.
    const bool has_port = url.authority.find(':', url.authority.find(']') + 1) != std::string::npos;
    if (!has_port) hosts_.insert(url.authority + (url.scheme == "https" ? ":443" : ":80"));
    origins_.insert(url.scheme + "://" + url.authority);
  }
}

std::optional<HttpAnswer> Gate::refusal_of(const HttpRequest& head) const {
  if (hosts_.count(lower_ascii(head.field("host"))) == 0) return refusal(421, "host");

  // What a page of another site sends: a form, a fetch, an image's address. Only browsers write these fields.
  bool found = false;
  const std::string origin = lower_ascii(head.field("origin", &found));
  if (found && origins_.count(origin) == 0) return refusal(403, "origin");
  const std::string site = head.field("sec-fetch-site", &found);
  if (found && site != "same-origin" && site != "none") return refusal(403, "origin");

  const bool is_micro = head.target.compare(0, kMicro.size(), kMicro) == 0;
  // A body whose length nobody tells would be waited for; below /micro/ an empty one may go without. Chunks have more
  // than one reading, and no client sends them.
  static_cast<void>(head.field("transfer-encoding", &found));
  if (found) return refusal(411, "length");
  static_cast<void>(head.field("content-length", &found));
  if (!found && (head.method == "PUT" || head.method == "PATCH" || (head.method == "POST" && !is_micro)))
    return refusal(411, "length");

  // Reading, too: sentences are about people, and every user of the machine reaches a port of loopback.
  if (!is_micro || token_.empty() || has_token(head)) return std::nullopt;
  HttpAnswer answer = refusal(401, "token");
  answer.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"yukha-collector\"");
  return answer;
}

bool Gate::has_token(const HttpRequest& head) const {
  const std::string given = head.field("authorization");
  constexpr std::string_view kScheme = "bearer ";
  if (given.size() != kScheme.size() + token_.size() || lower_ascii(given.substr(0, kScheme.size())) != kScheme) {
    return false;
  }
  return CRYPTO_memcmp(given.data() + kScheme.size(), token_.data(), token_.size()) == 0;
}

}  // namespace collector
