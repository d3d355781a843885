// SHA-256, by which a resumed run knows its input again.
#pragma once

#include <string>
#include <string_view>

namespace replay {

std::string sha256_of_text(std::string_view text);
// Answers false and says why when the file cannot be read.
bool sha256_of_file(const std::string& path, std::string& hex, std::string& problem);

}  // namespace replay
