#include "inputs.hpp"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>

#include "mapper.hpp"
#include "mapping.hpp"
#include "records.hpp"

namespace bench {
namespace {

class Keeper {
 public:
  explicit Keeper(Input& input) : text_(input.text) {}
  std::string_view keep(std::string_view text) {
    text_.emplace_back(text);
    return text_.back();
  }
  std::vector<yukha::Member> keep(const std::vector<yukha::Member>& members) {
    std::vector<yukha::Member> kept;
    for (const yukha::Member& one : members) kept.push_back({keep(one.name), keep(one.value)});
    return kept;
  }

 private:
  std::deque<std::string>& text_;
};

}  // namespace

bool read_rows(const std::string& name, const std::string& path, const std::string& mapping_path, std::size_t most,
               Input& input, std::string& problem) {
  input.name = name;
  std::ifstream file(mapping_path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  try {
    const replay::Mapping mapping = replay::read_mapping(text, mapping_path);
    replay::RecordOptions options = mapping.records;
    if (options.format == replay::Format::unknown) options.format = replay::format_of(path);
    const auto reader = replay::open_records(path, options, problem);
    if (!reader) return false;
    replay::Mapper mapper(mapping);
    mapper.begin_input(reader->columns());
    replay::Record row;
    replay::Sentence sentence;
    Keeper keeper(input);
    for (std::uint64_t number = 1; input.calls.size() < most; ++number) {
      const auto next = reader->next(row, problem);
      if (next == replay::RecordReader::Next::end) break;
      if (next != replay::RecordReader::Next::record) return false;
      if (mapper.map(row, number, sentence, problem) != replay::Mapper::Outcome::mapped) continue;
      Call call;
      call.user = keeper.keep(sentence.user);
      call.parameters = keeper.keep(sentence.parameters);
      call.content = keeper.keep(sentence.content);
      call.action = keeper.keep(sentence.action);
      call.screen = keeper.keep(sentence.screen);
      call.content_id = keeper.keep(sentence.content_id);
      call.referral = keeper.keep(sentence.referral);
      call.action_type = keeper.keep(sentence.action_type);
      if (sentence.has_duration) call.duration = std::chrono::milliseconds(sentence.duration_ms);
      input.calls.push_back(std::move(call));
    }
  } catch (const replay::MappingError& error) {
    problem = error.what();
    return false;
  }
  if (input.calls.empty()) problem = path + " has no rows";
  return !input.calls.empty();
}

void make_synthetic(std::size_t count, Input& input) {
  input.name = "synthetic";
  Keeper keeper(input);
  std::mt19937_64 random(7);
  const auto id = [&random](const char* kind) { return kind + std::to_string(random() % 1'000'000'000); };
  for (std::size_t i = 0; i < count; ++i) {
    Call call;
    call.screen = "FEED";
    call.content_id = keeper.keep(id("card_"));
    call.content = {{"type", "card"}, {"position", keeper.keep(std::to_string(random() % 40))}};
    call.referral = "CLICK";
    call.action_type = "READ";
    call.duration = std::chrono::milliseconds(random() % 60'000);
    input.calls.push_back(std::move(call));
  }
}

yukha::Status track(yukha::Tracker& tracker, const Call& call) {
  const auto list = [](const std::vector<yukha::Member>& members) {
    return yukha::Members(members.data(), members.size());
  };
  yukha::Event event = tracker.event();
  if (!call.user.empty()) event.user(list(call.user));
  event.location(call.screen, list(call.parameters)).content(call.content_id, list(call.content));
  if (!call.referral.empty()) event.referral(call.referral);
  if (call.duration.count() >= 0) {
    event.action(call.action_type, call.duration, list(call.action));
  } else {
    event.action(call.action_type, list(call.action));
  }
  return event.track();
}

}  // namespace bench
