// yukha: turns what a user does into six-part sentences, keeps them safe on the device, and brings every one of them
// to your own ingestion endpoint. This header is all an app needs.
#ifndef YUKHA_YUKHA_HPP
#define YUKHA_YUKHA_HPP

#include <yukha/config.hpp>
#include <yukha/event.hpp>
#include <yukha/http_transport.hpp>
#include <yukha/polled_transport.hpp>
#include <yukha/stats.hpp>
#include <yukha/status.hpp>
#include <yukha/timed_event.hpp>
#include <yukha/tracker.hpp>
#include <yukha/version.hpp>

#endif  // YUKHA_YUKHA_HPP
