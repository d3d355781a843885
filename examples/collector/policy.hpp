// What the endpoint may ask of its clients, as the contract bounds it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace collector {

// The policy as it stands in an answer. Nothing, and a sentence in `error`, when a client would not obey it: a member
// out of range, of another type, missing, or unknown (clients ignore those, so here it is a slip of the pen). Pure.
std::optional<std::string> policy_from(std::string_view json, std::string* error);

}  // namespace collector
