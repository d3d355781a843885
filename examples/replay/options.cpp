#include "options.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace replay {

namespace {

bool read_number(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(value);
}

// Base64 has no colon, a key id may have one.
bool read_key(const std::string& text, std::vector<yukha::SigningKey>& keys) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) return false;
  keys.push_back({text.substr(0, colon), text.substr(colon + 1)});
  return true;
}

// A key on the command line can be read by everybody on the machine, in the list of processes.
bool read_key_file(const std::string& path, std::vector<yukha::SigningKey>& keys, std::string& problem) {
  constexpr std::size_t bytes_max = 64 * 1024;  // hundreds of keys
  std::string text;
  if (!read_beginning(path, bytes_max, text, problem)) return false;
  std::istringstream lines(text);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    if (read_key(line, keys)) continue;
    problem = path + ":" + std::to_string(number) + ": a line of a key file is KEYID:BASE64";
    return false;
  }
  if (!keys.empty()) return true;
  problem = path + " has no key in it";
  return false;
}

}  // namespace

bool read_options(int count, const char* const* arguments, Options& options, std::string& problem) {
  bool only_names = false;  // after --
  for (int i = 1; i < count; ++i) {
    std::string word = arguments[i];
    if (only_names || word.size() < 2 || word[0] != '-') {
      options.input_paths.push_back(word);
      continue;
    }
    if (word == "--") {
      only_names = true;
    } else if (word == "--help" || word == "-h") {
      options.help = true;
      return true;
    } else if (word == "--resume") {
      options.resume = true;
    } else if (word == "--json") {
      options.json = true;
    } else if (word == "--allow-plain-http") {
      options.allow_plain_http = true;
    } else if (word == "--strict") {
      options.strict = true;
    } else if (word == "--verbose") {
      options.verbose = true;
    } else {
      std::string value;
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const std::string_view known[] = {"--endpoint", "--key",   "--key-file", "--queue",   "--map",        "--rate",
                                        "--deadline", "--limit", "--progress", "--dry-run", "--complaints", "--format"};
      bool is_known = false;
      for (const std::string_view one : known) is_known = is_known || one == name;
      if (!is_known) {
        problem = "unknown option " + name;
        return false;
      }
      if (equals != std::string::npos) {
        value = word.substr(equals + 1);
      } else if (i + 1 < count) {
        value = arguments[++i];
      } else {
        problem = name + " needs a value";
        return false;
      }
      double number = 0;
      if (name == "--endpoint") {
        options.endpoint = value;
      } else if (name == "--queue") {
        options.queue_dir = value;
      } else if (name == "--map") {
        options.map_path = value;
      } else if (name == "--key") {
        if (!read_key(value, options.keys)) {
          problem = "--key is KEYID:BASE64";
          return false;
        }
      } else if (name == "--key-file") {
        if (!read_key_file(value, options.keys, problem)) return false;
      } else if (name == "--format") {
        options.format = format_named(value);
        if (options.format == Format::unknown) {
          problem = "--format is csv, tsv, jsonl, json or lines";
          return false;
        }
      } else if (!read_number(value, number) || number < 0 || number > 1e9) {
        problem = name + " needs a number from 0 to 1000000000, not \"" + value + "\"";
        return false;
      } else if (name == "--rate") {
        options.rows_per_second = number;
      } else if (name == "--deadline") {
        options.deadline_s = number;
      } else if (name == "--limit") {
        options.row_limit = static_cast<std::uint64_t>(number);
      } else if (name == "--dry-run") {
        options.dry_run = static_cast<std::uint64_t>(number);
      } else if (name == "--complaints") {
        options.complaints_max = static_cast<std::uint64_t>(number);
      } else {
        options.progress_s = number;
      }
    }
  }
  const auto needed = [&problem](const std::string& value, const char* name) {
    if (value.empty() && problem.empty()) problem = std::string(name) + " is missing";
  };
  if (!options.dry_run) {
    needed(options.endpoint, "--endpoint URL");
    if (options.keys.empty() && problem.empty()) problem = "--key-file FILE or --key KEYID:BASE64 is missing";
    needed(options.queue_dir, "--queue DIR");
  }
  needed(options.map_path, "--map FILE");
  if (options.input_paths.empty() && problem.empty()) problem = "INPUT is missing";
  if (std::count(options.input_paths.begin(), options.input_paths.end(), "-") > 1 && problem.empty()) {
    problem = "stdin is named twice among the inputs, and can be read only once";
  }
  return problem.empty();
}

}  // namespace replay
