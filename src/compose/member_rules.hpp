// Which members may be kept, and which only as a hash.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <vector>

#include <yukha/config.hpp>
#include <yukha/event.hpp>
#include <yukha/status.hpp>

namespace yukha::detail {

// Threads: any, once it is set. Blocks: never.
class MemberRules {
 public:
  Status set(const Config& config);
  bool allows() const noexcept { return allows_; }
  bool empty() const noexcept { return !allows_ && rules_.empty(); }

  enum class Fate { keep, drop, hash };
  Fate of(Part part, std::string_view name) const noexcept;
  // HMAC-SHA256 with the config's key, as 64 hexadecimal digits.
  std::string hash(std::string_view value) const;

 private:
  struct Rule {
    Part part;
    std::string name;
    Fate fate;
  };
  Status add(const std::vector<std::string>& names, Fate fate);

  bool allows_ = false;  // what is not in a rule is dropped
  std::vector<Rule> rules_;
  std::string key_;
};

// Members as the rules want them; borrows what they leave as it is. Names that are none are left to whoever checks
// them.
class RuledMembers {
 public:
  RuledMembers(const MemberRules& rules, Part part, Members members);
  ~RuledMembers();
  RuledMembers(const RuledMembers&) = delete;
  RuledMembers& operator=(const RuledMembers&) = delete;
  Members list() const noexcept { return {members_.data(), members_.size()}; }

 private:
  std::list<std::string> hashes_;
  std::vector<Member> members_;
};

}  // namespace yukha::detail
