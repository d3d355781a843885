// JSON from elsewhere, read in one place: for each kind of input nlohmann_json has its reader compiled once more.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace yukha::system {

// Discarded when it is no JSON. `watch` sees each piece as nlohmann_json has it, and may leave it out.
nlohmann::json parse_json(std::string_view text, const nlohmann::json::parser_callback_t& watch = nullptr);

}  // namespace yukha::system
