#include "compose/standing.hpp"

#include <utility>

#include "compose/text.hpp"

namespace yukha::compose {
namespace {

// What `lower` has and `upper` does not.
void append_below(std::string& store, const std::string& lower, const std::string& upper) {
  Entry entry{};
  const char* begin = lower.data();
  for (Entries entries(lower.data(), lower.size()); entries.next(entry);) {
    const char* const end = entry.text.data() + entry.text.size();
    if (!has_entry(upper.data(), upper.size(), entry.part, entry.name)) store.append(begin, end);
    begin = end;
  }
}

// The parts that have members, and the names an app may set in them.
Status check_set(Part part, std::string_view name) {
  if (part != Part::user && part != Part::device && part != Part::content && part != Part::action) {
    return {Code::bad_argument, "only user, device, content and action have members"};
  }
  if (part == Part::user && name == "id") return about_member(Code::reserved_member, part, name);
  return check_member(part, name);
}

}  // namespace

Status Standing::identify(std::string_view id, Members members) {
  if (id.size() > 2048) return {Code::too_many_members, "user.id"};
  std::string store;
  for (const Member& member : members) {
    if (Status status = check_set(Part::user, member.name); !status) return status;
    if (Status status = append_member(store, Part::user, member.name, member.value); !status) return status;
  }
  user_id = id;
  identity = std::move(store);
  return {};
}

void Standing::reset() noexcept {
  user_id.clear();
  identity.clear();
  context[static_cast<std::size_t>(Part::user)].clear();
}

Status Standing::set(Part part, Members members) {
  std::string fresh;
  for (const Member& member : members) {
    if (Status status = check_set(part, member.name); !status) return status;
    if (Status status = append_member(fresh, part, member.name, member.value); !status) return status;
  }
  if (fresh.empty()) return {};
  std::string& old = context[static_cast<std::size_t>(part)];
  std::string merged;
  append_below(merged, old, fresh);
  merged += fresh;
  if (merged.size() > members_bytes_max) return {Code::too_many_members, part_name(part)};
  old = std::move(merged);
  return {};
}

Status Standing::unset(Part part, std::string_view name) {
  if (Status status = check_set(part, name); !status) return status;
  std::string gone;
  append_entry(gone, part, name, {});
  std::string& old = context[static_cast<std::size_t>(part)];
  std::string rest;
  append_below(rest, old, gone);
  old = std::move(rest);
  return {};
}

Status Standing::set_ad_id(std::string_view id) {
  if (id.size() > 2048) return {Code::too_many_members, "device.ad_id"};
  ad_id = id;
  return {};
}

Circumstances Standing::circumstances() const {
  const auto of = [this](Part part) -> const std::string& { return context[static_cast<std::size_t>(part)]; };
  Circumstances all;
  all.install_id = install_id;
  all.run = run;
  all.ad_id = ad_id;
  append_entry(all.user, Part::user, "id", who());
  const auto own = [this, &all, &of](const char* name, std::string_view value) {
    // An app that counts its sessions itself says so by setting them.
    for (const std::string* store : {&identity, &of(Part::user)}) {
      if (has_entry(store->data(), store->size(), Part::user, name)) return;
    }
    append_entry(all.user, Part::user, name, value);
  };
  if (session != 0) {
    char id[16];
    write_hex64(session, id);
    own("session", {id, sizeof id});
    own("session_ordinal", std::to_string(session_ordinal));
  }
  if (!sample_rate.empty()) own("sample_rate", sample_rate);
  append_below(all.user, identity, of(Part::user));
  all.user += of(Part::user);
  append_below(all.device, facts, of(Part::device));
  all.device += of(Part::device);
  all.content = of(Part::content);
  all.action = of(Part::action);
  return all;
}

}  // namespace yukha::compose
