// The command line.
#pragma once

#include <optional>
#include <string>
#include <vector>
#include <yukha/config.hpp>

#include "records.hpp"

namespace replay {

struct Options {
  std::string endpoint;
  std::vector<yukha::SigningKey> keys;
  std::string queue_dir;
  std::string map_path;
  std::string input_path;
  double rows_per_second = 0;  // 0: as fast as they are taken
  bool resume = false;
  std::optional<double> deadline_s;  // since the program began
  bool json = false;
  std::optional<double> progress_s;
  bool allow_plain_http = false;
  bool verbose = false;
  Format format = Format::unknown;
  bool help = false;
};

// Answers false and says what is wrong and what to write instead.
bool read_options(int count, const char* const* arguments, Options& options, std::string& problem);

// What --help prints.
extern const char* const help_text;

}  // namespace replay
