// The endpoint as the wire contract describes it, at level `exact`, with weather. It holds the truth about what
// arrived.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>
#include <yukha/http_transport.hpp>

#include "virtual_time.hpp"

namespace yukha::simulation {

enum class Weather {
  fine,
  down,        // no connection
  failing,     // 500, 502, 503, 504
  throttling,  // 429 and 408, some with Retry-After
  losing,      // stores, and the answer is lost
  small,       // 413 above a size
  strict,      // bare 400 while a poison sentence is inside
  naming,      // 400 or 422 that names the poison sentences
  rejecting,   // 200 that rejects the poison sentences
  portal,      // somebody else answers
  refusing,    // 401, 403, 404
  busy,        // 409 and 425
};
constexpr int weather_count = 12;
const char* weather_name(Weather weather);

class Server {
 public:
  Server(VirtualTime& time, Chance& chance) : time_(time), chance_(chance) {}

  // status 0 with an empty error means that the answer was lost after the request was dealt with.
  HttpAnswer handle(const HttpRequest& request);

  Weather weather = Weather::fine;
  std::size_t body_bytes_max = 0;  // for `small`: of the lines

  struct Stored {
    std::string id;
    std::string key;
  };
  std::map<std::string, Stored> stored;           // content id -> what arrived
  std::set<std::string> rejected;                 // sentence ids refused by name, or alone
  std::map<std::string, std::string> content_of;  // sentence id -> content id, of all that ever came
  std::uint64_t ledger_lines = 0;
  std::uint64_t requests = 0;
  std::map<int, std::uint64_t> answers;
  std::vector<std::string> violations;

 private:
  struct Entry {
    bool split = false;
    bool done = false;
    std::string answer;
    std::map<std::string, std::string> rejected;  // sentence id -> reason
    std::string body;                             // as it came first
  };
  HttpAnswer answer(int status, const std::string& body = "");
  HttpAnswer judge(const std::string& key, const std::string& body, const std::vector<std::string>& lines);

  VirtualTime& time_;
  Chance& chance_;
  std::map<std::string, Entry> keys_;  // uuid, or uuid.path
};

// One request at a time, answered after a while.
class SimTransport final : public HttpTransport {
 public:
  SimTransport(Server& server, VirtualTime& time, Chance& chance, const Process*& process)
      : server_(server), time_(time), chance_(chance), process_(process) {}

  void start(const HttpRequest& request) override;
  bool poll(std::chrono::milliseconds timeout, HttpAnswer& answer) override;
  void wake() override {}
  void cancel() override { running_ = false; }

  bool running() const noexcept { return running_; }
  std::int64_t answer_ms() const noexcept { return answer_ms_; }

 private:
  Server& server_;
  VirtualTime& time_;
  Chance& chance_;
  const Process*& process_;
  bool running_ = false;
  std::int64_t answer_ms_ = 0;
  HttpAnswer answer_;
};

}  // namespace yukha::simulation
