// What an app's life needs: sessions, context, durations, impressions, consent by purpose, background. It needs no
// network; each sentence is printed as a person would say it.
//
//   yukha-life [DIRECTORY]     the queue; life-events if none is given. Kill it, start it again, and see what it tells.
#include <yukha/yukha.hpp>

#include <cstdio>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

void expect(const char* what, const yukha::Status& status) {
  std::printf("   %s: %s\n", what, status.message().c_str());
}

}  // namespace

int main(int count, char** words) {
  yukha::Config config;
  config.app_id = "shop";
  config.queue_dir = count > 1 ? words[1] : "life-events";
  config.app_version = "1.4.0";
  config.session_timeout = 30min;
  config.track_identify = true;
  config.track_lifecycle = true;
  config.deny_members = {"user.email"};
  config.hash_members = {"user.phone"};
  config.hash_key_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  config.uploads_on_metered = yukha::Uploads::critical;
  config.suspend_in_background = true;
  config.debug = true;
  config.log = [](yukha::LogLevel, std::string_view text) {
    std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
  };
  yukha::Tracker tracker = yukha::Tracker::open(config);
  if (!tracker.status()) {
    expect("open", tracker.status());
    return 1;
  }

  std::puts("-- somebody looks around, and logs in; the e-mail stays here, the number becomes a hash");
  expect("open the feed", tracker.event().location("FEED").action("OPEN").track());
  expect("log in", tracker.identify("u_1842", {{"plan", "free"}, {"email", "a@b.c"}, {"phone", "+82 2 123"}}));
  expect("experiment", tracker.set_experiment("checkout", "B"));
  expect("context", tracker.set(yukha::Part::content, {{"catalogue", "spring"}}));

  std::puts("-- an article is read; the time in the background does not count");
  yukha::TimedEvent article = tracker.event().location("FEED", {{"y", "3"}}).content("card_913").action("READ").start();
  std::this_thread::sleep_for(300ms);
  expect("background", tracker.enter_background(1s));
  std::this_thread::sleep_for(300ms);
  expect("foreground", tracker.enter_foreground());
  expect("end of the article", article.end({{"depth", "0.8"}}));

  std::puts("-- two cards scroll by, and only one is seen for long enough");
  yukha::TimedEvent seen =
      tracker.event().location("FEED", {{"y", "4"}}).content("card_914").action("SEE").start({0.5, 200ms});
  yukha::TimedEvent passed =
      tracker.event().location("FEED", {{"y", "5"}}).content("card_915").action("SEE").start({0.5, 1s});
  seen.set_visible_fraction(0.9);
  passed.set_visible_fraction(0.6);
  std::this_thread::sleep_for(250ms);
  expect("the first card", seen.end());
  expect("the second", passed.end());

  std::puts("-- a payment goes first, also where the network is metered");
  expect("metered", tracker.set_network(yukha::Network::metered));
  expect("payment", tracker.event().content("order_7").action("PAY", {{"price", "12900"}}).critical().track());

  std::puts("-- advertising has a consent of its own, and an id that nothing else has");
  const auto see_ad = [&tracker] {
    return tracker.event().content("ad_3").action("SEE").purpose(yukha::Purpose::advertising).track();
  };
  expect("advertising id", tracker.set_advertising_id("38400000-8cf0-11bd-b23e-10b96e40000d"));
  expect("an ad, before anybody was asked", see_ad());
  expect("asked, no answer yet", tracker.set_consent(yukha::Purpose::advertising, yukha::Consent::pending));
  expect("an ad", see_ad());
  expect("the answer is no", tracker.set_consent(yukha::Purpose::advertising, yukha::Consent::denied));
  std::printf("   waiting: %llu, erased: %llu\n", static_cast<unsigned long long>(tracker.stats().waiting),
              static_cast<unsigned long long>(tracker.stats().erased));

  std::puts("-- logged out; consent is taken back, and everything that waits is erased");
  expect("log out", tracker.reset());
  std::printf("   waiting: %llu\n", static_cast<unsigned long long>(tracker.stats().waiting));
  expect("denied", tracker.set_consent(yukha::Consent::denied));
  expect("a sentence now", tracker.event().action("LOOK").track());
  std::printf("   waiting: %llu, erased: %llu\n", static_cast<unsigned long long>(tracker.stats().waiting),
              static_cast<unsigned long long>(tracker.stats().erased));
  expect("granted", tracker.set_consent(yukha::Consent::granted));
  expect("close", tracker.close());
}
