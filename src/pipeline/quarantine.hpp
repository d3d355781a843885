// The sentences that the endpoint refused: shown to the app, sent once more, or erased.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <yukha/stats.hpp>

#include "pipeline/faults.hpp"

namespace yukha::pipeline {

class Quarantine {
 public:
  Quarantine(Surroundings& around, Faults& faults) : around_(around), faults_(faults) {}

  std::vector<Quarantined> list(std::uint64_t after, std::size_t most);
  // Number 0 means all.
  Status resend(std::uint64_t number, std::int64_t now_ms);
  Status erase(std::uint64_t number, std::int64_t now_ms);

 private:
  Status answer(bool good) const { return good ? Status() : Status(Code::disk_error, faults_.last_error()); }

  Surroundings& around_;
  Faults& faults_;
};

}  // namespace yukha::pipeline
