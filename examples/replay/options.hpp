// The command line.
#pragma once

#include <cstdint>
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
  std::vector<std::string> input_paths;  // "-": stdin
  double rows_per_second = 0;            // 0: as fast as they are taken
  bool resume = false;
  std::optional<double> deadline_s;  // since the program began
  bool json = false;
  std::optional<double> progress_s;
  bool allow_plain_http = false;
  bool verbose = false;
  Format format = Format::unknown;
  std::optional<std::uint64_t> row_limit;
  std::optional<std::uint64_t> dry_run;  // nothing is sent, and so many sentences are printed
  bool strict = false;
  std::uint64_t complaints_max = 20;  // of one kind; the others are counted
  bool help = false;
};

// Answers false and says what is wrong and what to write instead.
bool read_options(int count, const char* const* arguments, Options& options, std::string& problem);

// What --help prints.
extern const char* const help_text;

}  // namespace replay
