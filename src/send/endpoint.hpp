// The endpoint's URL, taken apart as signing needs it.
#pragma once

#include <string>
#include <string_view>

#include <yukha/status.hpp>

namespace yukha::send {

struct Endpoint {
  std::string url;        // as it is requested
  std::string scheme;     // http or https
  std::string authority;  // host in lower case, and the port when it is not the scheme's own: RFC 9421's @authority
  std::string host;       // without brackets
  std::string path;       // RFC 9421's @path
  bool loopback = false;
};

// bad_endpoint when it is not http(s)://host[:port][/path], plain_http when that is not allowed there.
// An empty path becomes /v1/events.
Status parse_endpoint(std::string_view url, bool allow_plain_http, Endpoint& endpoint);

// Where a redirect leads: an absolute URL or a path on the same origin. False for anything else.
bool same_origin_redirect(const Endpoint& from, std::string_view location, Endpoint& to);

}  // namespace yukha::send
