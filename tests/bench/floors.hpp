// What the machine allows: the same work without us.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "histogram.hpp"

namespace bench {

// One snprintf of each line, whose strings stand ready.
Histogram time_snprintf(const std::vector<std::string>& lines, int rounds);
// Each line into a buffer behind a mutex.
Histogram time_locked_copy(const std::vector<std::string>& lines, int rounds);
// CPU a sentence, of compressing batches of 500 lines as we do.
double deflate_ns(const std::vector<std::string>& lines);
// CPU a sentence, of a row each into a write-ahead log that is not synced at each commit.
double sqlite_ns(const std::vector<std::string>& lines, const std::string& path, std::size_t rows_a_transaction);
// CPU a request, of a body of that size on one kept connection.
double post_us(const std::string& url, std::size_t bytes, int requests);

}  // namespace bench
