// A sentence as a person would say it.
#pragma once

#include <string>
#include <string_view>

namespace yukha::detail {

// "u_1842 on iPhone15,2 in FEED at y=3 came by CLICK and READ card_913 for 10.0 s with depth=0.8"
std::string readable(std::string_view line);

}  // namespace yukha::detail
