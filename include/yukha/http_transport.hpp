// How requests leave the device. The library brings a transport of its own (libcurl); an app with a network
// stack it must use implements this interface and hands it over in Config::transport.
#ifndef YUKHA_HTTP_TRANSPORT_HPP
#define YUKHA_HTTP_TRANSPORT_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

namespace yukha {

struct HttpHeader {
  std::string name;
  std::string value;
};

// One POST. `body` is borrowed: it stays where it is until the answer was taken or cancel() returned.
struct HttpRequest {
  std::string url;
  std::vector<HttpHeader> headers;
  std::string_view body;
  std::chrono::milliseconds connect_timeout{10'000};  // look-up, connection and TLS together
  std::chrono::milliseconds stall_timeout{30'000};    // without a byte to or from the endpoint
  std::chrono::milliseconds total_timeout{60'000};    // from start() to the last byte of the answer
  std::size_t answer_bytes_max = 1'048'576;           // a longer answer counts as no answer
};

// What came back. status 0: no answer, or only a part of one; `error` says why in the transport's words.
struct HttpAnswer {
  int status = 0;
  std::vector<HttpHeader> headers;  // names in lower case
  std::string body;
  std::string error;
  // With status 0: how much of the request's body had left the device; negative: not known. 0 where there was no
  // connection: a body that may have left, again and again without an answer, is halved, and counts as sent in vain.
  std::int64_t body_bytes_sent = -1;
};

// Threads: all calls but wake() come from one thread at a time: the tracker's worker, or whoever calls into the tracker
// when there is no worker's thread (any more). Nothing here may throw.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  // Begins a request. At most one runs at a time. Returns at once; whatever goes wrong becomes an answer with status 0.
  // Blocks: never.
  virtual void start(const HttpRequest& request) = 0;

  // Waits until the running request has its answer, wake() is called, or `timeout` is over; the first of them ends the
  // wait. A negative timeout means no limit. Without a running request it waits just the same.
  // Returns true when an answer was put into `answer`; the request is over then.
  // Blocks: up to timeout.
  virtual bool poll(std::chrono::milliseconds timeout, HttpAnswer& answer) = 0;

  // Ends a poll() that waits now, or the next one. Threads: any. Blocks: never.
  virtual void wake() = 0;

  // Gives the running request up; no answer comes for it. Without one it does nothing.
  // Blocks: never for longer than a few milliseconds.
  virtual void cancel() = 0;
};

}  // namespace yukha

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif  // YUKHA_HTTP_TRANSPORT_HPP
