/* yukha in an engine's frame loop: no thread of the library's, no callback, nothing that blocks a frame. A player plays
 * three rounds; what each was about is a sentence.
 *
 *   yukha-frame-loop QUEUE_DIR ENDPOINT
 *
 * ../../quickstart/quickstart.c is the shortest use of yukha.h; this one shows what a game adds to it. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <yukha/yukha.h>

enum { frames = 180, frames_of_a_round = 60, frame_ms = 5 };

/* A refusal is for the developer, and never for the player. */
static void note(yukha_tracker* tracker, const char* what, yukha_result result) {
  char why[512];
  if (result >= 0) return;
  yukha_last_error(tracker, why, sizeof why);
  fprintf(stderr, "%s: %s, %s\n", what, yukha_result_name(result), why);
}

// [readme
static void round_is_over(yukha_tracker* tracker, yukha_event* sentence, int round, int64_t played_ms, int score) {
  char round_text[16];
  char score_text[16];
  snprintf(round_text, sizeof round_text, "%d", round);
  snprintf(score_text, sizeof score_text, "%d", score);
  const yukha_member place[] = {{"round", round_text, 0}};
  const yukha_member result[] = {{"score", score_text, 0}, {"won", score > 100 ? "true" : "false", 0}};

  yukha_event_location(sentence, "ARENA", 0, place, 1);
  yukha_event_content(sentence, "map_ice_lake", 0, NULL, 0);
  yukha_event_referral(sentence, round == 1 ? "LOBBY" : "REMATCH", 0);
  yukha_event_action(sentence, "PLAY", 0, played_ms, result, 2);
  if (round == 3) yukha_event_critical(sentence);
  /* The first mistake of the sentence is answered here, so one look is enough. */
  note(tracker, "PLAY", yukha_event_track(sentence));
}
// readme]

static void wait_for_the_next_frame(void) {
  const struct timespec rest = {0, frame_ms * 1000000L};
  nanosleep(&rest, NULL);
}

int main(int count, char** arguments) {
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "arena";
  config.queue_dir = count > 1 ? arguments[1] : "events";
  config.endpoint = count > 2 ? arguments[2] : "http://127.0.0.1:8080";
  config.key_id = "app-2026-11";
  config.key_secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  config.no_thread = 1;
  yukha_result opened = YUKHA_NOT_OPEN;
  yukha_tracker* tracker = yukha_open(&config, &opened);
  if (tracker == NULL) return EXIT_FAILURE; /* no memory for as much as a tracker */
  note(tracker, "open", opened);
  note(tracker, "identify", yukha_identify(tracker, "player_7", 0, NULL, 0));

  /* Made once: a sentence in the making can be used for one sentence after another. */
  yukha_event* sentence = yukha_event_new(tracker);
  int64_t due_ms = 0;
  for (int frame = 1; frame <= frames; ++frame) {
    if (frame % frames_of_a_round == 0) {
      const int round = frame / frames_of_a_round;
      round_is_over(tracker, sentence, round, (int64_t)frames_of_a_round * frame_ms, 60 * round);
    }
    /* A budget of 0 waits for nothing. Disk writes are in it, so a game with a thread to spare leaves no_thread at 0.
     */
    due_ms = yukha_work(tracker, 0);
    wait_for_the_next_frame();
  }
  yukha_event_free(sentence);

  /* A loading screen is a good moment for the network. */
  const yukha_result flushed = yukha_flush(tracker, 5000);
  yukha_stats stats;
  yukha_get_stats(tracker, &stats, sizeof stats);
  printf("flush: %s, accepted %llu, delivered %llu, waiting %llu; more work was due in %lld ms\n",
         yukha_result_name(flushed), (unsigned long long)stats.accepted, (unsigned long long)stats.delivered,
         (unsigned long long)stats.waiting, (long long)due_ms);
  note(tracker, "close", yukha_close(tracker, 1000));
  yukha_free(tracker);
  return EXIT_SUCCESS;
}
