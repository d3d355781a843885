#include "connection.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "gate.hpp"
#include "text.hpp"

namespace collector {
namespace {

std::int64_t ms_of(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

const char* reason_phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Refused";
  }
}

}  // namespace

StopSign::StopSign() {
  if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
}

StopSign::~StopSign() {
  raise();
  ::close(ends_[0]);
}

void StopSign::raise() {
  if (ends_[1] >= 0) ::close(ends_[1]);
  ends_[1] = -1;
}

int Connection::next_head() {
  head = HttpRequest();
  is_cut = crash_after = is_too_slow = false;
  handed_ = 0;
  head_bytes_ = 0;
  input_.erase(0, consumed_);
  input_.shrink_to_fit();  // a connection may rest for long after a large body
  consumed_ = 0;
  begin_waiting(true);
  bool has_begun = !input_.empty();
  auto until = Clock::now() + (has_begun ? kHeadPatience : kIdlePatience);
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = input_.find("\r\n\r\n", searched < 3 ? 0 : searched - 3);
    if (end != std::string::npos) {
      head_bytes_ = end + 4;
      if (head_bytes_ > kHeadBytesMax) return 431;
      if (!read_head(std::string_view(input_).substr(0, end), &head)) return 400;
      body_until_ = Clock::now() + kBodyPatience;
      begin_waiting(false);
      return 200;
    }
    // Who ends lines with a bare LF would wait for an answer until the time is up.
    const char before = searched == 0 ? '\0' : input_[searched - 1];
    if (has_forbidden_byte(std::string_view(input_).substr(searched), before)) return 400;
    searched = input_.size();
    if (searched > kHeadBytesMax) return 431;
    if (!receive(until)) return has_begun && Clock::now() >= until ? 408 : 0;
    if (!has_begun && !input_.empty()) {
      has_begun = true;
      until = Clock::now() + kHeadPatience;
    }
  }
}

std::size_t Connection::announced_body_bytes() const {
  // The gate let digits pass, not too many of them.
  return static_cast<std::size_t>(whole_number(head.field("content-length")).value_or(0));
}

bool Connection::body_was_read() const {
  return handed_ >= head_bytes_ + announced_body_bytes();
}

bool Connection::flush() {
  begin_waiting(false);
  const auto until = Clock::now() + kAnswerPatience;
  std::string_view left = output_;
  while (!left.empty()) {
    const ssize_t sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      if (!wait_for(POLLOUT, until)) return false;
      continue;
    }
    if (sent <= 0) return false;
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  output_.clear();
  output_.shrink_to_fit();
  return true;
}

void Connection::refuse(const HttpAnswer& answer) {
  output_ = "HTTP/1.1 " + std::to_string(answer.status) + ' ' + reason_phrase(answer.status) + "\r\n";
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  output_ += "Date: " + http_date(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) + "\r\n";
  for (const auto& [name, value] : answer.fields) output_ += name + ": " + value + "\r\n";
  output_ += "Content-Type: " + answer.content_type + "\r\nContent-Length: " + std::to_string(answer.body.size()) +
             "\r\nConnection: close\r\n\r\n";
  if (head.method != "HEAD") output_ += answer.body;
  if (flush()) linger();
}

void Connection::linger() {
  begin_waiting(true);
  ::shutdown(socket_, SHUT_WR);
  const auto until = Clock::now() + std::chrono::seconds(2);
  std::size_t dropped = 0;
  constexpr std::size_t kDroppedBytesMax = 64 * 1024 * 1024;
  while (dropped < kDroppedBytesMax) {
    input_.clear();
    if (!receive(std::min(until, Clock::now() + std::chrono::milliseconds(500)))) return;
    dropped += input_.size();
  }
}

bool Connection::is_readable() const {
  return handed_ < input_.size() || wait_for(POLLIN, body_until_);
}

ssize_t Connection::read(char* data, std::size_t size) {
  if (!output_.empty() && !flush()) return -1;  // "100 Continue" must leave before the body can come
  if (handed_ == input_.size()) {
    if (!receive(body_until_)) {
      is_too_slow = Clock::now() >= body_until_;
      return -1;
    }
  }
  const std::size_t count = std::min(size, input_.size() - handed_);
  std::memcpy(data, input_.data() + handed_, count);
  handed_ += count;
  consumed_ = handed_;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* data, std::size_t size) {
  if (is_cut) return -1;
  output_.append(data, size);
  return static_cast<ssize_t>(size);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void Connection::begin_waiting(bool for_a_head) {
  waits_for_a_head_ = for_a_head;
  waits_since_ms_ = ms_of(Clock::now());
}

bool Connection::wait_for(short event, Clock::time_point until) const {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() < 0) return false;
    // A request that is still on its way in when the server stops is not begun: its client will come again. An answer
    // leaves.
    const int stop = event == POLLIN ? stop_.descriptor() : -1;
    std::array<pollfd, 2> waits{{{socket_, event, 0}, {stop, POLLIN, 0}}};
    const int ready = ::poll(waits.data(), waits.size(), static_cast<int>(left.count()) + 1);
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0 && waits[1].revents == 0;
  }
}

bool Connection::receive(Clock::time_point until) {
  for (;;) {
    if (!wait_for(POLLIN, until)) return false;
    char chunk[65536];
    const ssize_t got = ::recv(socket_, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return false;
    input_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }
}

bool Crowd::enter(Connection* connection, const std::string& peer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, std::size_t> counts;
  for (const auto& [other, its_peer] : peers_) ++counts[its_peer];
  if (counts[peer] >= kConnectionsPerPeerMax) {
    if (!make_room({peer})) return false;
  } else if (peers_.size() >= kConnectionsMax) {
    std::size_t most = 0;
    for (const auto& [one, count] : counts) most = std::max(most, count);
    std::set<std::string> largest;
    for (const auto& [one, count] : counts) {
      if (count == most) largest.insert(one);
    }
    if (!make_room(largest)) return false;
  }
  peers_[connection] = peer;
  return true;
}

void Crowd::leave(Connection* connection) {
  const std::lock_guard<std::mutex> lock(mutex_);
  peers_.erase(connection);
  showing_.erase(connection);
}

bool Crowd::begin_showing(Connection* connection) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (showing_.size() >= kShownAtOnceMax) return false;
  showing_.insert(connection);
  return true;
}

void Crowd::end_showing(Connection* connection) {
  const std::lock_guard<std::mutex> lock(mutex_);
  showing_.erase(connection);
}

bool Crowd::make_room(const std::set<std::string>& largest) {
  Connection* longest = nullptr;
  std::pair<bool, std::int64_t> rank_of_longest;
  for (const auto& [connection, its_peer] : peers_) {
    const std::int64_t since = connection->waits_since_ms_;
    if (since == 0 || largest.count(its_peer) == 0) continue;
    const std::pair<bool, std::int64_t> rank{!connection->waits_for_a_head_, since};
    if (longest != nullptr && rank >= rank_of_longest) continue;
    longest = connection;
    rank_of_longest = rank;
  }
  if (longest == nullptr) return false;
  ::shutdown(longest->socket_, SHUT_RDWR);
  peers_.erase(longest);
  return true;
}

}  // namespace collector
