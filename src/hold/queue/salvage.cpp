#include "hold/queue/salvage.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "hold/queue/quarantine.hpp"
#include "system/json.hpp"

namespace yukha::hold::salvage {
namespace {

// From both ends, so that a damaged page hides only the ids that lie in it.
std::set<std::int64_t> ids_in(Database& damaged, const char* table) {
  std::set<std::int64_t> ids;
  for (const char* order : {" ORDER BY id", " ORDER BY id DESC"}) {
    damaged.clear();
    Statement rows(damaged, std::string("SELECT id FROM ") + table + order);
    while (rows.row()) ids.insert(rows.number(0));
  }
  return ids;
}

// The lines of a damaged chunk that are still whole: half a sentence would be refused, and counted as one.
std::string whole_lines(std::string_view text, std::size_t& lines) {
  std::string whole;
  lines = 0;
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    const std::string_view line = text.substr(0, end);
    if (!system::read_json(line).is(system::Json::Kind::object)) continue;
    whole += text.substr(0, end + 1);
    ++lines;
  }
  return whole;
}

// These return how many of the app's sentences came.
std::uint64_t copy_chunk(Database& damaged, Database& fresh, std::int64_t id, std::int64_t opening) {
  Chunk chunk;
  std::string_view body;
  rows::ChunkReader reader(damaged);
  if (!reader.read(id, chunk, body)) return 0;
  const std::string lines = whole_lines(body, chunk.lines);
  if (chunk.lines == 0) return 0;
  chunk.own_lines = std::min(chunk.own_lines, chunk.lines);
  chunk.bytes = lines.size();
  chunk.opening = opening;
  chunk.held_ms = 0;
  rows::insert_chunk(fresh, chunk, lines);
  return chunk.lines - chunk.own_lines;
}

std::uint64_t copy_batch(Database& damaged, Database& fresh, std::int64_t id, std::int64_t opening) {
  NewBatch batch;
  if (!rows::read_batch(damaged, id, batch) || !rows::is_sane(batch.facts) || batch.body.empty()) return 0;
  batch.facts.opening = opening;
  batch.facts.held_ms = 0;
  rows::insert_batch(fresh, batch);
  return batch.facts.lines - batch.facts.own_lines;
}

std::uint64_t copy_quarantined(Database& damaged, Database& fresh, std::int64_t id, std::int64_t opening) {
  Rejected rejected;
  if (!quarantine::read(damaged, id, rejected)) return 0;
  quarantine::insert(fresh, {rejected}, opening, 0);
  return 1;
}

}  // namespace

rows::State read_state(Database& damaged) {
  damaged.clear();
  rows::State state;
  if (!rows::read_state(damaged, state)) state = {};
  if (!adds_up(state.ledger)) state.ledger = {};
  // The ring's header has these.
  std::fill_n(state.ledger.refused, refusal_count, 0);
  damaged.clear();
  return state;
}

Found copy_rows(Database& damaged, Database& fresh, std::int64_t opening) {
  Found found;
  const auto copy = [&](const char* table, auto copy_one) {
    std::uint64_t sentences = 0;
    for (const std::int64_t id : ids_in(damaged, table)) {
      damaged.clear();
      sentences += copy_one(damaged, fresh, id, opening);
    }
    damaged.clear();
    return sentences;
  };
  found.waiting = copy("chunk", copy_chunk);
  found.waiting += copy("batch", copy_batch);
  found.quarantined = copy("quarantine", copy_quarantined);
  return found;
}

Ledger balanced(Ledger ledger, const Found& found) noexcept {
  const std::uint64_t here = found.waiting + found.quarantined;
  ledger.quarantined = found.quarantined;
  if (ledger.accepted == 0) {
    // The counters of a file that lost its state row are rebuilt from what was found.
    ledger.accepted = here;
    return ledger;
  }
  // Rows that are there once more were not delivered or given up after all: as many are taken off those counters.
  std::uint64_t room = ledger.accepted - std::min(ledger.accepted, here);
  for (std::uint64_t* part : {&ledger.lost, &ledger.erased, &ledger.evicted, &ledger.delivered}) {
    *part = std::min(*part, room);
    room -= *part;
  }
  ledger.lost += room;
  ledger.accepted = std::max(ledger.accepted, here);
  return ledger;
}

}  // namespace yukha::hold::salvage
