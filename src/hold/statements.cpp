#include "hold/statements.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "hold/ring.hpp"
#include "system/crc32c.hpp"

namespace yukha::hold {

void Statements::hear(std::uint64_t its_epoch, const Consents* its) {
  if (its_epoch == 0 || its_epoch > epoch_max || its_epoch < epoch_) return;
  // What was said before an erase says nothing of what was tracked since.
  if (its_epoch > epoch_) knows_consents_ = false;
  epoch_ = its_epoch;
  if (its == nullptr || (knows_consents_ && its->times < consents_.times)) return;
  if (knows_consents_ && its->times == consents_.times) {
    consents_.restrict_to(*its);
  } else {
    consents_ = *its;
  }
  knows_consents_ = true;
}

bool Statements::hear_files(system::Files& files, const std::string& directory) {
  std::vector<std::string> names;
  const system::Error error = files.list(directory, names);
  bool is_ours = error != 0 && error != ENOENT && error != ENOTDIR;
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    const std::size_t dot = name.rfind('.');
    const std::string_view ending = std::string_view(name).substr(std::min(dot, name.size()));
    if (name == "directory.copy") {
      hear_copy(files, path);
    } else if (ending == ".ring") {
      std::uint64_t epoch = 0;
      std::optional<Consents> consents;
      if (Ring::look_into(files, path, epoch, consents)) hear(epoch, consents ? &*consents : nullptr);
    } else if (ending.rfind(".queue", 0) != 0 && ending.rfind(".damaged", 0) != 0 && ending.rfind(".salvage", 0) != 0) {
      continue;
    }
    is_ours = true;
  }
  return is_ours;
}

void Statements::assume(const Consents& consents) noexcept {
  if (!knows_consents_) consents_ = consents;
  knows_consents_ = true;
}

void Statements::hear_copy(system::Files& files, const std::string& path) {
  std::unique_ptr<system::File> file;
  char text[200] = {};
  std::size_t got = 0;
  if (files.open(path, system::OpenMode::existing, file) != 0 || file->read(0, text, sizeof text - 1, got) != 0) return;
  const std::size_t check = std::string_view(text, got).find("check ");
  long long told_consent = 0;
  unsigned long long told_epoch = 0;
  unsigned told_check = 0;
  if (check == std::string_view::npos ||
      std::sscanf(text, "yukha directory 1\nconsent %lld\nepoch %llu\ncheck %u\n", &told_consent, &told_epoch,
                  &told_check) != 3 ||
      told_check != system::crc32c(0, text, check)) {
    return;
  }
  const auto consents = Consents::unpacked(told_consent);
  hear(told_epoch, &consents);
}

void write_copy(system::Files& files, const std::string& directory, std::uint64_t epoch, const Consents& consents) {
  std::string text =
      "yukha directory 1\nconsent " + std::to_string(consents.packed()) + "\nepoch " + std::to_string(epoch) + "\n";
  text += "check " + std::to_string(system::crc32c(0, text.data(), text.size())) + "\n";
  const std::string fresh = directory + "/directory.copy.new";
  std::unique_ptr<system::File> file;
  if (files.open(fresh, system::OpenMode::replace, file) != 0 || file->write(0, text.data(), text.size()) != 0 ||
      file->sync() != 0) {
    return;
  }
  file.reset();
  static_cast<void>(files.rename(fresh, directory + "/directory.copy"));
  static_cast<void>(files.sync_directory(directory));
}

}  // namespace yukha::hold
