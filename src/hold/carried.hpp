// The ledger of a lane whose files are about to be unlinked, as directory.db carries it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hold/ledger.hpp"

namespace yukha::hold {

// As JSON, with the epoch for which it is carried.
std::string carried_text(const Ledger& ledger, std::uint64_t epoch);
// False when it is none, or does not add up.
bool read_carried(std::string_view text, Ledger& ledger, std::uint64_t& epoch);

}  // namespace yukha::hold
