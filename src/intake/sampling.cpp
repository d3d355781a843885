#include "intake/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "system/crypto.hpp"

namespace yukha::detail {
namespace {

std::string rate_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", rate);
  std::string written = text;
  std::replace(written.begin(), written.end(), ',', '.');  // as some locales have it
  return written;
}

}  // namespace

double Sampling::place_of_user(std::string_view member) noexcept {
  const system::Sha256 digest = system::sha256(member);
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < 8; ++i) first = first << 8 | digest[i];
  return std::ldexp(static_cast<double>(first), -64);
}

double Sampling::place_of(const char* parts, std::size_t size) const noexcept {
  compose::Entry entry{};
  for (compose::Entries entries(parts, size); entries.next(entry);) {
    if (entry.part == Part::user && entry.name == "id") return place_of_user(entry.text);
  }
  return user_place_;
}

Sampling::Wish Sampling::wish_of(const send::Policy& policy, std::int64_t unix_ms, std::int64_t now_ms) {
  Wish wish;
  const std::int64_t left_ms = policy.left_ms(policy.for_s, unix_ms);
  wish.holds = left_ms > 0;
  wish.until_ms = now_ms + left_ms;
  if (wish.holds) wish.share = static_cast<double>(policy.share_percent) / 100;
  for (const std::string& action : policy.stop) compose::append_entry(wish.stops, Part::action, "type", action);
  return wish;
}

std::string Sampling::told(const Wish& wish) const {
  const double rate = std::min(wish.share, rate_);
  return rate < 1 ? rate_text(rate) : std::string();
}

bool Sampling::stops(const char* parts, std::size_t size) const noexcept {
  if (policy_.share < 1 && place_of(parts, size) >= policy_.share) return true;
  compose::Entry entry{};
  for (compose::Entries entries(parts, size); entries.next(entry);) {
    if (entry.part != Part::action || entry.name != "type") continue;
    compose::Entry stopped{};
    for (compose::Entries stops(policy_.stops.data(), policy_.stops.size()); stops.next(stopped);) {
      if (stopped.text == entry.text || stopped.text == "\"type\":\"*\"") return true;
    }
  }
  return false;
}

}  // namespace yukha::detail
