// The ring's file, and what the database says about it, both as an enemy would have them.
#include <cstring>

#include "fuzz.hpp"
#include "hold/ring.hpp"
#include "system/crc32c.hpp"

using namespace yukha;
using namespace yukha::hold;
using fuzz::promise;

namespace {

constexpr std::size_t header_bytes = 4096;
constexpr std::size_t capacity = 4096;
constexpr std::uint64_t epoch = 1;
const std::string path = "/q/a.ring";

std::uint64_t word(const fuzz::Image& image, std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, image.data() + at, 8);
  return value;
}
void set_word(fuzz::Image& image, std::size_t at, std::uint64_t value) {
  std::memcpy(image.data() + at, &value, 8);
}

// A ring that was once round, with the last of its lines not yet in the database.
const fuzz::Image& whole_ring() {
  static const fuzz::Image image = [] {
    fuzz::Device device;
    Ring ring;
    RingFound found;
    promise(ring.open(device.files, path, capacity, epoch, 77, {}, found) == 0, "a new ring opens");
    std::string scratch;
    std::vector<RingLine> lines;
    for (std::size_t i = 0; i < 40; ++i) {
      promise(ring.append(std::string(100 + 7 * i, 'a'), Priority::normal) == Ring::Append::done, "there is room");
      ring.read(ring.tail(), ring.head(), SIZE_MAX, scratch, lines);
      if (lines.size() > 6) ring.release(lines[1].position);
    }
    ring.close();
    return device.read(path);
  }();
  return image;
}

std::uint32_t checksum(const fuzz::Image& image, std::uint64_t id, std::size_t data_bytes, std::uint64_t position) {
  std::string bytes(28, '\0');
  const std::size_t offset = position % data_bytes;
  const auto at = [&](std::size_t k) { return header_bytes + (offset + k) % data_bytes; };
  std::memcpy(bytes.data(), &id, 8);
  for (std::size_t i = 0; i < 20; ++i) bytes[8 + i] = image[at(i)];
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 24, 4);
  for (std::size_t i = 0; i < (length & 0xFFFFFF); ++i) bytes += image[at(24 + i)];
  return system::crc32c(0, bytes.data(), bytes.size());
}

// A record whose checksum fits, whatever its words say.
void forge_record(fuzz::Image& image, fuzz::Input& input) {
  if (image.size() < header_bytes + capacity) return;
  std::uint64_t position = static_cast<std::uint64_t>(input.any_number());
  if (input.below(4) != 0) position = (1 + input.below(4)) * capacity + 8 * input.below(capacity / 8);
  const std::size_t offset = position % capacity;
  const std::uint64_t ordinal = static_cast<std::uint64_t>(input.any_number()) >> (input.below(2) == 0 ? 3 : 0);
  const std::uint64_t length = input.below(600) | input.below(3) << 24;
  const auto put = [&](std::size_t k, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i) {
      image[header_bytes + (offset + k + i) % capacity] = static_cast<char>(value >> (8 * i));
    }
  };
  put(0, position);
  put(8, ordinal);
  put(16, length);
  put(16, length | static_cast<std::uint64_t>(checksum(image, word(image, 16), capacity, position)) << 32);
}

fuzz::Image make_image(fuzz::Input& input, bool& forged) {
  fuzz::Image image = whole_ring();
  for (std::size_t steps = input.below(6); steps-- > 0;) {
    switch (input.below(4)) {
      case 0:
        forge_record(image, input);
        forged = true;
        break;
      case 1:
        set_word(image, 8 * input.below(16), static_cast<std::uint64_t>(input.any_number()));
        break;
      case 2:
        image.resize(input.below(3 * capacity));
        if (image.size() < header_bytes) return image;
        break;
      default:
        break;
    }
  }
  const bool seal = input.below(2) == 0;
  fuzz::damage(image, input);
  if (seal && image.size() >= header_bytes) set_word(image, 40, system::crc32c(0, image.data(), 40));
  return image;
}

