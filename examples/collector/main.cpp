#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "clock.hpp"
#include "endpoint.hpp"
#include "fault.hpp"
#include "http_server.hpp"
#include "lake.hpp"
#include "options.hpp"
#include "sentence.hpp"
#include "store.hpp"

namespace {

constexpr int kExitUsage = 64;  // EX_USAGE of sysexits.h

// A half-written port would send somebody elsewhere, so the file appears whole.
void write_ready_file(const std::string& path, int port) {
  const std::string unfinished = path + ".tmp";
  {
    std::ofstream out(unfinished, std::ios::trunc);
    out << port << '\n';
    out.flush();
    if (!out) throw std::runtime_error("cannot write " + unfinished);
  }
  std::filesystem::rename(unfinished, path);
}

std::vector<std::string> event_paths(const std::vector<collector::PublicUrl>& urls) {
  // Behind a proxy or a stage the path that arrives is the local one, whatever the public one is.
  std::set<std::string> paths = {"/v1/events"};
  for (const auto& url : urls) paths.insert(url.path);
  return {paths.begin(), paths.end()};
}

void prepare_lake(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory + "/.collector", error);
  if (error || ::access(directory.c_str(), W_OK | X_OK) != 0) {
    throw std::runtime_error("lake directory " + directory + " cannot be used (" +
                             (error ? error.message() : "not writable") + "); choose another --lake");
  }
}

int serve(collector::Options options) {
  // Signals are taken by this thread alone; every thread made from here on inherits the mask.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  // Whoever waits for the file must not find the port of a collector that is gone.
  if (!options.ready_file.empty()) std::filesystem::remove(options.ready_file);
  prepare_lake(options.lake);
  collector::Clock clock;
  collector::Store store(options.lake + "/.collector");
  store.prune(clock.unix_ms());
  collector::HttpServer server(options.port, event_paths(options.public_urls));
  if (options.public_urls.empty()) {
    for (const char* host : {"127.0.0.1", "[::1]", "localhost"}) {
      const auto url =
          collector::PublicUrl::parsed(std::string("http://") + host + ":" + std::to_string(server.port()));
      if (url) options.public_urls.push_back(*url);
    }
  }

  collector::Lake lake(options.lake, &store, options.lake_limits);
  collector::FaultDeck faults(options.seed);
  faults.set(std::move(options.faults));
  collector::Endpoint endpoint(
      collector::SignatureVerifier(std::move(options.secrets_by_keyid), std::move(options.public_urls)), &store, &lake,
      &faults, &clock, options.lease);

  server.start(&endpoint);
  if (!options.ready_file.empty()) write_ready_file(options.ready_file, server.port());
  std::printf("yukha-collector: http://127.0.0.1:%d/v1/events, lake %s\n", server.port(), options.lake.c_str());
  std::fflush(stdout);

  // Keys are kept for weeks, so looking once an hour for old ones is soon enough.
  const timespec an_hour{3600, 0};
  while (sigtimedwait(&stop_signals, nullptr, &an_hour) < 0) {
    if (errno == EAGAIN) store.prune(clock.unix_ms());
  }
  endpoint.hurry();
  server.stop();
  lake.close();
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
