// RFC 4648 section 4.
#pragma once

#include <string>
#include <string_view>

namespace yukha::system {

std::string to_base64(std::string_view bytes);
// False when it is not base64 with its padding.
bool from_base64(std::string_view text, std::string& bytes);

}  // namespace yukha::system
