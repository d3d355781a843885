// directory.db and directory.copy with hostile bytes and rows: a denial must not become leave to send.
#include "hold/directory.hpp"

#include "fuzz.hpp"
#include "hold/sqlite.hpp"
#include "system/crc32c.hpp"

using namespace yukha;
using namespace yukha::hold;
using fuzz::promise;

namespace {

const std::string place = "/q";
const std::string database = "/q/directory.db";
const std::string copy = "/q/directory.copy";

struct Left {
  fuzz::Image database;
  fuzz::Image copy;
};

// Consent was denied, and two erases were made.
const Left& left_behind() {
  static const Left left = [] {
    fuzz::Device device;
    Directory directory;
    promise(directory.open(device.files, place, device.dice, "phone").good(), "a new directory opens");
    promise(directory.begin_new_epoch() && directory.begin_new_epoch(), "an erase can be made");
    promise(directory.set_consent(nullptr, Consent::denied), "consent can be denied");
    Ledger ledger;
    ledger.accepted = 9;
    promise(directory.carry("lane-00", ledger), "a ledger is carried");
    directory.close();
    return Left{device.read(database), device.read(copy)};
  }();
  return left;
}

constexpr const char* columns[] = {"install_id", "epoch",    "consent", "failures", "rest_until",
                                   "rest_key",   "platform", "place",   "one"};

// Rows as SQL lets somebody write them.
void hostile_rows(fuzz::Device& device, fuzz::Input& input) {
  Database rows;
  rows.open(database, device.files.sqlite_vfs(), Sharing::shared);
  for (std::size_t count = 1 + input.below(3); count-- > 0; rows.clear()) {
    const std::string column = columns[input.below(std::size(columns))];
    switch (input.below(6)) {
      case 0:
        rows.run("DELETE FROM directory");
        break;
      case 1: {
        const std::string ledger(input.short_text());
        Statement(rows, "UPDATE carried SET ledger = ?").bind(ledger).run();
        break;
      }
      case 2: {
        const std::string text(input.short_text());
        Statement(rows, "UPDATE directory SET " + column + " = ?").bind(text).run();
        break;
      }
      case 3:
        rows.run(input.below(2) == 0 ? "DROP TABLE carried" : "PRAGMA user_version=0");
        break;
      default:
        Statement(rows, "UPDATE directory SET " + column + " = ?").bind(input.any_number()).run();
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  fuzz::Device device;
  const std::size_t which = input.below(4);
  const Left& left = left_behind();
  fuzz::Image bytes = left.database;
  fuzz::Image copied = left.copy;
  if (which == 0) {
    fuzz::damage(copied, input);
  } else if (which == 1) {
    fuzz::damage(bytes, input);
  } else if (which == 2) {
    const std::string_view text = input.rest();
    copied.assign(text.begin(), text.end());
    // The checksum is no secret.
    const std::string mark = "check ";
    const auto check = std::search(copied.begin(), copied.end(), mark.begin(), mark.end());
    if (check != copied.end()) {
      const auto told = static_cast<std::size_t>(check - copied.begin());
      const std::string sum = mark + std::to_string(system::crc32c(0, copied.data(), told)) + "\n";
      copied.resize(told);
      copied.insert(copied.end(), sum.begin(), sum.end());
    }
  }
  // The database is gone where only the copy is to be read.
  if (which % 2 == 1) device.write(database, bytes);
  device.write(copy, copied);
  if (which == 3) hostile_rows(device, input);

  Directory directory;
  const Status status = directory.open(device.files, place, device.dice, "phone");
  if (!status) {
    const bool known = status == Code::disk_error || status == Code::newer_format || status == Code::disk_full;
    promise(known && !status.message().empty(), "what cannot be opened is told");
    return 0;
  }
  const DirectoryState opened = directory.state();
  promise(opened.install_id.size() <= bytes.size() + 36, "an id is no longer than the file");
  if (which == 0 && copied == left.copy) {
    promise(opened.consents.all == Consent::denied && opened.epoch == 3, "the copy stands in for the database");
  }
  if (which == 1 && device.has(database + ".damaged")) {
    promise(opened.consents.all == Consent::denied, "a damaged database does not turn a denial into leave to send");
    promise(opened.epoch >= 3, "a damaged database does not bring erased sentences back");
  }
  Ledger ledger;
  std::uint64_t carried_for = 0;
  static_cast<void>(directory.carried("lane-00", ledger, carried_for));

  // From here on it is an ordinary directory.
  const std::uint64_t epoch = directory.state().epoch;
  if (directory.begin_new_epoch()) {
    promise(directory.state().epoch > epoch, "an erase begins a newer epoch");
    promise(directory.state().install_id.size() == 36, "an erase gives a new id");
  }
  ledger = {};
  ledger.accepted = 12;
  Ledger again;
  if (directory.carry("lane-01", ledger)) {
    promise(directory.carried("lane-01", again, carried_for) && again.accepted == 12 &&
                carried_for == directory.state().epoch,
            "a carried ledger arrives");
  }
  if (!directory.set_consent(nullptr, Consent::denied)) return 0;
  promise(directory.refresh().consents.all == Consent::denied, "a denial is read back");
  const DirectoryState before = directory.state();
  directory.close();
  Directory reopened;
  if (!reopened.open(device.files, place, device.dice, "phone")) return 0;
  promise(reopened.state().consents.all == Consent::denied, "a denial outlives the process");
  promise(reopened.state() == before, "what was written is there again");
  return 0;
}
