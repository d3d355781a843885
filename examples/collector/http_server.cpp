#include "http_server.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <thread>

#include "text.hpp"

namespace collector {
namespace {

constexpr std::size_t kConnectionsMax = 128;                // each holds a thread while it lives
constexpr std::size_t kHeadBytesMax = 32 * 1024;            // cpp-httplib bounds a line, not their number
constexpr std::size_t kBodyBytesReadMax = 2 * 1024 * 1024;  // chunk headers included
constexpr auto kIdlePatience = std::chrono::seconds(75);  // longer than a client's usual 60, so the client closes first
constexpr auto kStallPatience = std::chrono::seconds(15);
constexpr int kBacklog = 512;  // cpp-httplib asks for 5, and the kernel makes the sixth caller wait a second

// Descriptors that say "stop" to every waiting thread at once.
class StopSign {
 public:
  StopSign() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
  }
  ~StopSign() {
    raise();
    ::close(ends_[0]);
  }
  StopSign(const StopSign&) = delete;
  StopSign& operator=(const StopSign&) = delete;
  void raise() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  int descriptor() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

// One connection as cpp-httplib's stream. It keeps the head of each request as it came, because the library decodes
// percent signs in field values and a signature is over the bytes; it bounds what is read; it holds the answer back
// until the request is done, so that an answer can be cut off whole.
class Connection : public httplib::Stream {
 public:
  Connection(socket_t socket, const StopSign& stop) : socket_(socket), stop_(stop) {}

  HttpRequest head;
  bool must_close = false;
  bool is_cut = false;
  bool crash_after = false;

  // Waits for a whole head. False when the peer is gone, says nothing for too long, says too much, or the server stops.
  bool next_head() {
    head = HttpRequest();
    is_cut = crash_after = false;
    handed_ = 0;
    head_bytes_ = 0;
    input_.erase(0, consumed_);
    consumed_ = 0;
    auto patience =
        input_.empty() ? std::chrono::milliseconds(kIdlePatience) : std::chrono::milliseconds(kStallPatience);
    std::size_t searched = 0;
    for (;;) {
      const std::size_t end = input_.find("\r\n\r\n", searched < 3 ? 0 : searched - 3);
      if (end != std::string::npos) {
        head_bytes_ = end + 4;
        return head_bytes_ <= kHeadBytesMax && parse_head(std::string_view(input_).substr(0, end));
      }
      searched = input_.size();
      if (searched > kHeadBytesMax || !receive(patience)) return false;
      patience = kStallPatience;
    }
  }

  // The body's length as announced; nothing for a chunked one.
  std::optional<std::int64_t> announced_body_bytes() const {
    bool found = false;
    if (!head.field("transfer-encoding").empty()) return std::nullopt;
    const std::string length = head.field("content-length", &found);
    if (!found) return 0;
    return whole_number(length).value_or(-1);
  }

  bool body_was_read() const {
    const auto announced = announced_body_bytes();
    if (!announced) return chunks_ended;
    return handed_ >= head_bytes_ + static_cast<std::size_t>(std::max<std::int64_t>(*announced, 0));
  }
  bool chunks_ended = false;

