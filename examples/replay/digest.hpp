// SHA-256, by which a resumed run knows its input again.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace replay {

std::string sha256_of_text(std::string_view text);
// One file's, or of several the SHA-256 of theirs in order. Answers false and says why when one cannot be read;
// `problem` is empty when `stop` ended it.
bool sha256_of_files(const std::vector<std::string>& paths, const std::function<bool()>& stop, std::string& hex,
                     std::string& problem);

}  // namespace replay
