#include "pattern.hpp"

#include <re2/re2.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace replay {

namespace {
// More than any pattern a person writes for a row.
constexpr std::size_t pattern_bytes_max = 10'000;
constexpr std::int64_t compiled_bytes_max = 4 * 1024 * 1024;
constexpr int groups_max = 100;
}  // namespace

bool Pattern::compile(const std::string& text, std::string& problem) {
  if (text.size() > pattern_bytes_max) {
    problem = "is a regular expression of more than 10,000 bytes";
    return false;
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(compiled_bytes_max);
  auto compiled = std::make_shared<re2::RE2>(text, options);
  if (!compiled->ok()) {
    problem = "not a regular expression as RE2 knows them: " + compiled->error() +
              "; it has no references back and no look-around, and a repeat counts to 1000 at most";
    return false;
  }
  if (compiled->NumberOfCapturingGroups() > groups_max) {
    problem = "has more than 100 groups; write (?:…) for those that capture nothing";
    return false;
  }
  group_names_.assign(static_cast<std::size_t>(compiled->NumberOfCapturingGroups()) + 1, std::string());
  for (const auto& [number, name] : compiled->CapturingGroupNames()) {
    group_names_[static_cast<std::size_t>(number)] = name;
  }
  size_ = static_cast<std::size_t>(compiled->ProgramSize());
  compiled_ = std::move(compiled);
  return true;
}

bool Pattern::found_in(std::string_view text) const {
  return compiled_->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

bool Pattern::capture(std::string_view text, std::vector<std::string_view>& groups) const {
  std::vector<re2::StringPiece> found(group_names_.size());
  groups.assign(group_names_.size(), {});
  if (!compiled_->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::UNANCHORED, found.data(),
                        static_cast<int>(found.size()))) {
    return false;
  }
  for (std::size_t i = 0; i < found.size(); ++i) groups[i] = {found[i].data(), found[i].size()};
  return true;
}

}  // namespace replay
