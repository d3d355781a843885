// A fleet of devices and one endpoint in virtual time: how many requests reach the endpoint in each second of an outage
// and after it. Each device waits as the worker does, by send::rest_after.
//
//   yukha_fleet [--seed S] [--clients N] [--seconds] [--svg FILE]
//
// Exit 1 when a second of the ten minutes after an outage sees more than a story allows.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "send/retry.hpp"
#include "virtual_time.hpp"

namespace {

using namespace yukha;

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t outage_begin_ms = 10 * minute_ms;
constexpr std::int64_t outage_end_ms = outage_begin_ms + 60 * minute_ms;
constexpr std::int64_t end_ms = outage_end_ms + 10 * minute_ms;
constexpr std::int64_t upload_interval_ms = 10'000;
constexpr std::int64_t sentence_every_ms = minute_ms;  // on average
constexpr std::int64_t never_ms = INT64_MAX;

struct Story {
  const char* name;
  bool falls_silent;  // each device has one sentence, in the outage
  // What the endpoint asks for in the outage; empty: it does not answer.
  std::function<std::optional<std::int64_t>(std::int64_t now_ms)> retry_after_ms;
  double ratio_max;  // of the busiest second to the mean, in the ten minutes after
};

// As much of a worker as decides when it asks.
struct Client {
  std::int64_t next_sentence_ms = never_ms;
  std::int64_t unsealed_since_ms = never_ms;
  bool batch_waits = false;
  std::int64_t failures = 0;
  std::int64_t rest_until_ms = 0;

  std::int64_t next_request_ms() const {
    if (batch_waits) return rest_until_ms;
    if (unsealed_since_ms == never_ms) return never_ms;
    return std::max(unsealed_since_ms + upload_interval_ms, rest_until_ms);
  }
};

class Fleet {
 public:
  Fleet(const Story& story, std::size_t clients, std::uint64_t seed)
      : story_(story), chance_(seed), seed_dice_(chance_), dice_(seed_dice_), clients_(clients) {}

