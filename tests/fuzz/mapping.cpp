// The replay's mapping file, and the sentences that it makes of a hostile row.
#include "mapping.hpp"

#include <set>

#include "compose/text.hpp"
#include "fuzz.hpp"
#include "mapper.hpp"

using namespace yukha;
using fuzz::promise;

namespace {

const test::TempDirectory& folder() {
  static const test::TempDirectory directory;
  return directory;
}

void check_members(const std::vector<Member>& members, const replay::PartRule& rule) {
  std::set<std::string_view> seen;
  for (const Member& member : members) {
    promise(compose::is_member_name(member.name), "a member has a name that the library takes");
    if (rule.flatten.empty()) promise(seen.insert(member.name).second, "a member stands in its part once");
  }
}

void check_sentence(const replay::Sentence& sentence, const replay::Mapping& mapping) {
  check_members(sentence.user, mapping.user);
  check_members(sentence.device, mapping.device);
  check_members(sentence.content, mapping.content);
  check_members(sentence.action, mapping.action);
  promise(!sentence.action_type.empty(), "a sentence has an action");
  promise(!sentence.has_duration || sentence.duration_ms >= 0, "nothing takes less than no time");
  promise(mapping.time_is_now || sentence.has_time, "a sentence has a time where the mapping gives one");
}

}  // namespace

// A mapping, a NUL, and the rows.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view text = input.text_until('\0');
  replay::Mapping mapping;
  try {
    mapping = replay::read_mapping(text, "map");
  } catch (const replay::MappingError& error) {
    promise(std::string_view(error.what()).substr(0, 4) == "map:", "a refusal names the file");
    return 0;
  }
  if (mapping.records.format == replay::Format::unknown) mapping.records.format = replay::Format::csv;
  const std::string path = folder() / "rows";
  test::write_file(path, input.rest());
  std::string problem;
  const auto reader = replay::open_records(path, mapping.records, problem);
  if (reader == nullptr) return 0;
  try {
    replay::Mapper mapper(mapping);
    mapper.begin_input(reader->columns());
    replay::Record row;
    replay::Sentence sentence;
    for (std::uint64_t number = 1; number < 100; ++number) {
      const auto next = reader->next(row, problem);
      if (next == replay::RecordReader::Next::bad || next == replay::RecordReader::Next::without) continue;
      if (next != replay::RecordReader::Next::record) break;
      problem.clear();
      const auto outcome = mapper.map(row, number, sentence, problem);
      if (outcome == replay::Mapper::Outcome::unmapped) promise(!problem.empty(), "an unmapped row says why");
      if (outcome == replay::Mapper::Outcome::mapped) check_sentence(sentence, mapping);
    }
  } catch (const replay::MappingError& error) {
    promise(*error.what() != '\0', "a column that is not there is told");
  }
  return 0;
}
