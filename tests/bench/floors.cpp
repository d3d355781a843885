#include "floors.hpp"

#include <curl/curl.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "send/gzip.hpp"

namespace bench {
namespace {

constexpr std::size_t strings_max = 24;

// A line as a format and what fills it: id and time as numbers, for track() makes text of them, too, and every other
// value as a string.
struct Printed {
  std::string format = R"({"id":"%08x-%04x-%04x-%04x-%04x%08x","time":"%04u-%02u-%02uT%02u:%02u:%02u.%03uZ")";
  unsigned id[6] = {};
  unsigned time[7] = {};
  std::vector<std::string> values;
};

Printed take_apart(const std::string& line) {
  Printed printed;
  unsigned* const id = printed.id;
  unsigned* const time = printed.time;
  std::sscanf(line.c_str(), R"({"id":"%8x-%4x-%4x-%4x-%4x%8x","time":"%4u-%2u-%2uT%2u:%2u:%2u.%3uZ")", &id[0], &id[1],
              &id[2], &id[3], &id[4], &id[5], &time[0], &time[1], &time[2], &time[3], &time[4], &time[5], &time[6]);
  constexpr std::size_t head_bytes = 78;
  for (std::size_t at = head_bytes; at < line.size();) {
    const bool begins = line.compare(at, 2, ":\"") == 0 && printed.values.size() < strings_max;
    if (!begins) {
      if (line[at] == '%') printed.format += '%';
      printed.format += line[at++];
      continue;
    }
    std::size_t end = at + 2;
    while (line[end] != '"') end += line[end] == '\\' ? 2 : 1;
    printed.format += ":\"%s";
    printed.values.push_back(line.substr(at + 2, end - at - 2));
    at = end;
  }
  return printed;
}

}  // namespace

Histogram time_snprintf(const std::vector<std::string>& lines, int rounds) {
  std::vector<Printed> all;
  for (const std::string& line : lines) all.push_back(take_apart(line));
  Histogram times;
  std::vector<char> out(64 * 1024);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Printed& one = all[i];
      const char* v[strings_max] = {};
      for (std::size_t k = 0; k < one.values.size(); ++k) v[k] = one.values[k].c_str();
      const std::int64_t begin = wall_ns();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
      const unsigned* const d = one.id;
      const unsigned* const t = one.time;
      const int size =
          std::snprintf(out.data(), out.size(), one.format.c_str(), d[0], d[1], d[2], d[3], d[4], d[5], t[0], t[1],
                        t[2], t[3], t[4], t[5], t[6], v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10],
                        v[11], v[12], v[13], v[14], v[15], v[16], v[17], v[18], v[19], v[20], v[21], v[22], v[23]);
#pragma GCC diagnostic pop
      const std::int64_t end = wall_ns();
      if (round > 0) times.add(end - begin);
      if (round == 0 && lines[i].compare(0, std::string::npos, out.data(), static_cast<std::size_t>(size)) != 0) {
        std::fprintf(stderr, "snprintf wrote another line:\n%s\n%s\n", lines[i].c_str(), out.data());
        std::abort();
      }
    }
  }
  return times;
}

Histogram time_locked_copy(const std::vector<std::string>& lines, int rounds) {
  Histogram times;
  std::mutex mutex;
  std::vector<char> buffer(512 * 1024);
  std::size_t at = 0;
  for (int round = 0; round < rounds; ++round) {
    for (const std::string& line : lines) {
      const std::int64_t begin = wall_ns();
      {
        const std::lock_guard<std::mutex> lock(mutex);
        if (at + line.size() > buffer.size()) at = 0;
        std::memcpy(buffer.data() + at, line.data(), line.size());
        at += line.size();
      }
      const std::int64_t end = wall_ns();
      if (round > 0) times.add(end - begin);
    }
  }
  return times;
}

double deflate_ns(const std::vector<std::string>& lines) {
  constexpr std::size_t batch_lines = 500;
  std::vector<std::string> batches;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i % batch_lines == 0) batches.emplace_back();
    batches.back() += lines[i] + "\n";
  }
  const std::int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  std::size_t bytes = 0;
  for (const std::string& batch : batches) bytes += yukha::send::gzip(batch).size();
  const std::int64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  return bytes == 0 ? 0 : static_cast<double>(end - begin) / static_cast<double>(lines.size());
}

double sqlite_ns(const std::vector<std::string>& lines, const std::string& path, std::size_t rows_a_transaction) {
  sqlite3* database = nullptr;
  sqlite3_stmt* insert = nullptr;
  sqlite3_open(path.c_str(), &database);
  sqlite3_exec(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE event(line BLOB)", nullptr,
               nullptr, nullptr);
  sqlite3_prepare_v2(database, "INSERT INTO event VALUES(?)", -1, &insert, nullptr);
  const std::int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i % rows_a_transaction == 0) sqlite3_exec(database, "BEGIN", nullptr, nullptr, nullptr);
    sqlite3_bind_blob(insert, 1, lines[i].data(), static_cast<int>(lines[i].size()), SQLITE_STATIC);
    sqlite3_step(insert);
    sqlite3_reset(insert);
    if ((i + 1) % rows_a_transaction == 0 || i + 1 == lines.size())
      sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr);
  }
  const std::int64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  sqlite3_finalize(insert);
  sqlite3_close(database);
  return static_cast<double>(end - begin) / static_cast<double>(lines.size());
}

double post_us(const std::string& url, std::size_t bytes, int requests) {
  const std::string body(bytes, 'x');
  CURL* easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(
      easy, CURLOPT_WRITEFUNCTION, +[](char*, std::size_t size, std::size_t count, void*) { return size * count; });
  if (requests > 1) curl_easy_perform(easy);  // connects
  const std::int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  for (int i = 0; i < requests; ++i) curl_easy_perform(easy);
  const std::int64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  curl_easy_cleanup(easy);
  return static_cast<double>(end - begin) / 1000 / requests;
}

}  // namespace bench
