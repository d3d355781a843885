// The transport the library brings: libcurl's multi interface, one connection kept alive.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <yukha/http_transport.hpp>

namespace yukha::send {

// As Config has them, checked.
struct CurlSettings {
  std::string ca_file;
  std::vector<std::string> pins;
  std::string proxy;
  std::string no_proxy;
};

// libcurl wants to be set up once a process, by one thread at a time; it is never torn down, because others in the
// process may use it too. Further calls do nothing.
void set_up_curl();

// nullptr when libcurl cannot be set up.
std::shared_ptr<HttpTransport> make_curl_transport(const CurlSettings& settings);

}  // namespace yukha::send
