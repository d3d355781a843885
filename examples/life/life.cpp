// What an app's life needs: sessions, context, timed events, consent by purpose, background. It needs no network; each
// sentence is printed as a person would say it. include/yukha/GUIDE.md shows the pieces between the marks, one by one.
//
//   yukha-life [DIRECTORY]     the queue; life-events if none is given. Kill it, start it again, and see what it tells.
#include <yukha/yukha.hpp>

#include <cstdio>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

void say(const char* what, const yukha::Status& status) {
  std::printf("   %s: %s\n", what, status.message().c_str());
}

void say_counts(const yukha::Stats& stats) {
  std::printf("   waiting: %llu, erased: %llu\n", static_cast<unsigned long long>(stats.waiting),
              static_cast<unsigned long long>(stats.erased));
}

yukha::Config configured(const std::string& directory) {
  // [open
  yukha::Config config;
  config.app_id = "shop";
  config.queue_dir = directory;
  config.app_version = "1.4.0";
  // open]
  // [sessions
  config.session_timeout = 30min;
  config.track_identify = true;
  config.track_lifecycle = true;
  // sessions]
  // [members
  config.deny_members = {"user.email"};
  config.hash_members = {"user.phone"};
  config.hash_key_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  // members]
  // [uploads
  config.uploads_on_metered = yukha::Uploads::critical;
  config.suspend_in_background = true;
  // uploads]
  // [debug
  config.debug = true;
  config.log = [](yukha::LogLevel, std::string_view text) {
    std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
  };
  // debug]
  return config;
}

void log_in(yukha::Tracker& tracker) {
  std::puts("-- somebody looks around, and logs in; the e-mail stays here, the number becomes a hash");
  // [who
  tracker.event().location("FEED").action("OPEN").track();  // by the anonymous user, who has the install id
  tracker.identify("u_1842", {{"plan", "free"}, {"email", "a@b.c"}, {"phone", "+82 2 123"}});
  // who]
  // [context
  tracker.set_experiment("checkout", "B");                       // user.experiment_checkout
  tracker.set(yukha::Part::content, {{"catalogue", "spring"}});  // content.catalogue
  // context]
}

void read_an_article(yukha::Tracker& tracker) {
  std::puts("-- an article is read; the time in the background does not count");
  // [timed
  yukha::TimedEvent article = tracker.event().location("FEED", {{"y", "3"}}).content("card_913").action("READ").start();
  std::this_thread::sleep_for(300ms);  // somebody reads
  // timed]
  // [background
  const yukha::Status sent = tracker.enter_background(1s);  // as the system says; sends what it can in a second
  std::this_thread::sleep_for(300ms);
  tracker.enter_foreground();
  // background]
  say("background", sent);
  // [end
  article.end({{"depth", "0.8"}});  // tracks the sentence, with action.duration_ms
  // end]
}

void scroll_by(yukha::Tracker& tracker) {
  std::puts("-- two cards scroll by, and only one is seen for long enough");
  // [impressions
  const auto show = [&tracker](const char* card, std::chrono::milliseconds at_least) {
    return tracker.event().location("FEED").content(card).action("SEE").start({0.5, at_least});
  };
  yukha::TimedEvent seen = show("card_914", 200ms);
  yukha::TimedEvent passed = show("card_915", 1s);
  seen.set_visible_fraction(0.9);
  passed.set_visible_fraction(0.6);
  std::this_thread::sleep_for(250ms);
  const yukha::Status first = seen.end();     // ok
  const yukha::Status second = passed.end();  // too_short: it was seen for a quarter of a second
  // impressions]
  say("the first card", first);
  say("the second", second);
}

void pay(yukha::Tracker& tracker) {
  std::puts("-- a payment goes first, also where the network is metered");
  // [critical
  tracker.set_network(yukha::Network::metered);
  tracker.event().content("order_7").action("PAY", {{"price", "12900"}}).critical().track();
  // critical]
}

void see_ads(yukha::Tracker& tracker) {
  std::puts("-- advertising has a consent of its own, and an id that nothing else has");
  // [purposes
  tracker.set_advertising_id("38400000-8cf0-11bd-b23e-10b96e40000d");
  const auto see_ad = [&tracker] {
    return tracker.event().content("ad_3").action("SEE").purpose(yukha::Purpose::advertising).track();
  };
  say("an ad, before anybody was asked", see_ad());  // consent_denied
  say("asked, no answer yet", tracker.set_consent(yukha::Purpose::advertising, yukha::Consent::pending));
  say("an ad", see_ad());  // ok: it is kept, and not sent
  say("the answer is no", tracker.set_consent(yukha::Purpose::advertising, yukha::Consent::denied));
  // purposes]
  say_counts(tracker.stats());
}

void leave(yukha::Tracker& tracker) {
  std::puts("-- logged out; consent is taken back, and everything that waits is erased");
  // [consent
  tracker.reset();                                             // the next one is anonymous
  say("denied", tracker.set_consent(yukha::Consent::denied));  // what waits is erased
  say("a sentence now", tracker.event().action("LOOK").track());
  say("granted", tracker.set_consent(yukha::Consent::granted));
  // consent]
  say_counts(tracker.stats());
  // [close
  say("close", tracker.close());
  // close]
}

}  // namespace

int main(int count, char** words) {
  yukha::Tracker tracker = yukha::Tracker::open(configured(count > 1 ? words[1] : "life-events"));
  if (!tracker.status()) {
    say("open", tracker.status());
    return 1;
  }
  log_in(tracker);
  read_an_article(tracker);
  scroll_by(tracker);
  pay(tracker);
  see_ads(tracker);
  leave(tracker);
}
