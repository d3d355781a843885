// What every request passes before anything else is asked: a head that can be read in one way only, the endpoint's own
// Host and Origin, and the token below /micro/.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "http_message.hpp"
#include "signature.hpp"

namespace collector {

constexpr std::size_t kHeadBytesMax = 32 * 1024;
constexpr std::size_t kHeadFieldsMax = 100;
constexpr std::string_view kMicro = "/micro/";  // below it the collector is watched and told what to do

// A byte that no head may have: a control character, or half of a line end. `before` is the byte before `text`.
bool has_forbidden_byte(std::string_view text, char before = '\0');

// The head without the empty line behind it. False when two readers could understand it differently. Pure.
bool read_head(std::string_view text, HttpRequest* head);

class Gate {
 public:
  // `own_urls`: everything the endpoint is called. An empty token lets everybody read and change what is below /micro/.
  Gate(const std::vector<PublicUrl>& own_urls, std::string token);

  // 421 for a Host that is not ours (a name that somebody made to point here), 403 for a page of another origin, 401
  // where the token is wanted and missing. Pure. Threads: any. Blocks: never.
  std::optional<HttpAnswer> refusal_of(const HttpRequest& head) const;

 private:
  bool has_token(const HttpRequest& head) const;

  std::set<std::string> hosts_;
  std::set<std::string> origins_;
  std::string token_;
};

}  // namespace collector
