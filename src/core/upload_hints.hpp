// What may be uploaded as long as network, battery and screen are as the app says.
#pragma once

#include <algorithm>

#include <yukha/config.hpp>
#include <yukha/tracker.hpp>

namespace yukha::detail {

// Guarded by whoever has it. Threads: one at a time. Blocks: never.
class UploadHints {
 public:
  explicit UploadHints(const Config& config) noexcept
      : uploads_on_metered_(config.uploads_on_metered),
        uploads_on_low_battery_(config.uploads_on_low_battery),
        uploads_in_background_(config.uploads_in_background) {}

  // As the app said last.
  Network network = Network::unknown;
  bool low_battery = false;
  bool background = false;

  bool is_metered() const noexcept { return network == Network::metered; }
  bool is_offline() const noexcept { return network == Network::offline; }
  // What goes out by itself: of all that holds, the strictest counts, which has the largest number.
  Uploads usually() const noexcept {
    const Uploads offline = is_offline() ? Uploads::none : Uploads::all;
    const Uploads metered = is_metered() ? uploads_on_metered_ : Uploads::all;
    return std::max({offline, metered, low_battery ? uploads_on_low_battery_ : Uploads::all,
                     background ? uploads_in_background_ : Uploads::all});
  }
  // A flush is asked for by somebody who knows; only without a network it is in vain.
  Uploads in_flush() const noexcept { return is_offline() ? Uploads::none : Uploads::all; }

 private:
  const Uploads uploads_on_metered_;
  const Uploads uploads_on_low_battery_;
  const Uploads uploads_in_background_;
};

}  // namespace yukha::detail
