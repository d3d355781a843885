#include "pipeline/quarantine.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "pipeline/lines.hpp"
#include "system/utf8.hpp"
#include "system/uuid.hpp"

namespace yukha::pipeline {

std::vector<Quarantined> Quarantine::list(std::uint64_t after, std::size_t most) {
  std::vector<Quarantined> all;
  hold::Rejected one;
  auto number = static_cast<std::int64_t>(std::min<std::uint64_t>(after, INT64_MAX));
  while (all.size() < most && around_.lane.queue().next_quarantined(number, number, one)) {
    system::make_readable(one.reason);
    all.push_back({static_cast<std::uint64_t>(number), std::move(one.reason), std::move(one.line)});
  }
  return all;
}

Status Quarantine::resend(std::uint64_t number, std::int64_t now_ms) {
  hold::Batch parent;
  std::vector<std::int64_t> numbers;
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  // Not the key that their bytes would give: the endpoint may have answered for them under it.
  const auto send = [&] {
    if (numbers.empty()) return true;
    parent.key.assign(system::uuid_text_size, '\0');
    unsigned char random[16];
    if (!around_.entropy.fill(random, sizeof random)) return false;
    system::write_uuid(random, 8, parent.key.data());
    parent.held_ms = now_ms - around_.opened_ms;
    hold::NewBatch batch = part_of(parent, "", lines, 0, lines.size());
    if (batch.body.empty() || !around_.lane.queue().unquarantine(numbers, batch)) {
      faults_.on_way_in(around_.lane, "taking sentences out of quarantine", now_ms);
      return false;
    }
    numbers.clear();
    lines.clear();
    bytes = 0;
    return true;
  };
  const std::vector<Quarantined> all = list(number == 0 ? 0 : number - 1, number == 0 ? SIZE_MAX : 1);
  if (number != 0 && (all.empty() || all[0].number != number)) return {Code::bad_argument, "number"};
  const hold::BatchLimits& limits = around_.settings.batches;
  bool good = true;
  for (const Quarantined& one : all) {
    const std::size_t more = one.sentence.size() + 1;
    if (lines.size() == limits.lines_max || bytes + more > limits.bytes_max ||
        purpose_of(one.sentence) != parent.kind.purpose) {
      good = good && send();
    }
    numbers.push_back(static_cast<std::int64_t>(one.number));
    parent.kind.purpose = purpose_of(one.sentence);
    lines.push_back(one.sentence);
    bytes += more;
  }
  good = good && send();
  return answer(good);
}

Status Quarantine::erase(std::uint64_t number, std::int64_t now_ms) {
  std::vector<std::int64_t> numbers;
  for (const Quarantined& one : list(number == 0 ? 0 : number - 1, number == 0 ? SIZE_MAX : 1)) {
    if (number == 0 || one.number == number) numbers.push_back(static_cast<std::int64_t>(one.number));
  }
  if (number != 0 && numbers.empty()) return {Code::bad_argument, "number"};
  const bool good = numbers.empty() || around_.lane.queue().erase_quarantined(numbers);
  if (!good) faults_.on_way_in(around_.lane, "erasing what is in quarantine", now_ms);
  return answer(good);
}

}  // namespace yukha::pipeline
