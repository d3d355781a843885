#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "clock.hpp"
#include "endpoint.hpp"
#include "fault.hpp"
#include "files.hpp"
#include "gate.hpp"
#include "http_server.hpp"
#include "lake.hpp"
#include "options.hpp"
#include "sentence.hpp"
#include "store.hpp"

namespace {

constexpr int kExitUsage = 64;  // EX_USAGE of sysexits.h

std::string new_token() {
  std::array<unsigned char, 16> bytes{};
  if (getentropy(bytes.data(), bytes.size()) != 0) throw std::runtime_error("the system gives no randomness");
  std::string token;
  for (const unsigned char byte : bytes) {
    token += "0123456789abcdef"[byte >> 4];
    token += "0123456789abcdef"[byte & 15];
  }
  return token;
}

// Whoever waits for the file must not find the port of a collector that is gone, nor half a port.
class ReadyFile {
 public:
  explicit ReadyFile(const std::string& path)
      : folder_(std::filesystem::absolute(path).parent_path()), name_(std::filesystem::path(path).filename()) {
    try {
      folder_.refuse_strangers();
    } catch (const std::system_error& error) {
      throw std::runtime_error("--ready-file " + path + " cannot be trusted (" + error.what() +
                               "): somebody else could write a port there");
    }
    constexpr std::size_t kPortBytesMax = 6;
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) return;
    const auto before = folder_.read(name_, kPortBytesMax);
    // A link goes, and what it names stays.
    if (!S_ISLNK(about.st_mode) && (!before || before->find_first_not_of("0123456789\n") != std::string::npos)) {
      throw std::runtime_error("--ready-file " + path + " is there, and holds something else than a port");
    }
    folder_.remove(name_);
  }
  void write(int port) const { folder_.write(name_, name_ + "." + new_token(), std::to_string(port) + "\n"); }

 private:
  collector::Folder folder_;
  std::string name_;
};

std::vector<std::string> event_paths(const std::vector<collector::PublicUrl>& urls) {
  // Behind a proxy or a stage the path that arrives is the local one, whatever the public one is.
  std::set<std::string> paths = {"/v1/events"};
  for (const auto& url : urls) paths.insert(url.path);
  return {paths.begin(), paths.end()};
}

// The lake, and in it the folder of the database, where nobody else has anything to do.
collector::Folder prepared_lake(const std::string& directory) {
  try {
    std::filesystem::create_directories(directory);
    const collector::Folder lake(directory);
    lake.refuse_strangers();
    return lake.made(".collector");
  } catch (const std::system_error& error) {
    throw std::runtime_error("lake directory " + directory + " cannot be used (" + error.what() +
                             "); choose another --lake");
  }
}

// A URL's host: an IPv6 address stands in brackets.
std::string host_of(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

int serve(collector::Options options) {
#ifdef __GLIBC__
  // An arena keeps some of what large bodies took, and by itself the allocator makes eight for each core.
  ::mallopt(M_ARENA_MAX, 4);
#endif
  // Signals are taken by this thread alone; every thread made from here on inherits the mask.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  // The terminal was closed; under nohup that is no reason to end, and a signal that is blocked comes though ignored.
  struct sigaction hang_up {};
  if (::sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) sigaddset(&stop_signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  // Sentences are about people: what we make is for its owner alone.
  ::umask(077);
  std::optional<ReadyFile> ready_file;
  if (!options.ready_file.empty()) ready_file.emplace(options.ready_file);
  const collector::Folder own_folder = prepared_lake(options.lake);
  collector::Clock clock;
  collector::Store store(options.lake + "/.collector");
  store.prune(clock.unix_ms());
  collector::HttpServer server(options.addresses, options.port, event_paths(options.public_urls));
  std::vector<collector::PublicUrl> local_urls;
  for (const std::string& host :
       {host_of(options.addresses[0]), std::string("127.0.0.1"), std::string("[::1]"), std::string("localhost")}) {
    const auto url = collector::PublicUrl::parsed("http://" + host + ":" + std::to_string(server.port()));
    if (url) local_urls.push_back(*url);
  }
  if (options.public_urls.empty()) options.public_urls = local_urls;
  // Behind a proxy the request may have the local name or the public one.
  local_urls.insert(local_urls.end(), options.public_urls.begin(), options.public_urls.end());
  const std::string token = options.no_token ? "" : new_token();
  const collector::Gate gate(local_urls, token);

  collector::Lake lake(options.lake, &store, options.lake_limits);
  collector::FaultDeck faults(options.seed);
  faults.set(std::move(options.faults));
  collector::Endpoint endpoint(
      collector::SignatureVerifier(std::move(options.secrets_by_keyid), std::move(options.public_urls)), &store, &lake,
      &faults, &clock, options.lease);

  // For scripts of the same user: nobody else can read it.
  own_folder.remove("token");
  if (!token.empty()) own_folder.write("token", "token.tmp", token + "\n");
  // Who comes now waits in line. Later a `crash` fault could end us before the file is there.
  if (ready_file) ready_file->write(server.port());
  server.start(&endpoint, &gate);
  const std::string address = "http://" + host_of(options.addresses[0]) + ":" + std::to_string(server.port());
  std::printf("yukha-collector: %s/v1/events, lake %s\n", address.c_str(), options.lake.c_str());
  if (options.no_token) {
    std::printf("--no-token: whoever reaches this port may read and empty the lake and set faults, clock and policy\n");
  } else {
    std::printf("token for %s/micro/: %s\n", address.c_str(), token.c_str());
  }
  std::fflush(stdout);

  // Keys are kept for weeks, so looking once an hour for old ones is soon enough.
  const timespec an_hour{3600, 0};
  while (sigtimedwait(&stop_signals, nullptr, &an_hour) < 0) {
    if (errno == EAGAIN) store.prune(clock.unix_ms());
  }
  endpoint.hurry();
  server.stop();
  lake.close();
  own_folder.remove("token");
  return 0;
}

// What both readers say of each line, so that a test can see that they agree.
int judge_lines() {
  const collector::SchemaJudge schema_judge;
  std::string line;
  while (std::getline(std::cin, line)) {
    collector::SentenceFacts quick_facts;
    collector::SentenceFacts facts;
    const auto quick = collector::read_usual_sentence(line);
    const auto refusal = schema_judge.refusal_of(line, &facts);
    const bool same_facts = !quick || refusal ||
                            (quick->id == facts.id && quick->is_ledger == facts.is_ledger &&
                             quick->clock_offset_ms == facts.clock_offset_ms);
    std::printf("%s %s %s\n", quick ? "quick-good" : "quick-unsure", refusal ? refusal->check.c_str() : "good",
                same_facts ? "same-facts" : "OTHER-FACTS");
  }
  return 0;
}

}  // namespace

int main(int argument_count, char** argument_values) {
  try {
    std::string error;
    collector::Options options =
        collector::Options::parsed({argument_values + 1, argument_values + argument_count}, &error);
    if (!error.empty()) {
      std::fprintf(stderr, "yukha-collector: %s\nSee yukha-collector --help.\n", error.c_str());
      return kExitUsage;
    }
    if (options.help) {
      std::fputs(collector::kHelp, stdout);
      return 0;
    }
    if (options.judge) return judge_lines();
    return serve(std::move(options));
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "yukha-collector: %s\n", fault.what());
    return 1;
  }
}
