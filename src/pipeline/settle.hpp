// What becomes of a batch after its answer: the table of send/CONTRACT.md, "Answers" as deeds.
#pragma once

#include "pipeline/upload.hpp"
#include "send/verdict.hpp"

namespace yukha::pipeline {

class Settle {
 public:
  Settle(Surroundings& around, Faults& faults, Flush& flush, SizeCap& sizes, BackOff& back_off, Turns& turns,
         Keys& keys, Retention& retention, Splitter& splitter, Upload& upload, InFlight& in_flight)
      : around_(around),
        faults_(faults),
        flush_(flush),
        sizes_(sizes),
        back_off_(back_off),
        turns_(turns),
        keys_(keys),
        retention_(retention),
        splitter_(splitter),
        upload_(upload),
        in_flight_(in_flight) {}

  // Deals with an answer that is there.
  void step(Step& step);
  // Other keys came from the app.
  void forget_refused_keys() noexcept { not_allowed_in_row_ = 0; }

 private:
  void apply(Step& step, const send::Judgement& judgement);
  bool asks_for_it_once_more(const send::Judgement& judgement, std::int64_t now_ms);
  // True when the batch was accepted.
  bool apply_to_batch(const send::Judgement& judgement, std::int64_t now_ms);

  bool deliver(const send::Judgement& judgement, std::int64_t now_ms);
  void obey_policy(const send::Judgement& judgement);
  void quarantine_named(const send::Judgement& judgement, std::int64_t now_ms);
  void refused(const send::Judgement& judgement, std::int64_t now_ms);
  void refused_alone(const send::Judgement& judgement, std::int64_t now_ms);
  void not_allowed(const send::Judgement& judgement, std::int64_t now_ms);
  void comes_later(const send::Judgement& judgement, std::int64_t now_ms);
  void was_split(const send::Judgement& judgement, std::int64_t now_ms);
  void renew_key(std::int64_t now_ms);
  void cut_off(std::int64_t now_ms);
  // To the back of the queue, and the endpoint is left alone.
  void put_off(const send::Backoff& backoff, const send::Judgement& judgement, std::int64_t now_ms);

  Surroundings& around_;
  Faults& faults_;
  Flush& flush_;
  SizeCap& sizes_;
  BackOff& back_off_;
  Turns& turns_;
  Keys& keys_;
  Retention& retention_;
  Splitter& splitter_;
  Upload& upload_;
  InFlight& in_flight_;
  int refusals_ = 0;                // 400 and 413 in a row
  std::int64_t lone_refusals_ = 0;  // of sentences that stood alone, since an acceptance
  int not_allowed_in_row_ = 0;
  int later_in_row_ = 0;  // 409 and 425, since an acceptance
};

}  // namespace yukha::pipeline
