// A request and an answer as the endpoint sees them, free of any HTTP library.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace collector {

// Fields in the order they came; names in lower case, values trimmed and otherwise byte for byte, because a signature
// is over those bytes.
using Fields = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string target;  // as in the request line
  Fields fields;
  std::string body;
  bool body_too_large = false;  // it passed the limit; `body` is empty then

  // Several fields of one name are one list (RFC 9110, 5.3). `found` tells an empty field from an absent one.
  std::string field(std::string_view name, bool* found = nullptr) const;
  // As it came: a path with percent signs is none of ours.
  std::string path() const { return target.substr(0, target.find('?')); }
  std::string query() const { return target.substr(std::min(path().size() + 1, target.size())); }
};

struct HttpAnswer {
  int status = 500;
  Fields fields;
  std::string content_type = "application/json";
  std::string body;
  bool cut = false;          // the connection is closed without a byte of this answer
  bool crash_after = false;  // the process kills itself once the answer has left
};

}  // namespace collector
