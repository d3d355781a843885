// What the fuzz targets stand on: promises, an input taken apart, a device that lives in memory.
#pragma once

#include <yukha/stats.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../simulation/sim_disk.hpp"
#include "../simulation/virtual_time.hpp"
#include "../unit/support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace yukha::fuzz {

// Ends the program where a promise is broken: libFuzzer then keeps the input, and the replay of the corpora fails.
inline void promise(bool kept, const char* what) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

// Takes an input apart from its beginning. Behind its end there are zeros, so that any input says something.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const noexcept { return rest_.empty(); }
  std::string_view rest() noexcept { return text(rest_.size()); }
  // The next `bytes` of it, or what there is.
  std::string_view text(std::size_t bytes) noexcept {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // A text with its length before it.
  std::string_view short_text() noexcept { return text(number(1)); }
  std::string_view long_text() noexcept { return text(number(2)); }
  // Up to `end`, which is taken, too.
  std::string_view text_until(char end) noexcept {
    const std::string_view taken = text(std::min(rest_.find(end), rest_.size()));
    text(1);
    return taken;
  }
  // Little endian.
  std::uint64_t number(std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    const std::string_view taken = text(bytes);
    for (std::size_t i = taken.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(taken[i]);
    return value;
  }
  // 0 to limit - 1.
  std::size_t below(std::size_t limit) noexcept {
    return static_cast<std::size_t>(number(limit > 256 ? 2 : 1) % limit);
  }
  // What overflows something somewhere, as often as what does not.
  std::int64_t any_number() noexcept {
    switch (below(8)) {
      case 0:
        return static_cast<std::int64_t>(number(8));
      case 1:
        return INT64_MAX - static_cast<std::int64_t>(number(1));
      case 2:
        return INT64_MIN + static_cast<std::int64_t>(number(1));
      case 3:
        return -static_cast<std::int64_t>(number(2));
      case 4:
        return static_cast<std::int64_t>(number(4));
      default:
        return static_cast<std::int64_t>(number(1));
    }
  }

 private:
  std::string_view rest_;
};

using Image = std::vector<char>;

// Changes bytes of a file's image as the input says, until it says no more.
inline void damage(Image& image, Input& input) {
  while (!input.empty()) {
    const std::size_t way = input.below(8);
    const std::size_t at = image.empty() ? 0 : static_cast<std::size_t>(input.number(3)) % image.size();
    if (way == 0) {
      image.resize(at);  // cut
    } else if (way == 1) {
      const std::string_view more = input.short_text();
      image.insert(image.end(), more.begin(), more.end());
    } else if (way == 2) {
      const std::size_t count = std::min<std::size_t>(input.below(4096), image.size() - at);
      std::fill_n(image.begin() + static_cast<std::ptrdiff_t>(at), count, '\0');
    } else {
      const std::string_view over = input.text(way == 3 ? input.number(1) : way - 3);
      std::copy_n(over.begin(), std::min(over.size(), image.size() - at),
                  image.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
}

// A disk, a clock and chance, the same for each input.
struct Device {
  void write(const std::string& path, const Image& image) {
    const std::shared_ptr<simulation::Inode> inode = files.create(path);
    inode->bytes = image;
    inode->durable = image;
  }
  const Image& read(const std::string& path) const { return files.find(path)->bytes; }
  bool has(const std::string& path) const { return files.find(path) != nullptr; }

  simulation::Disk disk;
  simulation::Chance chance{1};
  simulation::VirtualTime time;
  simulation::SeededDice dice{chance};
  simulation::Process files{disk, chance, time};
};

// The ledger's sum holds by its making; what can break is that a part is larger than the whole.
inline void promise_sane(const Stats& stats) {
  std::uint64_t left = stats.accepted;
  for (const std::uint64_t part : {stats.delivered, stats.quarantined, stats.evicted, stats.erased, stats.lost}) {
    promise(part <= left, "the ledger's parts are no more than what was accepted");
    left -= part;
  }
  promise(stats.waiting == left, "what the ledger does not name elsewhere is waiting");
}

}  // namespace yukha::fuzz