void check_found(const fuzz::Image& image, const RingMark& mark, const Ring& ring, const RingFound& found) {
  promise(found.bytes.size() <= ring.capacity(), "no more is found than a ring can hold");
  promise(found.accepted >= mark.accepted, "what the database counted stays counted");
  promise(found.accepted - mark.accepted == found.lines.size() + found.lost, "what is neither here nor there is lost");
  std::uint64_t position = 0;
  std::uint64_t ordinal = mark.accepted;
  for (const RingLine& line : found.lines) {
    promise(line.position >= position && line.position % 8 == 0, "records do not overlap");
    promise(line.ordinal > ordinal, "ordinals only grow, from what the database has");
    const bool known = mark.ring_id == ring.id() && mark.position % 8 == 0 && mark.position <= 1ULL << 62;
    promise(!known || line.position >= mark.position, "what the database has is not found again");
    position = Ring::end_of(line.position, line.text.size());
    ordinal = line.ordinal;
    const auto told = [&](std::uint64_t k) {
      return word(image, header_bytes + static_cast<std::size_t>((line.position + k) % ring.capacity()));
    };
    promise(told(0) == line.position && told(8) == line.ordinal, "what is found lay in the file");
    promise((told(16) & 0xFFFFFF) == line.text.size(), "a line is as long as its record says");
    promise(told(16) >> 32 == checksum(image, ring.id(), ring.capacity(), line.position),
            "what is accepted on recovery was written with a valid checksum");
    for (std::size_t i = 0; i < line.text.size(); ++i) {
      promise(line.text[i] == image[header_bytes + (line.position + 24 + i) % ring.capacity()], "byte for byte");
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  fuzz::Device device;
  device.disk.reserves = input.below(2) == 0;  // mapped or written
  RingMark mark;
  const std::size_t known = input.below(3);
  mark.ring_id = known == 0 ? 0 : known == 1 ? 77 : 78;
  if (known != 0) {
    mark.position = static_cast<std::uint64_t>(input.any_number());
    mark.accepted = static_cast<std::uint64_t>(input.any_number()) >> 3;  // Queue::open() lets no larger one through
  }
  bool forged = false;
  const fuzz::Image image = make_image(input, forged);
  device.write(path, image);

  Ring ring;
  RingFound found;
  if (ring.open(device.files, path, capacity, epoch, 99, mark, found) != 0) return 0;
  promise(ring.capacity() <= 64 << 20 && ring.capacity() <= std::max(capacity, image.size()),
          "a ring is no larger than "
          "its file");
  fuzz::Image before = image;
  before.resize(std::max(image.size(), header_bytes + ring.capacity()));
  check_found(before, mark, ring, found);
  promise(ring.used() <= ring.capacity(), "a ring holds no more than it can");

  // What was found can be read once more, as a worker does that could not take it over.
  std::string scratch;
  std::vector<RingLine> lines;
  ring.read(ring.tail(), ring.head(), SIZE_MAX, scratch, lines);
  promise(scratch.size() <= ring.capacity(), "no more is read than a ring can hold");
  // A record forged within another one's text is passed over by one of the two ways to read, and not by the other.
  promise(forged || lines.size() >= found.lines.size(), "what was found is still there");

  // At its limit a ring can count no further, which no device comes to see.
  constexpr std::uint64_t count_max = 1ULL << 62;
  if (found.accepted >= count_max || found.next_position >= count_max - ring.capacity()) return 0;

  // The drain has what was found; the next line must not be lost.
  RingMark next = mark;
  next.ring_id = ring.id();
  next.position = found.next_position;
  next.accepted = found.accepted;
  std::copy(found.refused, found.refused + refusal_count, next.refused);
  if (found.begin_anew) {
    ring.close();
    device.files.remove(path);
    RingFound none;
    promise(ring.open(device.files, path, capacity, epoch, 100, next, none) == 0 && none.lines.empty(),
            "a ring begins "
            "anew");
  } else {
    ring.release(found.next_position);
  }
  promise(ring.append("the next line", Priority::critical) == Ring::Append::done, "an emptied ring has room");
  ring.close();
  RingFound after;
  promise(ring.open(device.files, path, capacity, epoch, 101, next, after) == 0, "a ring opens again");
  promise(after.lines.size() == 1 && after.lines[0].text == "the next line",
          "what is appended after a recovery is found by the next");
  // No checksum covers the header's count, which is believed as far as a ring can hold.
  promise(after.lost <= capacity / 24, "a header is not believed beyond what fits into a ring");
  return 0;
}
