#include "hold/queue/quarantine.hpp"

#include <algorithm>
#include <string>

namespace yukha::hold::quarantine {
namespace {

constexpr const char* columns = "SELECT id, sentence_id, reason, line FROM quarantine WHERE ";

bool read_row(Statement& row, std::int64_t& id, Rejected& rejected) {
  if (!row.row()) return false;
  id = row.number(0);
  rejected = {std::string(row.text(1)), std::string(row.text(2)), std::string(row.blob(3)), false};
  return true;
}

}  // namespace

std::size_t count_of_app(const std::vector<Rejected>& rejected) noexcept {
  return static_cast<std::size_t>(
      std::count_if(rejected.begin(), rejected.end(), [](const Rejected& one) { return !one.own; }));
}

void insert(Database& database, const std::vector<Rejected>& rejected, std::int64_t opening, std::int64_t held_ms) {
  for (const Rejected& one : rejected) {
    if (one.own) continue;
    Statement(database, "INSERT INTO quarantine VALUES(NULL, ?, ?, ?, ?, ?)")
        .bind(one.sentence_id)
        .bind(one.reason)
        .bind(opening)
        .bind(held_ms)
        .bind_blob(one.line)
        .run();
  }
}

std::uint64_t count(Database& database) {
  return static_cast<std::uint64_t>(database.number("SELECT count(*) FROM quarantine"));
}

bool read(Database& database, std::int64_t id, Rejected& rejected) {
  Statement row(database, std::string(columns) + "id = ?");
  std::int64_t same = 0;
  return read_row(row.bind(id), same, rejected);
}

bool next(Database& database, std::int64_t after, std::int64_t& id, Rejected& rejected) {
  Statement row(database, std::string(columns) + "id > ? ORDER BY id LIMIT 1");
  return read_row(row.bind(after), id, rejected) && database.fault() == Fault::none;
}

}  // namespace yukha::hold::quarantine
