// Of which users, and of which actions, sentences are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "send/policy.hpp"

namespace yukha::detail {

// The share of users that the config says, and what an endpoint's policy asks for a while: a smaller share, or no
// sentences of some actions. Guarded by whoever has it. Threads: one at a time. Blocks: never.
class Sampling {
 public:
  // `rate`: of all users, above 0 and at most 1.
  explicit Sampling(double rate) noexcept : rate_(rate) {}

  // The user of sentences that name none. Its place among all users is the same on every device and in every language
  // that can hash: the first 64 bits of SHA-256 over the member as it stands in the line, "id":"u_1842".
  void set_user(std::string_view member) noexcept { user_place_ = place_of_user(member); }
  // What sentences say of it, so that a reader can count the others; empty: every user is told of.
  std::string told() const { return told(policy_); }

  // What a policy asks for.
  struct Wish {
    bool holds = false;
    std::int64_t until_ms = 0;  // monotonic
    double share = 1;
    std::string stops;  // actions, as a sentence has them
  };
  // One that asks for nothing any more is the default.
  static Wish wish_of(const send::Policy& policy, std::int64_t unix_ms, std::int64_t now_ms);
  // What sentences will say once it is obeyed.
  std::string told(const Wish& wish) const;
  void obey(Wish&& wish) noexcept { policy_ = static_cast<Wish&&>(wish); }
  bool obeys() const noexcept { return policy_.holds; }
  bool is_over(std::int64_t now_ms) const noexcept { return now_ms >= policy_.until_ms; }

  // Of a sentence with these parts, a store of the builder: the config leaves its user out.
  bool leaves_out(const char* parts, std::size_t size) const noexcept {
    return rate_ < 1 && place_of(parts, size) >= rate_;
  }
  // The policy has it stay here, for its user or its action.
  bool stops(const char* parts, std::size_t size) const noexcept;

 private:
  static double place_of_user(std::string_view member) noexcept;
  double place_of(const char* parts, std::size_t size) const noexcept;

  const double rate_;
  double user_place_ = 0;  // below 1
  Wish policy_;
};

}  // namespace yukha::detail
