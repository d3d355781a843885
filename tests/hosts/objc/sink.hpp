// An endpoint on loopback that takes every batch and keeps its lines, so that the test can look at what arrived.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

class Sink {
 public:
  Sink() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 8) != 0) std::abort();
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }

  ~Sink() {
    ::shutdown(socket_, SHUT_RDWR);
    {
      // A tracker keeps its connection for as long as it has its transport.
      const std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
      if (peer_ >= 0) ::shutdown(peer_, SHUT_RDWR);
    }
    thread_.join();
    ::close(socket_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // What arrived since the last call, one sentence an element.
  std::vector<std::string> take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::move(lines_);
  }

 private:
  // One connection at a time: a tracker has one.
  void serve() {
    for (;;) {
      const int peer = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      if (!take_on(peer)) return;
      std::string input;
      while (answer_one(peer, input)) {
      }
      take_on(-1);
      ::close(peer);
    }
  }

  bool take_on(int peer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_ && peer >= 0) ::close(peer);
    peer_ = ended_ ? -1 : peer;
    return !ended_;
  }

  bool answer_one(int peer, std::string& input) {
    size_t head = 0;
    while ((head = input.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(peer, input)) return false;
    }
    head += 4;
    const size_t length_at = input.find("Content-Length: ");
    if (length_at == std::string::npos || length_at > head) return false;
    const size_t length = std::strtoul(input.c_str() + length_at + 16, nullptr, 10);
    while (input.size() < head + length) {
      if (!read_more(peer, input)) return false;
    }
    const size_t count = keep(input.substr(head, length));
    input.erase(0, head + length);
    const std::string body = "{\"accepted\":" + std::to_string(count) + ",\"rejected\":[]}";
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    return ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answer.size());
  }

  static bool read_more(int peer, std::string& input) {
    char bytes[16384];
    const ssize_t size = ::recv(peer, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    input.append(bytes, static_cast<size_t>(size));
    return true;
  }

  size_t keep(const std::string& gzip) {
    std::string text(4 * 1024 * 1024, '\0');  // more than a batch may hold
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) return 0;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));
    stream.avail_in = static_cast<uInt>(gzip.size());
    stream.next_out = reinterpret_cast<Bytef*>(&text[0]);
    stream.avail_out = static_cast<uInt>(text.size());
    const bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END;
    text.resize(stream.total_out);
    inflateEnd(&stream);
    if (!whole) return 0;
    size_t count = 0;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1, ++count) {
      std::string line = text.substr(at, end - at);
      // What the library says of itself was not tracked by the test.
      if (line.find("\"type\":\"yukha_ledger\"") == std::string::npos) lines_.push_back(std::move(line));
    }
    return count;
  }

  const int socket_;
  int port_ = 0;
  std::mutex mutex_;
  int peer_ = -1;
  bool ended_ = false;
  std::vector<std::string> lines_;
  std::thread thread_;
};
