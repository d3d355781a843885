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
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
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

// Which of many entries are shown.
struct Page {
  static constexpr std::int64_t kLimitMax = 10'000;
  std::int64_t limit = 100;
  std::int64_t offset = 0;
};

// What is wrong with a query, empty when nothing is: who mistypes a number must not be shown others than they asked
// for. Without `page` there must be no parameter.
std::string fault_of_query(std::string_view query, Page* page) {
  std::set<std::string_view> given;
  while (!query.empty()) {
    if (page == nullptr) return "this path takes no parameters";
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    const std::size_t equals = parameter.find('=');
    const std::string_view name = parameter.substr(0, equals);
    if (name != "limit" && name != "offset") return "the parameters here are limit and offset";
    const std::int64_t most = name == "limit" ? Page::kLimitMax : INT64_MAX;
    const auto number = equals == std::string_view::npos ? std::nullopt : whole_number(parameter.substr(equals + 1));
    if (!number || *number < 0 || *number > most) {
      return std::string(name) + " wants a whole number from 0 to " + std::to_string(most);
    }
    if (!given.insert(name).second) return std::string(name) + " stands twice";
    (name == "limit" ? page->limit : page->offset) = *number;
  }
  return "";
}

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
    set_pre_routing_handler([this](const Request&, Response& response) {
      return refuse_method(response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
    });
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
    // The library refuses what it cannot read without a word. A fault that says nothing comes from the endpoint, with
    // its Date, and stays as it is.
    set_error_handler([](const Request&, Response& response) {
      const bool is_ours = response.has_header("Date") || !response.body.empty();
      if (response.status == 400 && !is_ours) refuse(400, "request", response);
    });
    set_expect_100_continue_handler([](const Request&, Response& response) {
      if (t_connection->announced_body_bytes() > kCompressedBytesMax) {
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

  // In words without quotes.
  static void refuse(int status, const std::string& why, Response& response) {
    response.status = status;
    response.set_content("{\"error\":\"" + why + "\"}", "application/json");
  }

  // The methods that a path has, as `Allow` names them; empty where there is no such path.
  std::string methods_of(const std::string& path) const {
    const bool is_command = path == "/micro/fault" || path == "/micro/clock" || path == "/micro/reset";
    if (is_command || is_event_path(path)) return "POST";
    if (path == "/micro/policy") return "GET, HEAD, POST";
    if (path == "/micro/all" || path == "/micro/good" || path == "/micro/bad") return "GET, HEAD";
    return "";
  }

  // Before a body is read: what no path has takes none.
  bool refuse_method(Response& response) const {
    const std::string methods = methods_of(t_connection->head.path());
    if ((", " + methods + ",").find(" " + t_connection->head.method + ",") != std::string::npos) return false;
    response.status = methods.empty() ? 404 : 405;
    if (!methods.empty()) response.set_header("Allow", methods);
    return true;
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
      refuse(413, "the body is above 1 MiB", response);
    } else if (!read_query(nullptr, response)) {
      return;
    } else if (path == "/micro/fault") {
      fill(&response, endpoint_->set_faults(received.body));
    } else if (path == "/micro/clock") {
      fill(&response, endpoint_->set_clock(received.body));
    } else if (path == "/micro/policy") {
      fill(&response, endpoint_->set_policy(received.body));
    } else if (!received.body.empty()) {
      refuse(400, "this path takes no body", response);
    } else {
      fill(&response, endpoint_->reset());
    }
  }

  // Never more than the bound in memory. False when the body did not come whole.
  static bool read_body(HttpRequest* received, const httplib::ContentReader& reader, Response& response) {
    if (t_connection->announced_body_bytes() > kCompressedBytesMax) {
      received->body_too_large = true;
      t_connection->must_close = true;
      return true;
    }
    if (t_connection->announced_body_bytes() == 0) return true;
    const bool is_whole = reader([received](const char* data, std::size_t size) {
      received->body.append(data, size);
      return true;
    });
    response.status = -1;  // the reader wrote its own opinion there
    if (!is_whole) t_connection->must_close = true;
    return is_whole;
  }

  // False, with the answer written, when the query says what it may not; `page` is null where there are no parameters.
  static bool read_query(Page* page, Response& response) {
    const std::string fault = fault_of_query(t_connection->head.query(), page);
    if (!fault.empty()) refuse(400, fault, response);
    return fault.empty();
  }

  void give(const Request&, Response& response) {
    t_connection->begin_serving();
    const std::string path = t_connection->head.path();
    const bool has_pages = path == "/micro/good" || path == "/micro/bad";
    Page page;
    if (!read_query(has_pages ? &page : nullptr, response)) {
      return;
    } else if (has_pages && !crowd_->begin_showing(t_connection)) {
      refuse(503, "others are being shown lines; come again", response);
      response.set_header("Retry-After", "1");
    } else if (path == "/micro/all") {
      fill(&response, endpoint_->show_all());
    } else if (path == "/micro/good") {
      fill(&response, endpoint_->show_good(page.limit, page.offset));
    } else if (path == "/micro/bad") {
      fill(&response, endpoint_->show_bad(page.limit, page.offset));
    } else {
      fill(&response, endpoint_->show_policy());
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

  // An IPv6 peer is its /64: that is what a network is given, and each machine in it has as many addresses as it likes.
  static std::string peer_of(socket_t sock) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getpeername(sock, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
    if (address.ss_family == AF_INET6) {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(address).sin6_addr;
      constexpr std::size_t kNetworkBytes = 8;
      if (!IN6_IS_ADDR_V4MAPPED(&v6)) std::fill(std::begin(v6.s6_addr) + kNetworkBytes, std::end(v6.s6_addr), 0);
    }
    char host[NI_MAXHOST] = "";
    ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
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
      crowd_->end_showing(&connection);
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
