#include "compose/member_rules.hpp"

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "system/base64.hpp"
#include "system/crypto.hpp"

namespace yukha::detail {
namespace {

constexpr std::size_t rules_max = 256;

// Without these there is no sentence; who it was, and what about, may still be hashed.
bool is_needed(Part part, std::string_view name) noexcept {
  return (part == Part::user && name == "id") || (part == Part::content && name == "id") ||
         (part == Part::action && (name == "type" || name == "duration_ms"));
}

}  // namespace

Status MemberRules::add(const std::vector<std::string>& names, Fate fate) {
  for (const std::string& path : names) {
    const std::size_t dot = path.find('.');
    bool known = false;
    for (const Part part : {Part::user, Part::device, Part::location, Part::content, Part::action}) {
      if (dot == std::string::npos || path.compare(0, dot, compose::part_name(part)) != 0) continue;
      const std::string name = path.substr(dot + 1);
      known = compose::is_member_name(name) && (fate == Fate::hash || !is_needed(part, name)) &&
              !(part == Part::action && is_needed(part, name)) && rules_.size() < rules_max;
      // What is hashed or denied is so even where it is allowed, too.
      rules_.push_back({part, name, fate});
    }
    if (!known) return {Code::bad_config, "members are named like user.plan, and not \"" + path.substr(0, 80) + "\""};
  }
  return {};
}

Status MemberRules::set(const Config& config) {
  if (Status status = add(config.deny_members, Fate::drop); !status) return status;
  if (Status status = add(config.hash_members, Fate::hash); !status) return status;
  if (Status status = add(config.allow_members, Fate::keep); !status) return status;
  allows_ = !config.allow_members.empty();
  if (config.hash_members.empty()) return {};
  if (!system::from_base64(config.hash_key_base64, key_) || key_.size() < 16 || key_.size() > 256) {
    return {Code::bad_config, "hash_key_base64 must be the base64 of 16 to 256 bytes"};
  }
  return {};
}

MemberRules::Fate MemberRules::of(Part part, std::string_view name) const noexcept {
  for (const Rule& rule : rules_) {
    if (rule.part == part && rule.name == name) return rule.fate;
  }
  return allows_ && !is_needed(part, name) ? Fate::drop : Fate::keep;
}

std::string MemberRules::hash(std::string_view value) const {
  return system::hex(system::hmac_sha256(key_, value));
}

// Not in the header: each call that may meet rules would have it, and few apps have any.
RuledMembers::~RuledMembers() = default;

RuledMembers::RuledMembers(const MemberRules& rules, Part part, Members members) {
  for (Member member : members) {
    const MemberRules::Fate fate = compose::is_member_name(member.name) ? rules.of(part, member.name)
                                   : part == Part::location && rules.allows()
                                       ? MemberRules::Fate::drop  // a parameter may have any name
                                       : MemberRules::Fate::keep;
    if (fate == MemberRules::Fate::drop) continue;
    if (fate == MemberRules::Fate::hash) {
      hashes_.push_back(rules.hash(member.value));
      member.value = hashes_.back();
    }
    members_.push_back(member);
  }
}

}  // namespace yukha::detail
