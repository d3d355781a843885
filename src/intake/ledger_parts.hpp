// The parts of the ledger sentence, as compose/parts.hpp stores them.
#pragma once

#include <string>

#include "hold/ledger.hpp"
#include "hold/queue/rows.hpp"

namespace yukha::detail {

// What became of everything that was tracked here, and how the run before ended.
std::string ledger_parts(const hold::Ledger& ledger, const hold::RunMark& previous);

}  // namespace yukha::detail
