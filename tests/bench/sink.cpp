#include "sink.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strings.h>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <new>
#include <stdexcept>
#include <vector>

#include "send/gzip.hpp"
#include "send/signer.hpp"
#include "system/base64.hpp"
#include "system/crypto.hpp"

namespace bench {
namespace {

std::string header(const std::string& head, const std::string& name) {
  for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    const std::size_t begin = at + 2;
    if (strncasecmp(head.c_str() + begin, name.c_str(), name.size()) != 0 || head[begin + name.size()] != ':') continue;
    const std::size_t value = head.find_first_not_of(' ', begin + name.size() + 1);
    return head.substr(value, head.find("\r\n", value) - value);
  }
  return {};
}

struct Connection {
  int socket;
  std::string bytes;
};

}  // namespace

Sink::Sink(bool silent) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  shared_ = new (memory) Shared{};
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the sink cannot listen");
  }
  port_ = ntohs(address.sin_port);
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(listener, silent);
    _exit(0);
  }
  close(listener);
}

Sink::~Sink() {
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  munmap(shared_, sizeof(Shared));
}

std::string Sink::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/v1/events";
}

bool Sink::check(const std::string& head, const std::string& body) {
  static const std::string secret = [] {
    std::string bytes;
    yukha::system::from_base64(secret_base64, bytes);
    return bytes;
  }();
  const std::string digest = header(head, "Content-Digest");
  if (digest != yukha::send::content_digest(body)) return false;
  const std::string path = head.substr(5, head.find(' ', 5) - 5);
  const std::vector<std::pair<std::string, std::string>> components = {
      {"@method", "POST"},
      {"@authority", header(head, "Host")},
      {"@path", path},
      {"content-digest", digest},
      {"content-encoding", header(head, "Content-Encoding")},
      {"content-type", header(head, "Content-Type")},
      {"idempotency-key", header(head, "Idempotency-Key")},
      {"yukha-clock", header(head, "Yukha-Clock")},
  };
  const std::string input = header(head, "Signature-Input");
  if (input.compare(0, 6, "yukha=") != 0) return false;
  const yukha::system::Sha256 wanted =
      yukha::system::hmac_sha256(secret, yukha::send::signature_base(components, input.substr(6)));
  const std::string signature =
      "yukha=:" + yukha::system::to_base64({reinterpret_cast<const char*>(wanted.data()), wanted.size()}) + ":";
  return header(head, "Signature") == signature;
}

void Sink::serve(int listener, bool silent) noexcept {
  std::vector<Connection> connections;
  std::string lines;
  while (true) {
    std::vector<pollfd> waiting = {{listener, POLLIN, 0}};
    for (const Connection& one : connections) waiting.push_back({one.socket, POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), -1) < 0) return;
    for (std::size_t i = connections.size(); i-- > 0;) {
      if (waiting[i + 1].revents == 0) continue;
      Connection& one = connections[i];
      char more[128 * 1024];
      const ssize_t got = recv(one.socket, more, sizeof more, 0);
      if (got <= 0) {
        close(one.socket);
        connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      if (silent) continue;
      one.bytes.append(more, static_cast<std::size_t>(got));
      while (true) {
        const std::size_t end = one.bytes.find("\r\n\r\n");
        if (end == std::string::npos) break;
        const std::string head = one.bytes.substr(0, end + 2);
        const auto length = static_cast<std::size_t>(std::atoll(header(head, "Content-Length").c_str()));
        if (one.bytes.size() < end + 4 + length) break;
        const std::string body = one.bytes.substr(end + 4, length);
        one.bytes.erase(0, end + 4 + length);
        const bool good = check(head, body) && yukha::send::gunzip(body, 4'000'000, lines);
        std::string answer;
        if (good) {
          const auto count = static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
          const std::string told = "{\"accepted\":" + std::to_string(count) + ",\"rejected\":[]}";
          answer =
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(told.size()) +
              "\r\n\r\n" + told;
          shared_->lines += count;
          shared_->line_bytes += lines.size();
          shared_->body_bytes += body.size();
        } else {
          answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
          ++shared_->bad;
        }
        ++shared_->requests;
        if (send(one.socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
    if (waiting[0].revents != 0) {
      const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const int on = 1;
      if (socket >= 0) {
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections.push_back({socket, {}});
      }
    }
  }
}

}  // namespace bench
