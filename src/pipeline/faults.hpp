// What the disk did to the worker: what it said last, and when what failed is tried again.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "pipeline/stage.hpp"

namespace yukha::pipeline {

// Two ways fail apart: on a full disk nothing more comes in, for as long as nothing goes out.
class Faults {
 public:
  static constexpr std::int64_t again_after_ms = 1'000;

  explicit Faults(Surroundings& around) : around_(around) {}

  // Nothing is taken over or sealed for a second. The lane's queue says what it was.
  void on_way_in(hold::Lane& lane, const char* doing, std::int64_t now_ms);
  // Nothing is sent for a second.
  void on_way_out(hold::Lane& lane, const char* doing, std::int64_t now_ms);
  // What went wrong is told in stats() until something is delivered.
  void tell(std::string what) { last_error_ = std::move(what); }
  void forget() noexcept { last_error_.clear(); }
  const std::string& last_error() const noexcept { return last_error_; }

  std::int64_t in_again_ms() const noexcept { return in_again_ms_; }
  std::int64_t out_again_ms() const noexcept { return out_again_ms_; }

  // A page of the own lane cannot be read.
  bool repair_due(std::int64_t now_ms) const noexcept { return repair_wanted_ && now_ms >= repair_again_ms_; }
  // Reading everything anew is not for each second of a full disk.
  void repaired(bool done, std::int64_t now_ms) noexcept;

 private:
  void note(hold::Lane& lane, const char* doing);

  Surroundings& around_;
  std::string last_error_;
  std::int64_t in_again_ms_ = 0;
  std::int64_t out_again_ms_ = 0;
  bool repair_wanted_ = false;
  std::int64_t repair_again_ms_ = INT64_MIN / 2;
};

}  // namespace yukha::pipeline
