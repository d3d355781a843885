#include "pattern.hpp"

#include <regex.h>

#include <cctype>

namespace replay {

namespace {
const regex_t* as_regex(const void* compiled) {
  return static_cast<const regex_t*>(compiled);
}
}  // namespace

bool Pattern::compile(const std::string& text, std::string& problem) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') continue;
    // POSIX leaves \d and its like undefined, and some libraries silently take \d for the letter.
    if (std::isalnum(static_cast<unsigned char>(text[++i])) != 0) {
      problem = std::string("\\") + text[i] +
                " is not known in POSIX extended regular expressions; write [0-9] for \\d, " +
                "[[:space:]] for \\s, [[:alnum:]_] for \\w";
      return false;
    }
  }
  if (text.find('\0') != std::string::npos) {
    problem = "a NUL cannot stand in a regular expression";
    return false;
  }
  auto regex = std::make_unique<regex_t>();
  const int error = ::regcomp(regex.get(), text.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error != 0) {
    char why[128];
    ::regerror(error, regex.get(), why, sizeof why);
    problem = std::string("not a regular expression: ") + why;
    return false;
  }
  compiled_ = std::shared_ptr<void>(regex.release(), [](void* compiled) {
    ::regfree(static_cast<regex_t*>(compiled));
    delete static_cast<regex_t*>(compiled);
  });
  return true;
}

bool Pattern::found_in(std::string_view text) const {
  // REG_STARTEND takes the text by its length: it need not end with a NUL and may hold one.
  regmatch_t range{};
  range.rm_so = 0;
  range.rm_eo = static_cast<regoff_t>(text.size());
  const char* const begin = text.empty() ? "" : text.data();
  return ::regexec(as_regex(compiled_.get()), begin, 1, &range, REG_STARTEND) == 0;
}

}  // namespace replay