  // The requests of each second.
  std::vector<int> live() {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].next_sentence_ms =
          story_.falls_silent ? outage_begin_ms + up_to(outage_end_ms - outage_begin_ms) : pause_ms();
      look_again(i);
    }
    while (!events_.empty() && events_.top().first < end_ms) {
      const auto [now_ms, number] = events_.top();
      events_.pop();
      Client& client = clients_[number];
      if (client.next_sentence_ms <= now_ms) {
        client.unsealed_since_ms = std::min(client.unsealed_since_ms, now_ms);
        client.next_sentence_ms = story_.falls_silent ? never_ms : now_ms + pause_ms();
      }
      if (client.next_request_ms() <= now_ms) request(client, now_ms);
      look_again(number);
    }
    return requests_;
  }

 private:
  std::int64_t up_to(std::int64_t most) {
    return static_cast<std::int64_t>(dice_.up_to(static_cast<std::uint64_t>(most)));
  }
  // Sentences come independently of each other.
  std::int64_t pause_ms() {
    const double evenly = (static_cast<double>(up_to(1'000'000'000)) + 1) / 1'000'000'002;
    return static_cast<std::int64_t>(-std::log(evenly) * static_cast<double>(sentence_every_ms));
  }
  void look_again(std::size_t number) {
    const Client& client = clients_[number];
    const std::int64_t at = std::min(client.next_sentence_ms, client.next_request_ms());
    if (at != never_ms) events_.push({at, number});
  }
  void request(Client& client, std::int64_t now_ms) {
    ++requests_[static_cast<std::size_t>(now_ms / 1000)];
    if (!client.batch_waits) client.unsealed_since_ms = never_ms;
    client.batch_waits = true;
    if (now_ms < outage_begin_ms || now_ms >= outage_end_ms) {
      client.batch_waits = false;
      client.failures = 0;
      client.rest_until_ms = now_ms;
      return;
    }
    ++client.failures;
    client.rest_until_ms =
        now_ms + send::rest_after(client.failures, dice_, send::usual_backoff, story_.retry_after_ms(now_ms));
  }

  const Story& story_;
  simulation::Chance chance_;
  simulation::SeededDice seed_dice_;
  system::DiceCup dice_;
  std::vector<Client> clients_;
  std::vector<int> requests_ = std::vector<int>(end_ms / 1000);
  using Event = std::pair<std::int64_t, std::size_t>;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

struct Figures {
  double mean = 0;
  int most = 0;
  std::size_t most_at = 0;  // seconds after the begin
  double ratio() const { return mean > 0 ? most / mean : 0; }
};

Figures figures_of(const std::vector<int>& requests, std::int64_t from_ms, std::int64_t to_ms) {
  const auto first = requests.begin() + from_ms / 1000;
  const auto last = requests.begin() + to_ms / 1000;
  Figures figures;
  for (auto at = first; at != last; ++at) figures.mean += *at;
  figures.mean /= static_cast<double>(last - first);
  const auto busiest = std::max_element(first, last);
  figures.most = *busiest;
  figures.most_at = static_cast<std::size_t>(busiest - first);
  return figures;
}

void print_seconds(const std::vector<int>& requests) {
  for (std::size_t minute = 0; minute * 60 < requests.size(); ++minute) {
    std::printf("    min %3d:", static_cast<int>(minute) - static_cast<int>(outage_begin_ms / minute_ms));
    for (std::size_t second = 0; second < 60; ++second) std::printf(" %d", requests[minute * 60 + second]);
    std::printf("\n");
  }
}

// One panel a story: the busiest second of every ten, and the line that none may cross after the outage.
class Chart {
 public:
  void add(const Story& story, const std::vector<int>& requests) {
    const Figures after = figures_of(requests, outage_end_ms, end_ms);
    const double top =
        1.05 * std::max<double>(*std::max_element(requests.begin(), requests.end()), story.ratio_max * after.mean);
    const double floor = 30 + panels_++ * 150 + 110;
    const auto x = [](double second) { return std::to_string(static_cast<int>(60 + second / 6)); };
    const auto y = [&](double value) { return std::to_string(static_cast<int>(floor - 100 * value / top)); };
    const std::string begin = x(outage_begin_ms / 1000), end = x(outage_end_ms / 1000), right = x(end_ms / 1000);
    body_ += "<rect x='" + begin + "' y='" + y(top) + "' width='600' height='100' fill='#eee'/>\n";
    body_ += "<text x='60' y='" + std::to_string(static_cast<int>(floor - 106)) + "'>" + story.name + "</text>\n";
    body_ += "<text x='54' y='" + y(top) + "' dy='10' text-anchor='end'>" + std::to_string(static_cast<int>(top)) +
             "/s</text>\n<text x='54' y='" + y(0) + "' text-anchor='end'>0</text>\n";
    body_ += "<polyline fill='none' stroke='#246' points='";
    for (std::size_t second = 0; second + 10 <= requests.size(); second += 10) {
      const auto first = requests.begin() + static_cast<std::ptrdiff_t>(second);
      body_ += x(static_cast<double>(second)) + "," + y(*std::max_element(first, first + 10)) + " ";
    }
    body_ += "'/>\n<path d='M" + end + " " + y(story.ratio_max * after.mean) + "H" + right +
             "' stroke='#c22' stroke-dasharray='4 3'/>\n";
  }
  bool write(const std::string& file) const {
    std::ofstream out(file);
    out << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 880 " << 20 + panels_ * 150
        << "' font-family='sans-serif' font-size='12'>\n<rect width='100%' height='100%' fill='#fff'/>\n"
        << body_ << "</svg>\n";
    return static_cast<bool>(out.flush());
  }

 private:
  int panels_ = 0;
  std::string body_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 1;
  std::size_t clients = 10'000;
  bool seconds = false;
  std::string svg;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--seconds") {
      seconds = true;
    } else if (i + 1 == argc) {
      return 64;
    } else if (option == "--seed") {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--clients") {
      clients = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--svg") {
      svg = argv[++i];
    } else {
      return 64;
    }
  }
  const auto nothing = [](std::int64_t) { return std::optional<std::int64_t>(); };
  const auto a_minute = [](std::int64_t) { return std::optional<std::int64_t>(60'000); };
  const auto the_end = [](std::int64_t now_ms) { return std::optional<std::int64_t>(outage_end_ms - now_ms); };
  const Story stories[] = {
      {"no answer", false, nothing, 3},
      {"503 with Retry-After: 60", false, a_minute, 3},
      {"503 with Retry-After: the date of its end", false, the_end, 3},
      // Full jitter up to 300 s lets 1 in 150 of the fleet come in the first second, and those who began to wait just
      // before it; the mean of ten minutes is 1 in 600.
      {"no answer, devices with one batch that then fall silent", true, nothing, 7},
  };
  int code = 0;
  Chart chart;
  for (const Story& story : stories) {
    const std::vector<int> requests = Fleet(story, clients, seed).live();
    const Figures during = figures_of(requests, outage_begin_ms, outage_end_ms);
    const Figures after = figures_of(requests, outage_end_ms, end_ms);
    const bool good = after.ratio() <= story.ratio_max;
    std::printf("%s %s\n", good ? "ok  " : "FAIL", story.name);
    std::printf("     requests a second: in the outage mean %.1f, most %d (second %zu), ratio %.2f\n", during.mean,
                during.most, during.most_at, during.ratio());
    std::printf("     after it           mean %.1f, most %d (second %zu), ratio %.2f of %.0f allowed\n", after.mean,
                after.most, after.most_at, after.ratio(), story.ratio_max);
    if (seconds) print_seconds(requests);
    if (!good) code = 1;
    chart.add(story, requests);
  }
  if (!svg.empty() && !chart.write(svg)) {
    std::fprintf(stderr, "%s could not be written\n", svg.c_str());
    return 1;
  }
  return code;
}
