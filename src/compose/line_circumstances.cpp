// What stands in every line until somebody changes it.
#include <yukha/version.hpp>

#include <utility>

#include "compose/line.hpp"
#include "compose/parts.hpp"
#include "compose/text.hpp"

namespace yukha::compose {
namespace {

std::string joined(const std::string& store, const char* before_first) {
  std::string text;
  Entry entry;
  for (Entries entries(store.data(), store.size()); entries.next(entry);) {
    text += text.empty() ? before_first : ",";
    text += entry.text;
  }
  return text;
}

}  // namespace

void LineEncoder::set(const Circumstances& circumstances) {
  // All of it or nothing: bound() and encode() must speak of the same texts, also when memory ends in between.
  LineEncoder fresh;
  fresh.circumstances_ = circumstances;
  char run[16];
  write_hex64(circumstances.run, run);
  fresh.to_seq_ = "},\"device\":{\"id\":\"" + circumstances.install_id + "\",\"run\":\"" +
                  std::string(run, sizeof run) + "\",\"seq\":\"";
  fresh.user_to_seq_ = joined(circumstances.user, "") + fresh.to_seq_;
  fresh.from_seq_ = "\",\"sdk\":\"yukha/" YUKHA_VERSION "\",\"contract\":\"1\"";
  fresh.to_location_ = joined(circumstances.device, ",") + "},\"location\":\"";
  if (!circumstances.ad_id.empty()) {
    std::string store;
    append_entry(store, Part::device, "ad_id", circumstances.ad_id);
    fresh.ad_id_ = joined(store, ",");
  }
  fresh.clock_offset_ = clock_offset_;
  fresh.from_seq_to_location_ = fresh.from_seq_ + fresh.clock_offset_ + fresh.to_location_;
  *this = std::move(fresh);
}

void LineEncoder::set_clock_offset(std::optional<std::int64_t> offset_ms) {
  std::string offset;
  if (offset_ms) offset = ",\"clock_offset_ms\":\"" + std::to_string(*offset_ms) + "\"";
  std::string joined = from_seq_ + offset + to_location_;
  clock_offset_ = std::move(offset);
  from_seq_to_location_ = std::move(joined);
}

void LineEncoder::forget_clock_offset() noexcept {
  clock_offset_.clear();
  from_seq_to_location_.clear();
}

}  // namespace yukha::compose
