// Text on its way into a line: escapes, URLs, the six parts as JSON. What comes out is JSON and says what went in.
#include <nlohmann/json.hpp>
#include <yukha/tracker.hpp>

#include "compose/line.hpp"
#include "compose/parts.hpp"
#include "compose/sentence_json.hpp"
#include "compose/text.hpp"
#include "core/core.hpp"
#include "fuzz.hpp"

using namespace yukha;
using namespace yukha::compose;
using fuzz::promise;
using Json = nlohmann::json;

namespace {

// Both passes of a writer, the second into room of exactly the counted size.
template <typename Write>
std::string written(const Write& write) {
  std::string out(write(nullptr), '?');
  const std::unique_ptr<char[]> exact(new char[out.size() + 1]);
  exact[out.size()] = 0x55;
  promise(write(exact.get()) == out.size() && exact[out.size()] == 0x55, "what is counted is what is written");
  out.assign(exact.get(), out.size());
  return out;
}

std::string plain_text(std::string_view text) {
  const std::string json = written([text](char* out) { return write_json_text(text, out); });
  const Json parsed = Json::parse("\"" + json + "\"", nullptr, false);
  promise(parsed.is_string(), "an escaped text is JSON");
  return parsed.get<std::string>();
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    promise(i + 2 < text.size(), "a percent sign has its digits");
    out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return out;
}

void check_text(std::string_view text) {
  const std::string plain = plain_text(text);
  if (Json::accept("[" + Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::ignore) + "]") &&
      Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::ignore) ==
          Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace)) {
    promise(plain == text, "valid text comes out as it went in");
  }
  promise(plain_text(plain) == plain, "what was repaired once is whole");
  for (const bool keep_slash : {false, true}) {
    const std::string encoded = written([&](char* out) { return write_percent_encoded(text, keep_slash, out); });
    promise(encoded.find_first_of(" \"\\<>#?&=+") == std::string::npos, "percent encoding leaves nothing special");
    promise(percent_decoded(encoded) == plain, "percent encoding can be undone");
  }
  const std::string fragment = written([text](char* out) { return write_repaired_fragment(text, out); });
  promise(fragment.find_first_of("\"\\ <>#\n") == std::string::npos, "a repaired fragment needs no escapes");
  if (!is_url(text)) return;
  const std::string url = written([text](char* out) { return write_repaired_url(text, out); });
  promise(Json::accept("\"" + url + "\""), "a repaired URL needs no escapes");
  promise(is_url(url), "a repaired URL is one");
  promise(url.find_first_of(" \"\\<>^`{|}") == std::string::npos, "a repaired URL can be read");
  promise(written([&url](char* out) { return write_repaired_url(url, out); }) == url, "a URL is repaired once");
}

// A line made of parts, read with somebody else's eyes.
void check_line(fuzz::Input& input) {
  LineEncoder encoder;
  Circumstances circumstances;
  static_cast<void>(append_member(circumstances.user, Part::user, "id", input.short_text()));
  static_cast<void>(append_member(circumstances.user, Part::user, "plan", input.short_text()));
  static_cast<void>(append_member(circumstances.device, Part::device, "os", input.short_text()));
  circumstances.install_id = "01234567-89ab-4def-8123-456789abcdef";
  encoder.set(circumstances);

  std::string store;
  Json expected = {{"user", Json::object()}, {"content", Json::object()}, {"action", Json::object()}};
  for (std::size_t count = input.below(8); count-- > 0;) {
    const Part part = std::array{Part::user, Part::content, Part::action}[input.below(3)];
    const std::string name = std::array{"id", "plan", "type", "a", "b", "duration_ms"}[input.below(6)];
    const std::string_view value = input.short_text();
    if (!append_member(store, part, name, value)) continue;
    expected[part_name(part)][name] = plain_text(value);
  }
  const std::string_view screen = input.short_text();
  const std::string_view parameter = input.short_text();
  const Member parameters[] = {{"y", parameter}};
  const Members list(parameters, input.below(2));
  const NewEntry entry = NewEntry::location("shop", screen, list);
  std::string location(entry.size(), '\0');
  promise(entry.write(location.data()) == location.size() && location.size() <= entry.bound(), "an entry has its size");
  store += location;
  Sentence sentence;
  sentence.parts = store.data();
  sentence.parts_size = store.size();
  sentence.id_unix_ms = input.any_number();
  sentence.unix_ms = input.any_number();
  sentence.own_time = input.below(2) == 0;
  sentence.seq = static_cast<std::uint64_t>(input.any_number());

  for (int time = 0; time < 2; ++time) {
    const std::size_t bound = encoder.bound(store.size());
    const std::unique_ptr<char[]> line(new char[bound]);
    const std::size_t size = encoder.encode(sentence, line.get());
    promise(size <= bound, "a line keeps the bound it is given");
    const Json json = Json::parse(line.get(), line.get() + size, nullptr, false);
    promise(json.is_object() && json.size() == 8, "a line is a JSON object of eight members");
    for (const auto& [part, members] : expected.items()) {
      for (const auto& [name, value] : members.items()) {
        promise(json[part][name] == value, "a member says what it was given");
      }
    }
    promise(json["time"].get_ref<const std::string&>().size() == time_text_size, "a time has 24 characters");
    promise(std::string_view(line.get(), size).find('\n') == std::string_view::npos, "a line is one line");
    if (!is_url(screen) && !screen.empty()) {
      const std::string& place = json["location"].get_ref<const std::string&>();
      const std::string path = place.substr(0, place.find('?'));
      promise(percent_decoded(path) == "app://shop/" + plain_text(screen), "a screen can be read back");
    }
    sentence.unix_ms = input.any_number();  // the encoder remembers the second before
  }
}

