#include "fault.hpp"

#include <set>

#include "text.hpp"

namespace collector {
namespace {

constexpr char kPortalPage[] =
    "<!doctype html><html><head><title>Welcome</title></head>"
    "<body><h1>Free Wi-Fi</h1><p>Please accept our terms to go on line.</p></body></html>\n";

std::optional<std::chrono::milliseconds> duration(std::string_view text) {
  double unit_ms = 1000;
  if (text.size() > 2 && text.substr(text.size() - 2) == "ms") {
    unit_ms = 1;
    text.remove_suffix(2);
  } else if (!text.empty() && text.back() == 's') {
    text.remove_suffix(1);
  }
  const auto number = decimal_number(text);
  if (!number || *number * unit_ms > 3'600'000) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*number * unit_ms));
}

bool set_when(Fault* fault, Fault::Kind before, Fault::Kind after, std::string_view value) {
  if (value != "before" && value != "after") return false;
  fault->kind = value == "before" ? before : after;
  return true;
}

// The first word of a fault says its kind.
bool set_kind(Fault* fault, std::string_view name, std::string_view value) {
  const auto number = whole_number(value);
  if (name == "status") {
    fault->kind = Fault::Kind::kStatus;
    if (!number || *number < 200 || *number > 599) return false;
    fault->status = static_cast<int>(*number);
    return true;
  }
  if (name == "slow") {
    fault->kind = Fault::Kind::kSlow;
    const auto time = duration(value);
    if (!time) return false;
    fault->slow = *time;
    return true;
  }
  if (name == "cut") return set_when(fault, Fault::Kind::kCutBefore, Fault::Kind::kCutAfter, value);
  if (name == "crash") {
    if (value == "between") {
      fault->kind = Fault::Kind::kCrashBetween;
      return true;
    }
    return set_when(fault, Fault::Kind::kCrashBefore, Fault::Kind::kCrashAfter, value);
  }
  if (name == "413" || name == "reject") {
    fault->kind = name == "413" ? Fault::Kind::kTooLarge : Fault::Kind::kReject;
    if (!number || *number < 0 || (name == "reject" && *number < 1)) return false;
    fault->count = static_cast<std::uint64_t>(*number);
    return true;
  }
  if (name == "portal" && value.empty()) {
    fault->kind = Fault::Kind::kPortal;
    return true;
  }
  if (name == "400" && value.empty()) {
    fault->kind = Fault::Kind::kStatus;
    fault->status = 400;
    return true;
  }
  return false;
}

bool set_detail(Fault* fault, std::string_view name, std::string_view value) {
  if (name == "rate") {
    const auto rate = decimal_number(value);
    if (!rate || *rate > 1) return false;
    fault->rate = *rate;
    return true;
  }
  if (fault->kind != Fault::Kind::kStatus) return false;
  // A line break in a field would be another field.
  if (value.find_first_of("\r\n") != std::string_view::npos) return false;
  if (name == "retry_after") {
    fault->retry_after = std::string(value);
    return true;
  }
  if (name == "location") {
    fault->location = std::string(value);
    return true;
  }
  if (name == "body") {
    fault->body = std::string(value);
    return true;
  }
  return false;
}

}  // namespace

std::optional<Fault> Fault::parsed(std::string_view text, std::string* error) {
  Fault fault;
  const std::string_view whole = text;
  bool first = true;
  std::set<std::string_view> given;
  while (first || !text.empty()) {
    // A body may hold commas, so it is the last word and takes the rest.
    const std::size_t comma = text.substr(0, 5) == "body=" ? std::string_view::npos : text.find(',');
    const std::string_view word = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    if (!given.insert(name).second || (first ? !set_kind(&fault, name, value) : !set_detail(&fault, name, value))) {
      *error = "fault \"" + std::string(whole) + "\": cannot understand \"" + std::string(word) + "\"";
      return std::nullopt;
    }
    first = false;
  }
  return fault;
}

std::optional<std::vector<Fault>> Fault::all_parsed(std::string_view text, std::string* error) {
  std::vector<Fault> faults;
  for (std::string_view line : lines_of(text)) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    auto fault = parsed(line, error);
    if (!fault) return std::nullopt;
    faults.push_back(std::move(*fault));
  }
  return faults;
}

void FaultDeck::set(std::vector<Fault> faults) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = std::move(faults);
}

Weather FaultDeck::throw_dice(std::size_t body_bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Weather weather;
  for (const Fault& fault : faults_) {
    // Every fault throws, also one that an earlier one overrules, so that a fault's own luck does not hang on its
    // neighbours.
    const double thrown = static_cast<double>(dice_() >> 11) * 0x1p-53;
    if (thrown >= fault.rate) continue;
    HttpAnswer answer;
    switch (fault.kind) {
      case Fault::Kind::kStatus:
        answer.status = fault.status;
        answer.body = fault.body;
        if (!fault.retry_after.empty()) answer.fields.emplace_back("Retry-After", fault.retry_after);
        if (!fault.location.empty()) answer.fields.emplace_back("Location", fault.location);
        break;
      case Fault::Kind::kTooLarge:
        if (body_bytes <= fault.count) continue;
        answer.status = 413;
        break;
      case Fault::Kind::kPortal:
        answer.status = 200;
        answer.content_type = "text/html; charset=utf-8";
        answer.body = kPortalPage;
        break;
      case Fault::Kind::kSlow:
        weather.slow += fault.slow;
        continue;
      case Fault::Kind::kReject:
        weather.reject_every = fault.count;
        continue;
      case Fault::Kind::kCutBefore:
        weather.cut_before = true;
        continue;
      case Fault::Kind::kCutAfter:
        weather.cut_after = true;
        continue;
      case Fault::Kind::kCrashBefore:
        weather.crash_before = true;
        continue;
      case Fault::Kind::kCrashBetween:
        weather.crash_between = true;
        continue;
      case Fault::Kind::kCrashAfter:
        weather.crash_after = true;
        continue;
    }
    if (!weather.answer) weather.answer = std::move(answer);
  }
  return weather;
}

bool FaultDeck::is_nth_line(std::uint64_t every) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return ++lines_ % every == 0;
}

}  // namespace collector
