#include "send/endpoint.hpp"

#include <algorithm>
#include <cctype>

namespace yukha::send {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return out;
}

bool is_loopback(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  const std::string suffix = ".localhost";  // RFC 6761 section 6.3: these never leave the machine
  if (host.size() > suffix.size() && host.compare(host.size() - suffix.size(), suffix.size(), suffix) == 0) return true;
  if (host.rfind("127.", 0) != 0) return false;
  return std::all_of(host.begin(), host.end(), [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; });
}

Status bad(std::string_view url, const char* why) {
  // A URL may hold a password or a token; only as much of it as names the host is told.
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view told = url.substr(0, std::min<std::size_t>(url.find_first_of("/?#", host), 200));
  const bool tells_too_much = told.empty() || told.find('@') != std::string_view::npos;
  return {Code::bad_endpoint,
          tells_too_much ? "the endpoint: " + std::string(why) : "the endpoint " + std::string(told) + ": " + why};
}

}  // namespace

Status parse_endpoint(std::string_view url, bool allow_plain_http, Endpoint& endpoint) {
  endpoint = {};
  if (url.size() > 2048) return bad(url, "longer than 2,048 characters");
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F || c == '"' || c == '\\') {
      return bad("", "spaces, quotes, control and non-ASCII characters must be percent-encoded");
    }
  }
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return bad(url, "it does not begin with https:// or http://");
  endpoint.scheme = lower(url.substr(0, colon));
  if (endpoint.scheme != "https" && endpoint.scheme != "http") return bad(url, "only https and http are spoken");
  std::string_view rest = url.substr(colon + 3);
  const std::size_t end = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, end);
  std::string_view path = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  if (authority.find('@') != std::string_view::npos) return bad("", "names and passwords in it are not supported");
  if (path.find_first_of("?#") != std::string_view::npos)
    return bad(url, "a query or fragment is not covered by the signature");

  std::string_view host = authority;
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad(url, "the address has no closing bracket");
    host = authority.substr(1, close - 1);
    const std::string_view behind = authority.substr(close + 1);
    if (!behind.empty() && behind.front() != ':') return bad(url, "something stands behind the address");
    port = behind.empty() ? behind : behind.substr(1);
    if (host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos ||
        std::count(host.begin(), host.end(), ':') < 2)
      return bad(url, "the address is not IPv6");
  } else {
    const std::size_t at = authority.find(':');
    host = authority.substr(0, at);
    if (at != std::string_view::npos) port = authority.substr(at + 1);
    for (const char c : host) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.' && c != '_')
        return bad(url, "the host is not a name");
    }
  }
  if (host.empty()) return bad(url, "it names no host");
  int number = 0;
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos)
    return bad(url, "the port is not a number");
  for (const char c : port) number = number * 10 + (c - '0');
  if (number > 65535 || (!port.empty() && number == 0)) return bad(url, "the port is not between 1 and 65535");

  endpoint.host = lower(host);
  const bool bracketed = !authority.empty() && authority.front() == '[';
  endpoint.authority = bracketed ? "[" + endpoint.host + "]" : endpoint.host;
  const int usual = endpoint.scheme == "https" ? 443 : 80;
  if (!port.empty() && number != usual) endpoint.authority += ":" + std::to_string(number);
  endpoint.path = path.empty() ? "/v1/events" : std::string(path);
  endpoint.url = endpoint.scheme + "://" + endpoint.authority + endpoint.path;
  endpoint.loopback = is_loopback(endpoint.host);
  if (endpoint.scheme == "http" && !endpoint.loopback && !allow_plain_http) return {Code::plain_http, endpoint.host};
  return {};
}

bool same_origin_redirect(const Endpoint& from, std::string_view location, Endpoint& to) {
  std::string url(location);
  if (!url.empty() && url[0] == '/' && url.compare(0, 2, "//") != 0) url = from.scheme + "://" + from.authority + url;
  if (!parse_endpoint(url, true, to)) return false;
  return to.scheme == from.scheme && to.authority == from.authority;
}

}  // namespace yukha::send
