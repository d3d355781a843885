// yukha-replay: the program that shoots a CSV at the gateway.
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

#include "options.hpp"
#include "run.hpp"

int main(int count, char** arguments) {
  const auto began = std::chrono::steady_clock::now();
  replay::Options options;
  std::string problem;
  if (!replay::read_options(count, arguments, options, problem)) {
    std::fprintf(stderr, "yukha-replay: %s; --help says more\n", problem.c_str());
    return replay::exit_usage;
  }
  if (options.help) {
    std::fputs(replay::help_text, stdout);
    return 0;
  }
  try {
    return replay::run(options, began);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "yukha-replay: %s\n", error.what());
    return replay::exit_failed;
  }
}
