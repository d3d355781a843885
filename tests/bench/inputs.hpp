// What is tracked: rows of inputs through the replay's mappings, and a sentence made of random ids.
#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <string_view>
#include <vector>
#include <yukha/tracker.hpp>

namespace bench {

// One sentence's six parts, ready to be passed on.
struct Call {
  std::vector<yukha::Member> user;
  std::vector<yukha::Member> parameters;
  std::vector<yukha::Member> content;
  std::vector<yukha::Member> action;
  std::string_view screen;
  std::string_view content_id;
  std::string_view referral;
  std::string_view action_type;
  std::chrono::milliseconds duration{-1};
};

struct Input {
  std::string name;
  std::vector<Call> calls;
  std::deque<std::string> text;  // what the calls borrow
};

// Answers false and says why when the rows cannot be read.
bool read_rows(const std::string& name, const std::string& path, const std::string& mapping, std::size_t most,
               Input& input, std::string& problem);
void make_synthetic(std::size_t count, Input& input);

yukha::Status track(yukha::Tracker& tracker, const Call& call);

}  // namespace bench
