// The endpoint as src/send/CONTRACT.md describes it, at level `exact`, with weather. It holds the truth about what
// arrived.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
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
  throttling,  // 429, 408 and 503, some with Retry-After
  losing,      // stores, and the answer is lost or cut
  small,       // 413 above a size
  strict,      // bare 400 while a poison sentence is inside
  naming,      // 400 or 422 that names the poison sentences
  rejecting,   // 200 that rejects the poison sentences
  portal,      // somebody else answers
  refusing,    // 401, 403, 404
  busy,        // 409 and 425
  mixed,       // each answer is another row of CONTRACT.md, "Answers"
};
constexpr int weather_count = 13;
const char* weather_name(Weather weather);

// What became of a request that was sent.
struct Reply {
  bool arrived = false;
  std::int64_t answer_ms = 0;
  HttpAnswer answer;
  bool accepted = false;      // it says that the batch is stored, whole
  std::string refused_alone;  // the id of a batch's only line, which it refuses without naming it
};

class Server {
 public:
  Server(VirtualTime& time, Chance& chance) : time_(time), chance_(chance) {}

  // The request arrives after a while, whoever still waits for its answer then.
  std::shared_ptr<Reply> send(const HttpRequest& request);
  // Deals with all that arrived by now.
  void receive();
  // The content ids of what is still on its way.
  std::set<std::string> on_its_way() const;

  Weather weather = Weather::fine;
  std::size_t body_bytes_max = 0;         // for `small`: of the lines
  std::set<std::string> keyids = {"k1"};  // the others are unknown
  bool clones = false;                    // copies of one backup speak now, one after the other
  bool backup_is_back = false;            // a remainder's lines depend on answers, which may be others this time
  bool keys_are_learned = false;          // somebody brings other lines under some keys, before their owner
  bool asks_policy = false;               // adds one to some answers
  bool expects_peace = true;
  bool wrong_dates = true;  // now and then
  std::int64_t peace_asked_ms = 0;
  std::int64_t left_in_peace_until_ms = 0;  // what Retry-After asked for

  struct Stored {
    std::string id;
    std::string key;
    std::string clones_key;  // without the path: a clone that finds a batch split halves it in its own way
  };
  std::map<std::string, Stored> stored;           // content id -> what arrived
  std::map<std::string, std::string> learned;     // content id -> the key that somebody else had used
  std::set<std::string> renewed;                  // content ids that may be stored under another key, too
  std::set<std::string> rejected;                 // sentence ids refused by name, or alone after an acceptance
  std::map<std::string, std::string> content_of;  // sentence id -> content id, of all that ever came
  std::uint64_t ledger_lines = 0;
  std::uint64_t requests = 0;
  std::map<std::string, std::uint64_t> rows;  // of CONTRACT.md, "Answers": how often each was answered
  std::function<void(const std::string& what)> violate;
  // A line is about to be stored; says what is wrong with that, or nothing.
  std::function<std::string(const std::string& content, const std::string& line)> check;
  // Whether this sentence may come under a second key.
  std::function<bool(const std::string& content)> may_come_twice;
  // Whether it may come with two ids: by its own end in one copy of a queue, and cut off in another one.
  std::function<bool(const std::string& content)> may_have_two_ids;

 private:
  struct Entry {
    bool split = false;
    bool done = false;
    std::int64_t busy_until_ms = 0;
    std::string answer;
    std::set<std::string> rejected;  // sentence ids
    std::string body;                // the lines, as they came first
  };
  struct Mail {
    std::int64_t arrives_ms;
    std::vector<HttpHeader> headers;
    std::string body;
    std::shared_ptr<Reply> reply;
  };
  HttpAnswer answer(const char* row, int status, const std::string& body = "");
  HttpAnswer nothing(const char* row);
  HttpAnswer accept(const char* row, const std::string& body);
  HttpAnswer handle(const Mail& mail);
  HttpAnswer any_row(const Mail& mail);
  HttpAnswer judge(const std::string& key, const std::string& body, const std::vector<std::string>& lines);
  HttpAnswer honest(const Mail& mail);
  bool busy(const std::string& key) const;

  VirtualTime& time_;
  Chance& chance_;
  std::map<std::string, Entry> keys_;  // uuid, or uuid.path
  std::vector<Mail> mail_;
  Reply now_;  // what is said of the request that is being dealt with
};

// One request at a time, answered after a while.
class SimTransport final : public HttpTransport {
 public:
  SimTransport(Server& server, VirtualTime& time, const Process*& process)
      : server_(server), time_(time), process_(process) {}

  void start(const HttpRequest& request) override;
  bool poll(std::chrono::milliseconds timeout, HttpAnswer& answer) override;
  void wake() override {}
  void cancel() override { reply_.reset(); }

  // Set while the caller waits in flush() or close(): lets time pass.
  std::function<void(std::int64_t until_ms)> wait_until;
  // Asked whether a request may be sent now; tells why not.
  std::function<std::string(const HttpRequest& request, const std::string& key, const std::string& lines)> objection;

  bool obeys_policy = false;

  bool running() const noexcept { return reply_ != nullptr; }
  std::int64_t answer_ms() const noexcept { return reply_->answer_ms; }

 private:
  Server& server_;
  VirtualTime& time_;
  const Process*& process_;
  std::shared_ptr<Reply> reply_;
  bool last_was_accepted_ = false;
  std::int64_t paused_until_ms_ = 0;
};

}  // namespace yukha::simulation