struct Tracker {
  Tracker() {
    Config config;
    config.app_id = "shop";
    config.queue_dir = "/q";
    config.endpoint = "https://collect.example.com";
    config.collect_device_facts = false;
    config.ring_bytes = 64 << 10;
    config.use_thread = false;
    config.transport = endpoint;
    device.disk.reserves = false;
    detail::Seams seams;
    seams.clock = &device.time;
    seams.dice = &device.dice;
    seams.files = &device.files;
    core.reset(detail::Core::open(config, seams));
    promise(core->status() == Code::ok, "a tracker opens");
  }
  fuzz::Device device;
  std::shared_ptr<test::FakeEndpoint> endpoint = std::make_shared<test::FakeEndpoint>();
  std::unique_ptr<detail::Core> core;
};

// As Tracker::track_json does it; what is kept is sent at once, and read where it arrives.
void check_json(std::string_view text) {
  static Tracker tracker;
  tracker.endpoint->requests.clear();
  Event event = tracker.core->event();
  const Status filled = fill_from_json(text, event);
  const Status status = filled ? event.track() : tracker.core->track(event, Status(filled));
  promise(status.good() || !status.message().empty(), "a refusal says why");
  promise(status != Code::ring_full, "each sentence is sent before the next");
  if (!status) return;
  tracker.device.time.now_ms += 3'600'000;
  promise(tracker.core->flush(std::chrono::milliseconds(1000)) == Code::ok, "what was kept is delivered");
  const std::vector<std::string> lines = tracker.endpoint->lines();
  promise(lines.size() == 1 && lines[0].size() <= line_bytes_max, "one text is one sentence");
  const Json sent = Json::parse(lines[0], nullptr, false);
  promise(sent.is_object(), "only JSON is sent");
  Json given;
  try {
    given = Json::parse(text);
  } catch (const Json::out_of_range&) {
    return;  // 1E400 is a number, and none to this reader
  } catch (const Json::parse_error&) {
  }
  promise(given.is_object(), "only JSON is taken");
  // A number keeps its text, which says the same.
  const auto says = [](const Json& text_sent, const Json& value) {
    if (value.is_number()) return Json::parse(text_sent.get<std::string>()) == value;
    return text_sent == (value.is_string() ? value.get<std::string>() : value.dump());
  };
  for (const char* part : {"user", "content", "action"}) {
    if (!given.contains(part)) continue;
    for (const auto& [name, value] : given[part].items()) {
      if (part == std::string("content") && name == "id" && value == "") continue;
      promise(sent[part].contains(name), "a member that was taken is sent");
      // What a duration is rounded to has a test of its own.
      if (name != "duration_ms") promise(says(sent[part][name], value), "a member says what it was given");
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.below(3)) {
    case 0:
      check_text(input.rest());
      break;
    case 1:
      check_line(input);
      break;
    default:
      check_json(input.rest());
  }
  return 0;
}