  bool flush() {
    std::string_view left = output_;
    while (!left.empty()) {
      const ssize_t sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;  // SO_SNDTIMEO bounds a peer that does not read
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
    output_.clear();
    return true;
  }

  // Reads and drops what the peer still sends, for a moment: closing over unread bytes resets the connection, and the
  // peer would never see the answer that told it to stop.
  void linger() {
    ::shutdown(socket_, SHUT_WR);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    std::size_t dropped = 0;
    constexpr std::size_t kDroppedBytesMax = 64 * 1024 * 1024;
    while (dropped < kDroppedBytesMax && std::chrono::steady_clock::now() < until) {
      input_.clear();
      if (!receive(std::chrono::milliseconds(500))) return;
      dropped += input_.size();
    }
  }

  bool is_readable() const override { return handed_ < input_.size() || wait_readable(kStallPatience); }
  bool is_writable() const override { return !is_cut; }

  ssize_t read(char* data, std::size_t size) override {
    if (!output_.empty() && !flush()) return -1;  // "100 Continue" must leave before the body can come
    if (handed_ == input_.size()) {
      if (handed_ - head_bytes_ > kBodyBytesReadMax || !receive(kStallPatience)) return -1;
    }
    const std::size_t count = std::min(size, input_.size() - handed_);
    std::memcpy(data, input_.data() + handed_, count);
    handed_ += count;
    consumed_ = handed_;
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* data, std::size_t size) override {
    if (is_cut) return -1;
    output_.append(data, size);
    return static_cast<ssize_t>(size);
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = "loopback";
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip = "loopback";
    port = 0;
  }
  socket_t socket() const override { return socket_; }

 private:
  bool wait_readable(std::chrono::milliseconds patience) const {
    std::array<pollfd, 2> waits{{{socket_, POLLIN, 0}, {stop_.descriptor(), POLLIN, 0}}};
    const int ready = ::poll(waits.data(), waits.size(), static_cast<int>(patience.count()));
    if (ready < 0) return errno == EINTR;
    // A request that is already on its way in when the server stops is not begun: its client will come again.
    return ready > 0 && waits[1].revents == 0;
  }

  bool receive(std::chrono::milliseconds patience) {
    if (!wait_readable(patience)) return false;
    char chunk[65536];
    const ssize_t got = ::recv(socket_, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) return false;
    input_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  bool parse_head(std::string_view text) {
    std::size_t end = text.find("\r\n");
    const std::string_view request_line = text.substr(0, end);
    const std::size_t method_end = request_line.find(' ');
    const std::size_t target_end = request_line.rfind(' ');
    if (method_end == std::string_view::npos || target_end <= method_end) return false;
    head.method = std::string(request_line.substr(0, method_end));
    head.target = std::string(request_line.substr(method_end + 1, target_end - method_end - 1));
    while (end != std::string_view::npos) {
      text.remove_prefix(end + 2);
      end = text.find("\r\n");
      const std::string_view line = text.substr(0, end);
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos || colon == 0 || line.find_first_of(" \t") < colon) {
        head.malformed = true;
        continue;
      }
      std::string_view value = line.substr(colon + 1);
      while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
      while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
      head.fields.emplace_back(lower_ascii(line.substr(0, colon)), std::string(value));
    }
    // A length said in two ways is how one request is smuggled inside another.
    bool has_length = false;
    const std::string length = head.field("content-length", &has_length);
    const std::string transfer = lower_ascii(head.field("transfer-encoding"));
    if (has_length && (!transfer.empty() || length.empty() || length.size() > 15 ||
                       length.find_first_not_of("0123456789") != std::string::npos)) {
      head.malformed = true;
    }
    if (!transfer.empty() && transfer != "chunked") head.malformed = true;
    return true;
  }

  socket_t socket_;
  const StopSign& stop_;
  std::string input_;
  std::string output_;
  std::size_t handed_ = 0;    // bytes of `input_` given to cpp-httplib
  std::size_t consumed_ = 0;  // bytes of `input_` that belong to the request before
  std::size_t head_bytes_ = 0;
};

// cpp-httplib's handlers get no word about their connection; the thread that serves it knows.
thread_local Connection* t_connection = nullptr;

// cpp-httplib with our own connection under it.
class Listener : public httplib::Server {
 public:
  Listener(const StopSign& stop, const std::vector<std::string>& event_paths) : stop_(stop), event_paths_(event_paths) {
    new_task_queue = [] { return new httplib::ThreadPool(kConnectionsMax); };
    set_socket_options([](socket_t sock) {
      // The library's own choice is SO_REUSEPORT, with which a second collector would quietly share the port.
      const int yes = 1;
      ::setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_tcp_nodelay(true);
    set_payload_max_length(kCompressedBytesMax);
    set_write_timeout(std::chrono::seconds(15));
    set_keep_alive_max_count(1'000'000);
    set_keep_alive_timeout(kIdlePatience.count());
    set_routes();
  }

  void set_endpoint(Endpoint* endpoint) { endpoint_ = endpoint; }
  void listen_deeper() { ::listen(svr_sock_, kBacklog); }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void set_routes() {
    // Every path goes through one door, because a path of ours is a text and not a pattern.
    Post(".*", [this](const Request& request, Response& response, const httplib::ContentReader& reader) {
      take_post(request, response, reader);
    });
    Get(".*", [this](const Request& request, Response& response) { give(request, response); });
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

  bool is_event_path(const std::string& target) const {
    const std::string path = target.substr(0, target.find('?'));
    return std::find(event_paths_.begin(), event_paths_.end(), path) != event_paths_.end();
  }

  void take_post(const Request& request, Response& response, const httplib::ContentReader& reader) {
    HttpRequest received = std::move(t_connection->head);
    t_connection->head = HttpRequest();
    t_connection->head.fields = received.fields;
    read_body(&received, reader, response);
    if (is_event_path(received.target)) {
      fill(&response, endpoint_->take_events(received));
    } else if (received.body_too_large || received.malformed) {
      response.status = received.malformed ? 400 : 413;
    } else if (request.path == "/micro/fault") {
      fill(&response, endpoint_->set_faults(received.body));
    } else if (request.path == "/micro/clock") {
      fill(&response, endpoint_->set_clock(received.body));
    } else if (request.path == "/micro/reset") {
      fill(&response, endpoint_->reset());
    } else {
      response.status = 404;
    }
  }

  // Never more than the bound in memory, chunked or not.
  static void read_body(HttpRequest* received, const httplib::ContentReader& reader, Response& response) {
    const auto announced = t_connection->announced_body_bytes();
    if (received->malformed || (announced && *announced > static_cast<std::int64_t>(kCompressedBytesMax))) {
      received->body_too_large = !received->malformed;
      t_connection->must_close = true;
      return;
    }
    if (announced && *announced == 0) return;
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
    if (is_whole) return;
    t_connection->must_close = true;
    // Half a body: the peer is gone, and there is nobody to answer.
    if (!received->body_too_large) received->malformed = true;
  }

  static std::int64_t parameter(const Request& request, const char* name, std::int64_t otherwise, std::int64_t most) {
    const auto number = whole_number(request.get_param_value(name));
    return number && *number >= 0 ? std::min(*number, most) : otherwise;
  }

  void give(const Request& request, Response& response) {
    const std::int64_t limit = parameter(request, "limit", 100, 10'000);
    const std::int64_t offset = parameter(request, "offset", 0, INT64_MAX);
    if (request.path == "/micro/all") {
      fill(&response, endpoint_->show_all());
    } else if (request.path == "/micro/good") {
      fill(&response, endpoint_->show_good(limit, offset));
    } else if (request.path == "/micro/bad") {
      fill(&response, endpoint_->show_bad(limit, offset));
    } else if (request.path == "/micro/reset") {
      fill(&response, endpoint_->reset());
    } else {
      response.status = is_event_path(request.target) ? 405 : 404;
      if (response.status == 405) response.set_header("Allow", "POST");
    }
  }

  bool process_and_close_socket(socket_t sock) override {
    const timeval patience{kStallPatience.count(), 0};
    ::setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const int yes = 1;
    ::setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    try {
      serve(sock);
    } catch (const std::exception& fault) {
      // Only memory can run out here; the client sees a connection that ended and comes again.
      std::fprintf(stderr, "yukha-collector: a connection ended: %s\n", fault.what());
    }
    t_connection = nullptr;
    ::shutdown(sock, SHUT_RDWR);
    ::close(sock);
    return true;
  }

  void serve(socket_t sock) {
    Connection connection(sock, stop_);
    t_connection = &connection;
    while (connection.next_head()) {
      bool connection_closed = false;
      connection.chunks_ended = false;
      const bool is_served = process_request(connection, false, connection_closed, [](Request& request) {
        // The library was built with zlib and would inflate the body, without a bound and before the digest could be
        // made. It looks at this field alone, and the endpoint reads the head as it came.
        request.headers.erase("Content-Encoding");
        // Ranges of an answer to POST are no use to anybody, and the library would cut the answer for them.
        request.ranges.clear();
        // Handlers are found by a regular expression that recurses once a character.
        constexpr std::size_t kPathBytesMax = 512;
        if (request.path.size() > kPathBytesMax) request.path = "/too-long";
      });
      if (connection.is_cut || !connection.flush()) break;
      if (connection.crash_after) std::raise(SIGKILL);
      if (connection.must_close || !connection.body_was_read()) {
        connection.linger();
        break;
      }
      if (!is_served || connection_closed) break;
    }
  }

  Endpoint* endpoint_ = nullptr;
  const StopSign& stop_;
  const std::vector<std::string> event_paths_;
};

}  // namespace

struct HttpServer::Listeners {
  StopSign stop;
  std::unique_ptr<Listener> v4;
  std::unique_ptr<Listener> v6;
  int port = 0;
  std::vector<std::thread> threads;
};

HttpServer::HttpServer(int port, const std::vector<std::string>& event_paths)
    : listeners_(std::make_unique<Listeners>()) {
  Listeners& l = *listeners_;
  l.v4 = std::make_unique<Listener>(l.stop, event_paths);
  l.v6 = std::make_unique<Listener>(l.stop, event_paths);
  if (port == 0) {
    l.port = l.v4->bind_to_any_port("127.0.0.1");
    if (l.port <= 0) throw std::runtime_error("no free port on 127.0.0.1");
  } else {
    if (!l.v4->bind_to_port("127.0.0.1", port)) {
      throw std::runtime_error("cannot listen on 127.0.0.1:" + std::to_string(port) +
                               "; is another program using the port?");
    }
    l.port = port;
  }
  l.v4->listen_deeper();
  // A machine without IPv6 is no reason to fail.
  if (l.v6->bind_to_port("::1", l.port)) {
    l.v6->listen_deeper();
  } else {
    l.v6.reset();
  }
}

HttpServer::~HttpServer() {
  stop();
}

void HttpServer::stop() {
  Listeners& l = *listeners_;
  l.stop.raise();
  if (l.v4) l.v4->stop();
  if (l.v6) l.v6->stop();
  for (std::thread& thread : l.threads) thread.join();
  l.threads.clear();
}

int HttpServer::port() const {
  return listeners_->port;
}

void HttpServer::start(Endpoint* endpoint) {
  for (Listener* listener : {listeners_->v4.get(), listeners_->v6.get()}) {
    if (listener == nullptr) continue;
    listener->set_endpoint(endpoint);
    listeners_->threads.emplace_back([listener] { listener->listen_after_bind(); });
    // stop() before the listener runs would find nothing to stop.
    while (!listener->is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace collector
