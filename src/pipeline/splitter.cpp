#include "pipeline/splitter.hpp"

#include <map>
#include <vector>

#include "pipeline/lines.hpp"

namespace yukha::pipeline {

bool Splitter::split(hold::Lane& lane, const hold::Batch& batch, const std::string& body, Why why,
                     std::int64_t now_ms) {
  std::vector<std::string> lines;
  if (!read_lines(body, lines) || lines.size() < 2) {
    around_.log.write(LogLevel::error, "a batch cannot be read back and stays whole");
    return false;
  }
  const std::size_t middle = (lines.size() + 1) / 2;
  std::vector<hold::NewBatch> parts;
  parts.push_back(part_of(batch, batch.path + "0", lines, 0, middle));
  parts.push_back(part_of(batch, batch.path + "1", lines, middle, lines.size()));
  if (why == Why::search) {
    parts[0].facts.bisect = hold::Bisect::suspect;
    parts[1].facts.bisect = hold::Bisect::held_back;
    const bool begins = batch.bisect == hold::Bisect::none;
    for (hold::NewBatch& part : parts) part.facts.root_size = begins ? batch.path.size() : batch.root_size;
  }
  for (const hold::NewBatch& part : parts) {
    if (part.body.empty()) return false;
  }
  if (!lane.queue().replace({batch.id}, parts, {})) {
    faults_.on_way_out(lane, "splitting a batch", now_ms);
    return false;
  }
  return true;
}

bool Splitter::split_waiting(hold::Lane& lane, const hold::Batch& batch, Why why, std::int64_t now_ms) {
  std::string body;
  if (!lane.queue().body(batch.id, body)) {
    faults_.on_way_out(lane, "reading a batch", now_ms);
    return false;
  }
  return split(lane, batch, body, why, now_ms);
}

void Splitter::join_rest(hold::Lane& lane, const hold::Batch& member, std::int64_t now_ms) {
  // 0 before 1 before r at each level is the order of the lines.
  std::multimap<std::string, hold::Batch> rest;  // by path
  for (const hold::Batch& one : lane.queue().batches()) {
    if (one.key == member.key && one.bisect == hold::Bisect::held_back && one.root_size == member.root_size &&
        one.path.compare(0, member.root_size, member.path, 0, member.root_size) == 0) {
      rest.emplace(one.path, one);
    }
  }
  if (rest.empty()) return;
  const std::string path = member.path.substr(0, member.root_size) + "r";
  std::vector<std::string> lines;
  std::vector<std::int64_t> ids;
  for (const auto& [its_path, one] : rest) {
    std::string body;
    std::vector<std::string> some;
    if (path.size() > path_letters_max || !lane.queue().body(one.id, body) || !read_lines(body, some)) {
      // It cannot be joined; each part goes by itself.
      lane.queue().set_bisect(one.id, hold::Bisect::none);
      continue;
    }
    ids.push_back(one.id);
    lines.insert(lines.end(), some.begin(), some.end());
  }
  if (ids.empty()) return;
  std::vector<hold::NewBatch> parts;
  parts.push_back(part_of(rest.begin()->second, path, lines, 0, lines.size()));
  if (!lane.queue().replace(ids, parts, {})) faults_.on_way_out(lane, "joining a batch", now_ms);
}

void Splitter::go_on(hold::Lane& lane, const hold::Batch& accepted, std::int64_t now_ms) {
  if (accepted.path.empty() || accepted.path.back() != '0') {
    join_rest(lane, accepted, now_ms);
    return;
  }
  const std::string sibling_path = accepted.path.substr(0, accepted.path.size() - 1) + "1";
  for (const hold::Batch& one : lane.queue().batches()) {
    if (one.key != accepted.key || one.path != sibling_path || one.bisect != hold::Bisect::held_back) continue;
    const hold::Batch sibling = one;
    if (sibling.lines == 1 || sibling.path.size() >= path_letters_max) {
      if (!lane.queue().set_bisect(sibling.id, hold::Bisect::suspect))
        faults_.on_way_out(lane, "marking a batch", now_ms);
    } else {
      static_cast<void>(split_waiting(lane, sibling, Why::search, now_ms));
    }
    return;
  }
  join_rest(lane, accepted, now_ms);
}

}  // namespace yukha::pipeline
