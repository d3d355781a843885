// What may be uploaded as long as network, battery and screen are as the app says.
#include <doctest/doctest.h>

#include "core/upload_hints.hpp"

using namespace yukha;
using detail::UploadHints;

TEST_CASE("of all that holds the strictest counts") {
  Config config;
  config.uploads_on_metered = Uploads::critical;
  config.uploads_on_low_battery = Uploads::all;
  config.uploads_in_background = Uploads::none;
  UploadHints hints(config);
  CHECK(hints.usually() == Uploads::all);
  hints.low_battery = true;
  CHECK(hints.usually() == Uploads::all);
  hints.network = Network::metered;
  CHECK(hints.usually() == Uploads::critical);
  hints.background = true;
  CHECK(hints.usually() == Uploads::none);
  CHECK(hints.in_flush() == Uploads::all);
  hints.background = false;
  hints.network = Network::unmetered;
  CHECK(hints.usually() == Uploads::all);
}

TEST_CASE("without a network a flush is in vain, too") {
  UploadHints hints{Config()};
  hints.network = Network::offline;
  CHECK(hints.usually() == Uploads::none);
  CHECK(hints.in_flush() == Uploads::none);
}
