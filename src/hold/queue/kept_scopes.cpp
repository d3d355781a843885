#include "hold/queue/kept_scopes.hpp"

#include <algorithm>
#include <cstdint>

namespace yukha::hold {

std::vector<KeptScope> without_ended(std::vector<KeptScope> scopes, const std::vector<RingLine>& lines) {
  constexpr std::size_t id_end = 7 + 36;  // {"id":"…
  const auto is_over = [&lines](const KeptScope& scope) {
    return std::any_of(lines.begin(), lines.end(), [&scope](const RingLine& line) {
      return line.text.size() > id_end && line.text.substr(id_end - scope.tail.size(), scope.tail.size()) == scope.tail;
    });
  };
  scopes.erase(std::remove_if(scopes.begin(), scopes.end(), is_over), scopes.end());
  return scopes;
}

std::vector<KeptScope> KeptScopes::read(Database& database) {
  std::vector<KeptScope> scopes;
  if (database.number("SELECT count(*) FROM sqlite_master WHERE name = 'scope'") == 0) return scopes;
  // Rows that this library did not write are passed over. A tail has 17 letters; the purpose's number stands behind it.
  Statement rows(database,
                 "SELECT substr(tail, 1, 17), sentence, substr(tail, 18) FROM scope"
                 " WHERE length(CAST(tail AS BLOB)) IN (17, 18)"
                 " AND length(CAST(sentence AS BLOB)) <= 65536 ORDER BY tail LIMIT 1024");
  while (rows.row()) {
    const std::int64_t purpose = std::clamp<std::int64_t>(rows.number(2), 0, purpose_count - 1);
    scopes.push_back({std::string(rows.text(0)), std::string(rows.text(1)), static_cast<Purpose>(purpose)});
  }
  return scopes;
}

void KeptScopes::replace(Database& database, const std::vector<KeptScope>& scopes) {
  // Few apps have scopes, and a queue from before there were any has no table for them.
  database.run("CREATE TABLE IF NOT EXISTS scope(tail TEXT PRIMARY KEY, sentence TEXT NOT NULL) WITHOUT ROWID");
  database.run("DELETE FROM scope");
  Statement insert(database, "INSERT OR REPLACE INTO scope VALUES(?, ?)");
  for (const KeptScope& scope : scopes) {
    std::string tail = scope.tail;
    if (scope.purpose != Purpose::analytics) tail += static_cast<char>('0' + static_cast<int>(scope.purpose));
    insert.bind(tail).bind(scope.sentence).run();
    insert.again();
  }
  note(scopes);
}

void KeptScopes::note(const std::vector<KeptScope>& scopes) noexcept {
  for (const KeptScope& scope : scopes) had_[static_cast<int>(scope.purpose)] = true;
}

void KeptScopes::note_none() noexcept {
  std::fill_n(had_, purpose_count, false);
}

void KeptScopes::note_all() noexcept {
  std::fill_n(had_, purpose_count, true);
}

}  // namespace yukha::hold
