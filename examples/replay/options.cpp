#include "options.hpp"

#include <cmath>
#include <cstdlib>
#include <string_view>

namespace replay {

namespace {

bool read_number(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(value);
}

}  // namespace

bool read_options(int count, const char* const* arguments, Options& options, std::string& problem) {
  bool only_names = false;  // after --
  for (int i = 1; i < count; ++i) {
    std::string word = arguments[i];
    if (only_names || word.size() < 2 || word[0] != '-') {
      if (!options.input_path.empty()) {
        problem = "one INPUT at a time, not also \"" + word + "\"";
        return false;
      }
      options.input_path = word;
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
    } else if (word == "--verbose") {
      options.verbose = true;
    } else {
      std::string value;
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const std::string_view known[] = {"--endpoint", "--key",      "--queue",    "--map",
                                        "--rate",     "--deadline", "--progress", "--format"};
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
        // Base64 has no colon, a key id may have one.
        const std::size_t colon = value.rfind(':');
        if (colon == std::string::npos || colon == 0 || colon + 1 == value.size()) {
          problem = "--key is KEYID:BASE64";
          return false;
        }
        options.keys.push_back({value.substr(0, colon), value.substr(colon + 1)});
      } else if (name == "--format") {
        options.format = format_named(value);
        if (options.format == Format::unknown) {
          problem = "--format is csv, tsv or jsonl";
          return false;
        }
      } else if (!read_number(value, number) || number < 0 || number > 1e9) {
        problem = name + " needs a number from 0 to 1000000000, not \"" + value + "\"";
        return false;
      } else if (name == "--rate") {
        options.rows_per_second = number;
      } else if (name == "--deadline") {
        options.deadline_s = number;
      } else {
        options.progress_s = number;
      }
    }
  }
  const auto needed = [&problem](const std::string& value, const char* name) {
    if (value.empty() && problem.empty()) problem = std::string(name) + " is missing";
  };
  needed(options.endpoint, "--endpoint URL");
  if (options.keys.empty() && problem.empty()) problem = "--key KEYID:BASE64 is missing";
  needed(options.queue_dir, "--queue DIR");
  needed(options.map_path, "--map FILE");
  needed(options.input_path, "INPUT");
  return problem.empty();
}

}  // namespace replay
