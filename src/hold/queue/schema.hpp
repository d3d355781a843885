// The tables of a lane's database. FORMAT.md says what a row of each is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <yukha/status.hpp>

#include "hold/sqlite.hpp"

namespace yukha::hold::schema {

// Makes the tables of an empty database, or brings those of an earlier version up to date. newer_format: a later
// version's. disk_error: somebody else's. Both are left as they are. Other faults stand in the database.
// `reserve_bytes` are put aside for a full disk.
Status prepare(Database& database, const std::string& path, std::uint64_t epoch, std::size_t reserve_bytes);

// Whether bytes of erased rows may still lie in the files. The note is a table, so that it needs no column.
bool owes_scrub(Database& database);
void note_scrub(Database& database);
void drop_scrub(Database& database);

}  // namespace yukha::hold::schema
