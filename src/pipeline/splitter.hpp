// Makes several batches of one, and one of several.
#pragma once

#include <string>

#include "pipeline/faults.hpp"

namespace yukha::pipeline {

// A search for the sentence that an endpoint refuses without naming it: the batch's left half becomes the suspect, the
// right one its rest, which waits. A suspect that goes through makes its rest the next suspect; once one stands alone,
// what is left is joined again. A suspect that must be smaller for another reason begins two searches, each under a
// path of its own: of two suspects under one path each would join a rest, and both under the same key. hold::Bisect
// says which a batch is.
class Splitter {
 public:
  Splitter(Surroundings& around, Faults& faults) : around_(around), faults_(faults) {}

  enum class Why { too_large, search };
  // In two halves, in one commit. False when it stays whole.
  bool split(hold::Lane& lane, const hold::Batch& batch, const std::string& body, Why why, std::int64_t now_ms);
  // The same of one whose body is not at hand.
  bool split_waiting(hold::Lane& lane, const hold::Batch& batch, Why why, std::int64_t now_ms);
  // What is left of a batch after its suspect stands alone goes as one, under the root's path and `r`.
  void join_rest(hold::Lane& lane, const hold::Batch& member, std::int64_t now_ms);
  // The suspect was accepted, so what the endpoint refused is in its sibling.
  void go_on(hold::Lane& lane, const hold::Batch& accepted, std::int64_t now_ms);

 private:
  Surroundings& around_;
  Faults& faults_;
};

}  // namespace yukha::pipeline
