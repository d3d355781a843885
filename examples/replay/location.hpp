// A location as the mapping writes it, taken apart once.
#pragma once

#include <string_view>
#include <vector>

#include "template.hpp"

namespace replay {

// `app://shop/{screen}?y={y}&x={x}#{part}`: values are percent-encoded, and a parameter whose values are all empty is
// left out. A location that does not begin with a scheme is a screen's name, which the library encodes itself.
struct Location {
  bool is_url = false;
  Template before;                   // up to the '?'
  std::vector<Template> parameters;  // "y={y}", one each
  Template after;                    // from the '#', with it
};

Location take_apart(const Template& text);

}  // namespace replay
