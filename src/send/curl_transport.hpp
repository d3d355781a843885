// The transport the library brings: libcurl's multi interface, one connection kept alive.
#pragma once

#include <memory>

#include <yukha/http_transport.hpp>

namespace yukha::send {

// nullptr when libcurl cannot be set up.
std::shared_ptr<HttpTransport> make_curl_transport();

}  // namespace yukha::send
