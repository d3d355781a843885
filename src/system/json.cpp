#include "system/json.hpp"

namespace yukha::system {

nlohmann::json parse_json(std::string_view text, const nlohmann::json::parser_callback_t& watch) {
  return nlohmann::json::parse(text.data(), text.data() + text.size(), watch, false);
}

}  // namespace yukha::system
