/* The same through the C interface, which is the one for engines and other languages. */
// [readme
#include <stdio.h>
#include <yukha/yukha.h>

int main(void) {
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "shop";
  config.queue_dir = "events";
  config.endpoint = "http://127.0.0.1:8080";
  config.key_id = "app-2026-11";
  config.key_secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  yukha_tracker* tracker = yukha_open(&config, NULL);
  yukha_identify(tracker, "u_1842", 0, NULL, 0);

  const yukha_member place = {"y", "3", 0};
  const yukha_member kind = {"type", "card", 0};
  yukha_event* sentence = yukha_event_new(tracker);
  yukha_event_location(sentence, "FEED", 0, &place, 1);
  yukha_event_content(sentence, "card_913", 0, &kind, 1);
  yukha_event_referral(sentence, "CLICK", 0);
  yukha_event_action(sentence, "READ", 0, 10000, NULL, 0);
  printf("track: %s\n", yukha_result_name(yukha_event_track(sentence)));
  yukha_event_free(sentence);

  printf("flush: %s\n", yukha_result_name(yukha_flush(tracker, 5000)));
  yukha_free(tracker);
  return 0;
}
// readme]
