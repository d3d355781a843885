// What the places of a directory say of its epoch and of consent.
#pragma once

#include <cstdint>
#include <string>

#include "hold/consents.hpp"
#include "system/files.hpp"

namespace yukha::hold {

// More epochs can only come from damage.
constexpr std::uint64_t epoch_max = 1ULL << 40;

// Hears one place after the other. The newest statement counts, by epoch and then by how often consent was said; of
// those that are as new the strictest. A database that was damaged then turns no denial into leave to send, and brings
// no erased sentences back.
// Owns what was heard. No lock.
class Statements {
 public:
  // Null: that place says nothing of consent.
  void hear(std::uint64_t its_epoch, const Consents* its);
  // The plain copy and the rings of all lanes. True when files of ours lie in the directory, or it cannot be told.
  bool hear_files(system::Files& files, const std::string& directory);

  std::uint64_t epoch() const noexcept { return epoch_; }
  const Consents& consents() const noexcept { return consents_; }
  // Whether anything was said of consent in that epoch.
  bool knows_consents() const noexcept { return knows_consents_; }
  // What holds where nothing was said.
  void assume(const Consents& consents) noexcept;

 private:
  void hear_copy(system::Files& files, const std::string& path);

  std::uint64_t epoch_ = 0;
  bool knows_consents_ = false;
  Consents consents_;
};

// Epoch and consents once more, in a plain file beside directory.db. A courtesy to a day that seldom comes: what cannot
// be written is not missed today.
void write_copy(system::Files& files, const std::string& directory, std::uint64_t epoch, const Consents& consents);

}  // namespace yukha::hold
