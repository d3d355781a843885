// One connection as cpp-httplib's stream, and the crowd of all of them, in which nobody's waiting keeps others out.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "http_message.hpp"

namespace collector {

constexpr std::size_t kConnectionsMax = 128;  // each holds a thread while it lives
constexpr std::size_t kConnectionsPerPeerMax = 64;
constexpr std::size_t kShownAtOnceMax = 2;
constexpr auto kIdlePatience = std::chrono::seconds(75);  // longer than a client's usual 60, so the client closes first
// For the whole of each, so that a byte now and then is not enough.
constexpr auto kHeadPatience = std::chrono::seconds(10);
constexpr auto kBodyPatience = std::chrono::seconds(30);
constexpr auto kAnswerPatience = std::chrono::seconds(30);

// Descriptors that say "stop" to every waiting thread at once.
class StopSign {
 public:
  StopSign();
  ~StopSign();
  StopSign(const StopSign&) = delete;
  StopSign& operator=(const StopSign&) = delete;
  void raise();
  int descriptor() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

// It keeps the head of each request as it came, because the library decodes percent signs in field values and a
// signature is over the bytes; it bounds what is read, in bytes and in time; it holds the answer back until the request
// is done, so that an answer can be cut off whole.
// Threads: one, but for what the crowd asks. Blocks: as long as the patience above says.
class Connection : public httplib::Stream {
 public:
  Connection(socket_t socket, const StopSign& stop) : socket_(socket), stop_(stop) {}

  HttpRequest head;
  bool must_close = false;
  bool is_cut = false;
  bool crash_after = false;
  bool is_too_slow = false;  // the body did not come in time

  // Waits for a whole head. 200 when it has come; 0 when the peer is gone, said nothing, or the server stops; else the
  // status to refuse it with.
  int next_head();
  // The body's length as announced, 0 where none is.
  std::size_t announced_body_bytes() const;
  bool body_was_read() const;
  // The request is all here: what takes time from now on is not the peer's doing.
  void begin_serving() { waits_since_ms_ = 0; }

  bool flush();
  // Gives an answer without the library, and no other one behind it.
  void refuse(const HttpAnswer& answer);
  // Reads and drops what the peer still sends, for a moment: closing over unread bytes resets the connection, and the
  // peer would never see the answer that told it to stop.
  void linger();

  bool is_readable() const override;
  bool is_writable() const override { return !is_cut; }
  ssize_t read(char* data, std::size_t size) override;
  ssize_t write(const char* data, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  friend class Crowd;
  using Clock = std::chrono::steady_clock;

  void begin_waiting(bool for_a_head);
  bool wait_for(short event, Clock::time_point until) const;
  bool receive(Clock::time_point until);

  socket_t socket_;
  const StopSign& stop_;
  std::string input_;
  std::string output_;
  std::size_t handed_ = 0;    // bytes of `input_` given to cpp-httplib
  std::size_t consumed_ = 0;  // bytes of `input_` that belong to the request before
  std::size_t head_bytes_ = 0;
  Clock::time_point body_until_;

  // Since when it waits for its peer, 0 while it does not, and whether the peer has a request under way.
  std::atomic<std::int64_t> waits_since_ms_{0};
  std::atomic<bool> waits_for_a_head_{true};
};

// All open connections. Where a peer has too many, or all peers together, one of the peers that have most is shut: the
// one that has waited for its peer longest, first those without a request, then those whose body or answer is under
// way. So slow and idle connections can be as many as somebody likes, and a new one is served all the same.
// Threads: any. Blocks: never.
class Crowd {
 public:
  // False when there is no room because everybody is being served.
  bool enter(Connection* connection, const std::string& peer);
  void leave(Connection* connection);

  // Lines of the lake make large answers, which whoever asked need not read. False when as many as may be are on their
  // way; end_showing() when this one has left. leave() ends it, too.
  bool begin_showing(Connection* connection);
  void end_showing(Connection* connection);

 private:
  bool make_room(const std::set<std::string>& largest);

  std::mutex mutex_;
  std::map<Connection*, std::string> peers_;  // without those that were shut and have not left yet
  std::set<Connection*> showing_;
};

}  // namespace collector
