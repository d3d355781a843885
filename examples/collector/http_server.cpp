#include "http_server.hpp"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <thread>

#include "connection.hpp"
#include "text.hpp"

namespace collector {
namespace {

constexpr int kBacklog = 512;  // cpp-httplib asks for 5, and the kernel makes the sixth caller wait a second
// One that was shut to make room holds its thread for a moment yet.
constexpr std::size_t kThreads = kConnectionsMax + 32;

// cpp-httplib's handlers get no word about their connection; the thread that serves it knows.
thread_local Connection* t_connection = nullptr;

// cpp-httplib with our own connection under it.
class Listener : public httplib::Server {
 public:
  Listener(const StopSign& stop, Crowd* crowd, const std::vector<std::string>& event_paths)
      : stop_(stop), crowd_(crowd), event_paths_(event_paths) {
    new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    set_socket_options([](socket_t sock) {
      // The library's own choice is SO_REUSEPORT, with which a second collector would quietly share the port.
      const int yes = 1;
      ::setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_tcp_nodelay(true);
    set_payload_max_length(kCompressedBytesMax);
    set_keep_alive_max_count(1'000'000);
    set_keep_alive_timeout(kIdlePatience.count());
    set_routes();
  }

  void set_endpoint(Endpoint* endpoint, const Gate* gate) {
    endpoint_ = endpoint;
    gate_ = gate;
  }
  void listen_deeper() { ::listen(svr_sock_, kBacklog); }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void set_routes() {
    // Every path goes through one door, because a path of ours is a text and not a pattern.
    Post(".*", [this](const Request&, Response& response, const httplib::ContentReader& reader) {
      take_post(reader, response);
    });
    Get(".*", [this](const Request& request, Response& response) { give(request, response); });
    set_exception_handler([](const Request&, Response& response, std::exception_ptr thrown) {
      try {
        std::rethrow_exception(std::move(thrown));
      } catch (const std::exception& fault) {
        std::fprintf(stderr, "yukha-collector: %s\n", fault.what());
      } catch (...) {
        std::fprintf(stderr, "yukha-collector: something unknown was thrown\n");
      }
      response.status = 500;
      response.set_content("{\"error\":\"internal\"}", "application/json");
    });
    set_expect_100_continue_handler([](const Request&, Response& response) {
      const auto announced = t_connection->announced_body_bytes();
      if (announced && *announced > static_cast<std::int64_t>(kCompressedBytesMax)) {
        response.status = 413;
        response.set_content("{\"error\":\"compressed size\"}", "application/json");
        return 413;
      }
      return 100;
    });
    set_post_routing_handler([](const Request&, Response& response) {
      // A page of another site may name an answer of ours as its script or image.
      response.set_header("X-Content-Type-Options", "nosniff");
      response.set_header("Cross-Origin-Resource-Policy", "same-origin");
      if (!response.has_header("Date")) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        response.set_header("Date", http_date(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
      }
    });
  }

  static void fill(Response* response, const HttpAnswer& answer) {
    response->status = answer.status;
    for (const auto& [name, value] : answer.fields) response->set_header(name, value);
    if (!answer.body.empty()) response->set_content(answer.body, answer.content_type);
    t_connection->is_cut = answer.cut;
    t_connection->crash_after = answer.crash_after;
  }

  bool is_event_path(const std::string& path) const {
    return std::find(event_paths_.begin(), event_paths_.end(), path) != event_paths_.end();
  }

  // Paths are compared as they came: what the library decodes is not what the gate has seen.
  void take_post(const httplib::ContentReader& reader, Response& response) {
    HttpRequest received = t_connection->head;
    const bool is_whole = read_body(&received, reader, response);
    t_connection->begin_serving();
    const std::string path = received.path();
    if (!is_whole) {
      // Half a body: most often the peer is gone, and there is nobody to answer.
      response.status = t_connection->is_too_slow ? 408 : 400;
    } else if (is_event_path(path)) {
      fill(&response, endpoint_->take_events(received));
    } else if (received.body_too_large) {
      response.status = 413;
    } else if (path == "/micro/fault") {
      fill(&response, endpoint_->set_faults(received.body));
    } else if (path == "/micro/clock") {
      fill(&response, endpoint_->set_clock(received.body));
    } else if (path == "/micro/policy") {
      fill(&response, endpoint_->set_policy(received.body));
    } else if (path == "/micro/reset") {
      fill(&response, endpoint_->reset());
    } else {
      response.status = 404;
    }
  }

  // Never more than the bound in memory, chunked or not. False when the body did not come whole.
  static bool read_body(HttpRequest* received, const httplib::ContentReader& reader, Response& response) {
    const auto announced = t_connection->announced_body_bytes();
    if (announced && *announced > static_cast<std::int64_t>(kCompressedBytesMax)) {
      received->body_too_large = true;
      t_connection->must_close = true;
      return true;
    }
    if (announced && *announced == 0) return true;
    const bool is_whole = reader([received](const char* data, std::size_t size) {
      if (received->body.size() + size > kCompressedBytesMax) {
        received->body_too_large = true;
        received->body.clear();
        return false;
      }
      received->body.append(data, size);
      return true;
    });
    response.status = -1;  // the reader wrote its own opinion there
    t_connection->chunks_ended = is_whole;
    if (!is_whole) t_connection->must_close = true;
    return is_whole || received->body_too_large;
  }

  static std::int64_t parameter(const Request& request, const char* name, std::int64_t otherwise, std::int64_t most) {
    const auto number = whole_number(request.get_param_value(name));
    return number && *number >= 0 ? std::min(*number, most) : otherwise;
  }

  void give(const Request& request, Response& response) {
    t_connection->begin_serving();
    const std::string path = t_connection->head.path();
    const std::int64_t limit = parameter(request, "limit", 100, 10'000);
    const std::int64_t offset = parameter(request, "offset", 0, INT64_MAX);
    if (path == "/micro/all") {
      fill(&response, endpoint_->show_all());
    } else if (path == "/micro/good") {
      fill(&response, endpoint_->show_good(limit, offset));
    } else if (path == "/micro/bad") {
      fill(&response, endpoint_->show_bad(limit, offset));
    } else if (path == "/micro/policy") {
      fill(&response, endpoint_->show_policy());
    } else if (is_event_path(path) || path == "/micro/reset" || path == "/micro/fault" || path == "/micro/clock") {
      response.status = 405;
      response.set_header("Allow", "POST");
    } else {
      response.status = 404;
    }
  }

  bool process_and_close_socket(socket_t sock) override {
    const int yes = 1;
    ::setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    try {
      Connection connection(sock, stop_);
      if (crowd_->enter(&connection, peer_of(sock))) {
        t_connection = &connection;
        try {
          serve(connection);
        } catch (...) {
          crowd_->leave(&connection);
          throw;
        }
        crowd_->leave(&connection);
      }
    } catch (const std::exception& fault) {
      // Only memory can run out here; the client sees a connection that ended and comes again.
      std::fprintf(stderr, "yukha-collector: a connection ended: %s\n", fault.what());
    }
    t_connection = nullptr;
    ::shutdown(sock, SHUT_RDWR);
    ::close(sock);
    return true;
  }

  static std::string peer_of(socket_t sock) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    char host[NI_MAXHOST] = "";
    if (::getpeername(sock, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
      ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
    }
    return host;
  }

  void serve(Connection& connection) {
    while (const int status = connection.next_head()) {
      if (status != 200) {
        HttpAnswer answer;
        answer.status = status;
        answer.body = "{\"error\":\"request\"}";
        return connection.refuse(answer);
      }
      if (const auto refusal = gate_->refusal_of(connection.head)) return connection.refuse(*refusal);
      bool connection_closed = false;
      const bool is_served = process_request(connection, false, connection_closed, [](Request& request) {
        // The library was built with zlib and would inflate the body, without a bound and before the digest could be
        // made; and it would take a body of forms apart. It looks at these fields alone, and the endpoint reads the
        // head as it came.
        request.headers.erase("Content-Encoding");
        request.headers.erase("Content-Type");
        // Ranges of an answer to POST are no use to anybody, and the library would cut the answer for them.
        request.ranges.clear();
        // Handlers are found by a regular expression that recurses once a character.
        constexpr std::size_t kPathBytesMax = 512;
        if (request.path.size() > kPathBytesMax) request.path = "/too-long";
      });
      if (connection.is_cut || !connection.flush()) return;
      if (connection.crash_after) std::raise(SIGKILL);
      if (connection.must_close || !connection.body_was_read()) return connection.linger();
      if (!is_served || connection_closed) return;
    }
  }

  Endpoint* endpoint_ = nullptr;
  const Gate* gate_ = nullptr;
  const StopSign& stop_;
  Crowd* const crowd_;
  const std::vector<std::string> event_paths_;
};

}  // namespace

struct HttpServer::Listeners {
  StopSign stop;
  Crowd crowd;
  std::vector<std::unique_ptr<Listener>> all;
  std::vector<std::thread> threads;
  int port = 0;
};

HttpServer::HttpServer(const std::vector<std::string>& addresses, int port, const std::vector<std::string>& event_paths)
    : listeners_(std::make_unique<Listeners>()) {
  Listeners& l = *listeners_;
  l.port = port;
  for (const std::string& address : addresses) {
    auto listener = std::make_unique<Listener>(l.stop, &l.crowd, event_paths);
    if (l.port == 0) {
      l.port = listener->bind_to_any_port(address);
      if (l.port <= 0) throw std::runtime_error("no free port on " + address);
    } else if (!listener->bind_to_port(address, l.port)) {
      // A machine without IPv6 is no reason to fail.
      if (!l.all.empty()) continue;
      throw std::runtime_error("cannot listen on " + address + " port " + std::to_string(l.port) +
                               "; is the address this machine's, or another program using the port?");
    }
    listener->listen_deeper();
    l.all.push_back(std::move(listener));
  }
}

HttpServer::~HttpServer() {
  stop();
}

void HttpServer::stop() {
  Listeners& l = *listeners_;
  l.stop.raise();
  for (const auto& listener : l.all) listener->stop();
  for (std::thread& thread : l.threads) thread.join();
  l.threads.clear();
}

int HttpServer::port() const {
  return listeners_->port;
}

void HttpServer::start(Endpoint* endpoint, const Gate* gate) {
  for (const auto& each : listeners_->all) {
    Listener* listener = each.get();
    listener->set_endpoint(endpoint, gate);
    listeners_->threads.emplace_back([listener] { listener->listen_after_bind(); });
    // stop() before the listener runs would find nothing to stop.
    while (!listener->is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace collector
